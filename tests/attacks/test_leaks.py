"""Ways out: the network, the pages and tables that grading writes, the environment, what outlives a run."""

from __future__ import annotations

import csv
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from attacks.gallery import (
    ALL,
    AREA,
    GOOD,
    PATIENCE,
    Gallery,
    children,
    code,
    leftovers,
    mark,
    mark_yourself,
    named,
    submissions,
)
from attacks.test_files import write
from typer.testing import CliRunner

from autograder.commands import app
from autograder.course.course import Course
from autograder.engine import sandbox
from autograder.grading.grade import Options, grade_class
from autograder.report.page import write_report
from autograder.results import as_json

WALLS = "from autograder.engine.sandbox import Walls\n"  # by which a script knows the repr of some walls

# ---- the network


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Servers of this machine that hear whatever reaches them: TCP, UDP, a path, an abstract name."""
    heard: list[str] = []
    path = str(tmp_path_factory.mktemp("s") / "s")
    sockets = {
        "tcp": (socket.socket(socket.AF_INET, socket.SOCK_STREAM), ("127.0.0.1", 0)),
        "udp": (socket.socket(socket.AF_INET, socket.SOCK_DGRAM), ("127.0.0.1", 0)),
        "path": (socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), path),
        "path, datagrams": (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), f"{path}d"),
        "abstract": (socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), f"\0attacks{os.getpid()}"),
        "abstract, datagrams": (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), f"\0attacks{os.getpid()}d"),
    }
    done = threading.Event()

    def hear(name: str, server: socket.socket) -> None:
        while not done.is_set():
            try:
                if server.type == socket.SOCK_STREAM:
                    server.accept()[0].close()
                else:
                    server.recv(100)
            except TimeoutError:
                continue
            heard.append(name)

    threads = []
    for name, (server, address) in sockets.items():
        server.bind(address)
        server.settimeout(0.2)
        if server.type == socket.SOCK_STREAM:
            server.listen()
        threads.append(threading.Thread(target=hear, args=(name, server)))
        threads[-1].start()
    for name in (f"{path}", f"{path}d"):
        Path(name).chmod(0o777)
    yield {
        "heard": heard, "path": path, "abstract": f"\0attacks{os.getpid()}",
        "tcp": sockets["tcp"][0].getsockname()[1], "udp": sockets["udp"][0].getsockname()[1],
    }  # fmt: skip
    done.set()
    for thread in threads:
        thread.join()
    for server, _ in sockets.values():
        server.close()


OUT = {
    "TCP": "socket.create_connection(('127.0.0.1', TCP), 1)",
    "UDP": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', UDP))",
    "IPv6": "socket.socket(socket.AF_INET6, socket.SOCK_STREAM)",
    "ICMP": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)",
    "raw": "socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)",
    "packets": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "vsock": "socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)",
    "bluetooth": "socket.socket(31, socket.SOCK_RAW, 1)",
    "kernel crypto": "socket.socket(38, socket.SOCK_SEQPACKET)",
    "a path": "unix(PATH)",
    "a path, datagrams": "unix_to(PATH + 'd')",
    "a path, datagrams of a pair": "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'x', PATH + 'd')",
    "an abstract name": "unix(ABSTRACT)",
    "an abstract name, datagrams": "unix_to(ABSTRACT + 'd')",
    "raw local sockets": "socket.socket(socket.AF_UNIX, socket.SOCK_RAW).sendto(b'x', ABSTRACT + 'd')",
    "the system's bus": "unix('/run/dbus/system_bus_socket')",
    "docker": "unix('/var/run/docker.sock')",
    "urllib": "__import__('urllib.request').request.urlopen(f'http://127.0.0.1:{TCP}', timeout=1)",
    "http.client": "__import__('http.client').client.HTTPConnection('127.0.0.1', TCP, timeout=1).request('GET', '/')",
    "asyncio": "__import__('asyncio').run(__import__('asyncio').open_connection('127.0.0.1', TCP))",
    "DNS": "socket.getaddrinfo('example.com', 80)",
    "a server of its own": "socket.create_server(('127.0.0.1', 0))",
    "the shell's": "subprocess.run(['bash', '-c', f'echo x > /dev/tcp/127.0.0.1/{TCP}'], check=True, stderr=-3)",
    "a system call": "one(libc.syscall(41, 2, 1, 0))",
}


def test_the_network(gallery: Gallery, listening: dict[str, Any]) -> None:
    """Nothing leaves: what a student could send would be the test's own questions."""
    lines = "".join(f"    {name!r}: lambda: {call},\n" for name, call in OUT.items())
    before = (
        "import ctypes, socket, subprocess\nlibc = ctypes.CDLL(None)\n"
        f"TCP, UDP, PATH, ABSTRACT = {listening['tcp']}, {listening['udp']}, {listening['path']!r}, "
        f"{listening['abstract']!r}\n"
        "def unix(path): socket.socket(socket.AF_UNIX).connect(path)\n"
        "def unix_to(path): socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'x', path)\n"
        "def one(result):\n    if result == -1: raise OSError\n"
        f"ways = {{\n{lines}}}\nfor name, way in ways.items():\n    try: way()\n"
        "    except (OSError, subprocess.CalledProcessError): continue\n    print('OUT', name)\nprint('all tried')\n"
    )
    outcome = gallery.run({"area": GOOD["area"]}, before=before)
    assert "OUT" not in outcome.printed(), outcome.printed()
    assert "all tried" in outcome.printed(), outcome.errors()
    assert listening["heard"] == []
    assert outcome.earned == AREA


