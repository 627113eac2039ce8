/* <inside-lab>: what goes on inside a small LLaMA that reads a text. Choose a token and see what each part adds to its
   stream and what the model would say next; choose a block and a head and see who looks at whom; follow one token step by
   step. The boxes lead to their exercises.
   JSON: what `Small.figure` of solutions/llama/inside.py gives, for a first text. Another text asks Python (solve/model.js). */
(() => {
  const script = document.currentScript.src, site = new URL("../", script);
  const LINKS = { embedding: ["llama/model", "llama_forward"], norm: ["llama/parts", "rms_norm"], attention: ["llama/model", "llama_attention"],
    network: ["llama/parts", "swiglu"], head: ["llama/model", "llama_forward"] };
  const WORDS = { embedding: "embedding", norm: "norm", attention: "attention", network: "feed-forward", head: "head" };
  const BEAT = 1600;  // ms for a step
  const box = (kind) => {
    const [page, exercise] = LINKS[kind];
    return lab.make("a", { href: new URL(`chapters/${page}.html#solve-${exercise}`, site).href, title: `the exercise ${exercise}` }, WORDS[kind]);
  };
  const percent = (p) => (p >= 0.995 ? "100%" : `${Math.round(100 * p)}%`);

  lab.define("inside-lab", (data) => {
    data.label ??= "The inside of a small LLaMA";
    let it = data, token = it.tokens.length - 1, layer = 0, head = 0, step = 0, timer = 0, which = "austen";
    const layers = it.maps.length, last = 2 * layers + 1;
    const named = (i) => `“${it.tokens[i]}”`;

    // ---- another text
    const text = lab.make("input", { type: "text", value: it.text, maxlength: 120, autocomplete: "off", spellcheck: "false" });
    const look = lab.make("button", { type: "button" }, "Look"), said = lab.make("span", { class: "write-said", role: "status" });
    const asked = async () => {
      stop();
      if (location.protocol === "file:") { said.textContent = "A page that is opened as a file cannot run Python; make read, in the course's folder, opens this book in a way that can."; return; }
      said.textContent = "Starting Python…";
      try {
        const { look: ask } = await import(new URL("solve/model.js", script).href);
        const seen = await ask({ model: which, text: text.value }, (word) => { said.textContent = word === "starting" ? "Starting Python…" : "Reading…"; });
        if (seen.refused) { said.textContent = seen.refused; return; }
        it = seen;
        token = it.tokens.length - 1;
        said.textContent = it.cut ? `The first ${it.tokens.length} tokens are shown.` : `${it.tokens.length} tokens.`;
        make();
      } catch (error) {
        said.textContent = `Python did not run here, by no fault of yours: ${error.message.trim().split("\n").at(-1)}`;
      }
    };
    look.addEventListener("click", asked);
    text.addEventListener("keydown", (event) => { if (event.key === "Enter") asked(); });
    text.addEventListener("input", () => { said.textContent = "Enter looks."; });
    const models = lab.radios("Model", ["Jane Austen", "Tang poems"], 0, (i) => {
      which = ["austen", "tang"][i];
      text.lang = i ? "zh-Hans" : "en";
      if (i && /^[\x20-\x7e]*$/.test(text.value)) text.value = "明月出天山";
      if (!i && !/[a-z]/i.test(text.value)) text.value = data.text;
    });
    text.lang = "en";

    // ---- the figure
    const chips = lab.make("div", {}), tower = lab.make("ol", { class: "inside-tower" }), note = lab.live(), five = lab.make("div", { class: "lab-bars" });
    const map = lab.make("div", { class: "inside-map" }), looks = lab.make("div", { class: "lab-bars" }), mapTitle = lab.make("p", { class: "inside-title" }), looksTitle = lab.make("p", { class: "inside-title" }), fiveTitle = lab.make("p", { class: "inside-title" });
    const row = (kinds, size, largest, sum, first, i) => {
      const bar = lab.make("span", { class: "lab-bar", "aria-hidden": "true" });
      bar.style.setProperty("--share", size / largest);
      const [best, p] = it.likeliest[token][sum][0];
      const item = lab.make("li", { class: first ? "inside-first" : undefined, "aria-current": i === step ? "step" : undefined },
        lab.make("span", { class: "inside-boxes" }, ...kinds.map(box)),
        lab.make("span", { class: "inside-size" }, bar, lab.make("output", { "aria-label": kinds.length > 1 ? "adds" : "length" }, size.toFixed(1))),
        lab.make("span", { class: "inside-likeliest" }, `${best} ${percent(p)}`));
      return item;
    };
    const showTower = () => {
      const sizes = it.sizes[token], lengths = [sizes[0][0], ...sizes.flatMap(([, found, made]) => [found, made])], largest = Math.max(...lengths);
      tower.replaceChildren(
        lab.make("li", { class: "inside-head" }, lab.make("span", {}, "part"), lab.make("span", {}, "adds so much"), lab.make("span", {}, "likeliest then")),
        row(["embedding"], lengths[0], largest, 0, true, 0),
        ...sizes.flatMap(([, found, made], n) => [row(["norm", "attention"], found, largest, 2 * n + 1, true, 2 * n + 1), row(["norm", "network"], made, largest, 2 * n + 2, false, 2 * n + 2)]),
        lab.make("li", { class: "inside-first", "aria-current": step === last ? "step" : undefined }, lab.make("span", { class: "inside-boxes" }, box("norm"), box("head")),
          lab.make("span", {}), lab.make("span", { class: "inside-likeliest" }, lab.make("strong", {}, `${it.likeliest[token].at(-1)[0][0]} ${percent(it.likeliest[token].at(-1)[0][1])}`))));
    };
    const showFive = () => {
      const sum = Math.min(step, 2 * layers), best = it.likeliest[token][sum];
      const where = step === 0 ? "after the embedding" : step === last ? "at the end" : `after the ${step % 2 ? "attention" : "network"} of block ${Math.ceil(step / 2)}`;
      fiveTitle.textContent = `The five likeliest next tokens, ${where}`;
      five.replaceChildren(...lab.bars(best.map(([x]) => x), best.map(([, p]) => p), 2));
      note.textContent = told();
    };
    const told = () => {
      const n = Math.ceil(step / 2) - 1, [best, p] = it.likeliest[token][Math.min(step, 2 * layers)][0];
      const would = `The head would now say “${best}” (${percent(p)}).`;
      if (step === 0) return `The id of ${named(token)} has become a vector, the beginning of its stream. ${would}`;
      if (step === last) return `Once more a norm, then the head: a score for each token of the vocabulary. “${best}” comes out on top, with ${percent(p)}.`;
      const [stream, found, made] = it.sizes[token][n];
      if (step % 2 === 0) return `Block ${n + 1}: the network works on ${named(token)} alone, and adds a vector of length ${made.toFixed(1)}. ${would}`;
      const weights = it.maps[n][head][token], most = weights.indexOf(Math.max(...weights));
      return `Block ${n + 1}: attention. Head ${head + 1} of ${named(token)} looks most at ${named(most)} (${percent(weights[most])}). Added to a stream of length ${stream.toFixed(1)}: ${found.toFixed(1)}. ${would}`;
    };
    const showMap = () => {
      const weights = it.maps[layer][head], T = it.tokens.length, cell = Math.max(13, Math.min(26, Math.floor(300 / T))), left = 58, top = 54;
      const picture = lab.svg("svg", { viewBox: `0 0 ${left + T * cell + 4} ${top + T * cell + 4}`, width: left + T * cell + 4, height: top + T * cell + 4, role: "img",
        "aria-label": `Block ${layer + 1}, head ${head + 1}: a row for each token, a column for each that it may look at, darker where it looks more.` });
      const short = (i) => (it.tokens[i].length > 7 ? `${it.tokens[i].slice(0, 6)}…` : it.tokens[i]);
      for (let q = 0; q < T; q += 1) {
        picture.append(lab.svg("text", { x: left - 5, y: top + q * cell + cell / 2 + 4, "text-anchor": "end" }, short(q)));
        picture.append(lab.svg("text", { x: 0, y: 0, transform: `translate(${left + q * cell + cell / 2 + 4} ${top - 5}) rotate(-60)` }, short(q)));
        for (let k = 0; k <= q; k += 1) {
          const spot = lab.svg("rect", { x: left + k * cell, y: top + q * cell, width: cell - 1, height: cell - 1, "fill-opacity": 0.06 + 0.94 * weights[q][k] });
          spot.append(lab.svg("title", {}, `${it.tokens[q]} looks at ${it.tokens[k]}: ${weights[q][k].toFixed(2)}`));
          spot.addEventListener("click", () => { token = q; chips.querySelectorAll("input")[q].checked = true; show(); });
          picture.append(spot);
        }
      }
      picture.append(lab.svg("rect", { class: "inside-row", x: left - 1, y: top + token * cell - 1, width: (token + 1) * cell + 1, height: cell + 1 }));
      map.replaceChildren(picture);
      mapTitle.textContent = `Who looks at whom: block ${layer + 1}, head ${head + 1}`;
      looksTitle.textContent = `What ${named(token)} looks at there`;
      const order = weights[token].map((w, k) => [w, k]).slice(0, token + 1).sort((a, b) => b[0] - a[0]).slice(0, 6).sort((a, b) => a[1] - b[1]);
      looks.replaceChildren(...lab.bars(order.map(([, k]) => it.tokens[k]), order.map(([w]) => w), 2));
    };
    const show = () => { showTower(); showFive(); showMap(); };
    const blocks = lab.radios("Block", it.maps.map((_, n) => String(n + 1)), 0, (n) => { layer = n; showMap(); showFive(); });
    const every = lab.radios("Head", it.maps[0].map((_, n) => String(n + 1)), 0, (n) => { head = n; showMap(); showFive(); });
    const make = () => {
      chips.replaceChildren(lab.radios("Token", it.tokens, token, (i) => { token = i; show(); }));
      show();
    };

    // ---- one token's way, step by step
    const play = lab.make("button", { type: "button" }, "Play"), back = lab.make("button", { type: "button" }, "Back"), on = lab.make("button", { type: "button" }, "Step");
    const stop = () => { clearTimeout(timer); timer = 0; play.textContent = "Play"; };
    const to = (n) => {
      step = n;
      if (step % 2 && step < last) {
        layer = (step - 1) / 2;
        blocks.querySelectorAll("input")[layer].checked = true;
      }
      show();
    };
    const run = () => {
      if (step >= last) { stop(); return; }
      timer = setTimeout(() => { to(step + 1); run(); }, BEAT);
    };
    play.addEventListener("click", () => {
      if (timer) { stop(); return; }
      play.textContent = "Stop";
      to(step >= last ? 0 : step);
      run();
    });
    on.addEventListener("click", () => { stop(); to(Math.min(last, step + 1)); });
    back.addEventListener("click", () => { stop(); to(Math.max(0, step - 1)); });
    make();
    return [models, lab.make("label", { class: "write-beginning" }, lab.make("span", {}, "Text"), text), lab.make("div", { class: "write-buttons" }, look, said),
      chips, lab.make("div", { class: "inside-steps" }, back, play, on), note, tower,
      lab.make("div", { class: "inside-below" }, lab.make("div", {}, fiveTitle, five, looksTitle, looks), lab.make("div", {}, blocks, every, mapTitle, map))];
  });
})();
