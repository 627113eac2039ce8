/* What assistive software needs and the theme's pages lack: names that contain the visible label, content within
   landmarks, and scrolling blocks that the keyboard reaches. Everything is measured first and changed afterwards, so
   that the page is laid out once. */
(() => {
  const mend = () => {
    const all = (selector) => [...document.querySelectorAll(selector)];
    const labels = all("button[aria-label], a[aria-label]").map((node) => [node, node.innerText.trim()]);
    const blocks = all("pre, .cell_output, table.lab-grid, .pst-scrollable-table-container")
      .filter((node) => node.scrollWidth > node.clientWidth || node.scrollHeight > node.clientHeight);
    for (const [node, seen] of labels) {
      if (seen && !node.getAttribute("aria-label").toLowerCase().includes(seen.toLowerCase())) node.setAttribute("aria-label", seen);
    }
    for (const node of blocks) {
      node.tabIndex = 0;
      if (node.matches(".pst-scrollable-table-container")) {
        node.setAttribute("role", "group");
        node.setAttribute("aria-label", `Table: ${[...node.querySelectorAll("thead th")].map((th) => th.textContent.trim()).join(", ")}`);
      }
    }
    for (const [selector, name] of [[".bd-sidebar-primary", "Book"], ["#pst-skip-link", "Skip"]]) {
      for (const node of all(selector)) {
        node.setAttribute("role", "navigation");
        node.setAttribute("aria-label", name);
      }
    }
  };
  if (document.readyState === "complete") mend(); else addEventListener("load", mend);
})();