def test_descriptors_are_not_handed_on(gallery: Gallery) -> None:
    """Of the engine's files and sockets, a student holds its own report and the sockets of its tests."""
    before = (
        "import os\nfor fd in sorted(int(name) for name in os.listdir('/proc/self/fd')):\n"
        "    try: print(fd, os.readlink(f'/proc/self/fd/{fd}'))\n    except OSError: pass\n"
    )
    outcome = gallery.run({}, before=before)
    found = [line.split(" ", 1)[1] for line in outcome.printed().splitlines() if " " in line]
    others = [f for f in found if not f.startswith("socket:") and f != "/dev/null" and not f.endswith("/fd")]
    assert not others
    assert sum(f.startswith("socket:") for f in found) == 1 + len(gallery.ours.tests), found


# ---- the environment


def test_the_environment_is_not_there_even_in_memory(walls: sandbox.Walls, workshop: Course) -> None:
    """A password in the grader's environment lies nowhere in a student's memory."""
    script = f"{WALLS}walls, course = {walls!r}, {str(workshop.root)!r}\n" + code("""
        import sys
        from pathlib import Path
        from attacks.gallery import Gallery, our_notebook
        from autograder.course.course import Course
        gallery = Gallery(our_notebook(Course(Path(course))), walls)
        outcome = gallery.run({}, before=sys.stdin.read())
        gallery.close()
        print(outcome.printed(), outcome.errors().get('free-0'))
    """)
    before = code("""
        import ctypes, os, re
        word, found, seen = b'hunter' + b'seven', 0, 0
        for line in open('/proc/self/maps'):
            m = re.match(r'([0-9a-f]+)-([0-9a-f]+) rw', line)
            if m and ('[stack]' in line or '[heap]' in line):
                start, end = (int(number, 16) for number in m.groups())
                text = ctypes.string_at(start, end - start)
                seen += len(text)
                found += len(re.findall(word + b'!', text))
        print('looked' if seen else 'blind', 'FOUND' * bool(found), dict(os.environ))
    """)
    root = Path(__file__).parents[2]
    secrets = {"GRADER_PASSWORD": "hunterseven!", "DATABASE_URL": "postgresql://u:hunterseven!@h/d"}
    done = subprocess.run(
        [sys.executable, "-c", script], input=before, capture_output=True, text=True, check=True,
        env=os.environ | secrets | {"PYTHONPATH": f"{root}:{root / 'tests'}"},
    )  # fmt: skip
    assert "looked" in done.stdout, done.stdout
    assert "FOUND" not in done.stdout
    assert "GRADER_PASSWORD" not in done.stdout


