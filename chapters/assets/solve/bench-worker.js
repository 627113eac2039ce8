/* The tokenizer bench, away from the page. Python is begun as in worker.js, whose names are used here.

   It is told { begin } first, then { ask: number, question } as often as wanted, where `question.learn` names one of the
   texts that come with the bench. It says { ready }, { ask: number, found }, or { broken } where it cannot go on. */
importScripts(new URL("worker.js", self.location.href).href);
let texts;

self.onmessage = async ({ data }) => {
  try {
    if (data.begin) {
      const brought = fetch(new URL("solve/bench.json", site)).then((answer) => { if (!answer.ok) throw new Error(`bench.json: ${answer.status}`); return answer.json(); });
      await begin(["numpy"]);
      const { files, texts: them } = await brought;
      for (const [path, text] of Object.entries(files)) put(path, text);
      texts = them;
      python.runPython("from solutions.tokenization.bench import bench");
      self.postMessage({ ready: true });
      return;
    }
    const { learn, ...question } = data.question;
    if (learn) question.training = texts[learn];
    const found = JSON.parse(python.globals.get("bench")(JSON.stringify(question)));
    const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
    self.postMessage({ ask: data.ask, found, loaded: [self.location.href, ...loaded] });
  } catch (error) {
    self.postMessage({ broken: String(error?.message ?? error).slice(-600) });
  }
};
