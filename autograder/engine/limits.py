"""What a submission may use."""

from __future__ import annotations

from dataclasses import asdict, dataclass

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """Limits for one notebook; seconds of the clock unless the name says CPU."""

    notebook: float = 120.0
    cell_cpu: float = 15.0
    cell: float = 40.0
    test: float = 40.0  # one test with all its calls
    call_cpu: float = 10.0  # one call into the student's code
    memory: int = 1024 * MIB  # bytes beyond the libraries, for a process and for all of them together
    scratch: int = 64 * MIB  # bytes of files
    processes: int = 256  # and threads: a pool of a hundred is nothing unusual
    thread_stack: int = 2 * MIB  # bytes; so many threads have no room for the system's eight
    open_files: int = 128  # of each process: what lies in its sockets and pipes is the kernel's memory
    output: int = 20_000  # characters kept of what one cell prints
    message: int = 64 * MIB  # bytes of one value that crosses between the processes

    @classmethod
    def for_notebook(cls, seconds: float) -> Limits:
        """Limits in proportion: a notebook has time for a cell or two that use up all of theirs."""
        third = seconds / 3
        return cls(notebook=seconds, cell=third, test=third, cell_cpu=seconds / 8, call_cpu=seconds / 12)

    def to_plain(self) -> dict[str, float]:
        return asdict(self)
