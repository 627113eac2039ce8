/* <token-bench>: one text, cut by several tokenizers side by side, with a slider for how many pieces they have learned.
   Pointing at a token (or choosing it: a click, a touch, Enter, the arrow keys) marks its characters in all rows.
   JSON: {"label": "…", "methods": ["bpe", "wordpiece", "unigram"], "start": 120, "pairs": false, "self": false,
          "trainings": [{"name": "English", "learn": "austen", "says": "12,000 characters of …", "text": "…", "found": {…}}, …]}
   `found` is what solutions/tokenization/bench.py gave for the text when the page was built; for other texts the page's
   Python is asked the same (solve/bench.js). Nothing is cut here. With "own" the reader brings a training text; with
   "self" the text learns from itself, a word a line; "pairs" shows the pairs that stand in front. */
(() => {
  const script = document.currentScript.src;
  const NAMES = { words: "Words", characters: "Characters", bytes: "Bytes", bpe: "BPE", wordpiece: "WordPiece", unigram: "Unigram" };
  const MANY = 400, WAIT = 500; // characters of a text, ms after the last key
  const { make } = lab, encoder = new TextEncoder(), decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const number = (n) => n.toLocaleString("en"), plural = (n, what) => `${number(n)} ${what}${n === 1 ? "" : "s"}`;
  const isBytes = (name) => /^[0-9A-F]{2}( [0-9A-F]{2})*$/.test(name);
  const seen = (text) => text.replace(/[ \n\t]/g, (c) => ({ " ": "␣", "\n": "↵", "\t": "⇥" })[c])
    .replace(/^\p{M}/u, "◌$&").replace(/[\p{C}\u200b-\u200f\ufe0f]/gu, (c) => `U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`);

  /* The tokens of a row with n pieces: their places in bytes, the characters that they touch, and what to write. */
  const tokensOf = (row, n, bytes, place) => {
    const ends = new Set();
    for (const [at, ...changed] of row.cuts) {
      if (at > n) break;
      for (const end of changed) if (!ends.delete(end)) ends.add(end);
    }
    const gone = new Set(row.gone), unknown = new Set(row.unknown), starts = row.starts && new Set(row.starts), found = [];
    let from = 0;
    for (const to of [...ends].sort((a, b) => a - b)) {
      if (!gone.has(from)) {
        let text;
        try { text = seen(decoder.decode(bytes.slice(from, to))); } catch { text = [...bytes.slice(from, to)].map((b) => b.toString(16).toUpperCase().padStart(2, "0")).join(" "); }
        const hex = place.first[from] === undefined || place.last[to] === undefined;
        const inner = starts && !starts.has(from) ? "##" : "";
        found.push({ key: `${from}:${to}`, first: place.of[from], last: place.of[to - 1], hex, unknown: unknown.has(from), text: unknown.has(from) ? "[UNK]" : inner + text });
      }
      from = to;
    }
    return found;
  };
  /* For each byte the character that it belongs to, and which bytes begin and end one. */
  const placesOf = (text) => {
    const of = [], first = {}, last = {};
    [...text].forEach((character, i) => {
      first[of.length] = i;
      encoder.encode(character).forEach(() => of.push(i));
      last[of.length] = i;
    });
    return { of, first, last };
  };

  lab.define("token-bench", (data) => {
    data.label ??= "One text, cut side by side";
    const isFile = location.protocol === "file:";
    let training = data.trainings[0], text = training.text, found = training.found, learned = "", n = 0, chosen, shown = new Map(), asked = 0;

    const box = make("textarea", { rows: 2, maxlength: MANY, spellcheck: "false", readonly: isFile }), learn = make("textarea", { rows: 4, maxlength: 20000, spellcheck: "false" });
    const boxed = make("label", { class: "bench-text" }, make("span", {}, data.self ? "Words" : "Your text"), box);
    const go = make("button", { type: "button" }, "Learn from it");
    const own = make("div", { class: "bench-own", hidden: true }, make("label", { class: "bench-text" }, make("span", {}, "A text to learn from, of up to 20,000 characters"), learn), go);
    const status = make("p", { class: "bench-status", role: "status" });
    const says = make("p", { class: "bench-says" });
    const told = make("p", { class: "lab-notes bench-told", "aria-live": "polite" });

    const slider = make("input", { type: "range", min: 0, step: 1 }), count = make("output");
    const step = (by) => { const button = make("button", { type: "button" }, by < 0 ? "Back" : "Next"); button.addEventListener("click", () => set(n + by)); return button; };
    const what = data.methods.some((method) => method === "unigram" || method === "wordpiece") ? "Pieces learned" : "Merges done";
    const back = step(-1), next = step(1);
    const controls = make("div", { class: "bench-controls" }, back, next, make("label", { class: "bench-slider" }, make("span", {}, what), slider, count));

    const rows = data.methods.map((method) => {
      const total = make("output", { class: "bench-count", "aria-label": `Number of ${NAMES[method]} tokens` }), bar = make("span", { class: "lab-bar", "aria-hidden": "true" });
      const chips = make("div", { class: "bench-chips", role: "group", "aria-label": NAMES[method] }), coming = make("p", { class: "bench-next" });
      return { method, total, bar, chips, coming, tokens: [], node: make("div", { class: "bench-row", "data-cut": method },
        make("div", { class: "bench-head" }, make("span", { class: "bench-name" }, NAMES[method]), bar, total), chips, coming) };
    });
    const pairs = make("ol", { class: "bench-pairs" }), more = make("p", { class: "bench-more" }), made = make("ol", { class: "bench-made" });
    const title = (words) => make("p", { class: "bench-title" }, words);
    const below = data.pairs && make("div", { class: "bench-below" }, make("div", {}, title("Pairs by count"), pairs, more), make("div", {}, title("Vocabulary: 256 bytes, and"), made));

    // ---- what is marked
    const over = (token) => token.last >= chosen.first && token.first <= chosen.last;
    const mark = () => {
      for (const { tokens } of rows) for (const token of tokens) token.chip.classList.toggle("bench-same", Boolean(chosen) && over(token));
    };
    let speaking;  // what is to be said of the whole, soon
    const choose = (token, row) => {
      clearTimeout(speaking);
      chosen = { first: token.first, last: token.last };
      mark();
      const parts = rows.filter((other) => other !== row).map((other) => {
        const same = other.tokens.filter(over).map((one) => one.text);
        return `${NAMES[other.method]}: ${same.length ? same.join(" · ") : "nothing"}`;
      });
      told.textContent = `${token.text} of ${NAMES[row.method]}. The same characters in ${parts.join("; in ")}.`;
    };
    const release = () => { chosen = undefined; mark(); };
    const focus = (row, i) => {
      if (!row.tokens.length) return;
      const at = Math.max(0, Math.min(row.tokens.length - 1, i));
      row.tokens.forEach(({ chip }, j) => { chip.tabIndex = j === at ? 0 : -1; });
      row.tokens[at].chip.focus();
    };
    const keys = (event, row, i) => {
      const r = rows.indexOf(row), other = { ArrowUp: rows[r - 1], ArrowDown: rows[r + 1] }[event.key];
      const to = { ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: row.tokens.length - 1 }[event.key];
      if (to !== undefined) focus(row, to);
      else if (other) focus(other, Math.max(0, other.tokens.findIndex(over)));
      else if (event.key === "Escape") release();
      else return;
      event.preventDefault();
    };

    // ---- what is shown
    const speak = () => {
      clearTimeout(speaking);
      speaking = setTimeout(() => {
        const size = found.most ? `With ${plural(n, what === "Merges done" ? "merge" : "piece")}: ` : "";
        told.textContent = text ? `${size}${rows.map((row) => `${NAMES[row.method]} ${plural(row.tokens.length, row.method === "words" ? "word" : row.method === "characters" ? "character" : row.method === "bytes" ? "byte" : "token")}`).join(", ")}.` : "There is no text: nothing to cut.";
      }, 250);
    };
    const piece = (name) => make("span", { class: `bench-piece${isBytes(name) ? " bench-hex" : ""}` }, seen(name));
    const coming = (row, it) => {
      if (["words", "characters", "bytes"].includes(row.method)) return [];
      const now = it.next[n];
      if (row.method === "unigram") return now ? ["next: ", piece(now[0][0]), ` worth ${number(now[1])} of log-probability`] : [""];
      if (!now) return [!it.next.length ? "no pair to join: each character stands alone" : it.next.length < found.most ? "no pair is left to join" : ""];
      return ["next: ", piece(now[0][0]), " + ", piece(now[0][1]), ` ${plural(now[1], "time")}`];
    };
    const show = (moved) => {
      const bytes = encoder.encode(text), place = placesOf(text);
      slider.max = found.most;
      slider.value = n;
      count.textContent = `${n} of ${found.most}`;
      for (const [button, at] of [[back, 0], [next, found.most]]) button.setAttribute("aria-disabled", String(n === at));
      for (const row of rows) {
        const it = found.rows[row.method], before = shown.get(row), held = row.tokens.findIndex(({ chip }) => chip === document.activeElement);
        row.tokens = tokensOf(it, n, bytes, place).filter((token) => !data.self || token.text !== "↵");
        if (row.method === "unigram") for (const token of row.tokens) token.text = token.text.replaceAll("␣", "▁"); // as it writes spaces
        row.tokens.forEach((token, i) => {
          const kind = [token.hex && "bench-hex", token.unknown && "bench-unknown", moved && before && !before.has(token.key) && "bench-new"].filter(Boolean);
          const chip = token.chip = make("button", { type: "button", class: `bench-chip shade-${i % 3} ${kind.join(" ")}`, tabindex: i ? -1 : 0 }, token.text);
          chip.addEventListener("mouseenter", () => choose(token, row));
          chip.addEventListener("focus", () => choose(token, row));
          chip.addEventListener("click", () => { focus(row, i); choose(token, row); });
          chip.addEventListener("keydown", (event) => keys(event, row, i));
        });
        shown.set(row, new Set(row.tokens.map((token) => token.key)));
        row.total.textContent = number(row.tokens.length);
        row.bar.style.setProperty("--share", bytes.length ? row.tokens.length / bytes.length : 0);
        row.chips.replaceChildren(...row.tokens.flatMap(({ chip }) => [chip, " "]));
        row.coming.replaceChildren(...coming(row, it));
        if (held >= 0) focus(row, held);
      }
      mark();
      if (data.pairs) {
        const it = found.rows.bpe, now = it.pairs[n], top = now.pairs[0];
        pairs.replaceChildren(...now.pairs.map(([a, b, times], i) => make("li", { class: i ? null : "bench-winner" }, make("span", {}, piece(a), " + ", piece(b)),
          make("span", { class: "bench-times" }, number(times)), make("span", {}, i === 0 ? "next" : times === top[2] ? "tie" : ""))));
        more.textContent = now.more ? `and ${plural(now.more, "more pair")}` : "";
        made.replaceChildren(...it.made.slice(0, n).map((name, i) => make("li", {}, make("span", { class: "bench-id" }, String(256 + i)), piece(name))));
        if (!n) made.append(make("li", { class: "bench-more" }, "nothing else yet"));
      }
    };
    const set = (to) => {
      n = Math.max(0, Math.min(found.most, to));
      show(true);
      speak();
    };
    slider.addEventListener("input", () => set(Number(slider.value)));
    const take = (it, of) => {
      found = it;
      text = of;
      n = Math.min(n, found.most);
      shown = new Map();
      release();
      show();
      speak();
    };

    // ---- what is asked
    const asIt = (words) => (data.self ? words.trim().split(/\s+/).join("\n") : words);
    const ask = async () => {
      const mine = ++asked, words = asIt(box.value), stale = () => mine !== asked;
      if (training.found && words === training.text) { status.textContent = ""; take(training.found, words); return; }
      if (training.own && !learned.trim()) { status.textContent = "Bring a text to learn from, and press the button."; return; }
      const source = data.self ? { training: words } : training.own ? { training: learned } : { learn: training.learn };
      try {
        const { ask: python } = await import(new URL("solve/bench.js", script).href);
        const it = await python({ ...source, text: words, methods: data.methods, pairs: data.pairs, ...(data.most ? { most: data.most } : {}) }, (event) => {
          status.textContent = { starting: "Starting Python… It is started once and then stays.", cutting: "Learning and cutting…" }[event];
        }, stale);
        if (stale()) return;
        status.textContent = it.refused ?? "";
        if (!it.refused) take(it, words);
      } catch (error) {
        if (!stale()) status.textContent = `Python did not run here, by no fault of yours: ${error.message.trim().split("\n").at(-1)}`;
      }
    };
    let waiting;
    box.addEventListener("input", () => {
      clearTimeout(waiting);
      status.textContent = "The rows are still those of the text before.";
      waiting = setTimeout(ask, WAIT);
    });
    go.addEventListener("click", () => { learned = learn.value; ask(); });
    const names = data.trainings.map(({ name }) => name);
    const which = names.length > 1 && lab.radios("They learn from", names, 0, (i) => {
      const untouched = data.trainings.some((one) => one.text === box.value);
      training = data.trainings[i];
      own.hidden = !training.own;
      says.textContent = training.says ?? "";
      if (untouched && training.text) box.value = training.text;
      ask();
    });

    box.value = data.self ? training.text.replaceAll("\n", " ") : text;
    says.textContent = training.says ?? "";
    n = Math.min(data.start ?? 0, found.most);
    show();
    speak();
    const note = isFile ? make("p", { class: "bench-status" }, "A page that is opened as a file cannot run Python: what it shows was recorded, for this text. In the course's folder, ",
      make("code", {}, "make read"), " opens this book in a way that takes yours, too.") : status;
    if (isFile && which) which.querySelectorAll("label").forEach((label, i) => { label.hidden = !data.trainings[i].found; });
    return [...(which ? [which, says] : []), own, boxed, note, controls, told, ...rows.map((row) => row.node), ...(below ? [below] : [])];
  });
})();
