"""Python in the page: its files are the right ones or none, and what stands in for a library does what it would."""

import functools
import hashlib
import http.server
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import regex
import scipy.special
from hypothesis import example, given
from hypothesis import strategies as st

ROOT = Path(__file__).parent.parent
EXTENSIONS = ROOT / "chapters" / "extensions"
EDITOR = ROOT / "chapters" / "assets" / "editor"


def module_at(path: Path):
    spec = importlib.util.spec_from_file_location(f"in_the_page_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---------- where the files come from ----------


@pytest.fixture
def python_files(monkeypatch, tmp_path):
    """The module, with a cache of the test's own and a manifest of two small files."""
    monkeypatch.syspath_prepend(EXTENSIONS)
    import python_files as module

    texts = {"small.js": b"let it = 1;", "small.zip": b"not a zip at all"}
    digests = {name: hashlib.sha256(text).hexdigest() for name, text in texts.items()}
    files = [{"name": name, "sha256": digest, "licence": "MIT"} for name, digest in digests.items()]
    short = {"pyodide": module.manifest()["pyodide"], "file": files}
    monkeypatch.setattr(module, "manifest", lambda: short)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("PYODIDE_DIR", "PYODIDE_MIRROR", "CI"):
        monkeypatch.delenv(name, raising=False)

    def no_network(wanted, scratch):
        raise OSError("no such package")
        yield

    no_network.__name__ = "from_package"
    monkeypatch.setattr(module, "from_package", no_network)
    source = tmp_path / "source"
    source.mkdir()
    for name, text in texts.items():
        (source / name).write_bytes(text)
    module.source = source
    return module


def test_files_come_from_a_folder_once(python_files, monkeypatch):
    """What was taken stays in the cache, when the folder is gone."""
    monkeypatch.setenv("PYODIDE_DIR", str(python_files.source))
    assert python_files.obtain() == ""
    monkeypatch.delenv("PYODIDE_DIR")
    assert python_files.obtain() == ""
    assert not python_files.missing(python_files.cache_folder())


def test_files_come_from_a_mirror(python_files, monkeypatch):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Quiet, directory=str(python_files.source))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PYODIDE_MIRROR", f"http://127.0.0.1:{server.server_port}/")
        assert python_files.obtain() == ""
        server.shutdown()


def test_another_file_of_that_name_is_refused(python_files, monkeypatch):
    """By its digest, in the source as in the cache."""
    monkeypatch.setenv("PYODIDE_DIR", str(python_files.source))
    (python_files.source / "small.js").write_text("let it = 2;", encoding="utf-8")
    assert "small.js" in python_files.obtain()
    (python_files.source / "small.js").write_text("let it = 1;", encoding="utf-8")
    assert python_files.obtain() == ""
    (python_files.cache_folder() / "small.zip").write_text("changed", encoding="utf-8")
    assert [file.name for file in python_files.missing(python_files.cache_folder())] == ["small.zip"]
    assert python_files.obtain() == ""


def test_without_the_files_one_line_says_so_and_ci_fails(python_files, monkeypatch, capsys):
    assert python_files.main() == 0
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "no such package" in said and "make page-python" in said
    monkeypatch.setenv("CI", "1")
    assert python_files.main() == 1


def test_the_book_without_the_files_is_the_book_with_notebooks(monkeypatch, tmp_path):
    """The extension says it once, and offers nothing; in continuous integration it stops the build."""
    monkeypatch.syspath_prepend(EXTENSIONS)
    import solve_in_page
    from sphinx.errors import ExtensionError

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    config = type("Config", (), {})()
    solve_in_page.look_for_python(None, config)
    assert config.python_in_page is False
    monkeypatch.setenv("CI", "1")
    with pytest.raises(ExtensionError, match=r"pyodide\.js"):
        solve_in_page.look_for_python(None, config)


def test_the_loader_s_list_names_the_packages_by_their_digests(monkeypatch):
    monkeypatch.syspath_prepend(EXTENSIONS)
    import python_files

    listed = json.loads(python_files.lock())["packages"]
    assert set(listed) == {"numpy", "scipy", "openblas"}
    for about in listed.values():
        (file,) = [file for file in python_files.files() if file.name == about["file_name"]]
        assert file.sha256 == about["sha256"]
        assert set(about["depends"]) <= set(listed)


def test_the_editor_is_the_bundle_that_its_readme_names():
    """And the readme, the list of packages and the licence stand beside it."""
    digest = hashlib.sha256((EDITOR / "codemirror.js").read_bytes()).hexdigest()
    assert digest in (EDITOR / "README.md").read_text(encoding="utf-8")
    package = json.loads((EDITOR / "package.json").read_text(encoding="utf-8"))
    versions = [*package["dependencies"].values(), *package["devDependencies"].values()]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)
    assert "MIT License" in (EDITOR / "LICENSE.txt").read_text(encoding="utf-8")


