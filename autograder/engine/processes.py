"""Starting, watching and ending the processes of the engine."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import TypedDict

from autograder.engine.jobs import Job, JudgeOrder, Place, Report, StudentOrder
from autograder.files import digest

START_SECONDS = 120.0
END_SECONDS = 5.0
READ = 1 << 16  # bytes to ask for
MOST_READS = 64  # at one time, so that a flood cannot keep the reader
MOST_UNREAD = 2 * 2**20  # bytes of one record: what is kept of a cell's output, escaped, is less

# What a warm process is told of the grader's environment. The rest, passwords and tokens among it, must not even lie
# in the memory of a process that becomes a student.
INHERITED = (
    "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONPATH",
    "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "MPLCONFIGDIR", "XDG_CACHE_HOME",
)  # fmt: skip


class _Told(TypedDict, total=False):
    """What a warm process answers."""

    code: int  # of a child that has ended
    cpu: float  # and its seconds


class EngineError(Exception):
    """The engine itself failed; nothing that a submission did."""


class Child:
    """A student or a judge, forked from a warm process."""

    def __init__(self, parent: Warm, pid: int, watch: int, report: socket.socket) -> None:
        self.parent = parent
        self.pid = pid
        self.watch = watch  # a descriptor that becomes readable when the process ends
        self.report = report
        self.unread = b""
        self.heard = 0
        self.ended_by_us = False

    def lines(self, limit: int) -> tuple[list[Report], bool]:
        """The records that have arrived, and whether more may come: not from one that is gone or talks nonsense."""
        records: list[Report] = []
        for _ in range(MOST_READS):
            try:
                part = self.report.recv(READ)
            except BlockingIOError:
                return records, True
            except OSError:
                return records, False
            self.heard += len(part)
            if not part or self.heard > limit:
                return records, False
            *whole, self.unread = (self.unread + part).split(b"\n")
            if len(self.unread) > MOST_UNREAD:
                return records, False
            try:
                found = [json.loads(line) for line in whole]
            except (ValueError, RecursionError):
                return records, False
            records += [record for record in found if type(record) is dict]
            if len(part) < READ:  # that was all for now
                break
        return records, True

    def end(self) -> tuple[int, float]:
        """Make an end of it and everything it started; returns its exit code and its CPU seconds."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.watch, number)
            if _readable(self.watch, END_SECONDS):
                break
            self.ended_by_us = True  # by force, next
        return self.collect()

    def collect(self) -> tuple[int, float]:
        """Exit code and CPU seconds of a process that has ended."""
        self.report.close()
        os.close(self.watch)
        answer = self.parent.ask({"wait": self.pid})
        return int(answer["code"]), float(answer["cpu"])


class Libraries:
    """A process that has imported what notebooks import: every warm process begins as a copy of it.

    It never holds a test, so neither do the students that come from it.
    """

    def __init__(self, preload: Sequence[str]) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "autograder.engine.warm", str(theirs.fileno()), *preload]
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ} | {
            "MPLBACKEND": "Agg",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
        }
        self.process = subprocess.Popen(
            command,
            env=environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()

    def alive(self) -> bool:
        return self.process.poll() is None

    def start(self, role: str, core: int | None, place: Place) -> socket.socket:
        """Have a warm process of a role made; it is not waited for. Returns our end of its socket."""
        ours, theirs = socket.socketpair()
        try:
            request = json.dumps({"role": role, "core": core, "place": place}).encode("ascii")
            socket.send_fds(self.control, [request], [theirs.fileno()])
        except OSError as error:
            ours.close()
            raise EngineError(f"the process with the libraries is gone ({error})") from error
        finally:
            theirs.close()
        return ours

    def close(self) -> None:
        """Once all that came from it has ended."""
        self.control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(END_SECONDS)
        self.process.kill()
        self.process.wait()


class Warm:
    """A warm process of one role, and the way to fork children from it."""

    def __init__(self, role: str, libraries: Libraries, place: Place, core: int | None = None) -> None:
        """`place`: the walls around its children, as `courtroom.enter` takes them."""
        self.control = libraries.start(role, core, place)
        self.pid, self.watch = 0, -1  # of the process, and a descriptor that tells its end: once it is ready
        self.prepared: set[str] = set()

    def wait_ready(self) -> None:
        if self.watch >= 0:
            return
        self.control.settimeout(START_SECONDS)
        try:
            answer, descriptors, _, _ = socket.recv_fds(self.control, 4096, 1)
            self.pid, self.watch = int(json.loads(answer)["pid"]), descriptors[0]
        except (OSError, ValueError) as error:
            raise EngineError("a warm process did not start: try `autograder doctor`") from error

    def ask(self, request: Mapping[str, object], *descriptors: int) -> _Told:
        """`descriptors` are sent along, and closed here."""
        try:
            socket.send_fds(self.control, [json.dumps(request).encode("ascii")], descriptors)
            return json.loads(self.control.recv(4096))  # type: ignore[no-any-return]
        except (OSError, ValueError) as error:
            raise EngineError(f"a warm process is gone ({error})") from error
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def prepare(self, job: Job) -> str:
        """Have our own cells kept and compiled, once, before anything is forked that runs them; returns their key."""
        cells = [list(job.given), list(job.tests)]
        key = job.key or digest(cells)
        if key in self.prepared:
            return key
        self.wait_ready()
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="autograder-") as file:  # mode 0600
            json.dump(cells, file)
            file.flush()
            self.ask({"prepare": key}, os.open(file.name, os.O_RDONLY))
        self.prepared.add(key)
        return key

    def fork(self, job: StudentOrder | JudgeOrder, sockets: Sequence[socket.socket]) -> Child:
        """Start a child on `job`; `sockets` become its own."""
        self.wait_ready()
        report, theirs = socket.socketpair()
        try:
            socket.send_fds(self.control, [b'{"fork": 1}'], [theirs.fileno(), *(s.fileno() for s in sockets)])
            answer, descriptors, _, _ = socket.recv_fds(self.control, 4096, 1)
            pid = int(json.loads(answer)["pid"])
        except (OSError, ValueError) as error:
            raise EngineError(f"a warm process is gone ({error})") from error
        finally:
            theirs.close()
        child = Child(self, pid, descriptors[0], report)
        with contextlib.suppress(OSError):  # a child that is gone already will be found so
            report.sendall(json.dumps(job).encode("ascii") + b"\n")
        report.setblocking(False)
        return child

    def close(self) -> None:
        self.control.close()
        watch, self.watch = self.watch, -1  # at once: the thread that uses it may find it gone, and close it, too
        if watch >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(watch, signal.SIGKILL)
            _readable(watch, END_SECONDS)
            os.close(watch)


def _readable(descriptor: int, seconds: float) -> bool:
    watch = select.poll()
    watch.register(descriptor, select.POLLIN)
    return bool(watch.poll(max(0.0, seconds) * 1000))
