/* A worker for a page: started when it is first asked for, and anew after its end. `script` lies beside this file.
   `start(message)` gives a promise that it is ready; `hear(listener)` takes what it says from now on. */
export const onDemand = (script) => {
  let worker, started;
  const end = () => {
    worker?.terminate();
    worker = started = undefined;
  };
  const start = (message = {}) => {
    if (started) return started;
    worker = new Worker(new URL(script, import.meta.url));
    started = new Promise((ready, broken) => {
      worker.onmessage = ({ data }) => { if (data.ready) ready(); else if (data.broken) broken(new Error(data.broken)); };
      worker.onerror = (event) => { event.preventDefault(); broken(new Error(event.message || "Python did not start")); };
    });
    worker.postMessage({ begin: true, ...message });
    started.catch(end);
    return started;
  };
  return { start, end, hear: (listener) => { worker.onmessage = ({ data }) => listener(data); }, tell: (message) => worker.postMessage(message) };
};