def test_where_the_course_lies_is_not_told(gallery: Gallery, workshop: Course) -> None:
    before = "import sys, os\nprint(sys.path, os.getcwd(), sys.argv, sys.orig_argv, os.environ)\n"
    outcome = gallery.run({}, before=before)
    assert str(workshop.root) not in outcome.printed()
    assert "''" in outcome.printed().split("]")[0], "the notebook's own folder is the first to import from"


LOOK = """
import gc, inspect, linecache, sys, threading
def text(thing):
    try: return repr(thing)[:100_000] + repr(getattr(thing, '__dict__', ''))[:100_000]
    except BaseException: return ''
def look(lent):
    found, seen, waiting = [], set(), [lent, linecache.cache, sys.modules, *sys._current_frames().values()]
    try: lent({}, 1, 2, 3)
    except BaseException as error:
        waiting += [error, error.__traceback__, error.__cause__, error.__context__]
    try: found.append(inspect.getsource(lent))
    except (TypeError, OSError): pass
    while waiting and len(seen) < 3_000:
        one = waiting.pop()
        if one is None or id(one) in seen: continue
        seen.add(id(one))
        found.append(text(one))
        for name in ('tb_frame', 'tb_next', 'f_back', 'f_locals', 'f_globals', 'f_code', '__closure__', '__globals__',
                     '__self__', '__func__', '__wrapped__', 'co_consts', 'cell_contents', 'gi_frame', 'gi_code'):
            try: waiting.append(getattr(one, name))
            except BaseException: pass
        if isinstance(one, dict): waiting += [v for k, v in list(one.items())[:300] if k != 'WORDS']
        if isinstance(one, (list, tuple)): waiting += one[:300]
    found += [text(one) for one in gc.get_referrers(lent)[:50] + gc.get_referents(lent)]
    return [word for word in WORDS if any(''.join(word) in part for part in found)], len(seen) > 100
"""


@pytest.mark.parametrize("exercise", ["apply", "running"])
def test_what_a_test_lends_leads_to_no_test(roomy: Gallery, exercise: str) -> None:
    """Through frames, closures, tracebacks, sources and the collector: there is only the student's own side."""
    words = [(word[:4], word[4:]) for word in ("zanzibar", "half a side", "one call an item", "two numbers to be")]
    answer = f"def {exercise}(lent, items=()):\n    raise LookupError('found: ' + repr(look(lent)))\n"
    outcome = roomy.run({"area": GOOD["area"], exercise: answer}, before=f"WORDS = {words}\n{LOOK}")
    assert outcome.messages[exercise] == "LookupError: found: ([], True)"
    assert outcome.earned == AREA


# ---- processes and mounts


def test_nothing_is_left_of_a_run(gallery: Gallery) -> None:
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    daemon = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        "
        + mark_yourself() + "        time.sleep(1000)\n    os._exit(0)\n"
    )  # fmt: skip
    answers = GOOD | {"apply": "import os, time\ndef apply(f, items):\n    if os.fork() == 0:\n        "
                      + mark_yourself() + "        time.sleep(1000)\n    return [f(i) for i in items]\n"}  # fmt: skip
    outcome = gallery.run(answers, before=daemon)
    assert outcome.earned == ALL
    assert not leftovers(gallery.engine)
    assert not any(children(warm) for warm in gallery.engine.warm.values())
    assert Path("/proc/self/mountinfo").read_text(encoding="utf-8") == mounts
    assert not zombies(os.getpid())


def zombies(parent: int) -> list[str]:
    found = []
    for listing in Path(f"/proc/{parent}/task").glob("*/children"):
        for pid in listing.read_text().split():
            status = Path(f"/proc/{pid}/stat")
            if status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z":
                found.append(pid)
    return found


