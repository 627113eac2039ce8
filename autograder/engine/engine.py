"""One notebook, from its cells to a verdict on each test."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from autograder.engine import sandbox
from autograder.engine.execution import CellResult, Incident, Run
from autograder.engine.keeper import NO_WALLS, OUT_OF_MEMORY
from autograder.engine.limits import Limits
from autograder.engine.processes import Child, EngineError, Libraries, Warm
from autograder.handed_in.trees import shown

ATTEMPTS = 8  # how often a notebook is started anew, without the cell that ended it
GRACE = 3.0  # seconds beyond a limit before the process is ended from outside
IDLE = 15.0  # seconds with neither a cell nor a test under way
REPORT_BYTES = 32 * 2**20
MOST_SHOWN = 300  # characters of an incident: they are shown in terminals and tables


@dataclass(frozen=True)
class Job:
    """One notebook to run: the student's cells and the places of the tests, and what the judge needs."""

    items: Sequence[dict[str, str]]  # {"kind": "cell", "id", "source"} or {"kind": "test", "id"}
    given: Sequence[dict[str, str]]  # our own plain cells, for the judge
    tests: Sequence[dict[str, Any]]  # {"id", "source", perhaps "record"}, in the order of their places
    names: Sequence[str]  # functions and classes that the student writes
    values: Sequence[str] = ()  # other names that the student assigns
    files: Sequence[tuple[str, bytes]] = ()  # data beside the notebook


@dataclass
class _State:
    """What is known of a run so far, over all attempts."""

    cells: dict[str, CellResult] = field(default_factory=dict)
    tests: dict[str, CellResult] = field(default_factory=dict)
    excluded: set[str] = field(default_factory=set)
    incidents: list[Incident] = field(default_factory=list)
    cpu: float = 0.0


@dataclass
class _Now:
    """What the two processes are doing in this attempt."""

    cell: str = ""
    cell_since: float = 0.0
    test: str = ""
    test_since: float = 0.0
    last: float = 0.0  # when anything was heard
    began: bool = False  # whether the student's code may have run: from here on its process may say anything
    student_ended: bool = False
    judge_ended: bool = False
    student_gone: bool = False
    judge_gone: bool = False


