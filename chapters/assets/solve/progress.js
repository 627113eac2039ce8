/* How far the reader is: a word at each exercise, and the map on the first page, which fills part by part. */
import { state } from "./answers.js";

const WORDS = { solved: "✓ solved", tried: "✗ not right yet", begun: "begun" };
const SVG = "http://www.w3.org/2000/svg";

const showList = (list) => {
  for (const door of list.querySelectorAll(".solve")) {
    const now = state(list.dataset.notebook, door.dataset.exercise, door.dataset.asked), place = door.querySelector(".solve-state");
    place.textContent = WORDS[now] ?? "";
    place.dataset.state = now;
  }
};

/* [{ chapter, title, href, notebook, asked: exercise → digest }] → how many are solved of each chapter, and what is next. */
const counted = (pages) => {
  const parts = new Map();
  let next, done = 0, all = 0, begun = false;
  for (const page of pages) {
    const part = parts.get(page.chapter) ?? { solved: 0, all: 0 };
    parts.set(page.chapter, part);
    for (const [exercise, asked] of Object.entries(page.asked)) {
      const now = state(page.notebook, exercise, asked), solved = now === "solved";
      part.all += 1;
      all += 1;
      part.solved += solved;
      done += solved;
      begun ||= now !== "";
      if (!solved) next ??= { ...page, exercise };
    }
  }
  return { parts, next, done, all, begun };
};

const showMap = (source) => {
  const figure = source.closest("figure"), { parts, next, done, all, begun } = counted(JSON.parse(source.textContent));
  const stops = figure.querySelectorAll(".map-stops > g"), names = [...figure.querySelectorAll("svg > g[transform]")];
  names.forEach((name, number) => {
    const href = name.querySelector("a")?.getAttribute("href") ?? "", part = parts.get(href.split("/").at(-2));
    if (!part || !begun) return;
    const old = stops[number].querySelector(".map-done"), ring = old ?? document.createElementNS(SVG, "circle");
    const share = (100 * part.solved) / part.all;
    for (const [key, value] of Object.entries({ class: "map-done", r: 30, pathLength: 100, "stroke-dasharray": `${share} 100`, transform: "rotate(-90)" })) ring.setAttribute(key, value);
    ring.style.display = share ? "" : "none";
    if (!old) stops[number].firstElementChild.after(ring);
    const note = name.querySelector(".map-count") ?? document.createElementNS(SVG, "text");
    note.setAttribute("class", "map-note map-count");
    note.setAttribute("y", 44);
    note.textContent = part.solved === part.all ? `all ${part.all} solved` : `${part.solved} of ${part.all} solved`;
    name.append(note);
  });
  const place = document.querySelector(".course-progress-said");
  if (!begun) return;
  const parts_ = [`You have solved ${done} of the ${all} exercises that run in the page. `];
  if (next) {
    const link = document.createElement("a"), code = document.createElement("code");
    link.href = `${next.href}#solve-${next.exercise}`;
    code.textContent = next.exercise;
    link.append(code);
    parts_.push("Next: ", link, ` in “${next.title}”.`);
  } else {
    parts_.push("That is all of them.");
  }
  place.replaceChildren(...parts_);
  model(place);
};

/* The last stop: how much of the model that writes in the page is the reader's. */
const model = async (place) => {
  const answer = await fetch(new URL("slots.json", import.meta.url)), slots = answer.ok ? await answer.json() : [];
  const yours = slots.filter(({ notebook, name, asked }) => state(notebook, name, asked) === "solved").length;
  if (!yours) return;
  const link = Object.assign(document.createElement("a"), { href: new URL("../../chapters/llama/yours.html#yours-put-in", import.meta.url).href, textContent: "Let it write." });
  const said = yours === slots.length ? `All ${slots.length} functions of the model are yours, from end to end. ` : ` Of the ${slots.length} functions that the model in the page is made of, ${yours} ${yours === 1 ? "is" : "are"} yours. `;
  place.append(said, link);
};

export const show = () => {
  document.querySelectorAll(".solve-list").forEach(showList);
  document.querySelectorAll(".course-exercises").forEach(showMap);
};