@pytest.mark.timing
@pytest.mark.parametrize("how", ["kill", "close"])
def test_a_grader_that_ends_takes_everybody_along(
    walls: sandbox.Walls, workshop: Course, how: str, tmp_path: Path
) -> None:
    """A grader that is killed in the middle of a run leaves no student's process behind."""
    known = f"walls, course, mark, how = {walls!r}, {str(workshop.root)!r}, {mark()!r}, {how!r}\n"
    script = WALLS + known + code("""
        import os, signal, sys, threading, time
        from pathlib import Path
        from attacks import gallery
        from autograder.course.course import Course
        found = gallery.Gallery(gallery.our_notebook(Course(Path(course))), walls, limits=gallery.ROOMY)
        source = sys.stdin.read()
        threading.Thread(target=lambda: found.run({}, before=source), daemon=True).start()
        deadline = time.monotonic() + gallery.PATIENCE
        while not gallery.named(mark) and time.monotonic() < deadline:
            time.sleep(0.02)
        print('running' if gallery.named(mark) else 'never ran', flush=True)
        if how == 'kill':
            os.kill(os.getpid(), signal.SIGKILL)
        found.close()
        os._exit(0)
    """)
    before = mark_yourself() + code("""
        import ctypes, signal, time
        ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
        for number in (1, 2, 15): signal.signal(number, signal.SIG_IGN)
        while True:
            try: time.sleep(1000)
            except BaseException: pass
    """)
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], input=before, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": f"{root}:{root / 'tests'}"},
    )  # fmt: skip
    assert "running" in done.stdout, done.stderr
    assert gone(lambda: named(mark())), "a student's process outlived its grader"


def gone(look: Any) -> bool:
    deadline = time.monotonic() + PATIENCE
    while look() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not look()


# ---- what grading writes

BIDI = "\u202e\u2066\u2069\u200f"
EVIL = f"<script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\x1b]0;x\x07{BIDI}=cmd|' /C calc'!A0 {{{{7*7}}}}"


@pytest.fixture(scope="module")
def pages(
    gallery: Gallery, workshop: Course, walls: sandbox.Walls, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Path]:
    """A class of students who put markup, codes and formulas wherever their words are shown."""
    if not walls.namespaces and sandbox.probe().namespaces:
        pytest.skip("whole classes are graded on the best walls only")
    root = tmp_path_factory.mktemp("pages")
    folder, into = root / "class", root / "graded"
    for student, work in submissions("classes", "markup").items():
        notebook = gallery.notebook(work.answers, f"EVIL = {EVIL!r}\n# {EVIL}\n{work.before}")
        write(folder / student, notebook)
    rich = gallery.notebook({}, "1")
    rich["cells"].append({"cell_type": "markdown", "id": "m", "metadata": {}, "source": EVIL})
    rich["cells"].append({"cell_type": "raw", "id": "r", "metadata": {}, "source": EVIL})
    rich["metadata"]["title"] = EVIL
    write(folder / "texts", rich)
    write(folder / "=cmd|calc", gallery.notebook({}))
    write(folder / "<b onclick=x>", gallery.notebook({}))
    results = grade_class(workshop, "tools", folder, into, Options(seconds=9))
    return results, into


# What a page is made of, and what a student's Markdown may become.
ALLOWED = {"html", "head", "meta", "title", "style", "body", "main", "section", "article", "h1", "h2", "h3", "p", "ul",
           "ol", "li", "dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "code", "pre", "div", "span", "b",
           "em", "strong", "small", "blockquote", "hr", "br", "wbr", "time", "details", "summary", "a"}  # fmt: skip


