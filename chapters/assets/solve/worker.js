/* Python, away from the page: it may take its time, or never come back, and the page goes on.

   It is told { begin, packages } first, then { ask, notebook, exercise, answers, without } as often as wanted, or for
   examples { ask, notebook, exercise, examples, bank }, and says
   { ready }, { at: cell } as each cell starts, { verdict, ask }, or { broken } where it cannot go on. */
const site = new URL("../", self.location.href);
let python;

const put = (path, content) => {
  python.FS.mkdirTree(`/course/${path.split("/").slice(0, -1).join("/")}`);
  python.FS.writeFile(`/course/${path}`, content);
};

const begin = async (packages) => {
  importScripts(new URL("pyodide/pyodide.js", site).href);
  const files = fetch(new URL("solve/python.json", site)).then((answer) => answer.json());
  python = await loadPyodide({ indexURL: new URL("pyodide/", site).href });
  for (const [path, text] of Object.entries(await files)) put(path, text);
  python.runPython("import sys; sys.path[:0] = ['/course', '/course/few']");
  await load(packages);
  python.runPython("import json, page_notebook; kept = {}");
};

const loaded = new Set();
const load = async (packages) => {
  const more = packages.filter((name) => name !== "regex" && !loaded.has(name));  // `regex` is our own here
  if (!more.length) return;
  await python.loadPackage(more, { messageCallback: () => {}, errorCallback: () => {} });
  for (const name of more) loaded.add(name);
  if (more.includes("scipy")) {  // the whole of it takes the place of the few lines
    python.runPython("import sys\nsys.path[:] = [p for p in sys.path if p != '/course/few']\nfor name in [*sys.modules]:\n    if name.split('.')[0] == 'scipy': del sys.modules[name]");
  }
};

const ASK = `
def ask(name, text, exercise, answers, without, say):
    if name not in kept:
        kept[name] = page_notebook.PageNotebook(json.loads(text))
    return json.dumps(kept[name].verdict(exercise, json.loads(answers), json.loads(without), say))
ask`;

const TRY = `
def try_examples(name, text, exercise, examples, bank):
    if name not in kept:
        kept[name] = page_notebook.PageNotebook(json.loads(text))
    return json.dumps(kept[name].examples(exercise, examples, bank))
try_examples`;

self.onmessage = async ({ data }) => {
  try {
    if (data.begin) {
      await begin(data.packages);
      self.postMessage({ ready: true });
      return;
    }
    await load(data.packages);
    self.postMessage({ asking: true });
    if (data.examples !== undefined) {
      const tryExamples = python.runPython(TRY);
      const told = tryExamples(data.name, data.notebook, data.exercise, data.examples, data.bank);
      tryExamples.destroy();
      self.postMessage({ ask: data.ask, verdict: JSON.parse(told) });
      return;
    }
    const ask = python.runPython(ASK);
    const said = ask(data.name, data.notebook, data.exercise, JSON.stringify(data.answers), JSON.stringify(data.without),
      (cell) => self.postMessage({ at: cell }));
    ask.destroy();
    const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
    self.postMessage({ ask: data.ask, verdict: JSON.parse(said), loaded: [self.location.href, ...loaded] });
  } catch (error) {
    self.postMessage({ broken: String(error?.message ?? error).slice(-600) });
  }
};
