/* The page's side of the models: one worker for all figures, started when first asked for, one question at a time. */
import { read, state } from "./answers.js";
import { onDemand } from "./on-demand.js";
import { keepForFlight } from "./python.js";

const SILENT = 30_000;  // ms that may pass without a word while a text is written; a token takes a thousandth of it
const worker = onDemand("model-worker.js");
let count = 0, busy = Promise.resolve();

let places;
/* The places in the model, in order: [{ name, notebook, does, within, asked }]. */
export const slots = () => {
  places ??= fetch(new URL("slots.json", import.meta.url)).then((answer) => { if (!answer.ok) throw new Error("no models here"); return answer.json(); });
  return places;
};

/* What the reader has for a place: { state: "solved", "tried", "begun" or "", code }. */
export const mine = ({ notebook, name, asked }) => ({ state: state(notebook, name, asked), code: read(notebook, name).code });

const turn = (job) => {
  busy = busy.catch(() => {}).then(job);
  return busy;
};

/* Write: `question` is { model, text, settings, own }; `hear` gets "starting", "reading", and then each event. `signal`
   stops it. Gives { stopped } or { late }, where something ended it before its end. */
export const write = (question, hear, signal) => turn(async () => {
  hear("starting");
  await worker.start();
  if (signal.aborted) return { stopped: true };
  hear("reading");
  return new Promise((give, fail) => {
    const number = ++count;
    let clock, stopped = false;
    const over = (what) => { clearTimeout(clock); signal.removeEventListener("abort", stop); give(what); };
    const wait = (ms, what) => { clearTimeout(clock); clock = setTimeout(() => { worker.end(); over(what); }, ms); };
    const stop = () => { stopped = true; worker.tell({ stop: number }); wait(3000, { stopped: true }); };
    signal.addEventListener("abort", stop);
    worker.hear((data) => {
      if (data.broken) { worker.end(); clearTimeout(clock); fail(new Error(data.broken)); return; }
      if (data.write !== number) return;
      if (data.over) { keepForFlight(data.loaded); over({ stopped }); return; }
      if (!stopped) { wait(SILENT, { late: true }); hear(data.event); }
    });
    wait(SILENT, { late: true });
    worker.tell({ write: number, question: JSON.stringify(question) });
  });
});

/* Look: `question` is { model, text }; gives what the live figure shows. */
export const look = (question, hear) => turn(async () => {
  hear("starting");
  await worker.start();
  hear("reading");
  return new Promise((give, fail) => {
    const number = ++count;
    worker.hear((data) => {
      if (data.broken) { worker.end(); fail(new Error(data.broken)); }
      if (data.look === number) { keepForFlight(data.loaded); give(data.figure); }
    });
    worker.tell({ look: number, question: JSON.stringify(question) });
  });
});
