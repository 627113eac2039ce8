/* What the reader wrote and was told, kept in this browser, an item for each exercise:

     answer:attention/weights/softmax → { code, asked, tries, solved, lines, cause, printed, when }

   `asked` is the digest of the question that the verdict was given on. When the book asks something else now, the answer
   stays and the verdict is asked again. Where the browser keeps nothing (a private window, say), all lasts as long as the
   page, and `lasting` is false. */
const PREFIX = "answer:", FORMAT = "answers of the course, 1";
const memory = new Map();
export let lasting = true;

export const key = (notebook, exercise) => `${PREFIX}${notebook}/${exercise}`;

export const read = (notebook, exercise) => {
  const name = key(notebook, exercise);
  try {
    return JSON.parse(localStorage.getItem(name)) ?? memory.get(name) ?? {};
  } catch {
    return memory.get(name) ?? {};
  }
};

export const write = (notebook, exercise, changes) => {
  const name = key(notebook, exercise), now = { ...read(notebook, exercise), ...changes, when: new Date().toISOString() };
  memory.set(name, now);
  try {
    localStorage.setItem(name, JSON.stringify(now));
  } catch {
    lasting = false;
  }
  return now;
};

export const forget = (notebook, exercise) => {
  memory.delete(key(notebook, exercise));
  try { localStorage.removeItem(key(notebook, exercise)); } catch { lasting = false; }
};

/* "solved", "tried" (a verdict that was not right), "begun" (an answer without a verdict that holds), or "". */
export const state = (notebook, exercise, asked) => {
  const it = read(notebook, exercise);
  if (it.lines && it.asked === asked) return it.solved ? "solved" : "tried";
  return it.code === undefined ? "" : "begun";
};

/* All answers as one file's text, and back: the newer of two answers to an exercise is taken. */
export const packed = () => {
  const items = {};
  for (const name of Object.keys(localStorage)) if (name.startsWith(PREFIX)) items[name.slice(PREFIX.length)] = JSON.parse(localStorage.getItem(name));
  return JSON.stringify({ format: FORMAT, answers: items }, null, 1);
};

export const unpack = (text) => {
  let data;
  try { data = JSON.parse(text); } catch { throw new Error("this file holds no answers of the course"); }
  if (data?.format !== FORMAT) throw new Error("this file holds no answers of the course");
  let taken = 0, older = 0;
  for (const [name, it] of Object.entries(data.answers)) {
    if (typeof it?.code !== "string" || name.split("/").length !== 3) continue;
    const mine = JSON.parse(localStorage.getItem(PREFIX + name) ?? "null");
    if (mine && mine.when > it.when) { older += mine.code !== it.code; continue; }
    localStorage.setItem(PREFIX + name, JSON.stringify(it));
    taken += 1;
  }
  return { taken, older };
};
