/* <angle-lab>: two arrows, of which one can be turned and made longer; their dot product and the angle between them.
   JSON: {"fixed": [2, 1], "angle": 60, "length": 1.5, "names": ["query", "key"], "label": "optional name"}
   The angle is counted from the fixed arrow, in degrees. */
lab.define("angle-lab", (data) => {
  data.label ??= "The dot product of two arrows";
  const UNIT = 42, [a, b] = data.fixed, [still, moving] = data.names ?? ["query", "key"], start = Math.atan2(b, a);
  const arrow = (kind) => lab.svg("g", { class: kind }, lab.svg("path", {}), lab.svg("path", { class: "angle-head" }), lab.svg("text", {}));
  const point = (group, [x, y], name) => {
    const size = Math.hypot(x, y), tip = [x * UNIT, -y * UNIT], turn = (Math.atan2(-y, x) * 180) / Math.PI;
    group.children[0].setAttribute("d", `M0 0L${tip[0] - (x / size) * 9} ${tip[1] + (y / size) * 9}`);
    group.children[1].setAttribute("d", "M0 0L-12 -5L-12 5Z");
    group.children[1].setAttribute("transform", `translate(${tip}) rotate(${turn})`);
    group.children[2].setAttribute("x", tip[0] + (x / size) * 22);
    group.children[2].setAttribute("y", tip[1] - (y / size) * 16 + 5);
    group.children[2].textContent = name;
  };
  const query = arrow("angle-still"), key = arrow("angle-moving"), between = lab.svg("path", { class: "angle-arc" });
  const picture = lab.svg("svg", { viewBox: "-180 -140 360 280", width: 360, height: 280, "aria-hidden": "true", "text-anchor": "middle", "font-size": 15 },
    lab.svg("path", { class: "angle-axis", d: "M-170 0H170M0 -130V130" }), between, query, key);
  const notes = lab.live(), say = (x) => x.toFixed(2).replace("-", "−");
  const show = () => {
    const turned = start + (angle.value() * Math.PI) / 180, far = length.value();
    const [c, d] = [far * Math.cos(turned), far * Math.sin(turned)];
    point(query, [a, b], still);
    point(key, [c, d], moving);
    between.setAttribute("d", `M${24 * Math.cos(start)} ${-24 * Math.sin(start)}A24 24 0 0 ${angle.value() < 0 ? 1 : 0} ${24 * Math.cos(turned)} ${-24 * Math.sin(turned)}`);
    notes.textContent = `${say(a)} · ${say(c)} + ${say(b)} · ${say(d)} = ${say(a * c + b * d)}; the angle is ${Math.abs(angle.value())}°, its cosine ${say(Math.cos((angle.value() * Math.PI) / 180))}`;
  };
  const angle = lab.slider("Angle", { min: -180, max: 180, step: 5, value: data.angle ?? 60, digits: 0 }, show);
  const length = lab.slider("Length", { min: 0.5, max: 2.5, step: 0.1, value: data.length ?? 1.5, digits: 1 }, show);
  show();
  return [picture, angle.row, length.row, notes];
});
