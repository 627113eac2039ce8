/* <lattice-lab>: the pieces of a word as arcs over its characters; a slider for each piece's probability. The most
   probable way through (Viterbi) is drawn thick, the longest match from the left dashed; below, every way with its share.
   JSON: {"words": [{"text": "不适合", "pieces": {"不": 0.2, "适合": 0.06, ...}}, ...], "label": "optional name"} */
(() => {
  const LOW = -4, HIGH = Math.log10(0.5), CELL = 40, SIDE = 16;
  const number = (p) => (p >= 0.01 ? p.toFixed(3) : p.toPrecision(2));

  const ways = (text, pieces) => (text ? Object.keys(pieces).filter((p) => text.startsWith(p))
    .flatMap((p) => ways(text.slice(p.length), pieces).map((rest) => [p, ...rest])) : [[]]);
  const longestMatch = (text, pieces) => {
    const found = [];
    for (let at = 0; at < text.length; at += found.at(-1).length) {
      const fitting = Object.keys(pieces).filter((p) => text.startsWith(p, at));
      if (!fitting.length) return null;
      found.push(fitting.reduce((a, b) => (b.length > a.length ? b : a)));
    }
    return found;
  };
  const places = (way) => { // "start:piece" for each piece of a way
    let at = 0;
    return new Set((way || []).map((piece) => { at += piece.length; return `${at - piece.length}:${piece}`; }));
  };

  /* Characters on a line, the places between them as dots, and an arc for each piece wherever it occurs. */
  const lattice = (text, pieces, best, greedy) => {
    const n = text.length, cell = n < 6 ? 2 * CELL : CELL, x = (place) => SIDE + place * cell;
    const thick = places(best), dashed = places(greedy), spans = [];
    for (const piece of Object.keys(pieces)) {
      for (let at = text.indexOf(piece); at >= 0; at = text.indexOf(piece, at + 1)) spans.push({ piece, at, key: `${at}:${piece}` });
    }
    const rise = (length) => 18 + 26 * length, floor = rise(Math.max(...spans.map((s) => s.piece.length))) + 8;
    const picture = lab.svg("svg", { viewBox: `0 0 ${x(n) + SIDE} ${floor + 36}`, width: x(n) + SIDE, height: floor + 36,
      role: "img", fill: "none", stroke: "currentColor", "font-size": 15,
      "aria-label": `Pieces of ${text}: ${spans.map((s) => s.piece).join(", ")}. Most probable way: ${best.join(", ")}.` });
    spans.sort((a, b) => thick.has(a.key) - thick.has(b.key)); // the best way is drawn last, on top
    const kind = ({ key }) => (thick.has(key) ? "lattice-best" : dashed.has(key) ? "lattice-longest" : "lattice-other");
    for (const span of spans) {
      const from = x(span.at), to = x(span.at + span.piece.length), top = floor - rise(span.piece.length);
      picture.append(lab.svg("path", { class: kind(span), d: `M${from} ${floor} C${from} ${top} ${to} ${top} ${to} ${floor}` }));
    }
    for (const span of spans) {
      picture.append(lab.svg("text", { class: kind(span), x: x(span.at + span.piece.length / 2),
        y: floor - 0.75 * rise(span.piece.length) + 5, "text-anchor": "middle" }, span.piece));
    }
    for (let i = 0; i <= n; i++) picture.append(lab.svg("circle", { cx: x(i), cy: floor, r: 3.5, fill: "currentColor", stroke: "none" }));
    [...text].forEach((c, i) => picture.append(lab.svg("text", { class: "lattice-character", x: x(i + 0.5), y: floor + 26,
      "text-anchor": "middle" }, c)));
    return picture;
  };

  lab.define("lattice-lab", (data) => {
    data.label ??= "Ways through a word";
    const now = data.words.map((word) => ({ ...word.pieces }));
    let chosen = data.words.length - 1;
    const picture = lab.make("div", { class: "lattice-picture" }), sliders = lab.make("div", { class: "lattice-sliders" });
    const list = lab.make("div", { class: "lab-bars" }), notes = lab.live();

    const show = () => {
      const { text } = data.words[chosen], p = now[chosen], greedy = longestMatch(text, p);
      const all = ways(text, p).map((way) => ({ way, chance: way.reduce((a, piece) => a * p[piece], 1) }))
        .sort((a, b) => b.chance - a.chance);
      const total = all.reduce((sum, one) => sum + one.chance, 0), best = all[0].way, names = all.map(({ way }) => way.join(" · "));
      picture.replaceChildren(lattice(text, p, best, greedy));
      list.replaceChildren(...all.map(({ chance }, i) => {
        const bar = lab.make("span", { class: "lab-bar", "aria-hidden": "true" });
        bar.style.setProperty("--share", chance / total);
        return lab.make("div", { class: "lab-row" }, lab.make("span", { class: "lab-key" }, names[i]), bar,
          lab.make("output", { "aria-label": `share of ${names[i]}` }, `${(100 * chance / total).toFixed(1)} %`));
      }));
      notes.textContent = `Most probable (thick): ${names[0]}, probability ${all[0].chance.toPrecision(3)}. `
        + `Longest match (dashed where it differs): ${greedy ? greedy.join(" · ") : "stuck"}.`;
    };
    const slider = (piece) => {
      const pieces = now[chosen];
      const input = lab.make("input", { type: "range", min: LOW, max: HIGH, step: 0.01, value: Math.log10(pieces[piece]) });
      const out = lab.make("output");
      const say = () => {
        out.textContent = number(pieces[piece]);
        input.setAttribute("aria-valuetext", out.textContent);
      };
      input.addEventListener("input", () => { pieces[piece] = 10 ** Number(input.value); say(); show(); });
      say();
      return lab.make("label", { class: "lab-slider" }, lab.make("span", {}, piece), input, out);
    };
    const change = () => {
      sliders.replaceChildren(...Object.keys(now[chosen]).map(slider));
      show();
    };
    const reset = lab.make("button", { type: "button", class: "lattice-reset" }, "Back to the table");
    reset.addEventListener("click", () => { now[chosen] = { ...data.words[chosen].pieces }; change(); });
    const choice = lab.radios("Word", data.words.map((word) => word.text), chosen, (i) => { chosen = i; change(); });
    change();
    return [choice, picture, notes, list, lab.make("p", { class: "lattice-title" }, "Probability of each piece"), sliders, reset];
  });
})();
