"""What several test files use: the course itself, and a tiny one on something else."""

import functools
import http.server
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# What is installed is compiled when it is first imported (see the Makefile). Where the environment forbids to keep
# that, each of the hundreds of processes that the tests start compiles PyTorch and nbgrader anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# A thread for each process, as under make: two workers whose matrices want all cores only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What a script starts in the background ignores Ctrl-C, and so would all that the tests start, and mean to interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import hypothesis
import pytest
from tiny_course import write_tiny

from autograder.course.course import Course
from autograder.course.release import build_student_notebooks

# No example is held to a clock: on a busy machine any step may take its time. In CI the examples are always the same.
# An example that was once found is kept beside its test, as an `@example`.
hypothesis.settings.register_profile(
    "course",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("course")

ROOT = Path(__file__).parent.parent
BOOK = ROOT / "_build" / "html"
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="session")
def course() -> Course:
    """The course that these tests belong to."""
    return Course.find(Path(__file__).parent)


@pytest.fixture
def tiny(tmp_path: Path) -> Course:
    """A tiny course of the test's own, which it may change."""
    return write_tiny(tmp_path / "tiny")


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny course's student notebook, made once: it takes nbgrader a second."""
    root = tmp_path_factory.mktemp("released")
    return build_student_notebooks(write_tiny(root / "tiny"), "cooking", root / "blank")[0]


@pytest.fixture
def blank(released: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    (tmp_path / "blank").mkdir()
    return Path(shutil.copy(released, tmp_path / "blank"))


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and keeps no log."""

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def book() -> Path:
    """The folder of the built book; builds it if it is missing."""
    if not (BOOK / "index.html").exists():
        tools = Path(sys.executable).parent
        env = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run([tools / "jupyter-book", "build", ".", "-W", "-n", "--keep-going"], cwd=ROOT, env=env,
                              capture_output=True, text=True)  # fmt: skip
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return BOOK


@pytest.fixture(scope="session")
def site(book: Path) -> Iterator[str]:
    """The address of the built book."""
    handler = functools.partial(Quiet, directory=str(book))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


# One for each test file, and closed after it: while it is open, an event loop runs in the process, and neither a
# second browser nor anything else that wants a loop of its own can start.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, without a window."""
    chromium = shutil.which("chromium")
    if chromium is None:
        why = "needs the program `chromium` on the PATH"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """An empty tab on a wide screen."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def one_tab(browser: Any) -> Iterator[Any]:
    """The tab that a whole file uses, on a wide screen: a tab of its own costs a test five times what a figure does."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture
def emptied(one_tab: Any) -> Any:
    """The same tab with nothing on it, as new: for figures, which keep nothing in the browser."""
    one_tab.goto("about:blank")
    return one_tab


@pytest.fixture
def phone(browser: Any) -> Iterator[Any]:
    """An empty tab on a phone."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    yield context.new_page()
    context.close()
