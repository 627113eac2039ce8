/* <seeds-lab>: draw k of the stored seeds for two cases and see which is ahead; beside it, how often such a draw
   contradicts the mean of all seeds. Slider for k, radio buttons for "the same seeds" or "seeds of their own".
   JSON: {"names": ["case 1", "case 2"], "seeds": [0, 1, ...], "a": [0.85, ...], "b": [...],
          "same": [share for k = 1, ...], "own": [...]} */
(() => {
  let count = 0;
  const make = (tag, attrs = {}, ...kids) => {
    const node = document.createElement(tag);
    for (const [k, v] of Object.entries(attrs)) node.setAttribute(k, v);
    node.append(...kids);
    return node;
  };
  const mean = (xs) => xs.reduce((p, q) => p + q, 0) / xs.length;
  const draw = (n, k) => {
    const places = Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = Math.floor(Math.random() * (i + 1));
      [places[i], places[j]] = [places[j], places[i]];
    }
    return places.slice(0, k);
  };
  customElements.define("seeds-lab", class extends HTMLElement {
    connectedCallback() {
      const source = this.querySelector("script[type='application/json']");
      if (!source || this.dataset.ready) return;
      this.dataset.ready = "yes";
      const data = JSON.parse(source.textContent), n = data.seeds.length, name = `seeds-lab-${++count}`;
      const all = mean(data.b) - mean(data.a);
      const low = Math.min(...data.a, ...data.b), high = Math.max(...data.a, ...data.b), pad = (high - low) / 20 || 0.01;
      const at = (x) => `${(100 * (x - low + pad)) / (high - low + 2 * pad)}%`;

      const slider = make("input", { type: "range", min: 1, max: n, step: 1, value: 1 });
      const chosen = make("output", {}, "1");
      const how = make("fieldset", {}, make("legend", {}, "Draw"));
      let mode = "same";
      for (const [value, text] of [["same", "the same seeds for both"], ["own", "each case its own"]]) {
        const input = make("input", { type: "radio", name, value });
        input.checked = value === mode;
        input.addEventListener("change", () => { mode = value; show(); });
        how.append(make("label", {}, input, ` ${text}`));
      }
      const again = make("button", { type: "button", class: "seeds-draw" }, "Draw again");
      const rows = make("div", { class: "seeds-rows" });
      const notes = make("p", { class: "lab-notes", "aria-live": "polite" });
      const odds = make("p", { class: "lab-notes" });

      const show = () => {
        const k = Number(slider.value);
        chosen.textContent = k;
        const first = draw(n, k), second = mode === "same" ? first : draw(n, k);
        const means = [[data.a, first], [data.b, second]].map(([values, picked], row) => {
          const m = mean(picked.map((i) => values[i]));
          const strip = make("div", { class: "seeds-strip", "aria-hidden": "true" });
          values.forEach((x, i) => {
            const dot = make("span", { class: picked.includes(i) ? "seeds-dot seeds-picked" : "seeds-dot" });
            dot.style.left = at(x);
            strip.append(dot);
          });
          const bar = make("span", { class: "seeds-mean" });
          bar.style.left = at(m);
          strip.append(bar);
          return { m, node: make("div", { class: "lab-row" }, make("span", { class: "lab-key" }, data.names[row]), strip,
            make("output", { "aria-label": `mean of the drawn seeds, ${data.names[row]}` }, m.toFixed(4))) };
        });
        rows.replaceChildren(...means.map(({ node }) => node));
        const gap = means[1].m - means[0].m, agrees = gap * all > 0 ? "as with all seeds" : "the other way than with all seeds";
        notes.textContent = Math.abs(gap) < 1e-12 ? "Neither is ahead."
          : `Ahead: ${data.names[gap > 0 ? 1 : 0]}, by ${(100 * Math.abs(gap)).toFixed(2)} points, ${agrees}.`;
        odds.textContent = `Of all draws of ${k} ${k === 1 ? "seed" : "seeds"}, ${(100 * data[mode][k - 1]).toFixed(0)} % ` +
          `contradict the mean of all ${n}, which puts ${data.names[all > 0 ? 1 : 0]} ahead by ${(100 * Math.abs(all)).toFixed(2)} points.`;
      };
      slider.addEventListener("input", show);
      again.addEventListener("click", show);
      this.setAttribute("role", "group");
      this.setAttribute("aria-label", "Draw seeds and compare the two cases");
      this.replaceChildren(source, how,
        make("label", { class: "lab-slider" }, make("span", {}, "Seeds"), slider, chosen), rows, notes, odds, again);
      show();
    }
  });
})();
