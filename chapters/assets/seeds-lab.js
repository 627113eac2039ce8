/* <seeds-lab>: draw k of the stored seeds for two cases and see which is ahead; beside it, how often such a draw
   contradicts the mean of all seeds. Slider for k, radio buttons for "the same seeds" or "seeds of their own".
   JSON: {"names": ["case 1", "case 2"], "seeds": [0, 1, ...], "a": [0.85, ...], "b": [...],
          "same": [share for k = 1, ...], "own": [...], "label": "…"} */
(() => {
  const { make } = lab;
  const mean = (xs) => xs.reduce((p, q) => p + q, 0) / xs.length;
  const draw = (n, k) => {
    const places = Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = Math.floor(Math.random() * (i + 1));
      [places[i], places[j]] = [places[j], places[i]];
    }
    return places.slice(0, k).sort((p, q) => p - q);
  };
  lab.define("seeds-lab", (data) => {
    const n = data.seeds.length, all = mean(data.b) - mean(data.a);
    const low = Math.min(...data.a, ...data.b), high = Math.max(...data.a, ...data.b), pad = (high - low) / 20 || 0.01;
    const at = (x) => `${(100 * (x - low + pad)) / (high - low + 2 * pad)}%`;
    const modes = ["same", "own"];
    let mode = "same", last = "";

    const rows = make("div", { class: "seeds-rows" });
    const notes = lab.live(), odds = make("p", { class: "lab-notes" });
    const again = make("button", { type: "button", class: "seeds-draw" }, "Draw again");

    const pick = (k) => { // not the draw that is shown already, where there is another
      for (let tries = 0; ; tries++) {
        const first = draw(n, k), second = mode === "same" ? first : draw(n, k), key = `${first}/${second}`;
        if (key !== last || tries > 50) {
          last = key;
          return [first, second];
        }
      }
    };
    const show = () => {
      const k = slider.value(), [first, second] = pick(k);
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
    const slider = lab.slider("Seeds", { min: 1, max: n, step: 1, value: 1, digits: 0 }, show);
    const how = lab.radios("Draw", ["the same seeds for both", "each case its own"], 0, (i) => { mode = modes[i]; show(); });
    again.addEventListener("click", show);
    show();
    return [how, slider.row, rows, notes, odds, again];
  });
})();
