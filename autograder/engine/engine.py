"""One notebook, from its cells to a verdict on each test."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from autograder.engine import groups, sandbox
from autograder.engine.jobs import Job, JudgeOrder, Order, Place, Report, StudentOrder
from autograder.engine.keeper import FAILED, NO_ROOM, NO_WALLS, OUT_OF_MEMORY, TOO_MUCH_COMPUTING
from autograder.engine.limits import Limits
from autograder.engine.processes import Child, EngineError, Libraries, Warm
from autograder.results import CellResult, Ended, Incident, Kind, Run
from autograder.scratch import scratch_folder
from autograder.text import clean, clean_output, shown

ATTEMPTS = 8  # how often a notebook is started anew, without the cell that ended it
GRACE = 3.0  # seconds beyond a limit before the process is ended from outside
OURS = "GivenCellError"  # a test that failed for a given cell of the course's own
BY_CPU = "too much computing"  # in the text of a time-out that no neighbour can have caused
IDLE = 15.0  # seconds with neither a cell nor a test under way
CROWDED = "others took the room for processes"
NO_THREAD = "can't start new thread"  # Python's words
REPORT_BYTES = 32 * 2**20
MOST_SHOWN = 300  # characters of an incident: they are shown in terminals and tables


@dataclass
class _State:
    """What is known of a run so far, over all attempts."""

    cells: dict[str, CellResult] = field(default_factory=dict)
    tests: dict[str, CellResult] = field(default_factory=dict)
    excluded: set[str] = field(default_factory=set)
    crowded: set[str] = field(default_factory=set)  # cells after which so many threads ran that there is hardly room
    incidents: list[Incident] = field(default_factory=list)
    cpu: float = 0.0
    fault: str = ""  # of our side
    doubt: str = ""


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
        self.group = groups.prepare()
        # Whether the kernel counts a submission's processes with all that the grader's user has: its neighbours', too.
        self.together = not self.walls.namespaces and (unsafe or os.geteuid() != 0)
        # A judge and a student take turns: on one core, they need not wake another one at each call.
        self.core = core
        self.libraries = libraries or Libraries(preload)
        self.shares = libraries is not None
        place: Place = {"walls": asdict(self.walls), "hidden": self.hidden, "unsafe": unsafe}
        self.warm = {role: Warm(role, self.libraries, place, core) for role in ("student", "judge")}

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
        prepared = self.warm["judge"].prepare(job)
        deadline = time.monotonic() + self.limits.notebook
        for _ in range(ATTEMPTS):
            before = len(state.tests), len(state.excluded)
            if self._attempt(job, prepared, state, deadline) or state.fault:
                break
            if time.monotonic() >= deadline:
                break
            if (len(state.tests), len(state.excluded)) == before:
                self._give_up_something(job, state)
        return self._finish(job, state, timed_out=time.monotonic() >= deadline)

    def _attempt(self, job: Job, prepared: str, state: _State, deadline: float) -> bool:
        """Start both processes and watch them; True where everything that can be known is known."""
        pairs = [socket.socketpair() for _ in job.tests]
        common: Order = {
            "limits": self.limits.to_plain(),
            "done": list(state.tests),
            "walls": asdict(self.walls),
            "unsafe": self.unsafe,
            "hidden": self.hidden,
            "group": self.group,
            "files": [[name, content.hex()] for name, content in job.files],
            "scratch": "",
        }
        items = [i for i in job.items if i["id"] not in state.excluded]
        own_files = bool(self.walls.namespaces)  # then the student's folder lies in memory, behind the walls
        with contextlib.nullcontext("") if own_files else scratch_folder() as theirs, scratch_folder() as ours:
            try:
                for_student: StudentOrder = {**common, "items": items, "scratch": str(theirs)}
                for_judge: JudgeOrder = {
                    **common,
                    "prepared": prepared,
                    "tests": [test["id"] for test in job.tests],
                    "names": job.names,
                    "values": job.values,
                    "scratch": str(ours),
                }
                student = self.warm["student"].fork(for_student, [s for s, _ in pairs])
                try:
                    judge = self.warm["judge"].fork(for_judge, [j for _, j in pairs])
                except EngineError:
                    student.end()
                    raise
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
            try:
                student_code, student_cpu = student.end()
            finally:
                judge_cpu = judge.end()[1]
            state.cpu += student_cpu + judge_cpu
        # What a student does to itself, the keeper reports as its own exit code.
        if student_code == -signal.SIGKILL and not student.ended_by_us:
            state.fault = "the process that watches over the student's was killed"
        elif student_code == FAILED:
            state.fault = "the process that watches over the student's broke"
        elif fate == "judge died":
            state.fault = "the process that runs the tests was killed, or died"
        elif fate == "stalled":
            state.doubt = "nothing happened for a while"
        if student_code == NO_ROOM and self.together:
            state.doubt = CROWDED
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
        if fate == "ended":  # the judge may have been quicker: what the student said before its last test is there
            self._hear_student(student, job, state, now)
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
            if record.get("full") and self.together:
                state.doubt = CROWDED
            name = record.get("started", record.get("id"))
            if record.get("ended"):
                now.student_ended, now.cell = True, ""
            elif type(name) is not str or name not in known:
                continue
            elif "started" in record:
                if not now.cell:  # one begins where the one before has ended: the one that hangs is known by that
                    now.cell, now.cell_since = name, time.monotonic()
            else:
                seconds = time.monotonic() - now.cell_since if now.cell == name else 0.0
                now.cell = ""
                result = state.cells.setdefault(name, _cell_result(name, record, seconds, self.limits))
                _note_failure(state, result)
                if record.get("threads"):
                    state.crowded.add(name)
                if record.get("flood"):
                    text = f"the cell printed more than {self.limits.output} characters; the rest was cut"
                    _note(state, Incident(name, Kind.FLOOD, text))
        return more

    def _hear_judge(self, child: Child, job: Job, state: _State, now: _Now) -> bool:
        records, more = child.lines(REPORT_BYTES)
        for record in records:
            now.last = time.monotonic()
            if "sandbox" in record:
                raise EngineError(f"the sandbox could not be raised: {str(record['sandbox'])[:300]}")
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
        if fate in ("ended", "deadline") or state.fault:
            return
        memory = code == OUT_OF_MEMORY
        if fate == "test too slow" and now.test:
            text = "the calls of this test took too long"
            state.tests[now.test] = CellResult(now.test, "TimedOut", text, "", self.limits.test)
            _note(state, Incident(now.test, Kind.TIMED_OUT, text))
            return
        if not now.cell:
            return
        computing = code == TOO_MUCH_COMPUTING
        late = fate == "cell too slow" or computing
        kind = Kind.TIMED_OUT if late else Kind.OUT_OF_MEMORY if memory else Kind.CRASHED
        text = {
            Kind.TIMED_OUT: f"this cell took more than {self.limits.cell:g} s and could not be interrupted"
            if not computing
            else f"too much computing: its processes together took more than {self.limits.notebook:g} s",
            Kind.OUT_OF_MEMORY: "this cell used too much memory, and the process was ended",
            Kind.CRASHED: f"this cell ended the process ({_how(code)})",
        }[kind]
        state.cells[now.cell] = CellResult(now.cell, _ERRORS[kind], text, "", 0.0)
        state.excluded.add(now.cell)
        _note(state, Incident(now.cell, kind, text))

    def _give_up_something(self, job: Job, state: _State) -> None:
        """The process ended twice at the same place while no cell ran.

        A cell that was stopped may have left much memory, or a thread: the last one before the next test goes first.
        Where there is none, the test pays.
        """
        for test in job.tests:
            if test["id"] not in state.tests:
                if stopped := self._stopped_before(test["id"], job, state):
                    state.excluded.add(stopped)
                    if stopped in state.crowded:
                        text = "this cell left too many threads for anything after it to run"
                        _note(state, Incident(stopped, Kind.CRASHED, text))
                        state.crowded.clear()
                    return
                text = "your code ended the process before this test could run"
                state.tests[test["id"]] = CellResult(test["id"], _ERRORS[Kind.CRASHED], text, "", 0.0)
                _note(state, Incident(test["id"], Kind.CRASHED, text))
                return

    def _stopped_before(self, test: str, job: Job, state: _State) -> str:
        """The first cell before a test that filled the process with threads, else the last that was interrupted."""
        names = [item["id"] for item in job.items]
        ran = [name for name in names[: names.index(test)] if name in state.cells and name not in state.excluded]
        crowded = (name for name in ran if name in state.crowded)  # those after the first suffer from it
        stopped = (name for name in reversed(ran) if state.cells[name].error in STOPPED)
        return next(crowded, next(stopped, ""))

    def _finish(self, job: Job, state: _State, *, timed_out: bool) -> Run:
        ended = Ended.WHOLE
        missing = [t["id"] for t in job.tests if t["id"] not in state.tests]
        if missing:
            ended = Ended.TIMED_OUT if timed_out else Ended.CRASHED
            text = f"not reached: the notebook {ended} before this test"
            for name in missing:
                state.tests[name] = CellResult(name, "NotRun", text, "", 0.0)
            _note(state, Incident(missing[0], Kind(ended), text))
        results = {**state.cells, **state.tests}
        fault = state.fault or next((t.message for t in state.tests.values() if t.error == OURS), "")
        by_the_clock = [r for r in results.values() if r.error == "TimedOut" and BY_CPU not in r.message]
        doubt = state.doubt or ("timed out" if by_the_clock or ended is Ended.TIMED_OUT else "")
        if not doubt and self.together and any(_found_no_room(result) for result in results.values()):
            doubt = CROWDED
        return Run(results, ended, tuple(state.incidents), state.cpu, fault, doubt)


def _found_no_room(result: CellResult) -> bool:
    """Whether a process or a thread could not be started."""
    return result.error == "BlockingIOError" or NO_THREAD in result.message


def _readable_now(child: Child) -> bool:
    """Whether the last words of a process that has ended are still to be read."""
    watch = select.poll()
    watch.register(child.report, select.POLLIN)
    try:
        return bool(watch.poll(0)) and bool(child.report.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except OSError:
        return False


STOPPED = frozenset({"TimedOut", "OutOfMemory", "MemoryError"})  # how a cell ends that was interrupted
_ERRORS = {Kind.TIMED_OUT: "TimedOut", Kind.CRASHED: "Crashed", Kind.OUT_OF_MEMORY: "OutOfMemory"}


def _cell_result(name: str, record: Report, seconds: float, limits: Limits) -> CellResult:
    def text(key: str) -> str:
        value = record.get(key, "")
        if type(value) is not str:
            return ""
        return (clean_output if key == "printed" else clean)(value[: limits.output + 100])

    error = text("error")
    error = {"TookTooLong": "TimedOut", "LostError": "Crashed", "UnreadableError": "WrongType"}.get(error, error)
    message = text("message")
    if error == "Crashed" and ("too long" in message or "did not answer" in message or "this call took" in message):
        error = "TimedOut"
    told = (text("value"), text("entry"), text("details"))
    return CellResult(name, error, message, text("printed"), round(seconds, 3), *told)


def _note_failure(state: _State, result: CellResult) -> None:
    kinds = {"TimedOut": Kind.TIMED_OUT, "Crashed": Kind.CRASHED, "MemoryError": Kind.OUT_OF_MEMORY}
    kind = kinds.get(result.error)
    if kind:
        _note(state, Incident(result.id, kind, shown(result.message or result.error, MOST_SHOWN)))


def _note(state: _State, incident: Incident) -> None:
    if not any(known.cell == incident.cell and known.kind == incident.kind for known in state.incidents):
        state.incidents.append(incident)


def _how(code: int) -> str:
    if code == NO_ROOM:
        return CROWDED
    if code > 128:
        try:
            return f"ended by {signal.Signals(code - 128).name}"
        except ValueError:
            return f"ended by signal {code - 128}"
    return f"exit code {code}"
