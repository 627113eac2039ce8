/* <mask-lab>: a T x T grid of attention weights with two checkboxes, causal and padding; the mask is applied
   to the scores before the softmax. A query row with nothing to look at shows zeros.
   JSON: {"tokens": ["酒店", ...], "scores": [[...], ...], "length": 2, "label": "optional name"}
   "scores" are already scaled; "length" is the number of real tokens when padding is on. */
lab.define("mask-lab", (data) => {
  data.label ??= "Attention weights under masks";
  const length = data.length ?? data.tokens.length - 1;
  const body = lab.make("tbody");
  const show = () => body.replaceChildren(...data.scores.map((row, i) => {
    const seen = row.map((_, j) => !(causal.input.checked && j > i) && !(padding.input.checked && j >= length));
    const weights = lab.softmax(row.map((x, j) => (seen[j] ? x : -Infinity)));
    return lab.make("tr", {}, lab.make("th", { scope: "row" }, data.tokens[i]), ...weights.map((w, j) => {
      const cell = lab.make("td", { class: !seen[j] && "masked" }, seen[j] ? w.toFixed(3) : "masked");
      cell.style.setProperty("--share", w);
      return cell;
    }));
  }));
  const causal = lab.checkbox("Causal mask", false, show);
  const padding = lab.checkbox(`Padding mask (${length} real tokens)`, false, show);
  const head = lab.make("tr", {}, ...["query \\ key", ...data.tokens].map((t) => lab.make("th", { scope: "col" }, t)));
  show();
  return [lab.make("div", { class: "lab-choices" }, causal.label, padding.label),
    lab.make("table", { class: "lab-grid" }, lab.make("thead", {}, head), body)];
});
