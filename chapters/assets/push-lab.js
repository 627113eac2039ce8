/* <push-lab>: a row of scores, of which one is chosen and pushed; the shares before (an outline) and after (a bar),
   what each gains or loses, and what the slopes p (δ − p) foretell.
   JSON: {"labels": ["酒店", "很", "干净"], "scores": [2, 0, 1], "push": 0.1, "label": "optional name"} */
lab.define("push-lab", (data) => {
  data.label ??= "Push a score, and see the shares";
  const { labels, scores } = data, before = lab.softmax(scores);
  const said = (x, digits = 3) => (Math.abs(x) < 0.5 * 10 ** -digits ? 0 : x).toFixed(digits).replace("-", "−");
  const signed = (x) => (x >= 0.0005 ? "+" : "") + said(x);
  let chosen = 0;
  const rows = lab.make("div", { class: "push-rows" }), notes = lab.live();
  const show = () => {
    const by = push.value(), after = lab.softmax(scores.map((s, i) => (i === chosen ? s + by : s)));
    rows.replaceChildren(...labels.map((name, i) => {
      const track = lab.make("span", { class: "push-track", "aria-hidden": "true" },
        lab.make("span", { class: i === chosen ? "push-after push-chosen" : "push-after" }), lab.make("span", { class: "push-before" }));
      track.children[0].style.setProperty("--share", after[i]);
      track.children[1].style.setProperty("--share", before[i]);
      return lab.make("div", { class: "push-row" }, lab.make("span", {}, name), track,
        lab.make("span", {}, said(after[i])), lab.make("span", { class: "push-change" }, signed(after[i] - before[i])));
    }));
    const slope = labels.map((_, i) => before[i] * ((i === chosen) - before[chosen]));
    notes.textContent = `Score of ${labels[chosen]} pushed by ${said(by, 1)}: changes ${after.map((p, i) => signed(p - before[i])).join(", ")}, in sum ${said(0)}. `
      + `The slopes foretell ${slope.map((x) => signed(x * by)).join(", ")}.`;
  };
  const push = lab.slider("Push by", { min: -3, max: 3, step: 0.1, value: data.push ?? 0.1, digits: 1 }, show);
  const who = lab.radios("Whose score", labels, chosen, (i) => { chosen = i; show(); });
  show();
  return [who, push.row, rows, notes];
});
