/* <sampling-lab>: what temperature, top-k and top-p leave of a real distribution over the next token, and draws from it.
   JSON: {"label": "optional name", "names": ["the", " of", ...] by id, "shown": 10, "seed": 1,
          "contexts": [{"text": "She was very", "logits": [312, -105, ...] by id, in hundredths}, ...]}
   As in the notebook: the temperature first, then top-k, then top-p of what top-k has left; at T = 0 the first of the
   largest. Among equal logits the lowest id comes first. */
lab.define("sampling-lab", (data, figure) => {
  const STOPS = [1, 2, 3, 4, 5, 8, 10, 15, 20, 30, 40, 50, 75, 100, 200];
  const V = data.names.length, stops = [...STOPS.filter((k) => k < V), V];
  const rows = data.shown ?? 10;
  let chosen = 0, drawn = [], random = 0;

  const style = lab.make("style", {}, `
    sampling-lab .lab-slider output { text-align: right; font-variant-numeric: tabular-nums; }
    sampling-lab .lab-row { grid-template-columns: 6.5rem 1fr 4.2rem; }
    sampling-lab .lab-row output { text-align: right; font-variant-numeric: tabular-nums; }
    sampling-lab .lab-key { white-space: pre; overflow: hidden; text-overflow: ellipsis; }
    sampling-lab .sampling-track { position: relative; display: block; height: 1rem; }
    sampling-lab .sampling-track > span { position: absolute; left: 0; top: 0; height: 1rem; box-sizing: border-box; border-radius: 3px; width: calc(var(--share, 0) * 100%); min-width: 1px; }
    sampling-lab .sampling-before { border: 1px solid var(--pst-color-text-muted); }
    sampling-lab .sampling-after { background: var(--course-accent); }
    sampling-lab .sampling-out .lab-key { color: var(--pst-color-text-muted); text-decoration: line-through; }
    sampling-lab fieldset { border: 0; padding: 0; margin: 0 0 0.6rem; }
    sampling-lab legend { font-size: 1rem; font-weight: 600; margin: 0; }
    sampling-lab button { margin: 0.6rem 0 0; padding: 0.15rem 0.9rem; }
    sampling-lab button:hover { border-color: var(--course-accent); }
    sampling-lab :is(button, input):focus-visible { outline: 2px solid var(--course-accent); outline-offset: 2px; }
    sampling-lab .sampling-drawn { margin: 0.5rem 0 0; min-height: 1.6em; overflow-wrap: anywhere; }
    sampling-lab .sampling-drawn span { display: inline-block; white-space: pre; padding: 0 0.35rem; margin: 0.1rem 0.25rem 0.1rem 0; border: 1px solid var(--pst-color-border); border-radius: 3px; }
  `);

  const visible = (name) => name.replaceAll(" ", "␣").replaceAll("\n", "⏎");
  const ranked = data.contexts.map(({ logits }) => logits.map((x, id) => [x / 100, id]).sort((a, b) => b[0] - a[0] || a[1] - b[1]));

  /** Probabilities by rank before and after the filters. */
  const filtered = () => {
    const t = temperature.value(), scores = ranked[chosen].map(([x]) => x);
    const before = t === 0 ? scores.map((_, i) => (i === 0 ? 1 : 0)) : lab.softmax(scores.map((x) => x / t));
    const k = Math.min(stops[Number(kInput.value)], V);
    const sum = before.slice(0, k).reduce((a, b) => a + b);
    let kept = 0, total = 0;
    while (kept < k && (kept === 0 || total < topP.value())) total += before[kept++] / sum;
    const left = before.slice(0, kept).reduce((a, b) => a + b);
    return { before, kept, left, after: before.map((p, i) => (i < kept ? p / left : 0)) };
  };

  const bars = lab.make("div", { class: "lab-bars" }), notes = lab.live();
  const said = lab.make("p", { class: "sampling-drawn", "aria-live": "polite" });
  const show = () => {
    const { before, after, kept, left } = filtered();
    bars.replaceChildren(...ranked[chosen].slice(0, rows).map(([, id], i) => {
      const old = lab.make("span", { class: "sampling-before" }), now = lab.make("span", { class: "sampling-after" });
      old.style.setProperty("--share", before[i]);
      now.style.setProperty("--share", after[i]);
      return lab.make("div", { class: i < kept ? "lab-row" : "lab-row sampling-out" },
        lab.make("span", { class: "lab-key" }, visible(data.names[id])),
        lab.make("span", { class: "sampling-track", "aria-hidden": "true" }, now, old),
        lab.make("output", {}, i < kept ? after[i].toFixed(3) : "out"));
    }));
    const may = after.filter((p) => p > 0);
    const entropy = -may.reduce((a, p) => a + p * Math.log2(p), 0);
    notes.textContent = `${may.length} of ${V} tokens may come; they held ${(100 * left).toFixed(1)} % before the cut. `
      + `Entropy ${Math.abs(entropy).toFixed(2)} bits.`;
  };
  const changed = () => { drawn = []; said.replaceChildren(); show(); };

  /** Numbers from 0 to 1 that are the same at every visit (mulberry32). */
  const next = () => {
    random = (random + 0x6d2b79f5) | 0;
    let x = Math.imul(random ^ (random >>> 15), 1 | random);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
  const draw = () => {
    const { after } = filtered();
    drawn = Array.from({ length: 12 }, () => {
      let u = next(), i = 0;
      while (i < V - 1 && (after[i] === 0 || u >= after[i])) u -= after[i++];
      while (after[i] === 0) i--;
      return visible(data.names[ranked[chosen][i][1]]);
    });
    said.replaceChildren(...drawn.flatMap((name) => [lab.make("span", {}, name), " "]));
  };

  random = data.seed ?? 1;
  const texts = lab.radios("The text so far", data.contexts.map(({ text }) => `${text} …`), 0, (i) => { chosen = i; changed(); });
  const temperature = lab.slider("Temperature", { min: 0, max: 2, step: 0.05, value: 1 }, changed);
  const topP = lab.slider("Top-p", { min: 0.05, max: 1, step: 0.05, value: 1 }, changed);
  const kInput = lab.make("input", { type: "range", min: 0, max: stops.length - 1, step: 1, value: stops.length - 1 });
  const kSaid = lab.make("output");
  const sayK = () => {
    const k = stops[Number(kInput.value)];
    kSaid.textContent = k === V ? "all" : String(k);
    kInput.setAttribute("aria-valuetext", kSaid.textContent);
  };
  kInput.addEventListener("input", () => { sayK(); changed(); });
  sayK();
  const topK = lab.make("label", { class: "lab-slider" }, lab.make("span", {}, "Top-k"), kInput, kSaid);
  const button = lab.make("button", { type: "button" }, "Draw twelve");
  button.addEventListener("click", draw);
  data.label ??= "Temperature, top-k and top-p on a next-token distribution";
  show();
  return [style, texts, temperature.row, topK, topP.row, bars, notes, button, said];
});
