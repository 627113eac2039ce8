/* <attention-map>: choose a query token (radio buttons; arrow keys move, hover previews) and see its weights.
   JSON: {"queries": ["酒店", ...], "keys": ["酒店", ...], "weights": [[...], ...], "label": "optional name"}
   "tokens" may stand for both "queries" and "keys". One row of weights a query, one number a key. */
(() => {
  let count = 0;
  const make = (tag, attrs = {}, ...kids) => {
    const node = document.createElement(tag);
    for (const [k, v] of Object.entries(attrs)) node.setAttribute(k, v);
    node.append(...kids);
    return node;
  };
  customElements.define("attention-map", class extends HTMLElement {
    connectedCallback() {
      const source = this.querySelector("script[type='application/json']");
      if (!source || this.dataset.ready) return;
      this.dataset.ready = "yes";
      const data = JSON.parse(source.textContent);
      const queries = data.queries || data.tokens, keys = data.keys || data.tokens;
      const name = `attention-map-${++count}`;
      const choices = make("fieldset", {}, make("legend", {}, "Query token"));
      const bars = make("div", { class: "lab-bars" });
      const show = (row) => {
        bars.replaceChildren(...keys.map((key, j) => {
          const w = data.weights[row][j];
          const bar = make("span", { class: "lab-bar", "aria-hidden": "true" });
          bar.style.setProperty("--share", w);
          return make("div", { class: "lab-row" }, make("span", { class: "lab-key" }, key), bar,
            make("output", { "aria-label": `weight on ${key}` }, w.toFixed(3)));
        }));
      };
      let chosen = queries.length - 1;
      queries.forEach((token, i) => {
        const input = make("input", { type: "radio", name, value: i });
        input.checked = i === chosen;
        input.addEventListener("change", () => { chosen = i; show(i); });
        const label = make("label", {}, input, ` ${token}`);
        label.addEventListener("mouseenter", () => show(i));
        label.addEventListener("mouseleave", () => show(chosen));
        choices.append(label);
      });
      this.setAttribute("role", "group");
      this.setAttribute("aria-label", data.label || "Attention weights of a chosen query");
      this.replaceChildren(source, choices, bars);
      show(chosen);
    }
  });
})();
