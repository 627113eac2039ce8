/* <verdict-lab>: imagined experiments whose truth is known. Sliders for the true difference, the seeds and the reviews of
   the test part; shown is where the measured difference falls, and how often each way of comparing is right.
   JSON: {"gaps": [0, 0.5, …], "seeds": [2, …], "reviews": [100, …], "start": [gap, seeds, reviews] (places in these),
          "ways": ["…"], "count": 500, "said": [seeds][reviews][gap][way] = [times B, times A],
          "luck": {"tossed": 0.24, "apart": 0.04, "seed": 0.01}, "label": "…"}   (benchmarks/verdicts.py) */
(() => {
  const { make } = lab;
  const EDGE = 12;  // points at both ends of the axis
  const at = (points) => `${(50 * (Math.max(-EDGE, Math.min(EDGE, points)) + EDGE)) / EDGE}%`;
  const signed = (points) => `${points < 0 ? "−" : "+"}${Math.abs(points).toFixed(1)}`;
  /* The standard deviation of a measured difference, in points: the seeds' luck, and that of the reviews. */
  const spread = ({ tossed, apart, seed }, gap, seeds, reviews) => {
    const own = Math.max(apart, gap) - gap * gap;  // what the reviews differ by in every run
    return 100 * Math.sqrt((2 * seed * seed) / seeds + (own + tossed / 2 / seeds) / reviews);
  };
  lab.define("verdict-lab", (data) => {
    const bands = make("div", { class: "verdict-bands" }), ways = make("div", { class: "verdict-ways" }), notes = lab.live();
    const band = (name, truth, sd) => {
      const low = truth - 1.96 * sd, high = truth + 1.96 * sd;
      const strip = make("span", { class: "verdict-strip", "aria-hidden": "true" });
      for (const [kind, from, to] of [["verdict-span", low, high], ["verdict-zero", 0, 0], ["verdict-truth", truth, truth]]) {
        const mark = make("span", { class: kind });
        mark.style.left = at(from);
        if (from !== to) mark.style.right = `calc(100% - ${at(to)})`;
        strip.append(mark);
      }
      return make("div", { class: "verdict-band" }, make("span", { class: "verdict-name" }, name), strip,
        make("output", { "aria-label": `95 of 100 measured differences, ${name}` }, `${signed(low)} to ${signed(high)}`));
    };
    const per = (times) => Math.round((100 * times) / data.count);
    const row = (name, [b, a], gap) => {
      const open = data.count - a - b;
      const parts = gap ? [["right", b, "right"], ["open", open, "not shown"], ["wrong", a, "wrong"]]
        : [["right", open, "right, “not shown”"], ["wrong", a + b, "wrong"]];
      const bar = make("span", { class: "verdict-bar", "aria-hidden": "true" });
      for (const [kind, times] of parts) {
        const piece = make("span", { class: `verdict-${kind}` });
        piece.style.width = `${(100 * times) / data.count}%`;
        bar.append(piece);
      }
      return make("div", { class: "verdict-way" }, make("span", { class: "verdict-name" }, name),
        make("output", { "aria-label": name }, parts.map(([, times, says]) => `${per(times)} ${says}`).join(" · ")), bar);
    };
    const sliders = [];
    const show = () => {
      const [g, s, r] = sliders.map(({ value }) => value());
      const gap = data.gaps[g], seeds = data.seeds[s], reviews = data.reviews[r], said = data.said[s][r][g];
      [`${gap.toFixed(1)}`, `${seeds}`, reviews.toLocaleString("en-GB")].forEach((text, i) => {
        const { row: whole, input } = sliders[i];
        whole.querySelector("output").textContent = text;
        input.setAttribute("aria-valuetext", `${text}${["  points", " seeds", " reviews"][i]}`);
      });
      const axis = make("div", { class: "verdict-band verdict-axis", "aria-hidden": "true" }, make("span"), make("span", { class: "verdict-strip" },
        ...[-10, -5, 0, 5, 10].map((points) => {
          const mark = make("span", {}, points ? signed(points).replace(".0", "") : "0");
          mark.style.left = at(points);
          return mark;
        })), make("span"));
      bands.replaceChildren(band("one run each", gap, spread(data.luck, gap / 100, 1, reviews)),
        band(`${seeds} seeds`, gap, spread(data.luck, gap / 100, seeds, reviews)), axis);
      ways.replaceChildren(...data.ways.map((name, i) => row(name.replace("{seeds}", seeds), said[i], gap)));
      const [ahead, both] = [said[0], said[said.length - 1]];
      notes.textContent = gap
        ? `B is better by ${gap.toFixed(1)} points. Of 100 experiments with ${seeds} seeds and ${reviews.toLocaleString("en-GB")} reviews, ` +
          `${per(both[0])} show it by both intervals. Whoever looks at one run each says so in ${per(ahead[0])}, and the opposite in ${per(ahead[1])}.`
        : `The two are equally good. Of 100 experiments with ${seeds} seeds and ${reviews.toLocaleString("en-GB")} reviews, ` +
          `${per(both[0] + both[1])} claim a difference by both intervals, and ${per(ahead[0] + ahead[1])} by one run each.`;
    };
    const texts = ["True difference", "Seeds", "Reviews"];
    [data.gaps, data.seeds, data.reviews].forEach((stops, i) => {
      sliders.push(lab.slider(texts[i], { min: 0, max: stops.length - 1, step: 1, value: data.start[i], digits: 0 }, show));
    });
    show();
    return [...sliders.map(({ row: whole }) => whole), make("p", { class: "verdict-title" }, "Where 95 of 100 measured differences fall, in points"), bands,
      make("p", { class: "verdict-title" }, "Verdicts of 100 experiments"), ways, notes];
  });
})();
