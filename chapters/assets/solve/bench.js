/* The page's side of the tokenizer bench: one worker for all benches of a page, started when first asked. */
import { onDemand } from "./on-demand.js";
import { keepForFlight } from "./python.js";

const LIMIT = 90_000;  // ms for one answer; on a slow machine it takes a tenth of it
const worker = onDemand("bench-worker.js");
let count = 0, busy = Promise.resolve();

/* What Python finds for `question` ({ learn or training, text, methods, pairs }). `hear` gets "starting" and "cutting";
   `stale()` says that the answer is no longer wanted, and undefined comes back. */
export const ask = (question, hear, stale) => {
  busy = busy.catch(() => {}).then(async () => {
    if (stale()) return undefined;
    hear("starting");
    await worker.start();
    if (stale()) return undefined;
    hear("cutting");
    return new Promise((give, fail) => {
      const number = ++count, over = (act, what) => { clearTimeout(clock); act(what); };
      const clock = setTimeout(() => { worker.end(); over(fail, new Error(`no answer came within ${LIMIT / 1000} s`)); }, LIMIT);
      worker.hear((data) => {
        if (data.broken) { worker.end(); over(fail, new Error(data.broken)); }
        if (data.ask === number) { keepForFlight(data.loaded); over(give, data.found); }
      });
      worker.tell({ ask: number, question });
    });
  });
  return busy;
};
