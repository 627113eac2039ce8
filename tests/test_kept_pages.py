"""When a page is executed again, and when not: a tiny book of two pages, a module and a file of data."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXTENSIONS = ROOT / "chapters" / "extensions"
PAGE = """\
---
file_format: mystnb
kernelspec: {{display_name: Python 3, language: python, name: python3}}
---
# {title}

A sentence.

```{{code-cell}} ipython3
{first}
```

```{{code-cell}} ipython3
{second}
```
"""


class TinyBook:
    """Two pages below `root`: `cups` imports a module and reads a file, `plain` does neither."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "solutions").mkdir(parents=True)
        self.write("solutions/units.py", "from solutions import sizes\nGRAMS = 2 * sizes.HALF\n")
        self.write("solutions/sizes.py", "HALF = 60\n")
        self.write("data.json", "[1, 2, 3]")
        self.write("requirements.lock", "")
        start = f"import sys; sys.path.insert(0, {str(root)!r}); sys.dont_write_bytecode = True"
        read = "import json; from solutions import units\nprint(units.GRAMS, sum(json.load(open('data.json'))))"
        self.write("cups.md", PAGE.format(title="Cups", first=start, second=read))
        self.write("plain.md", PAGE.format(title="Plain", first="a = 20", second="print(a + 3)"))

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text, encoding="utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def kept(self, page: str) -> str:
        """What the page printed."""
        record = json.loads((self.root / "_build" / ".pages" / f"{page}.json").read_text(encoding="utf-8"))
        return "".join(output["text"] for _, outputs in record["cells"] for output in outputs)


@pytest.fixture
def kept_pages(monkeypatch):
    monkeypatch.syspath_prepend(EXTENSIONS)
    import kept_pages

    return kept_pages


@pytest.fixture
def tiny_book(tmp_path):
    return TinyBook(tmp_path / "book")


def test_a_page_is_executed_again_when_what_it_depends_on_has_changed(kept_pages, tiny_book):
    root = tiny_book.root

    def executed():
        pages = kept_pages.find_pages(root, ["cups", "plain", "no-such-page"], root / "_build" / ".pages")
        stale, failed = kept_pages.execute_stale(pages, root, timeout=120)
        assert not failed
        return sorted(stale)

    assert executed() == ["cups", "plain"]
    assert tiny_book.kept("cups") == "120 6\n"
    assert tiny_book.kept("plain") == "23\n"
    assert executed() == [], "nothing has changed"

    for page in ["cups", "plain"]:
        tiny_book.replace(f"{page}.md", "A sentence.", "A better sentence.")
    assert executed() == [], "a sentence is no reason"

    tiny_book.replace("plain.md", "a + 3", "a + 4")
    assert executed() == ["plain"]
    assert tiny_book.kept("plain") == "24\n"

    tiny_book.write("solutions/sizes.py", "HALF = 60 + 5\n")  # imported by what the page imports
    assert executed() == ["cups"]
    tiny_book.write("data.json", "[1, 2, 4]")
    assert executed() == ["cups"]
    assert tiny_book.kept("cups") == "130 7\n"

    (root / "_build" / ".pages" / "plain.json").write_text("{half", encoding="utf-8")
    assert executed() == ["plain"], "what cannot be read is no result"


def test_other_versions_are_another_result(kept_pages, tiny_book, monkeypatch):
    keep = tiny_book.root / "_build" / ".pages"
    tiny_book.write("requirements.lock", "numpy==1.0\nno-such-package==1.0\n")
    before = kept_pages.find_pages(tiny_book.root, ["plain"], keep)["plain"].code
    assert kept_pages.find_pages(tiny_book.root, ["plain"], keep)["plain"].code == before
    monkeypatch.setattr(kept_pages, "version", lambda name: "99")
    assert kept_pages.find_pages(tiny_book.root, ["plain"], keep)["plain"].code != before


def test_a_file_that_was_missing_and_appears_is_a_change(kept_pages, tiny_book):
    keep = tiny_book.root / "_build" / ".pages"
    code = "try: open('extra.txt').close(); print('there')\nexcept OSError: print('none')"
    tiny_book.write("plain.md", PAGE.format(title="Plain", first="1;", second=code))

    def run():
        return kept_pages.execute_stale(kept_pages.find_pages(tiny_book.root, ["plain"], keep), tiny_book.root, 120)

    assert run() == (["plain"], [])
    assert tiny_book.kept("plain") == "none\n"
    tiny_book.write("extra.txt", "")
    assert run() == (["plain"], [])
    assert tiny_book.kept("plain") == "there\n"


# ---------- with Sphinx ----------

CONF = """
import sys
sys.path.insert(0, {extensions!r})
extensions = ["myst_nb", "kept_pages"]
html_theme = "basic"
root_doc = "plain"
exclude_patterns = ["_build", "solutions"]
"""
BUILD = """
import sys
from sphinx.cmd.build import main
sys.exit(main(["-q", "-W", "-n", "--keep-going", "-d", "_build/.doctrees", ".", "_build/html"]))
"""


@pytest.fixture
def build(tiny_book):
    """Builds the tiny book as the course's is built; returns the exit status and what was said."""
    tiny_book.write("conf.py", CONF.format(extensions=str(EXTENSIONS)))
    tiny_book.replace("plain.md", "A sentence.", "A sentence, {ref}`to cups <cups>`.\n\n```{toctree}\ncups\n```")
    tiny_book.replace("cups.md", "# Cups", "(cups)=\n# Cups")

    def run():
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(BUILD)], cwd=tiny_book.root,
                              env=os.environ | {"NO_COLOR": "1"}, capture_output=True, text=True)  # fmt: skip
        return done.returncode, done.stderr

    return run


@pytest.mark.slow
def test_a_failure_is_named_and_does_not_survive(tiny_book, build):
    """One line for a page that fails, which leaves the site; a broken link fails until it is mended."""
    html = tiny_book.root / "_build" / "html"
    assert build() == (0, "")
    assert "130 6" not in (html / "cups.html").read_text(encoding="utf-8")
    before = (html / "plain.html").read_text(encoding="utf-8")

    tiny_book.replace("plain.md", "a + 3", "a + missing")
    tiny_book.replace("solutions/sizes.py", "60", "65")
    status, said = build()
    assert status != 0
    number = (tiny_book.root / "plain.md").read_text(encoding="utf-8").splitlines().index("print(a + missing)")
    named = [line for line in said.splitlines() if "plain.md" in line]
    assert len(named) == 1, said
    assert f"line {number + 1}, code cell 2: NameError: name 'missing' is not defined" in named[0]
    assert (html / "plain.html").read_text(encoding="utf-8") == before, "the old site is as it was"

    tiny_book.replace("plain.md", "a + missing", "a + 3")
    assert build() == (0, "")
    assert "130 6" in (html / "cups.html").read_text(encoding="utf-8"), "kept, though the other page failed"

    tiny_book.replace("cups.md", "(cups)=\n", "")  # `plain`, which is unchanged, links there
    for _ in range(2):  # and it stays a failure when nothing has changed since
        status, said = build()
        assert status != 0
        assert "plain.md" in said and "cups" in said
        assert not html.exists(), "no half site"
    tiny_book.replace("cups.md", "# Cups", "(cups)=\n# Cups")
    assert build() == (0, "")
    assert (html / "cups.html").exists()
