/* Two things axe finds on the theme's stock pages: names that do not contain the visible label, and content outside a landmark. */
(() => {
  const mend = () => {
    for (const node of document.querySelectorAll("button[aria-label], a[aria-label]")) {
      const seen = node.innerText.trim();
      if (seen && !node.getAttribute("aria-label").toLowerCase().includes(seen.toLowerCase())) node.setAttribute("aria-label", seen);
    }
    for (const node of document.querySelectorAll("pre, .cell_output, table.lab-grid")) {
      if (node.scrollWidth > node.clientWidth || node.scrollHeight > node.clientHeight) node.tabIndex = 0;
    }
    const side = document.querySelector(".bd-sidebar-primary");
    if (side) { side.setAttribute("role", "navigation"); side.setAttribute("aria-label", "Book"); }
    const skip = document.getElementById("pst-skip-link");
    if (skip) { skip.setAttribute("role", "navigation"); skip.setAttribute("aria-label", "Skip"); }
  };
  if (document.readyState === "complete") mend(); else addEventListener("load", mend);
})();
