/* <token-lab>: a text, cut in four ways side by side: words, characters, bytes, and tokens of byte-pair encoding, with a
   slider for how many merges are used.
   JSON: {"merges": [[101, 32], ...], "start": 1024, "presets": [{"name": "English", "text": "..."}, ...]}
   Merge i makes the id 256 + i; ids below 256 are bytes. The text is first split by GPT-2's pattern; in each part the
   pair of the lowest rank is merged until none is left. Words are those of Intl.Segmenter where the browser has it,
   otherwise runs of letters and digits; other signs stand alone, and spaces are not shown. */
(() => {
  const USED = 5000; // code points of a long text that are cut
  const SHOWN = 120; // pieces shown in a row
  const SPACE = "\\t-\\r\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000"; // \s of the module regex
  const SPLIT = new RegExp(
    `'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^${SPACE}\\p{L}\\p{N}]+|[${SPACE}]+(?![^${SPACE}])|[${SPACE}]+`, "gu");
  const PLAIN_WORD = /[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}]+)*|[^\s\p{L}\p{M}\p{N}]/gu;
  const segmenter = (granularity) => (
    typeof Intl === "object" && Intl.Segmenter ? new Intl.Segmenter("en", { granularity }) : null);
  const encoder = new TextEncoder(), decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const number = (n) => n.toLocaleString("en");
  const { make } = lab;

  const hex = (byte) => byte.toString(16).toUpperCase().padStart(2, "0");
  const visible = (char) => { // one code point as something that can be seen
    const named = { " ": "␣", "\n": "↵", "\t": "⇥" }[char];
    if (named) return named;
    if (/[\p{C}\p{Z}\u{FE00}-\u{FE0F}\u{1F3FB}-\u{1F3FF}]/u.test(char)) {
      return `U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    }
    return /\p{M}/u.test(char) ? `◌${char}` : char;
  };
  const spaced = (text) => text.replace(/[ \n\t]/g, visible); // a token: only its spaces are made visible

  const words = (text) => {
    const cutter = segmenter("word");
    if (!cutter) return text.match(PLAIN_WORD) || [];
    return Array.from(cutter.segment(text), (s) => s.segment).filter((s) => s.trim());
  };

  const encodePart = (part, ranks) => {
    let ids = [...encoder.encode(part)];
    while (ids.length > 1) {
      let best = Infinity;
      for (let i = 0; i + 1 < ids.length; i++) best = Math.min(best, ranks.get(ids[i] * 65536 + ids[i + 1]) ?? Infinity);
      if (best === Infinity) break;
      const merged = [];
      for (let i = 0; i < ids.length; i++) {
        if (i + 1 < ids.length && ranks.get(ids[i] * 65536 + ids[i + 1]) === best) {
          merged.push(256 + best);
          i++;
        } else merged.push(ids[i]);
      }
      ids = merged;
    }
    return ids;
  };

  lab.define("token-lab", (data) => {
    const bytesOf = Array.from({ length: 256 }, (_, i) => [i]);
    for (const [a, b] of data.merges) bytesOf.push([...bytesOf[a], ...bytesOf[b]]);
    const nameOf = (id) => {
      try {
        return spaced(decoder.decode(new Uint8Array(bytesOf[id])));
      } catch {
        return bytesOf[id].map(hex).join(" ");
      }
    };

    const box = make("textarea", { rows: 3, spellcheck: "false", class: "tok-text" });
    box.value = data.presets[0].text;
    const presets = make("div", { class: "tok-presets", role: "group", "aria-label": "Examples" });
    for (const { name, text } of data.presets) {
      const button = make("button", { type: "button", class: "tok-preset" }, name);
      button.addEventListener("click", () => {
        box.value = text;
        show();
      });
      presets.append(button);
    }
    const slider = make("input", { type: "range", min: 0, max: data.merges.length, step: 1 });
    slider.value = data.start ?? data.merges.length;
    const chosen = make("output");
    const rows = {};
    for (const name of ["Words", "Characters", "Bytes", "BPE tokens"]) {
      const count = make("output", { class: "tok-count", "aria-label": `Number of ${name}` });
      const bar = make("span", { class: "lab-bar", "aria-hidden": "true" });
      const chips = make("div", { class: "tok-chips", role: "group", "aria-label": name });
      rows[name] = { count, bar, chips };
      rows[name].node = make("div", { class: "tok-row", "data-cut": name },
        make("div", { class: "tok-head" }, make("span", { class: "tok-name" }, name), bar, count), chips);
    }
    const notes = make("p", { class: "lab-notes tok-notes" });
    const said = make("p", { class: "lab-notes", "aria-live": "polite" });

    const fill = (name, pieces, most) => { // pieces: [shown text, shade, extra attributes]
      const { count, bar, chips } = rows[name];
      count.textContent = number(pieces.length);
      bar.style.setProperty("--share", most ? pieces.length / most : 0);
      const shown = pieces.slice(0, SHOWN).flatMap(([text, shade, attrs = {}]) => [
        make("span", { class: `tok-chip shade-${shade % 4}`, ...attrs }, text), " "]);
      const rest = pieces.length - SHOWN;
      chips.replaceChildren(...shown, ...(rest > 0 ? [make("span", { class: "tok-more" }, `and ${number(rest)} more`)] : []));
    };

    let timer;
    const show = () => {
      const all = Array.from(box.value), used = all.slice(0, USED), text = used.join("");
      const merges = Number(slider.value);
      chosen.textContent = number(merges);
      const ranks = new Map(data.merges.slice(0, merges).map(([a, b], i) => [a * 65536 + b, i]));
      const ids = (text.match(SPLIT) || []).flatMap((part) => encodePart(part, ranks));
      const bytes = used.flatMap((char, i) => Array.from(encoder.encode(char), (b) => [hex(b), i]));
      const found = words(text);
      fill("Words", found.map((w, i) => [w, i]), bytes.length);
      fill("Characters", used.map((c, i) => [visible(c), i]), bytes.length);
      fill("Bytes", bytes, bytes.length);
      fill("BPE tokens", ids.map((id, i) => [nameOf(id), i, { "data-id": id, title: `id ${id}` }]), bytes.length);
      const seen = segmenter("grapheme") ? Array.from(segmenter("grapheme").segment(text)).length : used.length;
      const remarks = [segmenter("word") ? "Words are found by your browser (Intl.Segmenter)."
        : "Your browser finds no words (no Intl.Segmenter): runs of letters are shown, and Chinese stays uncut."];
      if (seen !== used.length) remarks.push(`A reader sees ${number(seen)} characters, made of ${number(used.length)} code points.`);
      if (all.length > USED) remarks.push(`Only the first ${number(USED)} of ${number(all.length)} characters are cut.`);
      notes.textContent = remarks.join(" ");
      clearTimeout(timer);
      timer = setTimeout(() => {
        said.textContent = used.length === 0 ? "There is no text: nothing to cut." :
          `${number(found.length)} words, ${number(used.length)} characters, ${number(bytes.length)} bytes, ` +
          `${number(ids.length)} tokens with ${number(merges)} merges: ${(used.length / ids.length).toFixed(2)} characters a token.`;
      }, 250);
    };
    box.addEventListener("input", show);
    slider.addEventListener("input", show);
    data.label = "One text cut in four ways";
    show();
    return [make("label", { class: "tok-label" }, make("span", {}, "Your text"), box), presets,
      make("label", { class: "lab-slider" }, make("span", {}, "Merges"), slider, chosen),
      ...Object.values(rows).map((row) => row.node), said, notes];
  });
})();