class Engine:
    """A pair of warm processes. Use as a context manager, for as many notebooks as there are.

    `preload` says what to import first; engines that are given the same `libraries` have that in common.
    """

    def __init__(
        self,
        preload: Sequence[str] = (),
        limits: Limits | None = None,
        *,
        walls: sandbox.Walls | None = None,
        hidden: Sequence[str] = (),
        unsafe: bool = False,
        core: int | None = None,
        libraries: Libraries | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.walls = walls if walls is not None else sandbox.probe()
        self.hidden = list(hidden)
        self.unsafe = unsafe
        if not self.walls.safe() and not unsafe:
            missing = ", ".join(layer for layer in sandbox.ALL_LAYERS if layer not in self.walls.layers())
            raise EngineError(f"no sandbox here ({missing}: missing): see `autograder doctor`")
        # A judge and a student take turns: on one core, they need not wake another one at each call.
        self.core = core
        self.libraries = libraries or Libraries(preload)
        self.shares = libraries is not None
        self.warm = {role: Warm(role, self.libraries, core) for role in ("student", "judge")}

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def close(self) -> None:
        for warm in self.warm.values():
            warm.close()
        if not self.shares:
            self.libraries.close()

    def run(self, job: Job) -> Run:
        """Run one notebook. Whatever the student's code does, this returns, within the limits."""
        state = _State()
        self.warm["judge"].prepare([*job.given, *job.tests])
        deadline = time.monotonic() + self.limits.notebook
        for _ in range(ATTEMPTS):
            before = len(state.tests), len(state.excluded)
            if self._attempt(job, state, deadline):
                break
            if time.monotonic() >= deadline:
                break
            if (len(state.tests), len(state.excluded)) == before:
                self._give_up_next_test(job, state)
        return self._finish(job, state, timed_out=time.monotonic() >= deadline)

    def _attempt(self, job: Job, state: _State, deadline: float) -> bool:
        """Start both processes and watch them; True where everything that can be known is known."""
        pairs = [socket.socketpair() for _ in job.tests]
        plain = {
            "limits": self.limits.to_plain(),
            "done": list(state.tests),
            "walls": asdict(self.walls),
            "unsafe": self.unsafe,
            "hidden": self.hidden,
            "files": [[name, content.hex()] for name, content in job.files],
        }
        items = [i for i in job.items if i["id"] not in state.excluded]
        judged = {"given": job.given, "tests": job.tests, "names": job.names, "values": job.values}
        own_files = bool(self.walls.namespaces)  # then the student's folder lies in memory, behind the walls
        with contextlib.nullcontext("") if own_files else _scratch() as theirs, _scratch() as ours:
            try:
                student = self.warm["student"].fork(plain | {"items": items, "scratch": theirs}, [s for s, _ in pairs])
                judge = self.warm["judge"].fork(plain | judged | {"scratch": ours}, [j for _, j in pairs])
            finally:
                for pair in pairs:
                    for end in pair:
                        end.close()
            return self._watch(job, state, student, judge, deadline)

    def _watch(self, job: Job, state: _State, student: Child, judge: Child, deadline: float) -> bool:
        now = _Now(last=time.monotonic())
        try:
            fate = self._follow(job, state, student, judge, now, deadline)
        finally:
            student_code, student_cpu = student.end()
            judge_cpu = judge.end()[1]
            state.cpu += student_cpu + judge_cpu
        if student_code == NO_WALLS and not now.began:
            raise EngineError("the sandbox could not be raised: see `autograder doctor`")
        self._blame(fate, student_code, state, now)
        return fate == "ended" or (len(state.tests) == len(job.tests) and not now.cell)

    def _follow(self, job: Job, state: _State, student: Child, judge: Child, now: _Now, deadline: float) -> str:
        """Hear what both report until something ends this attempt; says what."""
        watch = select.poll()
        hear = {student.report.fileno(): self._hear_student, judge.report.fileno(): self._hear_judge}
        for descriptor in (*hear, student.watch, judge.watch):
            watch.register(descriptor, select.POLLIN)
        fate = ""
        while not fate:
            until = self._until(now, deadline)
            ready = [number for number, _ in watch.poll(max(0.0, until - time.monotonic()) * 1000 + 1)]
            for child in (student, judge):
                number = child.report.fileno()
                if number in ready and not hear[number](child, job, state, now):
                    watch.unregister(number)
                if child.watch in ready and (child.report.fileno() not in ready or not _readable_now(child)):
                    watch.unregister(child.watch)
                    now.student_gone |= child is student
                    now.judge_gone |= child is judge
            fate = self._fate(job, state, now, deadline)
        return fate

    def _until(self, now: _Now, deadline: float) -> float:
        """The next moment at which something is overdue."""
        return min(deadline, *(moment for moment, _ in self._overdue(now)))

    def _overdue(self, now: _Now) -> list[tuple[float, str]]:
        """When the present step has taken too long, and what to call that."""
        if now.test:
            return [(now.test_since + self.limits.test + GRACE, "test too slow")]
        if now.cell:
            return [(now.cell_since + self.limits.cell + GRACE, "cell too slow")]
        return [(now.last + IDLE, "stalled")]

    def _fate(self, job: Job, state: _State, now: _Now, deadline: float) -> str:
        """What ended this attempt; "" while it goes on."""
        if now.judge_ended and (now.student_ended or self._is_over(job, state)):
            return "ended"
        if now.judge_gone and not now.judge_ended:
            return "judge died"
        if now.student_gone and not now.student_ended and (now.judge_ended or not now.test):
            return "student died"
        clock = time.monotonic()
        if clock >= deadline:
            return "deadline"
        return next((name for moment, name in self._overdue(now) if clock >= moment), "")

    def _is_over(self, job: Job, state: _State) -> bool:
        """Whether every test has its verdict, and no cell comes after the last one."""
        return len(state.tests) == len(job.tests) > 0 and job.items[-1]["kind"] == "test"

    def _hear_student(self, child: Child, job: Job, state: _State, now: _Now) -> bool:
        """What the student's process says of its cells; only for show, since it may say anything."""
        records, more = child.lines(REPORT_BYTES)
        known = {item["id"] for item in job.items if item["kind"] == "cell"}
        for record in records:
            now.last = time.monotonic()
            if "sandbox" in record and not now.began:
                raise EngineError(f"the sandbox could not be raised: {str(record['sandbox'])[:300]}")
            now.began = True
            name = record.get("started", record.get("id"))
            if record.get("ended"):
                now.student_ended, now.cell = True, ""
            elif type(name) is not str or name not in known:
                continue
            elif "started" in record:
                now.cell, now.cell_since = name, time.monotonic()
            else:
                seconds = time.monotonic() - now.cell_since if now.cell == name else 0.0
                now.cell = ""
                result = state.cells.setdefault(name, _cell_result(name, record, seconds, self.limits))
                _note_failure(state, result)
                if record.get("flood"):
                    text = f"the cell printed more than {self.limits.output} characters; the rest was cut"
                    _note(state, Incident(name, "flood", text))
        return more

    def _hear_judge(self, child: Child, job: Job, state: _State, now: _Now) -> bool:
        records, more = child.lines(REPORT_BYTES)
        for record in records:
            now.last = time.monotonic()
            if record.get("ended"):
                now.judge_ended = True
            elif "started" in record:
                now.test, now.test_since = str(record["started"]), time.monotonic()
            else:
                seconds = time.monotonic() - now.test_since
                result = _cell_result(str(record["id"]), record, seconds, self.limits)
                state.tests.setdefault(result.id, result)
                _note_failure(state, result)
                now.test = ""
        return more

    def _blame(self, fate: str, code: int, state: _State, now: _Now) -> None:
        """Put down what went wrong, and keep the cell that did it out of the next attempt."""
        if fate in ("ended", "deadline"):
            return
        memory = code == OUT_OF_MEMORY
        if fate == "judge died" or (fate == "test too slow" and now.test):
            kind = "crashed" if fate == "judge died" else "timed out"
            text = "the test ended before its time" if fate == "judge died" else "the calls of this test took too long"
            if now.test:
                state.tests[now.test] = CellResult(now.test, _ERRORS[kind], text, "", self.limits.test)
                _note(state, Incident(now.test, kind, text))
            return
        if not now.cell:
            return
        kind = "timed out" if fate == "cell too slow" else "out of memory" if memory else "crashed"
        text = {
            "timed out": f"this cell took more than {self.limits.cell:g} s and could not be interrupted",
            "out of memory": "this cell used too much memory, and the process was ended",
            "crashed": f"this cell ended the process ({_how(code)})",
        }[kind]
        state.cells[now.cell] = CellResult(now.cell, _ERRORS[kind], text, "", 0.0)
        state.excluded.add(now.cell)
        _note(state, Incident(now.cell, kind, text))

    def _give_up_next_test(self, job: Job, state: _State) -> None:
        """The process ended twice at the same place without a cell to blame: the next test pays."""
        for test in job.tests:
            if test["id"] not in state.tests:
                text = "your code ended the process before this test could run"
                state.tests[test["id"]] = CellResult(test["id"], _ERRORS["crashed"], text, "", 0.0)
                _note(state, Incident(test["id"], "crashed", text))
                return

    def _finish(self, job: Job, state: _State, *, timed_out: bool) -> Run:
        ended = ""
        missing = [t["id"] for t in job.tests if t["id"] not in state.tests]
        if missing:
            ended = "timed out" if timed_out else "crashed"
            text = f"not reached: the notebook {ended} before this test"
            for name in missing:
                state.tests[name] = CellResult(name, "NotRun", text, "", 0.0)
            _note(state, Incident(missing[0], ended, text))
        return Run({**state.cells, **state.tests}, ended, tuple(state.incidents), state.cpu)


@contextlib.contextmanager
def _scratch() -> Iterator[str]:
    """A folder for one process of one attempt; it goes, whatever was done in it to stay."""
    folder = tempfile.mkdtemp(prefix="autograder-")
    try:
        yield folder
    finally:
        Path(folder).chmod(0o700)
        for place, folders, _ in os.walk(folder):
            for inside in (Path(place, name) for name in folders):
                if not inside.is_symlink():
                    inside.chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)


