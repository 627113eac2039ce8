/* <softmax-lab>: one row of scores and a slider for the scale; bars of the weights, and how much they still answer.
   JSON: {"labels": ["酒店", "很", "干净"], "scores": [4, 0, 2], "scale": 0.5, "query": "干净", "label": "optional name"}
   The weights are softmax(scores * scale). The note says what the largest weight gains when its score (scaled) grows by
   0.1: much in the middle, little where the row is decided. */
lab.define("softmax-lab", (data) => {
  data.label ??= `Softmax of the scores of ${data.query || "one query"}`;
  const bars = lab.make("div", { class: "lab-bars" }), notes = lab.live();
  const show = () => {
    const scaled = data.scores.map((x) => x * scale.value()), p = lab.softmax(scaled), top = p.indexOf(Math.max(...p));
    const pushed = lab.softmax(scaled.map((x, i) => (i === top ? x + 0.1 : x)));
    bars.replaceChildren(...lab.bars(data.labels, p));
    notes.textContent = `Push the best score up by 0.1: its weight gains ${(pushed[top] - p[top]).toFixed(4)}`;
  };
  const scale = lab.slider("Scale", { min: 0.05, max: 4, value: data.scale ?? 0.5 }, show);
  show();
  return [scale.row, bars, notes];
});
