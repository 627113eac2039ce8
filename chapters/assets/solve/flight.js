/* In flight mode: what a reader has loaded since Python first ran goes on working without a network.

   A service worker at the root of the site. With a network, everything comes from there, and a copy is kept; without
   one, the copy serves. The large files of Python never change under their names, so their copy comes first. When the
   book is built anew, BUILD differs, and what was kept of the older book is let go of. */
const BUILD = "of this book", PYTHON = "of its python";
const BOOK_CACHE = `book ${BUILD}`, PYTHON_CACHE = `python ${PYTHON}`;
const large = (url) => url.includes("/_static/pyodide/");
const cacheOf = (url) => caches.open(large(url) ? PYTHON_CACHE : BOOK_CACHE);

const keep = async (request, answer) => {
  if (answer.ok && answer.type === "basic") await (await cacheOf(request.url)).put(request, answer.clone());
  return answer;
};
const copy = async (request) => (await cacheOf(request.url)).match(request, { ignoreSearch: true });

const serve = async (request) => {
  if (large(request.url)) return (await copy(request)) ?? keep(request, await fetch(request));
  try {
    return await keep(request, await fetch(request));
  } catch (error) {
    const kept = await copy(request);
    if (kept) return kept;
    throw error;
  }
};

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (/^(book|python) /.test(name) && name !== BOOK_CACHE && name !== PYTHON_CACHE) await caches.delete(name);
  await self.clients.claim();
})()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method === "GET" && new URL(request.url).origin === self.location.origin && !request.headers.has("range")) event.respondWith(serve(request));
});
self.addEventListener("message", (event) => event.waitUntil((async () => {
  for (const url of event.data.keep) {
    const request = new Request(url);
    if (!(await copy(request))) await fetch(request).then((answer) => keep(request, answer)).catch(() => {});
  }
  event.source.postMessage({ kept: event.data.keep.length });
})()));
