"""How fast the models write in a page: python -m benchmarks.in_page, after `make book`.

Opens the built page in Chromium, from a server on this machine, and lets both models write: the course's fast one, the
clear one with one function of a reader's, and with all of them. Of several texts the fastest counts, as other work on
the machine can only slow one down. Writes benchmarks/results/in_page.json.
"""

import functools
import http.server
import json
import os
import platform
import shutil
import threading
import time
from pathlib import Path
from typing import Any

from autograder.course.bank import references
from autograder.course.course import Course
from solutions.llama.in_the_model import SLOTS

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "in_page.json"
BEGINNINGS = {"austen": "The room was", "tang": "明月"}
TEXTS, TOKENS = 7, 100
WRITE = """async ([module, questions]) => {
  const { write } = await import(module), found = [];
  for (const question of questions) {
    let last;
    await write(question, (event) => { last = event; }, new AbortController().signal);
    found.push(last);
  }
  return found;
}"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Keep no log."""


def ways() -> dict[str, dict[str, str]]:
    """What is put into the model: nothing, one function, all of them."""
    course = Course(ROOT)
    every = {name: code for chapter in ("attention", "tokenization", "llama")
             for name, code in references(course.bank(chapter)).items() if name in SLOTS}  # fmt: skip
    return {"the course's fast model": {}, "the clear model, one function yours": {"rms_norm": every["rms_norm"]},
            "the clear model, all functions yours": every}  # fmt: skip


def measured(site: str) -> list[dict[str, Any]]:
    from playwright.sync_api import sync_playwright

    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{site}/chapters/llama/yours.html")
        for how, own in ways().items():
            for model, text in BEGINNINGS.items():
                settings = {"temperature": 0.8, "top_k": None, "top_p": 0.95, "tokens": TOKENS}
                asked = {"model": model, "text": text, "own": own or None}
                questions = [asked | {"settings": settings | {"seed": seed}} for seed in range(TEXTS)]
                events = page.evaluate(WRITE, [f"{site}/_static/solve/model.js", questions])
                rates = sorted(event["rate"] for event in events)
                rows.append({"model": model, "how": how, "fastest": rates[-1], "median": rates[len(rates) // 2]})
                print(f"{how}, {model}: {rates[-1]:.0f} tokens a second, median {rows[-1]['median']:.0f}")
        version = browser.version
        browser.close()
    machine = {"cores": os.cpu_count(), "processor": platform.processor() or platform.machine(), "chromium": version}
    results = {"date": time.strftime("%Y-%m-%d"), "machine": machine, "texts": TEXTS, "tokens": TOKENS, "rows": rows}
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return rows


def main() -> None:
    handler = functools.partial(Quiet, directory=str(ROOT / "_build" / "html"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        measured(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


if __name__ == "__main__":
    main()
