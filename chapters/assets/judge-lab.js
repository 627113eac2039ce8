/* <judge-lab>: a sentence, and what each of its words does in two models: one that counts words, one with attention.
   JSON: {"sentences": [{"text", "english", "words", "known", "adds", "counted", "seen", "read", "effect", "attended"}],
          "label": "…"}, each what `judged` of benchmarks/reviews_lab.py gives.
   Where the book is served by `make read` after `make reviews-lab`, one can write a sentence of one's own: the server says
   so in a header, and the weights come from the reader's own disk. No other book has them, and none is asked for. */
(() => {
  const { make } = lab;
  const WEIGHTS = new URL("../reviews-lab/weights.json", document.currentScript?.src || location.href).href;
  const LONGEST = 128;
  const signed = (x, digits = 2) => `${x < 0 ? "−" : "+"}${Math.abs(x).toFixed(digits)}`;

  /* ---- cutting as jieba does, its model for new words switched off: the likeliest way through the lexicon */
  const cutter = (lexicon) => {
    const count = new Map(lexicon.split("\n").map((line) => { const at = line.lastIndexOf(" "); return [line.slice(0, at), Number(line.slice(at + 1))]; }));
    let total = 0, longest = 1;
    for (const [word, n] of count) { total += n; longest = Math.max(longest, [...word].length); }
    const log = Math.log(total);
    const block = (text) => {
      const signs = [...text], best = new Array(signs.length + 1).fill(0), next = [];
      for (let from = signs.length - 1; from >= 0; from--) {
        let most = -Infinity, word = "";
        for (let to = from; to < signs.length && to < from + longest; to++) {
          word += signs[to];
          if (to > from && !count.has(word)) continue;
          const score = Math.log(count.get(word) || 1) - log + best[to + 1];
          if (score >= most) { most = score; next[from] = to + 1; }
        }
        best[from] = most;
      }
      const words = [];
      let letters = "";
      for (let at = 0; at < signs.length; at = next[at]) {
        const word = signs.slice(at, next[at]).join("");
        if (/^[a-zA-Z0-9]$/.test(word)) { letters += word; continue; }
        if (letters) words.push(letters);
        letters = "";
        words.push(word);
      }
      if (letters) words.push(letters);
      return words;
    };
    return (text) => text.split(/([\u4E00-\u9FD5a-zA-Z0-9+#&._%-]+)/u)
      .flatMap((piece, i) => (i % 2 ? block(piece) : [...piece])).filter((word) => word.trim()).slice(0, LONGEST);
  };

  /* ---- both models, as in benchmarks/reviews_lab.py */
  const unpack = ({ shape, f4 }) => {
    const bytes = Uint8Array.from(atob(f4), (sign) => sign.charCodeAt(0)), flat = new Float32Array(bytes.buffer);
    if (shape.length === 1) return flat;
    return Array.from({ length: shape[0] }, (_, i) => flat.subarray(i * shape[1], (i + 1) * shape[1]));
  };
  const dot = (a, b) => { let sum = 0; for (let i = 0; i < a.length; i++) sum += a[i] * b[i]; return sum; };
  const judge = (made) => {
    const cut = cutter(made.lexicon), number = new Map(made.words.map((word, i) => [word, i + 2]));
    const of = Object.fromEntries(Object.entries(made.attention).map(([name, array]) => [name, unpack(array)]));
    const linear = (name, x) => of[`${name}.weight`].map((row, i) => dot(row, x) + of[`${name}.bias`][i]);
    const [blame, praise] = of["classifier.weight"], side = praise.map((x, i) => x - blame[i]);
    const bias = of["classifier.bias"][1] - of["classifier.bias"][0];
    return (text) => {
      const words = cut(text), ids = words.map((word) => number.get(word) ?? 1), T = ids.length;
      const x = ids.map((id) => of["embedding.weight"][id]), q = x.map((row) => linear("attention.query", row)), k = x.map((row) => linear("attention.key", row));
      const says = x.map((row) => dot(linear("attention.value", row), side)), scores = q.map((a) => k.map((b) => dot(a, b) / Math.sqrt(a.length)));
      const score = (without) => {
        const there = ids.map((_, i) => i).filter((i) => i !== without), read = new Array(T).fill(0);
        let sum = 0;
        for (const i of there) {
          const row = lab.softmax(there.map((j) => scores[i][j]));
          there.forEach((j, at) => { read[j] += row[at] / there.length; sum += (row[at] * says[j]) / there.length; });
        }
        return { read, score: sum + bias };
      };
      const { read, score: attended } = score(-1);
      const known = words.map((word) => (word in made.counting ? 1 : 0)), times = new Map();
      words.forEach((word, i) => { if (known[i]) times.set(word, (times.get(word) ?? 0) + 1); });
      const length = Math.sqrt([...times].reduce((sum, [word, n]) => sum + (n * made.counting[word][0]) ** 2, 0)) || 1;
      const adds = words.map((word, i) => (known[i] ? (made.counting[word][0] * made.counting[word][1]) / length : 0));
      return { words, known, adds, counted: adds.reduce((a, b) => a + b, 0) + made.intercept, seen: ids.map((id) => (id === 1 ? 0 : 1)), read,
        effect: ids.map((_, i) => attended - (T > 1 ? score(i).score : bias)), attended };
    };
  };

  lab.define("judge-lab", (data) => {
    const isLive = (performance.getEntriesByType("navigation")[0]?.serverTiming ?? []).some(({ name }) => name === "reviews-lab");
    const english = make("p", { class: "judge-english" }), verdicts = make("div", { class: "judge-verdicts" });
    const rows = make("tbody"), notes = lab.live();
    const head = (...kids) => make("th", { scope: "col" }, ...kids);
    const table = make("table", { class: "judge-table" }, make("thead", {}, make("tr", {}, head("word"), head("counting: adds"), head("attention: is read"), head("left out: changes"))), rows);
    const bar = (value, most, sided) => {
      const share = most ? Math.abs(value) / most : 0, strip = make("span", { class: sided ? "judge-strip judge-sided" : "judge-strip", "aria-hidden": "true" });
      const fill = make("span", { class: sided ? (value < 0 ? "judge-blame" : "judge-praise") : "judge-read" });
      fill.style.width = `${(sided ? 50 : 100) * share}%`;
      strip.append(fill);
      return make("td", {}, strip, make("span", { class: "judge-number" }, sided ? signed(value) : `${Math.round(100 * value)} %`));
    };
    const largest = (values) => values.reduce((best, value, i) => (Math.abs(value) > Math.abs(values[best]) ? i : best), 0);
    const side = (score) => (score > 0 ? "praise" : "blame");
    const verdict = (name, score) => make("p", { class: `judge-verdict judge-is-${side(score)}` }, make("span", {}, name), " ", make("strong", {}, side(score)),
      ` ${signed(score)}`);
    const show = (found) => {
      english.textContent = found.english ?? "";
      verdicts.replaceChildren(verdict("Counting words says", found.counted), verdict("Attention says", found.attended));
      const most = ["adds", "read", "effect"].map((name) => Math.max(...found[name].map(Math.abs)));
      rows.replaceChildren(...found.words.map((word, i) => {
        const unknown = !found.known[i] && !found.seen[i];
        const cell = make("th", { scope: "row" }, make("span", {}, word), ...(unknown ? [make("small", {}, " unknown")] : []));
        return make("tr", {}, cell, bar(found.adds[i], most[0], true), bar(found.read[i], most[1], false), bar(found.effect[i], most[2], true));
      }));
      const [adds, read, effect] = [found.adds, found.read, found.effect].map(largest);
      notes.textContent = `Counting: ${side(found.counted)}, and ${found.words[adds]} adds most (${signed(found.adds[adds])}). Attention: ${side(found.attended)}. ` +
        (read === effect ? `${found.words[read]} is read most and does most (${signed(found.effect[effect])}).`
          : `${found.words[read]} is read most, but ${found.words[effect]} does most (${signed(found.effect[effect])}).`);
    };
    const choice = lab.radios("Sentence", data.sentences.map(({ text }) => text), 0, (i) => show(data.sentences[i]));
    let own;
    if (isLive) {
      const input = make("input", { type: "text", maxlength: 200, autocomplete: "off", spellcheck: "false", lang: "zh-Hans" });
      let ready;
      input.addEventListener("input", async () => {
        try {
          ready ??= fetch(WEIGHTS).then((answer) => { if (!answer.ok) throw new Error(`${answer.status}`); return answer.json(); }).then(judge);
          const found = await ready, text = input.value;
          const result = found(text);
          if (!result.words.length) { notes.textContent = "Write some words."; return; }
          for (const radio of choice.querySelectorAll("input")) radio.checked = false;
          show(result);
        } catch (error) {
          ready = undefined;
          notes.textContent = `The weights could not be read (${error.message}): make reviews-lab writes them.`;
        }
      });
      own = make("label", { class: "judge-own" }, make("span", {}, "Or a sentence of your own, in Chinese"), input);
    } else {
      own = make("p", { class: "judge-how" }, "To type a sentence of your own here, train both models on your machine: in the course's folder, ",
        make("code", {}, "make reviews-lab"), " and then ", make("code", {}, "make read"), ".");
    }
    show(data.sentences[0]);
    return [choice, own, english, verdicts, table, notes];
  });
})();