class Tags(HTMLParser):
    """The elements and attributes of a page, as a browser would find them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))


def feedback(into: Path) -> list[Path]:
    found = sorted((into / "feedback").rglob("*.html"))
    assert found
    return found


def test_pages_hold_no_script_and_no_way_out(pages: tuple[dict[str, Any], Path]) -> None:
    for page in feedback(pages[1]):
        text = page.read_text(encoding="utf-8")
        tags = Tags()
        tags.feed(text)
        assert {tag for tag, _ in tags.found} <= ALLOWED, page
        names = {name for _, attributes in tags.found for name in attributes}
        assert not [name for name in names if name.startswith("on") or name in ("src", "style")], page
        links = [attributes["href"] for _, attributes in tags.found if "href" in attributes]
        assert all(re.fullmatch(r"#n\d+-e\d+", str(link)) for link in links), page  # to an exercise of the page itself
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text), page


def test_pages_show_no_hidden_test(pages: tuple[dict[str, Any], Path]) -> None:
    """Not its source and not what it expects. What a test says of itself is its author's, and what an answer is asked
    with, it can repeat: `asked` and `answers` show no more than that."""
    _, into = pages
    for page in feedback(into):
        text = page.read_text(encoding="utf-8")
        assert "zanzibar: half" not in text or "half" in page.parts
        assert "7731, 0.5) ==" not in text
        assert "BEGIN HIDDEN" not in text
        for expected in ("3865.5", "7746", "7732", "azanzibar"):
            assert expected not in text, (page, expected)


def test_pages_and_tables_name_nothing_of_the_machine(
    pages: tuple[dict[str, Any], Path], workshop: Course
) -> None:
    results, into = pages
    places = (str(workshop.root), str(into), str(into.parent / "class"), socket.gethostname() + " ", "autograder-in-")
    texts = [page.read_text(encoding="utf-8") for page in feedback(into)]
    texts += [as_json(results), (into / "results.csv").read_text(encoding="utf-8-sig")]
    for text in texts:
        for place in places:
            assert place not in text, place


def test_no_page_speaks_of_another_student(pages: tuple[dict[str, Any], Path]) -> None:
    _, into = pages
    for page in feedback(into):
        if "secret-keeper" not in page.parts:
            text = page.read_text(encoding="utf-8")
            assert "5150" not in text
            assert "secret-keeper" not in text


def test_tables_hold_no_formula(pages: tuple[dict[str, Any], Path]) -> None:
    with (pages[1] / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.reader(file))
    assert len(lines) > 5
    cells = [cell for line in lines for cell in line]
    assert not [cell for cell in cells if re.match(r"\s*[=+\-@\t\r]", cell) and not re.fullmatch(r"-?[\d.]+", cell)]


def test_results_are_lines_that_a_terminal_can_show(pages: tuple[dict[str, Any], Path]) -> None:
    """Notes and incidents are printed where the grader sits: no codes, no marks that turn text, not without end."""
    for row in pages[0].rows:
        for text in [row.note, *(incident.text for incident in row.incidents)]:
            assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text), row.student
            assert len(text) < 2_000
        for exercise in row.exercises:
            assert len(exercise.message) <= 4_000


def test_the_command_prints_no_codes(
    pages: tuple[dict[str, Any], Path], workshop: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, into = pages
    monkeypatch.chdir(workshop.root)
    command = ["grade", str(into.parent / "class"), "--chapter", "tools", "--into", str(into), "--seconds", "9"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "raises" in done.output
    assert not re.search("\x1b\\]|[\x07\u202e]", done.output)


def test_the_report_holds_no_script_of_a_student(pages: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    write_report(pages[0], tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search("<script>alert|<img src=x|<b onclick", text)


def test_graded_notebooks_hold_text_alone(pages: tuple[dict[str, Any], Path]) -> None:
    """What a cell displays is no markup in nbgrader's own pages either."""
    for path in sorted((pages[1] / "autograded").rglob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                assert output["output_type"] in ("stream", "error"), path
                assert set(output) <= {"output_type", "name", "text", "ename", "evalue", "traceback"}


def test_submitted_copies_hold_no_hidden_test(pages: tuple[dict[str, Any], Path]) -> None:
    for path in sorted((pages[1] / "submitted").rglob("*.ipynb")):
        text = path.read_text(encoding="utf-8")
        assert "zanzibar" not in text, path


def test_what_a_test_asks_is_shown_to_nobody_when_it_is_printed(gallery: Gallery) -> None:
    """What an answer prints while it is tested is dropped: it would repeat hidden questions."""
    answers = {name: f"def {name}(*args, **kwargs):\n    print(args, flush=True)\n" for name in ("area", "squeeze")}
    outcome = gallery.run(answers, after="print('end')")
    assert "zanzibar" not in outcome.printed()
    assert "end" in outcome.printed()
