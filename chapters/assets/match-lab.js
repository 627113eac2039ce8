/* <match-lab>: how well the first of two keys fits, as a slider; each key pours its share of its value into the answer.
   JSON: {"keys": ["room", "breakfast"], "values": [100, 12], "match": 0.95, "label": "optional name"} */
lab.define("match-lab", (data) => {
  data.label ??= "A soft lookup of two keys";
  const bars = lab.make("div", { class: "lab-bars" }), notes = lab.live(), [a, b] = data.values;
  const show = () => {
    const share = match.value();
    bars.replaceChildren(...lab.bars(data.keys, [share, 1 - share], 2));
    notes.textContent = `${share.toFixed(2)} · ${a} + ${(1 - share).toFixed(2)} · ${b} = ${(share * a + (1 - share) * b).toFixed(1)}`;
  };
  const match = lab.slider(`“${data.keys[0]}” fits`, { min: 0, max: 1, step: 0.05, value: data.match ?? 0.95 }, show);
  show();
  return [match.row, bars, notes];
});
