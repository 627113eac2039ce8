/* <rope-lab>: one query and one key, their numbers in pairs, each pair a hand on a dial that turns with the place. Two
   sliders set the places; with "keep them as far apart" both move. Under each dial stands what the pair adds to the
   score; below, the score at every difference of places, with a dot where it stands now.
   JSON: {"q": [8 numbers], "k": [8 numbers], "speeds": [4 numbers], "last": 30, "label": "optional name"}
   Neighbours make a pair; "speeds" are radians a place; "last" is the furthest place. */
(() => {
  const R = 44, SIZE = 2 * R + 28, W = 420, H = 170, LEFT = 44, BOTTOM = 138, TOP = 14;
  const minus = (text) => text.replace("-", "−");
  const number = (x, digits = 2) => minus((Math.abs(x) < 0.5 * 10 ** -digits ? 0 : x).toFixed(digits));
  const turned = (v, speeds, place) => speeds.map((speed, i) => {
    const a = v[2 * i], b = v[2 * i + 1], c = Math.cos(speed * place), s = Math.sin(speed * place);
    return [a * c - b * s, a * s + b * c];
  });
  const parts = (q, k) => q.map((pair, i) => pair[0] * k[i][0] + pair[1] * k[i][1]);
  const total = (xs) => xs.reduce((a, b) => a + b, 0);

  /* A hand from the middle of the dial; the query's is full, the key's is dashed. */
  const hand = (pair, unit, name) => {
    const x = pair[0] * unit, y = -pair[1] * unit, length = Math.hypot(x, y) || 1, ux = x / length, uy = y / length;
    const tip = `${x - 8 * ux + 4 * uy} ${y - 8 * uy - 4 * ux} ${x} ${y} ${x - 8 * ux - 4 * uy} ${y - 8 * uy + 4 * ux}`;
    return lab.svg("g", { class: `rope-${name}` }, lab.svg("path", { d: `M0 0L${x} ${y}`, class: "rope-hand" }),
      lab.svg("polygon", { points: tip }),
      lab.svg("text", { x: x + 11 * ux, y: y + 11 * uy + 5, "text-anchor": "middle" }, name));
  };

  lab.define("rope-lab", (data) => {
    data.label ??= "Rotary positions";
    const { q, k, speeds, last } = data, pairs = speeds.length, half = [...Array(pairs).keys()];
    const longest = Math.max(...half.flatMap((i) => [q, k].map((v) => Math.hypot(v[2 * i], v[2 * i + 1]))));
    const unit = (R - 6) / longest, scoreAt = (apart) => total(parts(turned(q, speeds, apart), turned(k, speeds, 0)));
    const curve = Array.from({ length: 8 * last + 1 }, (_, i) => i / 4 - last).map((apart) => [apart, scoreAt(apart)]);
    const low = Math.floor(Math.min(...curve.map((p) => p[1]))), high = Math.ceil(Math.max(...curve.map((p) => p[1])));
    const x = (apart) => LEFT + (apart + last) / (2 * last) * (W - LEFT - 12), y = (s) => BOTTOM - (s - low) / (high - low) * (BOTTOM - TOP);

    const dials = lab.make("div", { class: "rope-dials" }), sum = lab.make("p", { class: "rope-sum" }), notes = lab.live();
    const dot = lab.svg("circle", { r: 6, class: "rope-dot" }), plumb = lab.svg("path", { class: "rope-plumb" });
    const plot = lab.svg("svg", { viewBox: `0 0 ${W} ${H}`, width: W, height: H, role: "img", "font-size": 14, class: "rope-plot",
      "aria-label": `The score at each difference of places, from ${-last} to ${last}: a wave between ${low} and ${high}.` },
    lab.svg("path", { class: "rope-axis", d: `M${LEFT} ${TOP}V${BOTTOM}H${W - 12}` }),
    low < 0 && high > 0 ? lab.svg("path", { class: "rope-zero", d: `M${LEFT} ${y(0)}H${W - 12}` }) : "",
    lab.svg("path", { class: "rope-curve", d: `M${curve.map(([apart, s]) => `${x(apart).toFixed(1)} ${y(s).toFixed(1)}`).join("L")}` }),
    ...[...new Set([low, 0, high])].map((s) => lab.svg("text", { x: LEFT - 6, y: y(s) + 4, "text-anchor": "end" }, minus(String(s)))),
    ...[-last, 0, last].map((apart) => lab.svg("text", { x: x(apart), y: BOTTOM + 16, "text-anchor": apart < 0 ? "start" : apart ? "end" : "middle" }, minus(String(apart)))),
    lab.svg("text", { x: (LEFT + W) / 2, y: H - 3, "text-anchor": "middle" }, "place of q − place of k"), plumb, dot);

    let before = null;
    const show = () => {
      const m = here.value(), n = there.value(), apart = m - n;
      const tq = turned(q, speeds, m), tk = turned(k, speeds, n), each = parts(tq, tk), score = total(each);
      dials.replaceChildren(...half.map((i) => {
        const dial = lab.svg("svg", { viewBox: `${-SIZE / 2} ${-SIZE / 2} ${SIZE} ${SIZE}`, width: SIZE, height: SIZE, role: "img",
          "font-size": 14, "aria-label": `Pair ${i}: q at (${tq[i].map((v) => number(v)).join(", ")}), k at (${tk[i].map((v) => number(v)).join(", ")})` },
        lab.svg("circle", { r: R, class: "rope-dial" }), lab.svg("path", { class: "rope-zero", d: `M${-R} 0H${R}M0 ${-R}V${R}` }),
        hand(tk[i], unit, "k"), hand(tq[i], unit, "q"));
        return lab.make("div", { class: "rope-pair" }, lab.make("div", {}, `pair ${i}`), lab.make("div", { class: "rope-speed" }, `${speeds[i].toPrecision(2)} rad a place`),
          dial, lab.make("div", {}, `adds ${number(each[i])}`));
      }));
      sum.textContent = `score = ${each.map((s, i) => (i ? (s < 0 ? " − " : " + ") + number(Math.abs(s)) : number(s))).join("")} = ${number(score)}`;
      dot.setAttribute("cx", x(apart));
      dot.setAttribute("cy", y(score));
      plumb.setAttribute("d", `M${x(apart)} ${BOTTOM}V${y(score)}`);
      const same = before && before.apart === apart && (before.m !== m || before.n !== n);
      notes.textContent = `q at place ${m}, k at place ${n}, difference ${minus(String(apart))}: score ${number(score)}.`
        + (same ? " Both hands of every pair moved by the same angle; the score did not change." : "");
      before = { m, n, apart };
    };
    /* Moved together, the other slider follows, and neither leaves the line. */
    const follow = (moved, other, old) => (value) => {
      if (together.input.checked) {
        const apart = old.other - old.moved, target = value + apart, kept = Math.min(last, Math.max(0, target));
        other().input.value = kept;
        other().input.dispatchEvent(new Event("follow"));
        if (kept !== target) {
          moved().input.value = kept - apart;
          moved().input.dispatchEvent(new Event("follow"));
        }
      }
      remember();
      show();
    };
    const forQ = {}, forK = {};
    const remember = () => {
      Object.assign(forQ, { moved: here.value(), other: there.value() });
      Object.assign(forK, { moved: there.value(), other: here.value() });
    };
    const settings = (value) => ({ min: 0, max: last, step: 1, value, digits: 0 });
    const here = lab.slider("Place of q", settings(5), follow(() => here, () => there, forQ));
    const there = lab.slider("Place of k", settings(3), follow(() => there, () => here, forK));
    for (const slider of [here, there]) { // a value set by the other slider shows beside its own
      slider.input.addEventListener("follow", () => { slider.row.querySelector("output").textContent = slider.input.value; });
    }
    const together = lab.checkbox("Move both, and keep them as far apart", false, (on) => {
      const apart = minus(String(here.value() - there.value()));
      notes.textContent = on ? `Both move now, and their difference stays ${apart}.` : "Each moves alone.";
    });
    remember();
    show();
    return [here.row, there.row, lab.make("div", { class: "lab-choices" }, together.label), dials, sum, plot, notes];
  });
})();
