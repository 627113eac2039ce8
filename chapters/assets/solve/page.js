/* One exercise in the page: its editor, its buttons, its verdict. Loaded when a reader opens the first one. */
import { makeEditor } from "../editor/codemirror.js";
import * as answers from "./answers.js";
import { fetched } from "./notebook.js";
import { slots } from "./model.js";
import { show } from "./progress.js";
import { examplesFirst } from "./examples.js";
import { verdict } from "./python.js";

const styles = document.createElement("link");
styles.rel = "stylesheet";
styles.href = new URL("solve.css", import.meta.url).href;
const styled = new Promise((ready) => { styles.onload = styles.onerror = ready; });
document.head.append(styles);

const make_ = (tag, attributes = {}, ...kids) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...kids);
  return node;
};

/* What a verdict looks like: its title, its sentences, and the question with what was expected and got. */
const shown = ({ lines, cause, printed, solved, without }) => {
  const [title, ...rest] = lines, found = [];
  found.push(make_("p", { class: "verdict-title", "data-solved": solved ? "yes" : "no" }, title));
  if (cause) found.push(make_("p", { class: "verdict-cause" }, `${cause[0].toUpperCase()}${cause.slice(1)}`));
  let block;
  for (const line of rest) {
    if (line.startsWith("  ")) {
      if (!block) found.push(block = make_("pre", { tabindex: "0", "aria-label": "the question" }));
      block.append(`${line}\n`);
    } else {
      block = undefined;
      found.push(make_("p", {}, line));
    }
  }
  for (const other of without ?? []) {
    found.push(make_("p", { class: "verdict-note" }, "Your answer to ", make_("code", {}, other), " does not come to an end, so it was left out."));
  }
  if (printed?.trim()) {
    found.push(make_("p", { class: "verdict-note" }, "Your code printed:"));
    found.push(make_("pre", { tabindex: "0", "aria-label": "what your code printed" }, printed.slice(-4000)));
  }
  return found;
};

export const make = async (door) => {
  door.dataset.ready = "begun";
  await styled;
  const { exercise, asked } = door.dataset, list = door.closest(".solve-list"), { notebook } = list.dataset;
  const packages = list.dataset.needs.split(" ").filter(Boolean);
  const place = door.querySelector(".solve-answer"), stub = place.querySelector("pre").textContent.replace(/\n+$/, "");
  const keys = make_("p", { class: "solve-keys", id: `keys-${exercise}` }, "Tab indents; press Esc and then Tab to leave the editor. Ctrl-Enter checks.");
  const field = make_("div", { class: "solve-editor" }), wait = make_("span", { class: "solve-wait", role: "status" });
  const check = make_("button", { type: "button", class: "solve-check" }, "Check");
  const reset = make_("button", { type: "button", class: "solve-reset" }, "Reset");
  const said = make_("div", { class: "solve-verdict", role: "group", "aria-label": `Verdict on ${exercise}` });
  let before, stop, saving;

  const save = () => {
    clearTimeout(saving);
    saving = undefined;
    const code = editor.text();
    if (code === stub && answers.read(notebook, exercise).code === undefined) return;
    if (code !== answers.read(notebook, exercise).code) answers.write(notebook, exercise, { code });
    if (!answers.lasting) wait.textContent = "This browser keeps nothing here: download your notebook before you leave.";
  };
  const changed = () => {
    clearTimeout(saving);
    saving = setTimeout(save, 300);
    if (said.childNodes.length) said.dataset.stale = "yes";
    if (before !== undefined && editor.text() !== stub) { before = undefined; reset.textContent = "Reset"; }
  };
  const tell = (it) => {
    delete said.dataset.stale;
    said.replaceChildren(...shown(it));
    next.hidden = !it.solved;
  };
  /* Where the exercise has a place in the model, a right answer leads there. */
  const next = make_("p", { class: "solve-next", hidden: "" });
  slots().then((all) => {
    if (!all.some((slot) => slot.notebook === notebook && slot.name === exercise)) return;
    const href = new URL(`../../chapters/llama/yours.html?put=${exercise}#yours-put-in`, import.meta.url).href;
    next.append(make_("a", { href }, "Put it into the model, and let the model write →"));
  }).catch(() => {});

  const ask = async () => {
    if (stop) { stop.abort(); return; }
    save();
    stop = new AbortController();
    check.textContent = "Stop";
    said.replaceChildren();
    const told = (step) => { wait.textContent = step === "asking" ? "Asking…" : "Starting Python…"; };
    const slow = setTimeout(() => { if (stop) wait.textContent += " It is started once and then stays."; }, 4000);
    try {
      const file = await fetched(list), code = editor.text(), mine = {};
      for (const cell of file.answers) mine[cell] = answers.read(notebook, cell).code ?? file.stubs[cell];
      mine[exercise] = code;
      const it = await verdict({ name: notebook, notebook: file.text, exercise, answers: mine, packages }, told, stop.signal);
      wait.textContent = "";
      if (it.stopped) {
        wait.textContent = "Stopped.";
      } else {
        const { solved, lines, cause, printed } = it, tries = (answers.read(notebook, exercise).tries ?? 0) + 1;
        answers.write(notebook, exercise, { code, asked, tries, solved, lines, cause, printed: printed.slice(-4000) });
        tell(it);
        wait.textContent = solved ? "Right." : "Not right yet.";
        wait.classList.add("visually-hidden");
      }
    } catch (error) {
      wait.textContent = "";
      said.replaceChildren(make_("p", {}, "Python did not run here, by no fault of yours. Try again, or solve the exercise in the notebook."),
        make_("pre", { tabindex: "0", "aria-label": "what went wrong" }, String(error.message)));
    }
    clearTimeout(slow);
    stop = undefined;
    check.textContent = "Check";
    show();
  };

  const kept = answers.read(notebook, exercise);
  const editor = makeEditor({ parent: field, text: kept.code ?? stub, label: `Your answer to ${exercise}`, describedBy: keys.id, onChange: changed, onRun: ask });
  place.replaceChildren(examplesFirst({ notebook, exercise, list, packages }), field, make_("div", { class: "solve-buttons" }, check, reset, wait), said, next, keys);
  if (kept.lines && kept.asked === asked) tell(kept);
  else if (kept.lines) said.replaceChildren(make_("p", {}, "This exercise has changed since you checked your answer. The answer is still here: check it again."));

  check.addEventListener("click", () => { wait.classList.remove("visually-hidden"); ask(); });
  reset.addEventListener("click", () => {
    wait.classList.remove("visually-hidden");
    if (before !== undefined) {
      const back = before;
      before = undefined;
      editor.replace(back);
      reset.textContent = "Reset";
      wait.textContent = "";
    } else {
      const text = editor.text();
      editor.replace(stub);
      before = text === stub ? undefined : text;
      if (before !== undefined) reset.textContent = "Bring it back";
      wait.textContent = before === undefined ? "Nothing is written yet." : "Back to the beginning.";
    }
    save();
  });
  addEventListener("pagehide", () => { if (saving) save(); });
  document.addEventListener("visibilitychange", () => { if (saving) save(); });
  document.addEventListener("answers-brought", () => {
    const code = answers.read(notebook, exercise).code ?? stub;
    if (code !== editor.text()) editor.replace(code);
  });
  door.dataset.ready = "yes";
};
