/* The page's side of the tokenizer bench: one worker for all benches of a page, started when first asked. */
import { keepForFlight } from "./python.js";

const LIMIT = 90_000;  // ms for one answer; on a slow machine it takes a tenth of it
let worker, started, count = 0, busy = Promise.resolve();

const end = () => {
  worker?.terminate();
  worker = started = undefined;
};

const start = () => {
  if (started) return started;
  worker = new Worker(new URL("bench-worker.js", import.meta.url));
  started = new Promise((ready, broken) => {
    worker.onmessage = ({ data }) => { if (data.ready) ready(); else if (data.broken) broken(new Error(data.broken)); };
    worker.onerror = (event) => { event.preventDefault(); broken(new Error(event.message || "Python did not start")); };
  });
  worker.postMessage({ begin: true });
  started.catch(end);
  return started;
};

/* What Python finds for `question` ({ learn or training, text, methods, pairs }). `hear` gets "starting" and "cutting";
   `stale()` says that the answer is no longer wanted, and undefined comes back. */
export const ask = (question, hear, stale) => {
  busy = busy.catch(() => {}).then(async () => {
    if (stale()) return undefined;
    hear("starting");
    await start();
    if (stale()) return undefined;
    hear("cutting");
    return new Promise((give, fail) => {
      const number = ++count, over = (act, what) => { clearTimeout(clock); act(what); };
      const clock = setTimeout(() => { end(); over(fail, new Error(`no answer came within ${LIMIT / 1000} s`)); }, LIMIT);
      worker.onmessage = ({ data }) => {
        if (data.broken) { end(); over(fail, new Error(data.broken)); }
        if (data.ask === number) { keepForFlight(data.loaded); over(give, data.found); }
      };
      worker.postMessage({ ask: number, question });
    });
  });
  return busy;
};
