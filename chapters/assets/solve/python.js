/* The page's side of Python: one worker for all exercises, started when first asked for, ended when it does not answer. */
import { onDemand } from "./on-demand.js";

const LIMIT = 10_000;  // ms for one verdict; the slowest reference takes a fraction of it
const SAID = `this call took more than ${LIMIT / 1000} s: is there a loop that does not end?`;
const worker = onDemand("worker.js");
let asking = Promise.resolve(), count = 0;

/* An answer that brings SciPy into a notebook that has only a few lines of it needs the whole. */
const wanted = (packages, answers) => {
  const more = Object.values(answers).some((code) => /^\s*(import|from)\s+scipy\b/m.test(code));
  return more && !packages.includes("scipy") ? [...packages, "scipy"] : packages;
};

const once = (question, told, signal) => new Promise((give, fail) => {
  const number = ++count, stop = () => { done(); worker.end(); give({ stopped: true }); };
  let at = "", clock;
  const done = () => { clearTimeout(clock); signal?.removeEventListener("abort", stop); };
  signal?.addEventListener("abort", stop);
  worker.hear((data) => {
    if (data.asking) {
      told("asking");
      clock = setTimeout(() => { done(); worker.end(); give({ late: at }); }, LIMIT);
    } else if (data.at) {
      at = data.at;
    } else if (data.broken) {
      done();
      worker.end();
      fail(new Error(data.broken));
    } else if (data.ask === number) {
      done();
      give({ ...data.verdict, loaded: data.loaded });
    }
  });
  worker.tell({ ...question, ask: number });
});

const ask = async (question, told, signal) => {
  const { exercise, packages, answers } = question, without = [];
  for (;;) {
    told("starting");
    await worker.start({ packages });
    if (signal?.aborted) return { stopped: true };
    const verdict = await once({ ...question, without, packages: wanted(packages, answers) }, told, signal);
    if (verdict.late === undefined) {
      if (verdict.loaded) keepForFlight(verdict.loaded);
      return { ...verdict, without };
    }
    worker.start({ packages }).catch(() => {});  // anew, so that the next question finds it warm
    const mine = verdict.late === exercise || verdict.late === `test_${exercise}` || !(verdict.late in answers);
    if (mine) return { solved: false, lines: [`✗ ${exercise}`, SAID], cause: "", printed: "", without, late: true };
    without.push(verdict.late);  // another answer does not end: this one does not suffer for it
  }
};

/* What this page and Python loaded is kept for when there is no network (flight.js); `data-flight` says that it is. */
let flown = false;
export const keepForFlight = async (loaded) => {
  if (flown || !navigator.serviceWorker) return;
  flown = true;
  navigator.serviceWorker.addEventListener("message", ({ data }) => { if (data.kept) document.documentElement.dataset.flight = "kept"; });
  try {
    await navigator.serviceWorker.register(new URL("../../flight.js", import.meta.url));
    const { active } = await navigator.serviceWorker.ready, here = performance.getEntriesByType("resource").map((entry) => entry.name);
    const notebook = document.querySelector('.exercise-panel a.download[href$=".ipynb"]')?.href;
    const all = [location.href.split("#")[0], notebook, ...here, ...loaded].filter((url) => url?.startsWith(location.origin));
    active.postMessage({ keep: [...new Set(all)] });
  } catch { /* a browser that allows none of this */ }
};

/* What examples are worth (a question with `examples`, a text, and `bank`), or { late } or { stopped }. */
export const tried = (question, told, signal) => {
  asking = asking.catch(() => {}).then(async () => {
    told("starting");
    await worker.start({ packages: question.packages });
    if (signal?.aborted) return { stopped: true };
    const found = await once(question, told, signal);
    if (found.late !== undefined) worker.start({ packages: question.packages }).catch(() => {});
    return found;
  });
  return asking;
};

/* The verdict on `question` ({ name, notebook, exercise, answers, packages }); one question is asked after the other.
   `told` hears "starting" and "asking"; `signal` stops it: { stopped: true } comes back then. */
export const verdict = (question, told, signal) => {
  asking = asking.catch(() => {}).then(() => ask(question, told, signal));
  return asking;
};
