/* <softmax-lab>: one row of scores, a slider for the scale, one for the temperature; bars of the weights,
   their entropy in nats and the Frobenius norm of the softmax Jacobian diag(p) - p p^T.
   JSON: {"labels": ["酒店", "很", "干净"], "scores": [4, 0, 2], "scale": 0.5, "query": "干净", "label": "optional name"}
   The weights are softmax(scores * scale / temperature). */
lab.define("softmax-lab", (data) => {
  data.label ??= `Softmax of the scores of ${data.query || "one query"}`;
  const bars = lab.make("div", { class: "lab-bars" }), notes = lab.live();
  const show = () => {
    const p = lab.softmax(data.scores.map((x) => x * scale.value() / temperature.value()));
    const entropy = -p.reduce((a, w) => a + (w > 0 ? w * Math.log(w) : 0), 0);
    let norm = 0;
    p.forEach((a, i) => p.forEach((b, j) => { norm += ((i === j ? a : 0) - a * b) ** 2; }));
    bars.replaceChildren(...lab.bars(data.labels, p));
    notes.textContent = `Entropy ${entropy.toFixed(3)} nats · Jacobian norm (Frobenius) ${Math.sqrt(norm).toFixed(3)}`;
  };
  const scale = lab.slider("Scale", { min: 0.05, max: 4, value: data.scale ?? 0.5 }, show);
  const temperature = lab.slider("Temperature", { min: 0.1, max: 5, value: data.temperature ?? 1 }, show);
  show();
  return [scale.row, temperature.row, bars, notes];
});