# ---------- what stands in for a library ----------


@pytest.fixture(scope="module")
def few():
    """The page's own lines of scipy.special."""
    return module_at(EXTENSIONS / "in_page" / "scipy" / "special.py")


ROWS = st.lists(st.one_of(st.floats(-1e4, 1e4), st.just(-np.inf)), min_size=3, max_size=3)


@given(st.lists(ROWS, min_size=1, max_size=4), st.sampled_from([None, 0, 1, -1]),
       st.sampled_from([np.float64, np.float32]))  # fmt: skip
def test_softmax_is_scipy_s(few, rows, axis, kind):
    x = np.array(rows, kind)
    with np.errstate(invalid="ignore"):  # a row of -inf alone is NaN for both
        for name in ("softmax", "log_softmax"):
            mine, theirs = getattr(few, name)(x, axis=axis), getattr(scipy.special, name)(x, axis=axis)
            assert mine.dtype == theirs.dtype
            np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-7)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The page's own `regex`, with the properties that the book would write for it."""
    sys.path.insert(0, str(EXTENSIONS))
    try:
        import solve_in_page
    finally:
        sys.path.remove(str(EXTENSIONS))
    folder = tmp_path_factory.mktemp("in_page")
    shutil.copy(EXTENSIONS / "in_page" / "regex.py", folder)
    (folder / "regex_properties.json").write_text(json.dumps(solve_in_page.regex_properties()), encoding="utf-8")
    return module_at(folder / "regex.py")


PATTERNS = [
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",  # the course's own
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    r"(\s+)", r"[\S]+", r"[^\S]", r"\P{L}+", r"[^\P{L}]+", r"\p{^L}", r"\pL|\PN", r"[]\s]+", r"[^]\p{Lu}]", r"\w+|\W",
    r"\p{Han}+", r"\\s|\[\s\]", r"[\p{L}\]]+", "",
]  # fmt: skip
SIGNS = "aZ'sé9½ \n\t\u001c\u001f\u0085\u00a0\u3000酒店𝟗٣[]\\s^-"
TEXTS = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from(SIGNS)))


@given(st.sampled_from(PATTERNS), TEXTS)
@example(PATTERNS[0], "\u001c a\u001d")
@example(PATTERNS[0], "it's 酒店 half½  \n")
def test_the_page_s_own_regex_is_regex(own, pattern, text):
    """Matches, parts and places, for the patterns that the course uses and their kin."""
    assert own.findall(pattern, text) == regex.findall(pattern, text)
    assert own.split(f"({pattern})", text) == regex.split(f"({pattern})", text, flags=regex.V1)
    places = [[(m.start(), m.end(), m.group()) for m in each.finditer(pattern, text)] for each in (own, regex)]
    assert places[0] == places[1]
    assert own.sub(pattern, "-", text) == regex.sub(pattern, "-", text)


@given(TEXTS)
@example("酒店 很 干净")
def test_a_search_from_the_end_finds_what_regex_finds(own, text):
    pattern = r"(?r)(?<=\S)\s"
    mine, theirs = own.compile(pattern).search(text), regex.compile(pattern).search(text)
    assert (mine and mine.span()) == (theirs and theirs.span())


def test_every_character_is_of_the_class_that_regex_says(own):
    every = "".join(chr(code) for code in range(sys.maxunicode + 1))
    for pattern in (r"\p{L}+", r"\p{N}+", r"\s+", r"[^\s\p{L}\p{N}]+"):
        assert [m.span() for m in own.finditer(pattern, every)] == [m.span() for m in regex.finditer(pattern, every)]


def test_a_property_that_the_page_does_not_know_is_refused_by_name(own):
    with pytest.raises(re.error, match=r"does not know .p\{Greek\}"):
        own.findall(r"\p{Greek}", "α")


# ---------- the book on this machine ----------


def test_make_read_serves_the_book_to_this_machine(book):
    """With the types that a browser insists on, and nothing kept that may be old."""
    command = [sys.executable, EXTENSIONS / "read.py", "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = re.search(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())[0]
            for name, kind in [("index.html", "text/html"), ("_static/solve/page.js", "text/javascript"),
                               ("_static/pyodide/pyodide.asm.wasm", "application/wasm")]:  # fmt: skip
                with urllib.request.urlopen(address + name) as answer:
                    assert answer.headers["Content-Type"].startswith(kind)
                    assert answer.headers["Cache-Control"] == "no-cache"
        finally:
            server.terminate()
