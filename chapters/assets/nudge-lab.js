/* <nudge-lab>: one number is nudged, and the loss answers; beside the loss, the straight line that the gradient promises.
   JSON: {"names": ["number 1", ...], "nudges": [-2, -1.9, ..., 2], "losses": [[...], ...], "slopes": [...],
          "nudge": 0.5, "chosen": 0, "label": "optional name"}
   One row of losses a name, one loss a nudge; the nudges are evenly spaced and hold 0. */
lab.define("nudge-lab", (data) => {
  const { names, nudges, losses, slopes } = data, W = 340, H = 220, LEFT = 44, BOTTOM = 180, TOP = 12, zero = nudges.indexOf(0);
  data.label ??= "A number nudged, and the loss";
  const said = (x, digits = 2) => (Math.abs(x) < 0.5 * 10 ** -digits ? 0 : x).toFixed(digits).replace("-", "−");
  const all = losses.flat(), low = Math.floor(Math.min(...all)), high = Math.ceil(Math.max(...all)), last = nudges.length - 1;
  const x = (by) => LEFT + ((by - nudges[0]) / (nudges[last] - nudges[0])) * (W - LEFT - 8);
  const y = (loss) => BOTTOM - ((Math.min(high, Math.max(low, loss)) - low) / (high - low)) * (BOTTOM - TOP);
  const line = (f) => `M${nudges.map((by, i) => [by, f(by, i)]).filter(([, v]) => v >= low && v <= high)
    .map(([by, v]) => `${x(by).toFixed(1)} ${y(v).toFixed(1)}`).join("L")}`;
  let chosen = data.chosen ?? 0;
  const curve = lab.svg("path", { class: "nudge-curve" }), promise = lab.svg("path", { class: "nudge-promise" });
  const dot = lab.svg("circle", { class: "nudge-dot", r: 6 }), plumb = lab.svg("path", { class: "nudge-plumb" });
  const plot = lab.svg("svg", { viewBox: `0 0 ${W} ${H}`, width: W, height: H, "aria-hidden": "true", "font-size": 14 },
    lab.svg("path", { class: "nudge-axis", d: `M${LEFT} ${TOP}V${BOTTOM}H${W - 8}` }),
    ...[low, high].map((v) => lab.svg("text", { x: LEFT - 6, y: y(v) + 5, "text-anchor": "end" }, said(v, 0))),
    ...[nudges[0], 0, nudges[last]].map((by) => lab.svg("text", { x: x(by), y: BOTTOM + 17, "text-anchor": by < 0 ? "start" : by ? "end" : "middle" }, said(by, 0))),
    lab.svg("text", { x: (LEFT + W) / 2, y: H - 4, "text-anchor": "middle" }, "nudged by"),
    lab.svg("text", { x: LEFT + 8, y: TOP + 8 }, "loss"), promise, curve, plumb, dot);
  const notes = lab.live();
  const show = () => {
    const by = nudge.value(), at = Math.round((by - nudges[0]) / (nudges[1] - nudges[0])), loss = losses[chosen][at], start = losses[chosen][zero];
    curve.setAttribute("d", line((_, i) => losses[chosen][i]));
    promise.setAttribute("d", line((b) => start + slopes[chosen] * b));
    dot.setAttribute("cx", x(by));
    dot.setAttribute("cy", y(loss));
    plumb.setAttribute("d", `M${x(by)} ${BOTTOM}V${y(loss)}`);
    notes.textContent = `Nudged by ${said(by)}, the loss goes from ${said(start, 3)} to ${said(loss, 3)}. The slope, ${said(slopes[chosen], 3)}, promised ${said(start + slopes[chosen] * by, 3)}.`;
  };
  const nudge = lab.slider("Nudge", { min: nudges[0], max: nudges[last], step: nudges[1] - nudges[0], value: data.nudge ?? 0.5 }, show);
  const who = lab.radios("Which number", names, chosen, (i) => { chosen = i; show(); });
  show();
  return [who, nudge.row, plot, notes];
});
