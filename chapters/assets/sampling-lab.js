/* <sampling-lab>: a text that goes on. What temperature, top-k and top-p leave of the next token's distribution, a draw
   from it, and the distribution that follows, from a recorded tree of continuations.
   JSON: {"label": "optional name", "tokens": 49152, "names": [" clean", …], "shown": 10, "seed": 1,
          "start": {"temperature": 0.8, "topP": 0.9},
          "beginnings": [{"text": "The room was very", "tree": [[ids, logits, others, next], …]}, {"ask": "What …?", "tree": …}]}
   A node of the tree has its likeliest tokens (`ids` into `names`; no name: the model ends its text), their `logits` below
   the first in hundredths, the `others` as pairs of how many and their logit, and `next`: which of its tokens leads on to
   which node. As in the notebook: the temperature first, then top-k, then top-p of what top-k has left; at T = 0 the first
   of the largest. Among equal logits the order is that of `ids`. */
lab.define("sampling-lab", (data) => {
  const { make } = lab;
  const STOPS = [1, 2, 3, 4, 5, 8, 10, 15, 20, 30, 40, 50, 75, 100, 200];
  const V = data.tokens, stops = [...STOPS.filter((k) => k < V), V], rows = data.shown ?? 10;
  const begin = { temperature: 1, topP: 1, ...data.start };
  let chosen = 0, path = [], random = data.seed ?? 1;      // path: [{node, rank}], rank -1 for a token without a name

  const style = make("style", {}, `
    sampling-lab .lab-slider output { text-align: right; font-variant-numeric: tabular-nums; }
    sampling-lab fieldset { border: 0; padding: 0; margin: 0 0 0.6rem; }
    sampling-lab legend { font-size: 1rem; font-weight: 600; margin: 0; }
    sampling-lab .sampling-text { font: 1.1rem/1.7 var(--serif); margin: 0.2rem 0 0.7rem; min-height: 5.1em; white-space: pre-wrap; overflow-wrap: anywhere; }
    sampling-lab .sampling-asked { display: block; font-style: italic; color: var(--pst-color-text-muted); }
    sampling-lab .sampling-new { background: color-mix(in srgb, var(--course-accent) 13%, transparent); border-bottom: 2px solid var(--course-accent); }
    sampling-lab .sampling-new:nth-child(even) { border-bottom-style: dotted; }
    sampling-lab .sampling-end { border-bottom: 0; color: var(--pst-color-text-muted); font-family: var(--sans); font-size: 0.9rem; }
    sampling-lab ol { list-style: none; margin: 0.6rem 0 0; padding: 0; }
    .bd-article sampling-lab :is(ol, li) { margin-left: 0; padding-left: 0; }
    sampling-lab li { margin: 0; }
    sampling-lab li > button { display: grid; grid-template-columns: 7rem 1fr 3.6rem 1rem; gap: 0.5rem; align-items: center; width: 100%; min-height: 1.75rem; padding: 0 0.3rem; border: 0; border-radius: 3px; background: none; color: inherit; font: inherit; text-align: left; cursor: pointer; }
    @media (max-width: 600px) { sampling-lab li > button { grid-template-columns: 5.2rem 1fr 3.1rem 0.6rem; } }
    sampling-lab li > button:hover { background: color-mix(in srgb, var(--course-accent) 10%, transparent); }
    sampling-lab .sampling-key { white-space: pre; overflow: hidden; text-overflow: ellipsis; }
    sampling-lab .sampling-p { text-align: right; font-variant-numeric: tabular-nums; }
    sampling-lab .sampling-track { position: relative; display: block; height: 1rem; }
    sampling-lab .sampling-track > span { position: absolute; left: 0; top: 0; height: 1rem; box-sizing: border-box; border-radius: 3px; width: calc(var(--share, 0) * 100%); min-width: 1px; }
    sampling-lab .sampling-before { border: 1px solid var(--pst-color-text-muted); }
    sampling-lab .sampling-after { background: var(--course-accent); }
    sampling-lab .sampling-out .sampling-key { color: var(--pst-color-text-muted); text-decoration: line-through; }
    sampling-lab .sampling-buttons { display: flex; flex-wrap: wrap; gap: 0.5rem; margin: 0.8rem 0 0.4rem; }
    sampling-lab .sampling-buttons button { padding: 0.25rem 0.9rem; min-height: 2.2rem; }
    sampling-lab .sampling-buttons button:hover { border-color: var(--course-accent); }
    sampling-lab button[aria-disabled="true"] { opacity: 0.55; cursor: default; }
    sampling-lab :is(button, input):focus-visible { outline: 2px solid var(--course-accent); outline-offset: 2px; }
    sampling-lab .sampling-said { margin: 0.3rem 0 0; min-height: 3em; }
  `);

  const visible = (name) => (name === "" ? "(end)" : name.replaceAll(" ", "␣").replaceAll("\n", "⏎"));
  const tree = () => data.beginnings[chosen].tree;
  const nameOf = (step) => (step.rank < 0 ? "…" : data.names[tree()[step.node][0][step.rank]]);

  /** Where the text stands: a node of the record, or why there is none. */
  const place = () => {
    const last = path.at(-1);
    if (!last) return { node: 0 };
    if (last.rank < 0) return { why: "unnamed" };
    if (nameOf(last) === "") return { why: "ended" };
    const node = tree()[last.node][3][last.rank];
    return node === undefined ? { why: "leaf" } : { node };
  };

  /** What may come, in order: tokens, and at the end groups of tokens that the record only counts. */
  const filtered = (node) => {
    const [ids, logits, others] = tree()[node], t = temperature.value(), k = stops[Number(kInput.value)], p = topP.value();
    const parts = ids.map((id, i) => ({ count: 1, x: logits[i] / 100 }));
    for (let i = 0; i < others.length; i += 2) parts.push({ count: others[i], x: others[i + 1] / 100 });
    const top = parts[0].x, e = parts.map(({ x }, i) => (t === 0 ? Number(i === 0) : Math.exp((x - top) / t)));
    const sum = parts.reduce((all, { count }, i) => all + count * e[i], 0);
    let room = k, first = 0;                                                   // the first k, and their sum
    parts.forEach((part, i) => {
      Object.assign(part, { p: e[i] / sum, kept: Math.min(part.count, room) });
      room -= part.kept;
      first += part.kept * part.p;
    });
    let total = 0, left = 0, may = 0;
    for (const part of parts) {
      const each = part.p / first, open = may === 0 ? p : p - total;
      part.kept = may > 0 && total >= p ? 0 : each > 0 ? Math.min(part.kept, Math.max(1, Math.ceil(open / each - 1e-9))) : 0;
      total += part.kept * each;
      left += part.kept * part.p;
      may += part.kept;
    }
    const cut = parts.some(({ count, kept }) => kept > 0 && kept < count);     // within a group: nearly so many
    return { parts, left, may, named: ids.length, about: cut, after: parts.map((part) => (part.kept * part.p) / left) };
  };

  /** Numbers from 0 to 1 that are the same at every visit (mulberry32). */
  const next = () => {
    random = (random + 0x6d2b79f5) | 0;
    let x = Math.imul(random ^ (random >>> 15), 1 | random);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };

  const text = make("p", { class: "sampling-text" }), list = make("ol"), notes = make("p", { class: "lab-notes" });
  const said = make("p", { class: "sampling-said", role: "status" });
  const WHY = {
    leaf: "The record ends here: nobody has asked the model how this text goes on. Take a step back, or start again.",
    ended: "The model has ended its text. Start again, or take a step back and draw another token.",
    unnamed: "The draw fell on one of the tokens that the record counts and does not name, so it cannot go on. Take a step back, or start again.",
  };
  const press = (button, off) => button.setAttribute("aria-disabled", String(off));

  const show = () => {
    const { text: given, ask } = data.beginnings[chosen], at = place();
    const tokens = path.map((step) => (nameOf(step) === "" ? make("span", { class: "sampling-new sampling-end" }, " (end)") : make("span", { class: "sampling-new" }, nameOf(step))));
    text.replaceChildren(ask ? make("span", { class: "sampling-asked" }, ask) : given, ...tokens, at.why ? "" : " …");
    press(one, Boolean(at.why));
    press(ten, Boolean(at.why));
    press(back, path.length === 0);
    press(again, path.length === 0);
    if (at.why) {
      list.replaceChildren();
      notes.textContent = WHY[at.why];
      return;
    }
    const { parts, left, may, named, about, after } = filtered(at.node), [ids, , , leads] = tree()[at.node];
    list.replaceChildren(...ids.slice(0, rows).map((id, rank) => {
      const old = make("span", { class: "sampling-before" }), now = make("span", { class: "sampling-after" });
      old.style.setProperty("--share", parts[rank].p);
      now.style.setProperty("--share", after[rank]);
      const kept = parts[rank].kept > 0, p = kept ? after[rank].toFixed(3) : "out", on = leads[rank] !== undefined;
      const button = make("button", { type: "button", "aria-label": `Take ${visible(data.names[id])}: ${p}${on ? ", recorded further" : ""}` },
        make("span", { class: "sampling-key" }, visible(data.names[id])),
        make("span", { class: "sampling-track", "aria-hidden": "true" }, now, old),
        make("span", { class: "sampling-p" }, p), make("span", { "aria-hidden": "true" }, on ? "›" : ""));
      button.addEventListener("click", () => {
        path.push({ node: at.node, rank });
        show();
        tell(`You took “${visible(data.names[id])}”.`);
        (list.querySelector("button") ?? back).focus();
      });
      return make("li", { class: kept ? "" : "sampling-out" }, button);
    }));
    const entropy = parts.reduce((all, part, i) => (after[i] > 0 ? all - after[i] * Math.log2(after[i] / part.kept) : all), 0);
    const more = may > named ? ` ${named} of them have names in the record.` : "";
    notes.textContent = `${about ? "About " : ""}${may.toLocaleString("en-GB")} of ${V.toLocaleString("en-GB")} tokens may come; they held ${(100 * left).toFixed(1)} % before the cut. `
      + `Entropy ${Math.abs(entropy).toFixed(2)} bits.${more}`;
  };
  const tell = (words) => {
    const { why } = place();
    said.textContent = why ? `${words} ${WHY[why]}` : `${words} The text: ${(data.beginnings[chosen].text ?? "") + path.map(nameOf).join("")}`;
  };

  const draw = () => {
    const { node } = place(), { after, named } = filtered(node);
    let u = next(), i = 0;
    while (i < after.length - 1 && (after[i] === 0 || u >= after[i])) u -= after[i++];
    while (after[i] === 0) i--;
    path.push({ node, rank: i < named ? i : -1 });
    return after[i];
  };
  const several = (n) => {
    if (place().why) return;
    let drawn = 0, p;
    while (drawn < n && !place().why) { p = draw(); drawn++; }
    show();
    tell(drawn === 1 ? `Drawn: “${visible(nameOf(path.at(-1)))}”, with ${p.toFixed(3)}.` : `${drawn} tokens drawn.`);
  };
  const button = (words, run) => {
    const made = make("button", { type: "button" }, words);
    made.addEventListener("click", run);
    return made;
  };
  const one = button("Draw a token", () => several(1)), ten = button("Draw ten", () => several(10));
  const back = button("Step back", () => { if (path.length) { path.pop(); show(); tell("One token back."); } });
  const again = button("Start again", () => { if (path.length) { path = []; show(); tell("From the beginning."); } });

  const texts = lab.radios("The text so far", data.beginnings.map(({ text: given, ask }) => (ask ? `“${ask}”` : `${given} …`)), 0,
    (i) => { chosen = i; path = []; show(); tell("From the beginning."); });
  const temperature = lab.slider("Temperature", { min: 0, max: 2, step: 0.05, value: begin.temperature }, () => show());
  const topP = lab.slider("Top-p", { min: 0.05, max: 1, step: 0.05, value: begin.topP }, () => show());
  const kInput = make("input", { type: "range", min: 0, max: stops.length - 1, step: 1, value: stops.length - 1 }), kSaid = make("output");
  const sayK = () => {
    const k = stops[Number(kInput.value)];
    kSaid.textContent = k === V ? "all" : String(k);
    kInput.setAttribute("aria-valuetext", kSaid.textContent);
  };
  kInput.addEventListener("input", () => { sayK(); show(); });
  sayK();
  const topK = make("label", { class: "lab-slider" }, make("span", {}, "Top-k"), kInput, kSaid);
  data.label ??= "A text that goes on by drawing, with temperature, top-k and top-p";
  show();
  return [style, texts, text, make("div", { class: "sampling-buttons" }, one, ten, back, again), said, temperature.row, topK, topP.row, notes, list];
});
