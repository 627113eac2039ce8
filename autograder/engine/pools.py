"""Where notebooks are run: on this machine's cores, or on the workers of a `dask.distributed` cluster.

Either way a job goes there and a run comes back, plain data both; a worker has warm processes of its own, never the
gradebook.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass

from autograder import asking
from autograder.engine import sandbox
from autograder.engine.engine import Engine
from autograder.engine.execution import run_cells
from autograder.engine.jobs import Job, PlainCell
from autograder.engine.limits import Limits
from autograder.engine.processes import EngineError, Libraries
from autograder.errors import CourseError
from autograder.notebook.helper import helper_cell
from autograder.results import Run


@dataclass(frozen=True)
class EngineOptions:
    """What every worker's engine is made with."""

    preload: tuple[str, ...] = ()
    limits: Limits = Limits()  # noqa: RUF009  frozen
    hidden: tuple[str, ...] = ()
    unsafe: bool = False


@dataclass(frozen=True)
class Pool:
    """Somewhere to send jobs: `submit` gives a future of the run; `width` many make sense at a time."""

    executor: Executor
    function: Callable[[Job], Run]
    width: int

    def submit(self, job: Job) -> Future[Run]:
        return self.executor.submit(self.function, job)


# ---- engines, each used by one thread at a time


class Engines:
    """Engines of one kind, made when they are needed and kept for the next job; each on a core of its own."""

    def __init__(self, options: EngineOptions, cores: Sequence[int] = ()) -> None:
        self.options = options
        self.cores = list(cores)
        self.idle: queue.SimpleQueue[Engine] = queue.SimpleQueue()
        self.all: list[Engine] = []
        self.libraries: Libraries | None = None
        self.closed = False
        self.lock = threading.Lock()

    def run(self, job: Job) -> Run:
        """Run one notebook; an engine that breaks is replaced, once."""
        for last in (False, True):
            engine = self._take()
            try:
                run = engine.run(job)
            except EngineError:
                self._drop(engine)
                if last:
                    raise
                continue
            except BaseException:
                self._drop(engine)
                raise
            self.idle.put(engine)
            return run
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


def run_without_walls(job: Job, limits: Limits) -> Run:
    """Where there is no fork to build on (macOS, Windows): tests and answers in one process, as `check` does."""
    sources = {test["id"]: test["source"] for test in job.tests}
    record = {name: known for test in job.tests for name, known in test.get("record", {}).items()}
    cells: list[PlainCell] = []
    if any("record" in test for test in job.tests):
        cells.append({"id": asking.CELL, "source": helper_cell(record)})
    for item in job.items:
        name = item["id"]
        cells.append({"id": name, "source": item.get("source", sources.get(name, "")), "test": item["kind"] == "test"})
    return run_cells(cells, limits)


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
            yield Pool(executor, lambda job: run_without_walls(job, options.limits), count)
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

_ON_THIS_WORKER: dict[EngineOptions, Engines] = {}


def run_on_worker(job: Job, options: EngineOptions) -> Run:
    """What a dask worker does: a job on engines that stay warm for as long as the worker lives."""
    if options not in _ON_THIS_WORKER:
        engines = Engines(options)
        _ON_THIS_WORKER[options] = engines
        atexit.register(engines.close)
    return _ON_THIS_WORKER[options].run(job)


@contextlib.contextmanager
def cluster_pool(address: str, options: EngineOptions) -> Iterator[Pool]:
    """The workers of a running `dask.distributed` scheduler; a job whose worker dies is run by another."""
    try:
        from distributed import Client  # not everybody has it, and it takes a second
    except ImportError as error:
        raise CourseError("--scheduler needs the package `distributed`: pip install distributed") from error
    try:
        client = Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise CourseError(f"{address}: no scheduler answers there ({type(error).__name__})") from error
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise CourseError(f"{address}: the scheduler has no workers: start some with `dask worker {address}`")
        executor = client.get_executor(pure=False, retries=3)
        yield Pool(executor, functools.partial(run_on_worker, options=options), max(1, threads))


def pool_for(
    options: EngineOptions, *, scheduler: str | None, workers: int | None
) -> contextlib.AbstractContextManager[Pool]:
    return cluster_pool(scheduler, options) if scheduler else local_pool(options, workers)
