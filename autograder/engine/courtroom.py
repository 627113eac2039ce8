"""The walls around the judge, which reads what hostile code sends it: the same as around a student, in two steps.

The warm process of the judges goes behind them once, to where there are the libraries and nothing else. Each judge that
comes from it gets an empty folder, gives up every right and installs the filter: two milliseconds.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

import autograder
from autograder import folders
from autograder.engine import sandbox
from autograder.engine.jobs import JudgeOrder, Place
from autograder.engine.limits import Limits

OWN_FOLDER = f"/{sandbox.SCRATCH}/judge"  # of the one judge that there is at a time
OUR_CODE = str(Path(autograder.__file__).parent)  # some of it is imported when it is needed


@dataclass(frozen=True)
class Courtroom:
    """Where judges sit."""

    walls: sandbox.Walls
    unsafe: bool
    uid: int  # a user for the judges, where root grades
    claim: socket.socket | None
    held: int  # bytes of memory that every judge begins with

    def admit(self, job: JudgeOrder, limits: Limits) -> None:
        """Shut this process in, a judge, in an empty folder but for `files`."""
        files = [(name, bytes.fromhex(content)) for name, content in job["files"]]
        folder = self._own_folder(job["scratch"])
        os.chdir(folder)
        sandbox.write_files(folder, files, self.uid)
        sandbox.limit_memory(2 * limits.memory, self.held)  # the tests' own, and what an answer sends
        sandbox.lower_limit(resource.RLIMIT_CORE, 0)
        os.environ.update(HOME=str(folder), TMPDIR=str(folder))
        tempfile.tempdir = None
        if self.unsafe and not self.walls.namespaces:
            return
        sandbox.shut_in(self.walls, self.uid, str(folder))

    def _own_folder(self, scratch: str) -> Path:
        folder = Path(OWN_FOLDER if self.walls.namespaces else scratch)
        folder.mkdir(mode=0o700, exist_ok=True)
        if self.uid:
            os.chown(folder, self.uid, self.uid)
        return folder

    def clear(self) -> None:
        """Once a judge has ended, and all that it has started: what it wrote, the next one must not find."""
        if self.walls.namespaces:
            folders.empty(f"/{sandbox.SCRATCH}")
            Path("/", sandbox.SCRATCH).chmod(0o755)


def enter(control: socket.socket, place: Place) -> Courtroom:
    """Take the warm process of the judges behind the walls; tells the engine of it.

    Where there are namespaces, what returns is a child of the caller, the first process of its own ones.
    """
    found, unsafe = sandbox.Walls(**place["walls"]), place["unsafe"]
    as_another = os.geteuid() == 0 and (found.namespaces == "root" or not (found.namespaces or unsafe))
    uid, claim = sandbox.spare_uid() if as_another else (0, None)
    room = Courtroom(found, unsafe, uid, claim, sandbox.data_bytes())
    if not found.namespaces:
        introduce(control, os.getpid())
        return room
    sandbox.unshare(found.namespaces)
    pid = os.fork()
    if pid:
        introduce(control, pid)
        control.close()
        os.waitpid(pid, 0)
        os._exit(0)
    sandbox.die_with_parent(signal.SIGKILL)
    sandbox.enter_mount_namespace()
    sandbox.build_root(Limits(), [], place["hidden"], 0, more=[OUR_CODE])
    for folder in (Path("/tmp"), Path("/dev/shm")):
        if not any(folder.iterdir()):  # our own code may lie below: then it stays, read-only
            folder.rmdir()
            folder.symlink_to(OWN_FOLDER)
    sandbox.make_root_read_only()
    options = f"size={Limits.scratch},nr_inodes=20000,mode=755"
    sandbox.mount("tmpfs", f"/{sandbox.SCRATCH}", "tmpfs", sandbox.MS_NOSUID | sandbox.MS_NODEV, options)
    os.chdir("/")
    return room


def introduce(control: socket.socket, pid: int) -> None:
    """Tell the engine which process it will talk to, and give it a descriptor that tells its end."""
    watch = os.pidfd_open(pid)
    socket.send_fds(control, [json.dumps({"pid": pid}).encode()], [watch])
    os.close(watch)
