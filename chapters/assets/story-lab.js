/* <story-lab>: texts that a language model has gone on with. They write themselves, piece by piece, and bars show what
   else each piece might have been; a slider goes back
   to any of them.
   JSON: {"beginnings": [{"text": "春风", "tales": [[["piece", [["other", 0.2], …]], …], …]}, …], "label": "optional name"}
   A tale is a list of pieces, each with the likeliest pieces at its place and their probabilities. */
lab.define("story-lab", (data) => {
  data.label ??= "A text, written by a language model";
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const shown = data.beginnings.map(() => 0), page = lab.make("p", { class: "story-text" }), notes = lab.live();
  const bars = lab.make("div", { class: "lab-bars" });
  let chosen = 0, timer = 0, pieces = [];
  const tale = () => data.beginnings[chosen].tales[shown[chosen]];
  const said = (x) => x.replace(/ /g, "␣").replace(/\n/g, "⏎");
  const candidates = (n) => {
    const others = tale()[n][1];
    bars.replaceChildren(...lab.bars(others.map(([x]) => said(x)), others.map(([, p]) => p), 2));
  };
  const look = (n) => {
    pieces.forEach((piece, i) => piece.classList.toggle("story-here", i === n));
    candidates(n);
    notes.textContent = `It wrote “${said(tale()[n][0])}”. The likeliest at this place, and their probabilities:`;
  };
  const write = (at) => {
    pieces.forEach((piece, i) => piece.classList.toggle("story-later", i >= at));
    if (at < pieces.length) {
      candidates(at);
      timer = setTimeout(() => write(at + 1), 110);
    }
  };
  const show = () => {
    clearTimeout(timer);
    pieces = tale().map(([text]) => lab.make("span", {}, text));
    const start = data.beginnings[chosen].text;
    page.lang = /\p{Script=Han}/u.test(start) ? "zh-Hans" : "en";
    page.replaceChildren(lab.make("strong", {}, start), ...pieces);
    place.input.max = pieces.length - 1;
    place.input.value = 0;
    place.row.querySelector("output").textContent = "1";
    candidates(pieces.length - 1);
    notes.textContent = "";
    if (!calm) write(0);
  };
  const place = lab.slider("Look at piece", { min: 0, max: tale().length - 1, step: 1, value: 0, digits: 0 }, (n) => {
    clearTimeout(timer);
    write(pieces.length);
    place.row.querySelector("output").textContent = n + 1;
    look(n);
  });
  const another = lab.make("button", { type: "button" }, "Another");
  another.addEventListener("click", () => { shown[chosen] = (shown[chosen] + 1) % data.beginnings[chosen].tales.length; show(); });
  const which = lab.radios("Begin with", data.beginnings.map((b) => b.text), 0, (i) => { chosen = i; show(); });
  show();
  return [page, which, another, place.row, notes, bars];
});
