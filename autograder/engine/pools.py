"""Where notebooks are run: on this machine's cores, or on the workers of a `dask.distributed` cluster.

Either way a task is a plain description of one notebook and its result is plain too; a worker has warm processes of
its own, never the gradebook.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from autograder.engine import sandbox
from autograder.engine.engine import Engine, Job
from autograder.engine.execution import run_cells
from autograder.engine.limits import Limits
from autograder.engine.processes import EngineError, Libraries
from autograder.errors import CourseError
from autograder.grading.workspace import plain_run

Task = dict[str, Any]
Result = dict[str, Any]


@dataclass(frozen=True)
class EngineOptions:
    """What every worker's engine is made with."""

    preload: tuple[str, ...] = ()
    limits: Limits = Limits()  # noqa: RUF009  frozen
    hidden: tuple[str, ...] = ()
    unsafe: bool = False

    def to_plain(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> EngineOptions:
        return cls(tuple(plain["preload"]), Limits(**plain["limits"]), tuple(plain["hidden"]), bool(plain["unsafe"]))


@dataclass(frozen=True)
class Pool:
    """Somewhere to send tasks: `submit(task)` gives a future of a result; `width` many make sense at a time."""

    executor: Executor
    function: Callable[[Task], Result]
    width: int

    def submit(self, task: Task) -> Any:
        return self.executor.submit(self.function, task)


def plain_job(job: Job) -> Task:
    """A job as JSON, for the way to a worker."""
    return vars(job) | {"files": [[name, content.hex()] for name, content in job.files]}


def job_from(task: Task) -> Job:
    files = [(name, bytes.fromhex(content)) for name, content in task["files"]]
    return Job(task["items"], task["given"], task["tests"], task["names"], task["values"], files)


# ---- engines, each used by one thread at a time


class Engines:
    """Engines of one kind, made when they are needed and kept for the next task; each on a core of its own."""

    def __init__(self, options: EngineOptions, cores: Sequence[int] = ()) -> None:
        self.options = options
        self.cores = list(cores)
        self.idle: queue.SimpleQueue[Engine] = queue.SimpleQueue()
        self.all: list[Engine] = []
        self.libraries: Libraries | None = None
        self.closed = False
        self.lock = threading.Lock()

    def run(self, task: Task) -> Result:
        """Run one notebook; an engine that breaks is replaced, once."""
        for last in (False, True):
            engine = self._take()
            try:
                run = engine.run(job_from(task))
            except EngineError:
                self._drop(engine)
                if last:
                    raise
                continue
            except BaseException:
                self._drop(engine)
                raise
            self.idle.put(engine)
            return plain_run(run)
        raise AssertionError("unreachable")

    def _take(self) -> Engine:
        try:
            while not (engine := self.idle.get_nowait()).libraries.alive():
                self._drop(engine)
            return engine
        except queue.Empty:
            return self._new()

    def start(self, count: int) -> None:
        """Have as many start already; it is not waited for."""
        for _ in range(count):
            self.idle.put(self._new())

    def _new(self) -> Engine:
        o = self.options
        with self.lock:
            if self.closed:
                raise EngineError("the run is over")
            taken = [engine.core for engine in self.all]
            core = min(self.cores, key=taken.count) if self.cores else None
            if self.libraries is None or not self.libraries.alive():
                self.libraries = Libraries(o.preload)
            engine = Engine(limits=o.limits, hidden=o.hidden, unsafe=o.unsafe, core=core, libraries=self.libraries)
            self.all.append(engine)
        return engine

    def _drop(self, engine: Engine) -> None:
        with self.lock:
            if engine not in self.all:  # all were closed meanwhile
                return
            self.all.remove(engine)
        engine.close()

    def close(self) -> None:
        with self.lock:
            self.closed, engines = True, self.all
            self.all = []
        for engine in engines:
            engine.close()
        if self.libraries:
            self.libraries.close()


def run_without_walls(task: Task, seconds: float) -> Result:
    """Where there is no fork to build on (macOS, Windows): tests and answers in one process, as `check` does."""
    sources = {test["id"]: test["source"] for test in task["tests"]}
    cells = [{"id": i["id"], "source": i.get("source", sources.get(i["id"], ""))} for i in task["items"]]
    return plain_run(run_cells(cells, seconds))


@contextlib.contextmanager
def local_pool(options: EngineOptions, workers: int | None = None) -> Iterator[Pool]:
    """All cores of this machine."""
    count = workers or available_cores()
    if sys.platform != "linux":
        if not options.unsafe:
            raise CourseError(
                "no sandbox on this system: grade on Linux, or give --unsafe to run the students' code as yourself"
            )
        with ThreadPoolExecutor(count) as executor:
            yield Pool(executor, lambda task: run_without_walls(task, options.limits.notebook), count)
        return
    sandbox.probe()
    engines = Engines(options, cores_in_turn())
    executor = ThreadPoolExecutor(count, thread_name_prefix="grading")
    try:
        engines.start(count)
        yield Pool(executor, engines.run, count)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        engines.close()
        executor.shutdown(wait=True)


def cores_in_turn() -> list[int]:
    """The cores that this process may use, not always the same one first: there may be more than one of it."""
    cores = sorted(os.sched_getaffinity(0))
    first = os.getpid() % len(cores)
    return cores[first:] + cores[:first]


def available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# ---- a cluster

_ON_THIS_WORKER: dict[str, Engines] = {}


def run_on_worker(task: Task, options: dict[str, Any]) -> Result:
    """What a dask worker does: a task on engines that stay warm for as long as the worker lives."""
    import atexit

    key = repr(sorted(options.items()))
    if key not in _ON_THIS_WORKER:
        engines = Engines(EngineOptions.from_plain(options))
        _ON_THIS_WORKER[key] = engines
        atexit.register(engines.close)
    return _ON_THIS_WORKER[key].run(task)


@contextlib.contextmanager
def cluster_pool(address: str, options: EngineOptions) -> Iterator[Pool]:
    """The workers of a running `dask.distributed` scheduler; a task whose worker dies is run by another."""
    try:
        from distributed import Client
    except ImportError as error:
        raise CourseError("--scheduler needs the package `distributed`: pip install distributed") from error
    try:
        client = Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise CourseError(f"{address}: no scheduler answers there ({type(error).__name__})") from error
    plain = options.to_plain()
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise CourseError(f"{address}: the scheduler has no workers: start some with `dask worker {address}`")
        executor = client.get_executor(pure=False, retries=3)
        yield Pool(executor, _Remote(plain), max(1, threads))


@dataclass(frozen=True)
class _Remote:
    """A function that the cluster can be sent."""

    options: dict[str, Any]

    def __call__(self, task: Task) -> Result:
        return run_on_worker(task, self.options)


def pool_for(
    options: EngineOptions, *, scheduler: str | None, workers: int | None
) -> contextlib.AbstractContextManager[Pool]:
    return cluster_pool(scheduler, options) if scheduler else local_pool(options, workers)
