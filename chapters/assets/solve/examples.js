/* Examples first: before any code, what should it give? Each example is held against the reference, and all of them
   against the bank of known mistakes, which is loaded only when asked for. Nobody has to. */
import * as answers from "./answers.js";
import { fetched } from "./notebook.js";
import { tried } from "./python.js";

const make = (tag, attributes = {}, ...kids) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...kids);
  return node;
};

const banks = new Map();
const bankOf = (notebook) => {
  if (!banks.has(notebook)) {
    const url = new URL(`banks/${notebook.replace("/", "-")}.txt`, import.meta.url);
    banks.set(notebook, fetch(url).then((answer) => {
      if (!answer.ok) throw new Error("the known mistakes of this notebook are missing here");
      return answer.text();
    }));
  }
  return banks.get(notebook);
};

const told = ({ examples, summary, hint }) => [
  ...examples.map(([text, right, words]) => make("p", { class: "example-told", "data-right": right ? "yes" : "no" },
    make("span", { "aria-hidden": "true" }, right ? "✓ " : "✗ "), make("span", { class: "visually-hidden" }, right ? "right: " : "not right: "),
    make("code", {}, text), ...(words ? [` ${words}`] : []))),
  make("p", { class: "example-sum" }, summary || "Write an example first: a line with the call, two equals signs, and what it gives."),
  ...(hint ? [make("p", {}, hint)] : []),
];

export const examplesFirst = ({ notebook, exercise, list, packages }) => {
  const field = make("textarea", { rows: "3", spellcheck: "false", autocapitalize: "off", "aria-label": `Your examples for ${exercise}`,
    placeholder: `${exercise}(…) == …` });
  field.value = answers.read(notebook, exercise).examples ?? "";
  const button = make("button", { type: "button" }, "Try my examples"), wait = make("span", { class: "examples-wait", role: "status" });
  const said = make("div", { class: "examples-said", role: "group", "aria-label": `What your examples for ${exercise} are worth` });
  let stop;

  const ask = async () => {
    if (stop) { stop.abort(); return; }
    answers.write(notebook, exercise, { examples: field.value });
    stop = new AbortController();
    button.textContent = "Stop";
    try {
      const [bank, file] = await Promise.all([bankOf(notebook), fetched(list)]);
      const question = { name: notebook, notebook: file.text, exercise, examples: field.value, bank, packages };
      const it = await tried(question, (step) => { wait.textContent = step === "asking" ? "Asking…" : "Starting Python…"; }, stop.signal);
      wait.textContent = it.stopped ? "Stopped." : it.late !== undefined ? "That took too long: try smaller examples." : "";
      if (it.examples) said.replaceChildren(...told(it));
    } catch (error) {
      wait.textContent = `This did not run here, by no fault of yours: ${error.message}`;
    }
    stop = undefined;
    button.textContent = "Try my examples";
  };
  button.addEventListener("click", ask);
  field.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) ask(); });

  return make("details", { class: "solve-examples", ...(field.value ? { open: "" } : {}) },
    make("summary", {}, "Examples first: what should it give?"),
    make("p", {}, "Before you write any code, write down what you expect, one example a line. The reference says whether you are right, and the known mistakes say what your examples would catch. You can skip this."),
    field, make("div", { class: "solve-buttons" }, button, wait), said);
};
