/* <mask-lab>: a T x T grid of attention weights with two checkboxes, causal and padding; the mask is applied
   to the scores before the softmax. A query row with nothing to look at shows zeros.
   JSON: {"tokens": ["酒店", ...], "scores": [[...], ...], "length": 2, "label": "optional name"}
   "scores" are already scaled; "length" is the number of real tokens when padding is on. */
(() => {
  const make = (tag, attrs = {}, ...kids) => {
    const node = document.createElement(tag);
    for (const [k, v] of Object.entries(attrs)) node.setAttribute(k, v);
    node.append(...kids);
    return node;
  };
  customElements.define("mask-lab", class extends HTMLElement {
    connectedCallback() {
      const source = this.querySelector("script[type='application/json']");
      if (!source || this.dataset.ready) return;
      this.dataset.ready = "yes";
      const data = JSON.parse(source.textContent);
      const T = data.tokens.length, length = data.length ?? T - 1;
      const box = (text) => {
        const input = make("input", { type: "checkbox" });
        return { input, label: make("label", {}, input, ` ${text}`) };
      };
      const causal = box("Causal mask"), padding = box(`Padding mask (${length} real tokens)`);
      const body = make("tbody");
      const head = make("tr", {}, make("th", { scope: "col" }, "query \\ key"),
        ...data.tokens.map((t) => make("th", { scope: "col" }, t)));
      const table = make("table", { class: "lab-grid" }, make("thead", {}, head), body);
      const show = () => {
        body.replaceChildren(...data.scores.map((row, i) => {
          const seen = row.map((_, j) => !(causal.input.checked && j > i) && !(padding.input.checked && j >= length));
          const top = Math.max(...row.filter((_, j) => seen[j]));
          const es = row.map((x, j) => (seen[j] ? Math.exp(x - top) : 0));
          const sum = es.reduce((a, b) => a + b) || 1;
          return make("tr", {}, make("th", { scope: "row" }, data.tokens[i]), ...es.map((e, j) => {
            const cell = make("td", seen[j] ? {} : { class: "masked" }, seen[j] ? (e / sum).toFixed(3) : "masked");
            cell.style.setProperty("--share", e / sum);
            return cell;
          }));
        }));
      };
      for (const b of [causal, padding]) b.input.addEventListener("change", show);
      this.setAttribute("role", "group");
      this.setAttribute("aria-label", data.label || "Attention weights under masks");
      this.replaceChildren(source, make("div", { class: "lab-choices" }, causal.label, padding.label), table);
      show();
    }
  });
})();
