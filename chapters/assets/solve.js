/* Exercises in the page: nothing is loaded until a reader opens one, or has solved some before. The rest is in solve/. */
(() => {
  const folder = new URL("solve/", document.currentScript.src).href, all = (selector) => document.querySelectorAll(selector);
  const begin = (name) => import(`${folder}${name}.js`);
  if (location.protocol === "file:") {
    for (const tools of all(".solve-tools")) tools.remove();
    for (const lead of all(".solve-lead")) {
      lead.innerHTML = "A page that is opened as a file cannot run Python. In the course's folder, <code>make read</code> opens this book in a way that can. Or download the notebook above.";
    }
    return;
  }
  let kept = false;
  try { kept = Object.keys(localStorage).some((key) => key.startsWith("answer:")); } catch { /* no storage here */ }
  if (kept) begin("progress").then((it) => it.show());
  const open = (door) => { if (door.open && !door.dataset.ready) begin("page").then((it) => it.make(door)); };
  for (const door of all(".solve")) {
    door.addEventListener("toggle", () => open(door));
    open(door);
  }
  for (const button of all("[data-solve]")) {
    button.addEventListener("click", () => begin("notebook").then((it) => it[button.dataset.solve](button.closest(".solve-list, .course-progress"))));
  }
  const follow = () => {
    const door = location.hash.startsWith("#solve-") && document.getElementById(location.hash.slice(1));
    if (door) { door.open = true; door.scrollIntoView(); }
  };
  addEventListener("hashchange", follow);
  follow();
})();
