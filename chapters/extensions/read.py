"""`make read`: the built book on this machine alone, opened in the browser.

A page that is opened as a file cannot run Python, as browsers let no file read another. The port is always the same,
since a browser keeps what a reader wrote by address; `PORT=…` takes another.

What `make reviews-lab` has trained on this machine is served beside the book, from its own folder, and the pages are
told so in a header: it is no part of the book, which can be published as it is built.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import sys
import webbrowser
from pathlib import Path
from typing import ClassVar

BOOK = Path(__file__).parents[2] / "_build" / "html"
PORT = 8017
REVIEWS_LAB = Path(__file__).parents[2] / ".reviews-lab" / "weights.json"


class Pages(http.server.SimpleHTTPRequestHandler):
    """Files, asked for again each time: a book that was built anew is shown as it is now."""

    TYPES: ClassVar[dict[str, str]] = {".wasm": "application/wasm", ".js": "text/javascript"}
    extensions_map: ClassVar[dict[str, str]] = {**http.server.SimpleHTTPRequestHandler.extensions_map, **TYPES}

    def translate_path(self, path: str) -> str:
        if path.split("?")[0] == f"/reviews-lab/{REVIEWS_LAB.name}":
            return str(REVIEWS_LAB)
        return super().translate_path(path)

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        if REVIEWS_LAB.is_file():
            self.send_header("Server-Timing", "reviews-lab")
        super().end_headers()

    def log_message(self, *args: object) -> None:
        pass


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--port", type=int, default=PORT)
    options.add_argument("--no-browser", action="store_true", help="say the address, and open nothing")
    given = options.parse_args()
    if not (BOOK / "index.html").is_file():
        print("there is no book yet: `make book` builds it", file=sys.stderr)
        return 1
    try:
        pages = functools.partial(Pages, directory=str(BOOK))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", given.port), pages)
    except OSError as error:
        print(f"port {given.port} is taken ({error.strerror}): is the book open already? "
              "`make read PORT=…` takes another, where your answers are not", file=sys.stderr)  # fmt: skip
        return 1
    address = f"http://127.0.0.1:{server.server_port}/"
    print(f"the book: {address} (Ctrl-C ends it)", flush=True)
    if not given.no_browser:
        webbrowser.open(address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
