/* <merge-lab>: byte-pair encoding one merge at a time. Buttons first, back, next, last and a slider; at each step the
   words in their present pieces, the most frequent pairs with the one that will be merged, and the vocabulary so far.
   JSON: {"label": "optional name", "names": {"110": "n", "256": "ne", ...}, "times": [3, 1, ...],
          "steps": [{"words": [[99, 108, ...], ...], "pairs": [[110, 101, 6], ...], "more": 27, "total": 65}, ...],
          "merges": [[110, 101, 6], ...]}
   Step k is the state after k merges; its first pair is merge number k, the new id is 256 + k. */
(() => {
  const { make } = lab;
  lab.define("merge-lab", (data) => {
    const last = data.steps.length - 1;
    const name = (id) => data.names[id];
    const piece = (id, kind = "") => make("span", { class: `merge-piece ${/^([0-9A-F]{2} ?)+$/.test(name(id)) ? "merge-bytes" : ""} ${kind}` }, name(id));
    let step = 0;

    const slider = make("input", { type: "range", min: 0, max: last, step: 1, value: 0 });
    const count = make("output", {});
    const go = (to) => { step = Math.max(0, Math.min(last, to)); show(); };
    const buttons = [["First", () => 0], ["Back", () => step - 1], ["Next", () => step + 1], ["Last", () => last]]
      .map(([text, to]) => {
        const button = make("button", { type: "button", class: "merge-button" }, text);
        button.addEventListener("click", () => go(to()));
        return button;
      });
    slider.addEventListener("input", () => go(Number(slider.value)));
    const controls = make("div", { class: "merge-controls" }, ...buttons,
      make("label", { class: "merge-slider" }, make("span", {}, "Merges done"), slider, count));

    const told = make("p", { class: "lab-notes merge-told", "aria-live": "polite" });
    const words = make("ul", { class: "merge-words" });
    const pairs = make("ol", { class: "merge-pairs" });
    const more = make("p", { class: "merge-more" });
    const tokens = make("ol", { class: "merge-tokens" });
    const box = (title, ...kids) => make("div", {}, make("p", { class: "merge-title" }, title), ...kids);
    const body = make("div", { class: "merge-body" }, box("Words in pieces", words), box("Pairs by count", pairs, more),
      box("Vocabulary: 256 bytes, and", tokens));

    const show = () => {
      const now = data.steps[step], merged = data.merges[step - 1], top = now.pairs[0];
      slider.value = step;
      count.textContent = `${step} of ${last}`;
      buttons.forEach((button, i) => button.setAttribute("aria-disabled", i < 2 ? step === 0 : step === last));
      words.replaceChildren(...now.words.map((ids, w) => make("li", {}, make("span", { class: "merge-times" }, `${data.times[w]} ×`),
        ...ids.map((id) => piece(id, id === 255 + step && step ? "merge-new" : "")))));
      pairs.replaceChildren(...now.pairs.map(([a, b, n], i) => make("li", i ? {} : { class: "merge-winner" },
        make("span", {}, piece(a), piece(b)), make("span", { class: "merge-count" }, String(n)),
        make("span", { class: "merge-note" }, i === 0 ? "next" : n === top[2] ? "tie" : ""))));
      more.textContent = now.more ? `and ${now.more} more pairs` : "";
      tokens.replaceChildren(...data.merges.slice(0, step).map(([a, b], i) => make("li", {},
        make("span", { class: "merge-id" }, String(256 + i)), piece(256 + i, i === step - 1 ? "merge-new" : ""))));
      if (!step) tokens.append(make("li", { class: "merge-more" }, "nothing else yet"));
      told.textContent = (merged ? `${name(merged[0])} + ${name(merged[1])} became ${255 + step} (${name(255 + step)}), ${merged[2]} times. ` : "Single bytes. ")
        + `The text has ${now.total} tokens.`;
    };
    data.label ||= "Byte-pair encoding, one merge at a time";
    show();
    return [controls, told, body];
  });
})();
