"""`make pdf`: the whole book as one PDF, _build/book.pdf, printed page by page by the browser.

Hints are open on paper, the last doors with the reference solutions stay shut, and a link to another page of the book
leads to where that page begins in the PDF. Needs Debian's (or any) chromium.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

import yaml
from playwright.sync_api import Page, sync_playwright
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NumberObject

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "_build" / "html"
BROWSERS = ["chromium", "chromium-browser", "google-chrome"]
# What comes late is brought in: pictures that are loaded as the reader comes near, and the formulas.
SETTLED = """async () => {
  for (const image of document.images) image.loading = "eager";
  dispatchEvent(new Event("beforeprint"));
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
}"""
TITLE = "h => [...h.childNodes].filter(n => !n.matches?.('a')).map(n => n.textContent).join('')"  # without its anchor
MATH_IS_SET = "!document.querySelector('.math') || document.documentElement.dataset.math === 'set'"


def pages(toc: Path = ROOT / "_toc.yml") -> list[str]:
    """The names of the book's pages, in its order."""
    read = yaml.safe_load(toc.read_text(encoding="utf-8"))
    return [read["root"], *(page["file"] for part in read["parts"] for page in part["chapters"])]


def printed(tab: Page, name: str) -> tuple[str, bytes]:
    """A page's title and its PDF."""
    tab.goto((BOOK / f"{name}.html").as_uri())
    tab.evaluate(SETTLED)
    tab.wait_for_function(MATH_IS_SET, timeout=120_000)
    title = tab.locator("h1").first.evaluate(TITLE)
    return title.strip(), tab.pdf(format="A4", prefer_css_page_size=True, tagged=True, print_background=True)


def follow(writer: PdfWriter, starts: dict[str, int]) -> int:
    """Turn links to pages of the book into links within the PDF; how many there were."""
    turned = 0
    for page in writer.pages:
        for annotation in page.get("/Annots", ArrayObject()):
            link = annotation.get_object()
            address = urldefrag(str(link.get("/A", {}).get("/URI", "")))[0]
            if address in starts:
                target = writer.pages[starts[address]].indirect_reference
                assert target is not None
                top = [NumberObject(n) for n in (0, 842, 0)]  # left, top of an A4 page, zoom as it is
                where = ArrayObject([target, NameObject("/XYZ"), *top])
                action = {NameObject("/S"): NameObject("/GoTo"), NameObject("/D"): where}
                link[NameObject("/A")] = DictionaryObject(action)
                turned += 1
    return turned


def bind(sheets: list[tuple[str, str, bytes]], to: Path) -> tuple[int, int]:
    """One PDF of many, each given as (address, title, bytes), with an outline; its numbers of pages and inner links."""
    writer, starts = PdfWriter(), {}
    for address, title, content in sheets:
        starts[address] = len(writer.pages)
        writer.append(PdfReader(io.BytesIO(content)), outline_item=title, import_outline=False)
    turned = follow(writer, starts)
    writer.add_metadata({"/Title": "Transformers and LLMs, exercise by exercise"})
    writer.compress_identical_objects()
    whole = to.with_suffix(".part")
    writer.write(whole)
    whole.replace(to)
    return len(writer.pages), turned


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--to", type=Path, default=ROOT / "_build" / "book.pdf")
    options.add_argument("pages", nargs="*", help="such as chapters/attention/weights; all of them unless said")
    given = options.parse_args()
    names = given.pages or pages()
    missing = [name for name in names if not (BOOK / f"{name}.html").is_file()]
    if missing:
        print(f"{BOOK / missing[0]}.html is missing: run make book first", file=sys.stderr)
        return 1
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"no browser found ({', '.join(BROWSERS)}): install chromium", file=sys.stderr)
        return 1
    sheets: list[tuple[str, str, bytes]] = []
    with sync_playwright() as playwright:
        opened: Any = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        tab = opened.new_context(color_scheme="light").new_page()
        for number, name in enumerate(names, 1):
            sheets.append(((BOOK / f"{name}.html").as_uri(), *printed(tab, name)))
            print(f"\r{number} of {len(names)} pages printed", end="", flush=True)
        opened.close()
    count, turned = bind(sheets, given.to)
    print(f"\n{given.to}: {count} pages, {given.to.stat().st_size / 1e6:.1f} MB, {turned} links within")
    return 0


if __name__ == "__main__":
    sys.exit(main())
