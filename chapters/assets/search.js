/* The way to the search (search/find.js), which is loaded when a reader first opens its box, and on its own page. */
(() => {
  const here = document.currentScript.src.replace(/search\.js.*$/, "");
  let loading;
  const load = () => (loading ||= new Promise((done, failed) => {
    const script = document.createElement("script");
    Object.assign(script, { src: `${here}search/find.js`, onload: done, onerror: () => failed(new Error("search/find.js is missing")) });
    document.head.append(script);
  }));
  window.courseSearch = async (...asked) => { await load(); return window.courseSearch(...asked); };
  const input = document.querySelector("#pst-search-dialog input");
  if (input) {
    input.form.action = `${here.replace(/_static\/$/, "")}search.html`;
    input.addEventListener("focus", load, { once: true });
  }
  if (document.querySelector("#search-results")) load();
})();
