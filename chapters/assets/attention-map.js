/* <attention-map>: choose a query token (radio buttons; arrow keys move, hover previews) and see its weights.
   JSON: {"queries": ["酒店", ...], "keys": ["酒店", ...], "weights": [[...], ...], "label": "optional name"}
   "tokens" may stand for both "queries" and "keys". One row of weights a query, one number a key. */
lab.define("attention-map", (data) => {
  data.label ??= "Attention weights of a chosen query";
  const queries = data.queries || data.tokens, keys = data.keys || data.tokens, last = queries.length - 1;
  const bars = lab.make("div", { class: "lab-bars" });
  const show = (row) => bars.replaceChildren(...lab.bars(keys, data.weights[row]));
  show(last);
  return [lab.radios("Query token", queries, last, show, show), bars];
});
