/* <clock-lab>: the hands of one place in a text, a dial each; a slider moves the place. Each hand starts at twelve and
   turns clockwise, so its tip is at (sine, cosine): what the encoding of the place holds. With "step", a second hand
   shows where it stands that many places further on, and the arc between them.
   JSON: {"speeds": [1, 0.1, 0.01, 0.001], "last": 99, "place": 3, "step": 5, "label": "optional name"}
   "speeds" are radians a place. */
lab.define("clock-lab", (data) => {
  const { speeds, last, step = 0 } = data, R = 46, SIZE = 2 * R + 8;
  data.label ??= step ? "A step, from any place" : "The hands of a place";
  const said = (x, digits = 2) => (Math.abs(x) < 0.5 * 10 ** -digits ? 0 : x).toFixed(digits).replace("-", "−");
  const hand = (a, kind, tip) => [lab.svg("path", { class: kind, d: `M0 0L${R * Math.sin(a)} ${-R * Math.cos(a)}` }),
    lab.svg("circle", { class: tip, r: 5, cx: R * Math.sin(a), cy: -R * Math.cos(a) })];
  /* The way from a to b, as a spiral, so that several turns can be told from one. */
  const arc = (a, b) => {
    const n = Math.max(2, Math.ceil((b - a) * 10)), points = [];
    for (let i = 0; i <= n; i++) {
      const angle = a + (i / n) * (b - a), r = 18 + 3 * (i / n) * (b - a);
      points.push(`${(r * Math.sin(angle)).toFixed(1)} ${(-r * Math.cos(angle)).toFixed(1)}`);
    }
    return lab.svg("path", { class: "clock-arc", d: `M${points.join("L")}` });
  };
  const dials = lab.make("div", { class: "clock-dials" }), notes = lab.live();
  const show = () => {
    const t = place.value();
    dials.replaceChildren(...speeds.map((speed, i) => {
      const a = t * speed, b = (t + step) * speed;
      const dial = lab.svg("svg", { viewBox: `${-SIZE / 2} ${-SIZE / 2} ${SIZE} ${SIZE}`, width: SIZE, height: SIZE, "aria-hidden": "true" },
        lab.svg("circle", { class: "clock-face", r: R }), lab.svg("path", { class: "clock-axis", d: `M${-R} 0H${R}M0 ${-R}V${R}` }),
        ...(step ? [arc(a, b), ...hand(b, "clock-then", "clock-tip-then")] : []), ...hand(a, "clock-hand", "clock-tip"));
      return lab.make("div", {}, lab.make("div", {}, `hand ${i}`), lab.make("div", { class: "clock-speed" }, `${speed} rad a place`), dial,
        lab.make("div", {}, step ? `turns by ${Number((step * speed).toPrecision(6))} rad` : `${said(Math.sin(a))}, ${said(Math.cos(a))}`));
    }));
    notes.textContent = step
      ? `From place ${t} to place ${t + step}, the hands turn by ${speeds.map((s) => Number((step * s).toPrecision(6))).join(", ")} radians.`
      : `Place ${t} is written (${speeds.flatMap((s) => [Math.sin(t * s), Math.cos(t * s)]).map((x) => said(x)).join(", ")}).`;
  };
  const place = lab.slider("Place t", { min: 0, max: last, step: 1, value: data.place ?? 0, digits: 0 }, show);
  show();
  return [place.row, dials, notes];
});
