/* <softmax-lab>: one row of scores, a slider for the scale, one for the temperature; bars of the weights,
   their entropy in nats and the Frobenius norm of the softmax Jacobian diag(p) - p p^T.
   JSON: {"labels": ["酒店", "很", "干净"], "scores": [4, 0, 2], "scale": 0.5, "query": "干净", "label": "optional name"}
   The weights are softmax(scores * scale / temperature). */
(() => {
  const make = (tag, attrs = {}, ...kids) => {
    const node = document.createElement(tag);
    for (const [k, v] of Object.entries(attrs)) node.setAttribute(k, v);
    node.append(...kids);
    return node;
  };
  const softmax = (xs) => {
    const top = Math.max(...xs), es = xs.map((x) => Math.exp(x - top));
    const sum = es.reduce((a, b) => a + b);
    return es.map((e) => e / sum);
  };
  customElements.define("softmax-lab", class extends HTMLElement {
    connectedCallback() {
      const source = this.querySelector("script[type='application/json']");
      if (!source || this.dataset.ready) return;
      this.dataset.ready = "yes";
      const data = JSON.parse(source.textContent);
      const slider = (text, value, min, max) => {
        const input = make("input", { type: "range", min, max, step: 0.05, value });
        const out = make("output", {}, "");
        return { input, out, row: make("label", { class: "lab-slider" }, make("span", {}, text), input, out) };
      };
      const scale = slider("Scale", data.scale ?? 0.5, 0.05, 4);
      const temperature = slider("Temperature", data.temperature ?? 1, 0.1, 5);
      const bars = make("div", { class: "lab-bars" });
      const notes = make("p", { class: "lab-notes", "aria-live": "polite" });
      const show = () => {
        const s = Number(scale.input.value), t = Number(temperature.input.value);
        scale.out.textContent = s.toFixed(2);
        temperature.out.textContent = t.toFixed(2);
        const p = softmax(data.scores.map((x) => x * s / t));
        bars.replaceChildren(...p.map((w, i) => {
          const bar = make("span", { class: "lab-bar", "aria-hidden": "true" });
          bar.style.setProperty("--share", w);
          return make("div", { class: "lab-row" }, make("span", { class: "lab-key" }, data.labels[i]), bar,
            make("output", { "aria-label": `weight on ${data.labels[i]}` }, w.toFixed(3)));
        }));
        const entropy = -p.reduce((a, w) => a + (w > 0 ? w * Math.log(w) : 0), 0);
        let norm = 0;
        p.forEach((a, i) => p.forEach((b, j) => { norm += ((i === j ? a : 0) - a * b) ** 2; }));
        notes.textContent = `Entropy ${entropy.toFixed(3)} nats · Jacobian norm (Frobenius) ${Math.sqrt(norm).toFixed(3)}`;
      };
      for (const s of [scale, temperature]) s.input.addEventListener("input", show);
      this.setAttribute("role", "group");
      this.setAttribute("aria-label", data.label || `Softmax of the scores of ${data.query || "one query"}`);
      this.replaceChildren(source, scale.row, temperature.row, bars, notes);
      show();
    }
  });
})();
