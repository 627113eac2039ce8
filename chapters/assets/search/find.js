/* The book's search: results with a line of text, while one types.

   The box (Ctrl+K, or the button) lists sections under itself; Enter goes to search.html, which lists more of them.
   ../search.js loads this script when the box is first opened; what is searched (texts.js, made by
   extensions/search_texts.py) and MiniSearch come as scripts, too, so that it works from disk as well.

   Words count as the same in British and American spelling and in the plural; an abbreviation of the glossary finds
   its full name, and the other way round. Chinese has no spaces, so it is compared by pairs of characters. */
(() => {
  const HERE = document.currentScript.src.replace(/search\/find\.js.*$/, "");
  const ROOT = HERE.replace(/_static\/$/, "");
  const WORDS = /\p{Script=Han}+|(?:(?!\p{Script=Han})[\p{L}\p{N}_])+/gu;
  const HAN = /\p{Script=Han}/u;
  const SOME_PER_PAGE = 2;

  const SPELLINGS = [[/is(e|ed|es|er|ers|ing|able|ation|ations)$/, "iz$1"], [/ys(e|ed|es|er|ers|ing)$/, "yz$1"],
    [/(col|fav|behavi|neighb|hon|lab)our/, "$1or"], [/^(cent|met|theat)re/, "$1er"], [/^grey/, "gray"],
    [/^(licen|defen)ce/, "$1se"], [/logue/, "log"], [/ll(ed|ing|er|ers)$/, "l$1"]];
  const american = (word) => SPELLINGS.reduce((found, [from, to]) => found.replace(from, to), word);
  const singular = (word) => (word.length < 4 || /(ss|us|is)$/.test(word) ? word
    : word.replace(/ies$/, "y").replace(/(x|ch|sh|zz)es$/, "$1").replace(/s$/, ""));
  const same = (term) => (HAN.test(term) ? term : singular(american(term.toLowerCase())));

  const pairs = (run) => [...run].slice(1).map((c, i) => [...run][i] + c);
  /* What a text is found by: words, the parts of rms_norm, and of Chinese each character and each pair. */
  const indexed = (text) => (text.normalize("NFKC").match(WORDS) || []).flatMap((word) =>
    HAN.test(word) ? [...word, ...pairs(word)] : word.includes("_") ? [word, ...word.split("_").filter(Boolean)] : [word]);
  /* What is looked for: the same, but of several Chinese characters the pairs alone. */
  const asked = (text) => (text.normalize("NFKC").match(WORDS) || []).flatMap((word) =>
    HAN.test(word) && word.length > 1 ? pairs(word) : [word]);

  const load = (name) => new Promise((done, failed) => {
    const script = document.createElement("script");
    Object.assign(script, { src: HERE + name, onload: done, onerror: () => failed(new Error(`${name} is missing`)) });
    document.head.append(script);
  });

  let book;
  const ready = () => (book ||= (async () => {
    let texts;
    window.courseTexts = (found) => { texts = found; };
    await Promise.all([load("search/minisearch.js"), load("search/texts.js")]);
    const sections = texts.sections.map(([page, anchor, heading, about, text], id) => (
      { id, page, anchor, heading, about, text, title: texts.pages[page][1],
        names: [...about.split(" · "), heading.replace(/^[\d.]+ (an?|the)?/i, "")].map(even), all: even(`${heading} ${text}`) }));
    const index = new window.MiniSearch({ fields: ["title", "heading", "about", "text"], tokenize: indexed, processTerm: same });
    index.addAll(sections);
    const names = Object.entries(texts.short).map((pair) => pair.map(even));
    return { index, sections, addresses: texts.pages.map(([address]) => address), others: [...names, ...names.map(([a, b]) => [b, a])] };
  })());

  const BOOST = { boost: { about: 5, title: 3, heading: 3 }, tokenize: asked };
  const EXACT = 3; // the words as they were typed, one after another
  const GLOSSARY = 0.6; // it explains a word in a line: the page that is about it comes first
  /* A text as words that compare: spelling, plural and capitals do not count, and Chinese stays as it is. */
  const even = (text) => (text.normalize("NFKC").match(WORDS) || []).map(same).join(" ");
  const holds = (text, words) => (HAN.test(words) ? text.includes(words) : ` ${text} `.includes(` ${words} `));

  /* Sections, best first, at most two of a page; each with its score and the terms that were found. */
  const find = ({ index, sections, others }, query, most) => {
    const words = even(query);
    if (!words) return [];
    const also = others.filter(([from]) => words === from).map(([, to]) => ({ queries: [to], combineWith: "AND" }));
    const last = (term, i, all) => i === all.length - 1 && term.length > 1;
    const close = (term) => (term.length > 4 && !HAN.test(term) ? 0.25 : false);
    const tries = [{ combineWith: "AND" }, { combineWith: "AND", prefix: last }, { combineWith: "AND", prefix: last, fuzzy: close },
      { combineWith: "OR", prefix: last }];
    let found = [];
    for (const options of tries) {
      const one = { queries: [query], ...options };
      found = index.search(also.length ? { combineWith: "OR", queries: [one, ...also] } : one, BOOST);
      if (found.length) break;
    }
    const better = ({ id, score }) => {
      const { names, all, anchor } = sections[id];
      const named = names.includes(words) ? 3 : names.some((name) => name.startsWith(words)) ? 1.5 : 1;
      return score * named * (holds(all, words) ? EXACT : 1) * (anchor.startsWith("term-") ? GLOSSARY : 1);
    };
    const count = new Map(), kept = [];
    for (const hit of found.map((hit) => ({ ...hit, score: better(hit) })).sort((a, b) => b.score - a.score)) {
      const { page } = sections[hit.id], before = count.get(page) || 0;
      count.set(page, before + 1);
      if (before < SOME_PER_PAGE && kept.length < most) kept.push({ ...sections[hit.id], score: hit.score, terms: hit.terms });
    }
    return kept;
  };

  /* The piece of a text with the most of what was found, as [piece, is it found?] after one another. */
  const snippet = (text, terms, size = 150) => {
    const wanted = new Set(terms), marks = [];
    for (const match of text.matchAll(WORDS)) {
      const word = match[0];
      if (!HAN.test(word)) {
        if ([word, ...word.split("_")].some((part) => wanted.has(same(part)))) marks.push([match.index, match.index + word.length]);
        continue;
      }
      for (let i = 0; i < word.length; i += 1) {
        const of = wanted.has(word.slice(i, i + 2)) ? 2 : wanted.has(word[i]) ? 1 : 0;
        if (of) marks.push([match.index + i, match.index + i + of]);
      }
    }
    const within = ([start]) => marks.filter(([a, b]) => a >= start && b <= start + size - 40).length;
    const best = marks.reduce((one, other) => (within(other) > within(one) ? other : one), marks[0] || [0, 0]);
    let start = Math.max(0, best[0] - 40);
    if (start) start = text.indexOf(" ", start) < best[0] && text.indexOf(" ", start) > 0 ? text.indexOf(" ", start) + 1 : start;
    const space = text.lastIndexOf(" ", start + size);
    const end = start + size >= text.length ? text.length : space > start + size / 2 ? space : start + size;
    const pieces = [[start ? "… " : "", false]];
    let at = start;
    for (const [from, to] of marks) {
      if (from < at && to > at && pieces.length > 1) { pieces.push([text.slice(at, to), true]); at = to; }
      if (from < at || to > end) continue;
      pieces.push([text.slice(at, from), false], [text.slice(from, to), true]);
      at = to;
    }
    return [...pieces, [text.slice(at, end) + (end < text.length ? " …" : ""), false]].filter(([piece]) => piece);
  };

  const make = (tag, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };

  const item = ({ page, anchor, title, heading, text, terms }, addresses) => {
    const first = heading.replace(/^[\d.]+ /, "") === title;
    const line = snippet(text, terms).map(([piece, found]) => (found ? make("mark", {}, piece) : piece));
    return make("li", {}, make("a", { href: `${ROOT}${addresses[page]}${first ? "" : `#${anchor}`}` },
      first ? title : heading.replace(/^[\d.]+ /, ""), ...(first ? [] : [make("span", { className: "search-page" }, title)])),
      make("p", { className: "context" }, ...line));
  };

  const show = async (place, query, most) => {
    const list = make("ul", { className: "search" }), status = make("p", { className: "search-status" });
    status.setAttribute("role", "status");
    let found = [];
    try {
      const all = await ready();
      found = find(all, query, most);
      list.append(...found.map((section) => item(section, all.addresses)));
      status.textContent = !query.trim() ? "" : found.length ? "" : `Nothing in this book is about “${query.trim()}”.`;
    } catch (error) {
      status.textContent = `The search cannot run: ${error.message}. Build the book again.`;
    }
    place.replaceChildren(status, ...(found.length ? [list] : []));
    return found;
  };
  window.courseSearch = async (query, most = 10) => find(await ready(), query, most);

  const box = document.querySelector("#pst-search-dialog"), input = box && box.querySelector("input");
  if (input) {
    const place = make("div", { className: "search-found" });
    box.append(place);
    let turn = 0;
    const typed = async () => {
      const mine = (turn += 1), fresh = make("div");
      await show(fresh, input.value, 8);
      if (mine === turn) place.replaceChildren(...fresh.children);
    };
    input.addEventListener("input", typed);
    if (input.value) typed(); else ready().catch(() => {});
    box.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step) return;
      const stops = [input, ...place.querySelectorAll("a")], at = stops.indexOf(document.activeElement);
      stops[Math.min(Math.max(at + step, 0), stops.length - 1)].focus();
      event.preventDefault();
    });
  }

  const results = document.querySelector("#search-results");
  if (results) {
    const query = new URLSearchParams(location.search).get("q") || "";
    for (const field of document.querySelectorAll("input[name=q]")) field.value = query;
    show(results, query, 30);
  }
})();
