/* <merge-lab>: byte-pair encoding one merge at a time. Buttons first, back, next, last and a slider; at each step the
   words in their present pieces, the most frequent pairs with the one that will be merged, and the vocabulary so far.
   JSON: {"label": "optional name", "names": {"110": "n", "256": "ne", ...}, "times": [3, 1, ...],
          "steps": [{"words": [[99, 108, ...], ...], "pairs": [[110, 101, 6], ...], "more": 27, "total": 65}, ...],
          "merges": [[110, 101, 6], ...]}
   Step k is the state after k merges; its first pair is merge number k, the new id is 256 + k. With {"text": "words"}
   the reader may type others, and the same is worked out here, with the course's rule for ties. */
(() => {
  const { make } = lab;
  const SHOWN = 7, MOST_WORDS = 12, MOST_MERGES = 40;
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const said = (bytes) => {
    try {
      return decoder.decode(new Uint8Array(bytes));
    } catch {
      return bytes.map((byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join(" ");
    }
  };

  /* What the page's Python gives for its example, for other words: merges as long as a pair occurs twice. */
  const train = (text) => {
    const times = new Map();
    for (const word of text.trim().split(/\s+/)) {
      if (times.has(word) || times.size < MOST_WORDS) times.set(word, (times.get(word) || 0) + 1);
    }
    const counts = [...times.values()], bytes = [], steps = [], merges = [];
    for (let id = 0; id < 256; id++) bytes.push([id]);
    let words = [...times.keys()].map((word) => [...new TextEncoder().encode(word)]);
    for (;;) {
      const pairs = new Map();
      words.forEach((ids, w) => ids.slice(1).forEach((b, i) => {
        const key = `${ids[i]},${b}`;
        pairs.set(key, (pairs.get(key) || 0) + counts[w]);
      }));
      const ranked = [...pairs].map(([key, n]) => [...key.split(",").map(Number), n])
        .sort((p, q) => q[2] - p[2] || p[0] - q[0] || p[1] - q[1]);
      steps.push({ words, pairs: ranked.slice(0, SHOWN), more: Math.max(0, ranked.length - SHOWN),
        total: words.reduce((sum, ids, w) => sum + ids.length * counts[w], 0) });
      const top = ranked[0];
      if (!top || top[2] < 2 || merges.length === MOST_MERGES) break;
      merges.push(top);
      bytes.push([...bytes[top[0]], ...bytes[top[1]]]);
      const id = bytes.length - 1;
      words = words.map((ids) => {
        const out = [];
        for (let i = 0; i < ids.length; i++) {
          if (ids[i] === top[0] && ids[i + 1] === top[1]) {
            out.push(id);
            i++;
          } else out.push(ids[i]);
        }
        return out;
      });
    }
    return { times: counts, steps, merges, names: Object.fromEntries(bytes.map((b, id) => [id, said(b)])) };
  };

  lab.define("merge-lab", (given) => {
    let data = given;
    let last = data.steps.length - 1;
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
    const own = given.text && make("label", { class: "merge-own" }, make("span", {}, "Words"),
      make("input", { type: "text", value: given.text, maxlength: 300, spellcheck: "false" }));
    own?.addEventListener("input", ({ target }) => {
      const text = target.value.trim();
      data = text && text !== given.text ? train(text) : given;
      last = data.steps.length - 1;
      slider.max = last;
      go(0);
    });
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
      pairs.replaceChildren(...now.pairs.map(([a, b, n], i) => make("li", i || top[2] < 2 ? {} : { class: "merge-winner" },
        make("span", {}, piece(a), piece(b)), make("span", { class: "merge-count" }, String(n)),
        make("span", { class: "merge-note" }, top[2] < 2 ? "" : i === 0 ? "next" : n === top[2] ? "tie" : ""))));
      more.textContent = now.more ? `and ${now.more} more pairs` : "";
      tokens.replaceChildren(...data.merges.slice(0, step).map(([a, b], i) => make("li", {},
        make("span", { class: "merge-id" }, String(256 + i)), piece(256 + i, i === step - 1 ? "merge-new" : ""))));
      if (!step) tokens.append(make("li", { class: "merge-more" }, "nothing else yet"));
      told.textContent = (merged ? `${name(merged[0])} + ${name(merged[1])} became ${255 + step} (${name(255 + step)}), ${merged[2]} times. ` : "Single bytes. ")
        + `The text has ${now.total} tokens.`;
    };
    given.label ||= "Byte-pair encoding, one merge at a time";
    show();
    return [...(own ? [own] : []), controls, told, body];
  });
})();
