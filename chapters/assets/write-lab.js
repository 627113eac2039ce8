/* <write-lab>: a language model of the course writes in the page, alone or with the reader's functions in it.
   JSON: {"beginnings": {"austen": "The room was", "tang": "明月"}, "own": true, "mistakes": [{"exercise", "says", "code"}]}
   With "own" the reader chooses which of the answers go into the model, or a known mistake, and the course's text stands
   beside. Python starts when the reader first writes (solve/model.js). */
(() => {
  const script = document.currentScript.src, site = new URL("../", script);
  const model = () => import(new URL("solve/model.js", script).href);
  const NAMES = { austen: "Jane Austen", tang: "Tang poems" };
  const WORDS = { solved: "✓ solved", tried: "✗ not right yet", begun: "written, not checked", "": "not written yet" };
  const PAGES = { "tokenization/bpe": "Byte-pair encoding", "llama/parts": "Four parts", "attention/weights": "Attention weights",
    "attention/heads": "Many heads", "llama/model": "The model", "llama/generation": "Writing text" };
  const coded = (text) => text.split("`").map((piece, i) => (i % 2 ? lab.make("code", {}, piece) : piece.replace(/\*Check\*/g, "Check")));
  const common = (a, b) => { let n = 0; while (n < a.length && n < b.length && a[n] === b[n]) n += 1; return n; };

  lab.define("write-lab", (data) => {
    data.label ??= data.own ? "A language model with your functions in it" : "A language model that writes";
    if (location.protocol === "file:") {
      return [lab.make("p", {}, "A page that is opened as a file cannot run Python. In the course's folder, ", lab.make("code", {}, "make read"), " opens this book in a way that can.")];
    }
    const names = Object.keys(data.beginnings);
    let chosen = names[0], stop, begun = data.beginnings[chosen];
    const number = (text, attributes) => {
      const input = lab.make("input", { type: "number", ...attributes });
      return { input, label: lab.make("label", { class: "write-number" }, lab.make("span", {}, text), input) };
    };
    const text = lab.make("input", { type: "text", value: begun, maxlength: 200, autocomplete: "off", spellcheck: "false" });
    const tell = () => { text.lang = chosen === "tang" ? "zh-Hans" : "en"; };
    const which = lab.radios("Model", names.map((name) => NAMES[name]), 0, (i) => {
      if (text.value === data.beginnings[chosen]) text.value = data.beginnings[names[i]];
      chosen = names[i];
      tell();
    });
    tell();
    const temperature = lab.slider("Temperature", { min: 0, max: 2, step: 0.05, value: 0.8 }, () => {});
    const topP = lab.slider("Top-p", { min: 0.05, max: 1, step: 0.05, value: 0.95 }, () => {});
    const topK = number("Top-k", { min: 1, max: 4000, placeholder: "all" });
    const tokens = number("Tokens", { min: 1, max: 400, value: data.own ? 60 : 120 });
    const seed = number("Seed", { min: 0, max: 999999, value: 2 });
    const another = lab.make("button", { type: "button" }, "Another seed");
    another.addEventListener("click", () => { seed.input.value = Math.floor(Math.random() * 100000); said.textContent = `Seed ${seed.input.value}. Write again.`; });
    const go = lab.make("button", { type: "button", class: "write-go" }, "Write"), said = lab.make("span", { class: "write-said", role: "status" });
    const speed = lab.make("span", { class: "write-speed", "aria-hidden": "true" });

    const paper = (title) => {
      const words = lab.make("p", { class: "write-text", tabindex: "0", role: "region", "aria-label": title });
      return { words, box: lab.make("div", { class: "write-paper" }, lab.make("p", { class: "write-title", "aria-hidden": "true" }, title), words) };
    };
    const yours = paper("With your functions"), course = paper("The course's"), papers = lab.make("div", { class: "write-papers" }), report = lab.make("ul", { class: "write-report" });

    // ---- what goes into the model
    const put = lab.make("details", { class: "write-put" }, lab.make("summary", {}, "Your functions: which are put in?"));
    const boxes = new Map();
    let slots = [], mistake, wanted = new URLSearchParams(location.search).get("put");
    const summary = () => {
      const own = [...boxes.values()].filter(({ box }) => box.checked).length;
      put.firstChild.textContent = `Your functions: ${own} of ${slots.length} are put in`;
    };
    const list = async () => {
      const { slots: places, mine } = await model();
      slots = await places();
      const before = boxes.size ? new Set([...boxes].filter(([, { box }]) => box.checked).map(([name]) => name)) : undefined;
      const groups = new Map();
      boxes.clear();
      for (const slot of slots) {
        const { state, code } = mine(slot), box = lab.make("input", { type: "checkbox" }), page = new URL(`chapters/${slot.notebook}.html#solve-${slot.name}`, site);
        box.disabled = !state;
        box.checked = !box.disabled && (wanted ? slot.name === wanted : before ? before.has(slot.name) : state === "solved");
        box.addEventListener("change", summary);
        boxes.set(slot.name, { box, code });
        const row = lab.make("li", {}, lab.make("label", {}, box, " ", lab.make("code", {}, slot.name)), " ", lab.make("span", { class: "write-does" }, slot.does), " ",
          lab.make("a", { href: page.href, class: "write-state", "data-state": state }, WORDS[state], lab.make("span", { class: "visually-hidden" }, `: go to ${slot.name}`)));
        if (!groups.has(slot.notebook)) groups.set(slot.notebook, lab.make("ul", {}));
        groups.get(slot.notebook).append(row);
      }
      wanted = undefined;
      const fields = [...groups].map(([notebook, rows]) => lab.make("fieldset", {}, lab.make("legend", {}, PAGES[notebook] ?? notebook), rows));
      put.replaceChildren(put.firstChild, ...fields);
      summary();
    };
    const told = lab.make("p", { class: "write-told", "aria-live": "polite" });
    const known = lab.make("details", { class: "write-known" }, lab.make("summary", {}, "Or put in a mistake that people make"));
    const mistakes = data.mistakes ?? [];
    known.append(lab.radios("Mistake", ["none", ...mistakes.map(({ exercise, says }) => `${exercise}: ${says}`)], 0, (i) => {
      mistake = mistakes[i - 1];
      known.firstChild.textContent = mistake ? `A mistake is put in: ${mistake.exercise}, ${mistake.says}` : "Or put in a mistake that people make";
      told.textContent = mistake?.teaches ?? "";
    }), told);

    const own = () => {
      const found = {};
      for (const [name, { box, code }] of boxes) if (box.checked && code !== undefined) found[name] = code;
      return mistake ? { ...found, [mistake.exercise]: mistake.code } : found;
    };

    // ---- writing
    const show = ({ first, mine, theirs, both }) => {
      const same = both ? common(mine, theirs) : 0;
      const fill = (place, all) => {
        const head = lab.make("strong", {}, first);
        place.lang = chosen === "tang" ? "zh-Hans" : "en";
        place.replaceChildren(head, ...(both ? [all.slice(0, same), lab.make("mark", {}, all.slice(same))] : [all]));
      };
      fill(course.words, theirs);
      if (both) fill(yours.words, mine);
    };
    const write = async () => {
      if (stop) { stop.abort(); return; }
      stop = new AbortController();
      go.textContent = "Stop";
      speed.textContent = "";
      report.replaceChildren();
      const functions = data.own ? own() : {}, both = Object.keys(functions).length > 0;
      const pages = { first: text.value, mine: "", theirs: "", both };
      papers.replaceChildren(...(both ? [yours.box, course.box] : [course.box]));
      course.box.firstChild.hidden = !both;
      show(pages);
      const settings = { temperature: temperature.value(), top_k: Number(topK.input.value) || null, top_p: topP.value() >= 1 ? null : topP.value(),
        seed: Number(seed.input.value) || 0, tokens: Math.min(400, Math.max(1, Number(tokens.input.value) || 1)) };
      let ended, began, ask, last = 0;
      const slow = setTimeout(() => { said.textContent += " It is started once and then stays."; }, 5000);
      const hear = (event) => {
        if (event === "starting" || event === "reading") { said.textContent = { starting: "Starting Python…", reading: "Writing…" }[event]; return; }
        clearTimeout(slow);
        if (event.refused || event.done) { ended = event; return; }
        pages.mine += event.yours ?? "";
        pages.theirs += event.course ?? "";
        began ??= performance.now();
        last = event.tokens;
        ask ??= requestAnimationFrame(() => { ask = undefined; show(pages); speed.textContent = `${last} tokens`; });
      };
      try {
        const it = await (await model()).write({ model: chosen, text: text.value, settings, own: both ? functions : null }, hear, stop.signal);
        cancelAnimationFrame(ask);
        show(pages);
        speed.textContent = "";
        if (it.late) said.textContent = "For 30 seconds nothing came: is there a loop that does not end? Python has been stopped.";
        else if (ended?.refused) said.textContent = ended.refused;
        else if (ended) {
          const none = data.own && !both ? " No function is put in: this is the course's model alone." : "";
          said.textContent = `${ended.tokens} tokens${ended.rate ? `, ${Math.round(ended.rate)} a second` : ""}.${none}`;
          report.replaceChildren(...(ended.words ?? []).map((line) => lab.make("li", {}, ...coded(line))));
        } else said.textContent = `Stopped after ${last} tokens.`;
      } catch (error) {
        said.textContent = `Python did not run here, by no fault of yours: ${error.message.trim().split("\n").at(-1)}`;
      }
      clearTimeout(slow);
      stop = undefined;
      go.textContent = "Write";
    };
    go.addEventListener("click", write);
    for (const input of [text, topK.input, tokens.input, seed.input]) input.addEventListener("keydown", (event) => { if (event.key === "Enter" && !stop) write(); });
    text.addEventListener("input", () => { if (!stop) said.textContent = "Enter writes."; });

    const controls = lab.make("details", { class: "write-more" }, lab.make("summary", {}, "Temperature, top-k, top-p, seed"), temperature.row, topP.row, lab.make("div", { class: "write-numbers" }, topK.label, tokens.label, seed.label, another));
    const beginning = lab.make("label", { class: "write-beginning" }, lab.make("span", {}, "Beginning"), text);
    const parts = [which, beginning, controls];
    if (!data.own) controls.open = true;
    if (data.own) {
      parts.push(put, known);
      const again = () => list().catch(() => { put.replaceChildren(lab.make("summary", {}, "Your functions"), lab.make("p", {}, "This copy of the book was built without Python in the page.")); });
      let kept = wanted !== null;
      try { kept ||= Object.keys(localStorage).some((key) => key.startsWith("answer:")); } catch { /* no storage here */ }
      if (kept) again();
      put.addEventListener("toggle", () => { if (put.open && !boxes.size) again(); });
      addEventListener("pageshow", (event) => { if (event.persisted) again(); });
      document.addEventListener("answers-brought", again);
      if (wanted) put.open = true;
    }
    return [...parts, lab.make("div", { class: "write-buttons" }, go, said, speed), papers, report];
  });
})();
