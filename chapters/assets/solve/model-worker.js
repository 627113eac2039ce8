/* The course's models, away from the page. Python is begun as in worker.js, whose names are used here.

   It is told { begin } first, then { write: number, question } or { look: number, question }, and { stop: number }. It says
   { ready }, { write: number, event } for each piece and { write: number, over } at the end, { look: number, figure }, or
   { broken } where it cannot go on. */
importScripts(new URL("worker.js", self.location.href).href);
const brought = new Set();
let running;

const all = async (url, as) => {
  const answer = await fetch(new URL(url, site));
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer[as]();
};

const bring = async (model) => {
  if (brought.has(model)) return;
  const names = ["config.json", "model.safetensors", "tokenizer.json"];
  const files = await Promise.all(names.map((name) => all(`solve/models/${model}/${name}`, "arrayBuffer")));
  names.forEach((name, number) => put(`solutions/llama/trained/${model}/${name}`, new Uint8Array(files[number])));
  brought.add(model);
};

/* A breath between two pieces, so that { stop } is heard. */
const channel = new MessageChannel();
const breath = () => new Promise((go) => { channel.port1.onmessage = go; channel.port2.postMessage(0); });

const loadedFiles = () => [self.location.href, ...performance.getEntriesByType("resource").map((entry) => entry.name)];

const write = async (number, question) => {
  running = number;
  const writing = python.globals.get("writing"), pieces = writing(question);
  try {
    for (;;) {
      await breath();
      if (running !== number) break;
      const { value, done } = pieces.next();
      if (done) break;
      self.postMessage({ write: number, event: JSON.parse(value) });
    }
  } finally {
    pieces.destroy();
    writing.destroy();
  }
  self.postMessage({ write: number, over: true, loaded: loadedFiles() });
};

self.onmessage = async ({ data }) => {
  try {
    if (data.begin) {
      const modules = all("solve/model.json", "json");
      await begin(["numpy"]);
      for (const [path, text] of Object.entries(await modules)) put(path, text);
      python.runPython("from solutions.llama.in_page import looking, writing");
      self.postMessage({ ready: true });
    } else if (data.stop) {
      if (running === data.stop) running = undefined;
    } else {
      await bring(JSON.parse(data.question).model);
      if (data.write) await write(data.write, data.question);
      else self.postMessage({ look: data.look, figure: JSON.parse(python.globals.get("looking")(data.question)), loaded: loadedFiles() });
    }
  } catch (error) {
    self.postMessage({ broken: String(error?.message ?? error).slice(-600) });
  }
};
