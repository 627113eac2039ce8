/* The notebook that a page hands out: read once, given away with the reader's answers in it, and read back. */
import * as answers from "./answers.js";
import { show } from "./progress.js";

const files = new Map();
const source = (cell) => (Array.isArray(cell.source) ? cell.source.join("") : cell.source);
const grade = (cell) => cell.metadata?.nbgrader ?? {};
const lines = (text) => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

/* { text, notebook, answers: the names of its answer cells, stubs: name → code } of the list's notebook. */
export const fetched = (list) => {
  const { href } = document.querySelector('.exercise-panel a.download[href$=".ipynb"]'), known = files.get(href);
  if (known) return known;
  const coming = (async () => {
    const answer = await fetch(href);
    if (!answer.ok) throw new Error(`${href}: ${answer.status}`);
    const text = await answer.text(), notebook = JSON.parse(text), stubs = {};
    for (const cell of notebook.cells) if (grade(cell).solution) stubs[grade(cell).grade_id] = source(cell);
    return { text, notebook, stubs, answers: Object.keys(stubs), file: decodeURIComponent(href.split("/").pop()) };
  })();
  files.set(href, coming);
  coming.catch(() => files.delete(href));
  return coming;
};

const say = (list, ...what) => list.querySelector(".solve-said").replaceChildren(...what);

export const save = (name, text, type) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
};

export const chosen = (accept) => new Promise((give) => {
  const input = Object.assign(document.createElement("input"), { type: "file", accept });
  input.addEventListener("change", () => give(input.files[0]));
  input.click();
});

/* The notebook with the reader's answers in it. */
export const download = async (list) => {
  const { notebook: name } = list.dataset, { notebook, file } = await fetched(list), filled = structuredClone(notebook);
  let count = 0;
  for (const cell of filled.cells) {
    const { code } = grade(cell).solution ? answers.read(name, grade(cell).grade_id) : {};
    if (code === undefined || code === source(cell)) continue;
    cell.source = lines(code);
    count += 1;
  }
  save(file, `${JSON.stringify(filled, null, 1)}\n`, "application/x-ipynb+json");
  say(list, count ? `${file}, with ${count === 1 ? "your answer" : `your ${count} answers`} in it.` : `${file}, without an answer: none is written yet.`);
};

/* Answers out of a notebook of the reader's own; what stood here before can be put back. */
export const bring = async (list) => {
  const chosenFile = await chosen(".ipynb"), { notebook: name } = list.dataset, { stubs, file } = await fetched(list);
  let brought;
  try {
    brought = JSON.parse(await chosenFile.text()).cells.filter((cell) => cell.cell_type === "code");
  } catch {
    say(list, `${chosenFile.name} is no notebook.`);
    return;
  }
  const found = {}, before = {};
  for (const exercise of Object.keys(stubs)) {
    const own = brought.filter((cell) => grade(cell).grade_id === exercise);
    const told = brought.filter((cell) => !grade(cell).grade && new RegExp(`^(def|class) ${exercise}\\b`, "m").test(source(cell)));
    const cell = own[0] ?? told.at(-1);  // a notebook that has lost its metadata is known by what it defines
    if (cell) found[exercise] = source(cell);
  }
  if (!Object.keys(found).length) {
    say(list, `${chosenFile.name} has no answer to an exercise of this page: is it a copy of ${file}?`);
    return;
  }
  for (const [exercise, code] of Object.entries(found)) {
    const mine = answers.read(name, exercise);
    if (code === (mine.code ?? stubs[exercise]) || code === stubs[exercise]) continue;
    before[exercise] = mine;
    answers.write(name, exercise, { code, lines: undefined, solved: undefined });
  }
  const count = Object.keys(before).length, told = () => { document.dispatchEvent(new Event("answers-brought")); show(); };
  told();
  if (!count) { say(list, `${chosenFile.name} has nothing that is not here already.`); return; }
  const back = document.createElement("button");
  back.textContent = "Put back what was here";
  back.addEventListener("click", () => {
    for (const [exercise, mine] of Object.entries(before)) {
      answers.forget(name, exercise);
      if (mine.code !== undefined) answers.write(name, exercise, mine);
    }
    told();
    say(list, "All is as it was.");
  });
  say(list, `${count === 1 ? "One answer" : `${count} answers`} came over; check ${count === 1 ? "it" : "them"} here. `, back);
};

/* All answers to all notebooks, in one file. */
export const pack = (place) => {
  save("course-answers.json", answers.packed(), "application/json");
  say(place, "course-answers.json holds all that you wrote.");
};

export const unpack = async (place) => {
  try {
    const { taken, older } = answers.unpack(await (await chosen(".json")).text());
    show();
    say(place, `${taken === 1 ? "One answer is" : `${taken} answers are`} here now.${older ? ` ${older} in the file were older than yours, and yours stay.` : ""}`);
  } catch (error) {
    say(place, `${error.message[0].toUpperCase()}${error.message.slice(1)}.`);
  }
};