def _readable_now(child: Child) -> bool:
    """Whether the last words of a process that has ended are still to be read."""
    watch = select.poll()
    watch.register(child.report, select.POLLIN)
    try:
        return bool(watch.poll(0)) and bool(child.report.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except OSError:
        return False


_ERRORS = {"timed out": "TimedOut", "crashed": "Crashed", "out of memory": "OutOfMemory"}


def _cell_result(name: str, record: dict[str, Any], seconds: float, limits: Limits) -> CellResult:
    def text(key: str) -> str:
        value = record.get(key, "")
        return value[: limits.output + 100] if type(value) is str else ""

    error = text("error")
    error = {"TookTooLong": "TimedOut", "LostError": "Crashed", "UnreadableError": "WrongType"}.get(error, error)
    message = text("message")
    if error == "Crashed" and ("too long" in message or "did not answer" in message or "this call took" in message):
        error = "TimedOut"
    return CellResult(name, error, message, text("printed"), round(seconds, 3), text("entry"), text("details"))


def _note_failure(state: _State, result: CellResult) -> None:
    kind = {"TimedOut": "timed out", "Crashed": "crashed", "MemoryError": "out of memory"}.get(result.error)
    if kind:
        _note(state, Incident(result.id, kind, shown(result.message or result.error, MOST_SHOWN)))


def _note(state: _State, incident: Incident) -> None:
    if not any(known.cell == incident.cell and known.kind == incident.kind for known in state.incidents):
        state.incidents.append(incident)


def _how(code: int) -> str:
    if code > 128:
        import signal

        try:
            return f"ended by {signal.Signals(code - 128).name}"
        except ValueError:
            return f"ended by signal {code - 128}"
    return f"exit code {code}"
