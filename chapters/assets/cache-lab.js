/* <cache-lab>: a text written token by token, with a cache of keys and values and without one, side by side. Each column
   is a token; it shows what is computed at this step, what is read from the cache, and what is not there yet.
   JSON: {"label": "optional name", "tokens": ["The", …], "steps": [
          {"past": 0, "now": 3, "with": 1234, "without": 1234, "read": 0, "kept": 96}, …]}
   Step k hands `now` tokens to the model when `past` are in the cache; `with` and `without` are the multiplications of this
   step, `read` and `kept` the numbers read from the cache and kept in it afterwards. All are computed by the page. */
lab.define("cache-lab", (data) => {
  const { make } = lab;
  const last = data.steps.length - 1;
  const number = (n) => n.toLocaleString("en-GB");
  const sum = (kind, to) => data.steps.slice(0, to + 1).reduce((all, step) => all + step[kind], 0);
  let at = 0;

  const slider = make("input", { type: "range", min: 0, max: last, step: 1, value: 0 });
  const count = make("output");
  const go = (to) => { at = Math.max(0, Math.min(last, to)); show(); };
  const buttons = [["First", () => 0], ["Back", () => at - 1], ["Next", () => at + 1], ["Last", () => last]].map(([text, to]) => {
    const button = make("button", { type: "button" }, text);
    button.addEventListener("click", () => go(to()));
    return button;
  });
  slider.addEventListener("input", () => go(Number(slider.value)));
  const controls = make("div", { class: "cache-controls" }, ...buttons,
    make("label", { class: "cache-slider" }, make("span", {}, "Step"), slider, count));

  const told = lab.live();
  const strips = ["with", "without"].map((kind) => {
    const cells = data.tokens.map((token) => {
      const state = make("span", { class: "cache-state" });
      return { state, item: make("li", {}, make("span", { class: "cache-token" }, token), state) };
    });
    const list = make("ol", { class: "cache-strip" }, ...cells.map((cell) => cell.item));
    const title = make("p", { class: "cache-title" }, kind === "with" ? "With a cache" : "Without one");
    return { kind, cells, box: make("div", {}, title, list) };
  });

  const rows = [
    ["multiplications, this step", (kind) => number(data.steps[at][kind])],
    ["multiplications so far", (kind) => number(sum(kind, at))],
    ["numbers read from the cache", (kind) => (kind === "with" ? number(data.steps[at].read) : "0")],
    ["numbers kept for the next step", (kind) => (kind === "with" ? number(data.steps[at].kept) : "0")],
  ].map(([text, value]) => ({ value, cells: ["with", "without"].map((kind) => ({ kind, cell: make("td") })), text }));
  const table = make("table", { class: "cache-table" },
    make("thead", {}, make("tr", {}, make("td"), make("th", { scope: "col" }, "with"), make("th", { scope: "col" }, "without"))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, make("th", { scope: "row" }, row.text), ...row.cells.map((c) => c.cell)))));

  const show = () => {
    const { past, now, with: mine, without } = data.steps[at];
    slider.value = at;
    count.textContent = `${at + 1} of ${last + 1}`;
    buttons.forEach((button, i) => button.setAttribute("aria-disabled", i < 2 ? at === 0 : at === last));
    strips.forEach(({ kind, cells }) => cells.forEach(({ state, item }, i) => {
      const what = i >= past + now ? "later" : kind === "without" || i >= past ? "computed" : "read";
      item.className = `cache-${what}`;
      state.textContent = what === "later" ? "–" : what;
    }));
    rows.forEach(({ value, cells }) => cells.forEach(({ kind, cell }) => { cell.textContent = value(kind); }));
    const tokens = data.tokens.slice(past, past + now).join(" "), ratio = (without / mine).toFixed(1);
    const ours = `${now} ${now === 1 ? "token is" : "tokens are"}`;
    told.textContent = past
      ? `“${tokens}” goes in. With the cache, ${ours} computed and the keys and values of ${past} are read; without it, all ${past + now} are computed: ${ratio} times as many multiplications.`
      : `The prompt of ${now} tokens goes in at once. The cache is empty, so that both ways do the same.`;
  };
  show();
  return [controls, told, ...strips.map((strip) => strip.box), table];
});
