/* <lattice-lab>: the pieces of a word as arcs over its characters; a slider for each piece's probability. The most
   probable way through (Viterbi) is drawn thick, the longest match from the left dashed; below, every way with its share.
   JSON: {"words": [{"text": "不适合", "pieces": {"不": 0.2, "适合": 0.06, ...}}, ...], "label": "optional name"} */
(() => {
  const SVG = "http://www.w3.org/2000/svg", LOW = -4, HIGH = Math.log10(0.5), CELL = 40, SIDE = 16;
  let count = 0;
  const into = (node, attrs, kids) => {
    for (const [k, v] of Object.entries(attrs)) node.setAttribute(k, v);
    node.append(...kids);
    return node;
  };
  const make = (tag, attrs = {}, ...kids) => into(document.createElement(tag), attrs, kids);
  const draw = (tag, attrs = {}, ...kids) => into(document.createElementNS(SVG, tag), attrs, kids);
  const number = (p) => (p >= 0.01 ? p.toFixed(3) : p.toPrecision(2));

  const ways = (text, pieces) => {
    if (!text) return [[]];
    return Object.keys(pieces).filter((p) => text.startsWith(p))
      .flatMap((p) => ways(text.slice(p.length), pieces).map((rest) => [p, ...rest]));
  };
  const greedy = (text, pieces) => {
    const found = [];
    for (let at = 0; at < text.length;) {
      const next = Object.keys(pieces).filter((p) => text.startsWith(p, at)).sort((a, b) => b.length - a.length)[0];
      if (!next) return null;
      found.push(next);
      at += next.length;
    }
    return found;
  };

  customElements.define("lattice-lab", class extends HTMLElement {
    connectedCallback() {
      const source = this.querySelector("script[type='application/json']");
      if (!source || this.dataset.ready) return;
      this.dataset.ready = "yes";
      const data = JSON.parse(source.textContent);
      const name = `lattice-lab-${++count}`;
      this.now = data.words.map((w) => ({ ...w.pieces }));
      let chosen = data.words.length - 1;
      const choices = make("fieldset", {}, make("legend", {}, "Word"));
      data.words.forEach((word, i) => {
        const input = make("input", { type: "radio", name, value: i });
        input.checked = i === chosen;
        input.addEventListener("change", () => { chosen = i; change(); });
        choices.append(make("label", {}, input, ` ${word.text}`));
      });
      const picture = make("div", { class: "lattice-picture" });
      const sliders = make("div", { class: "lattice-sliders" });
      const notes = make("p", { class: "lab-notes", "aria-live": "polite" });
      const list = make("div", { class: "lab-bars" });
      const reset = make("button", { type: "button", class: "lattice-reset" }, "Back to the table");
      reset.addEventListener("click", () => { this.now[chosen] = { ...data.words[chosen].pieces }; change(); });

      const show = () => {
        const { text } = data.words[chosen], p = this.now[chosen];
        const all = ways(text, p).map((way) => ({ way, chance: way.reduce((a, x) => a * p[x], 1) }))
          .sort((a, b) => b.chance - a.chance);
        const total = all.reduce((a, x) => a + x.chance, 0), best = all[0].way, longest = greedy(text, p);
        picture.replaceChildren(this.lattice(text, p, best, longest));
        list.replaceChildren(...all.map(({ way, chance }) => {
          const bar = make("span", { class: "lab-bar", "aria-hidden": "true" });
          bar.style.setProperty("--share", chance / total);
          return make("div", { class: "lab-row lattice-way" }, make("span", { class: "lab-key" }, way.join(" · ")), bar,
            make("output", { "aria-label": `share of ${way.join(" · ")}` }, `${(100 * chance / total).toFixed(1)} %`));
        }));
        const same = longest && longest.join("|") === best.join("|");
        notes.textContent = `Most probable: ${best.join(" · ")}, probability ${all[0].chance.toPrecision(3)}. ` +
          `Longest match: ${longest ? longest.join(" · ") : "stuck"}${same ? ", the same" : ""}.`;
      };
      const change = () => {
        const pieces = this.now[chosen];
        sliders.replaceChildren(...Object.keys(pieces).map((piece) => {
          const input = make("input", { type: "range", min: LOW, max: HIGH, step: 0.01, value: Math.log10(pieces[piece]) });
          const out = make("output", {}, number(pieces[piece]));
          input.setAttribute("aria-valuetext", number(pieces[piece]));
          input.addEventListener("input", () => {
            pieces[piece] = 10 ** Number(input.value);
            out.textContent = number(pieces[piece]);
            input.setAttribute("aria-valuetext", out.textContent);
            show();
          });
          return make("label", { class: "lab-slider" }, make("span", {}, piece), input, out);
        }));
        show();
      };
      this.setAttribute("role", "group");
      this.setAttribute("aria-label", data.label || "Ways through a word");
      this.replaceChildren(source, choices, picture, notes, list,
        make("p", { class: "lattice-title" }, "Probability of each piece"), sliders, reset);
      change();
    }

    /* Characters on a line, places between them, an arc for each piece at each of its places. */
    lattice(text, pieces, best, longest) {
      const n = text.length, cell = n < 6 ? 2 * CELL : CELL, x = (place) => SIDE + place * cell;
      const spans = [];
      for (const piece of Object.keys(pieces)) {
        for (let at = text.indexOf(piece); at >= 0; at = text.indexOf(piece, at + 1)) spans.push({ piece, at });
      }
      const reach = Math.max(...spans.map((s) => s.piece.length)), rise = (len) => 14 + 26 * len;
      const floor = rise(reach) + 22, places = (way) => {
        let at = 0;
        return new Set((way || []).map((piece) => { at += piece.length; return `${at - piece.length}:${piece}`; }));
      };
      const thick = places(best), dashed = places(longest);
      const picture = draw("svg", { viewBox: `0 0 ${x(n) + SIDE} ${floor + 40}`, width: x(n) + SIDE, role: "img",
        "aria-label": `Pieces of ${text}: ${spans.map((s) => s.piece).join(", ")}. Most probable way: ${best.join(", ")}.`,
        fill: "none", stroke: "currentColor", "font-family": "inherit", "font-size": 15 });
      for (const { piece, at } of spans.sort((a, b) => thick.has(`${a.at}:${a.piece}`) - thick.has(`${b.at}:${b.piece}`))) {
        const key = `${at}:${piece}`, from = x(at), to = x(at + piece.length), top = floor - rise(piece.length);
        const kind = thick.has(key) ? "lattice-best" : dashed.has(key) ? "lattice-longest" : "lattice-other";
        picture.append(draw("path", { class: kind, d: `M${from} ${floor} C${from} ${top - 4} ${to} ${top - 4} ${to} ${floor}` }),
          draw("text", { class: kind, x: (from + to) / 2, y: floor - 0.75 * (floor - top + 4) - 5, "text-anchor": "middle" }, piece));
      }
      for (let i = 0; i <= n; i++) picture.append(draw("circle", { cx: x(i), cy: floor, r: 3.5, fill: "currentColor", stroke: "none" }));
      [...text].forEach((c, i) => picture.append(draw("text", { class: "lattice-character", x: x(i) + cell / 2, y: floor + 26,
        "text-anchor": "middle" }, c)));
      return picture;
    }
  });
})();
