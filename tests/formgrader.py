"""nbgrader's formgrader as an instructor has it: `jupyter lab` in the course's folder, then `/formgrader`."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

UNASKED = range(20_000, 30_000)  # ports that no system hands out by itself, to a neighbour's test, say


@contextlib.contextmanager
def jupyter_lab(root: Path, home: Path) -> Iterator[tuple[str, str]]:
    """A JupyterLab of its own on the loopback, in the folder `root`; its address and its token.

    Whatever Jupyter keeps of its own goes to `home`. AssertionError with its log if it ends before it serves.
    """
    port = secrets.choice(UNASKED)
    token = secrets.token_hex()
    own = {"HOME": home, "JUPYTER_CONFIG_DIR": home / "config", "JUPYTER_DATA_DIR": home / "data",
           "JUPYTER_RUNTIME_DIR": home / "runtime", "IPYTHONDIR": home / "ipython"}  # fmt: skip
    words = ["lab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0", "--allow-root",
             f"--IdentityProvider.token={token}"]  # fmt: skip
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyter", *words], cwd=root, env=os.environ | {k: str(v) for k, v in own.items()},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
    )  # fmt: skip
    try:
        log: list[str] = []
        reading = threading.Thread(target=log.extend, args=[server.stderr], daemon=True)
        reading.start()  # else it waits when the pipe is full
        while not listens(port):  # what it says of itself, "is running at", comes a moment too early
            if server.poll() is not None:
                reading.join()
                raise AssertionError("".join(log[-40:]))
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}", token
    finally:
        server.terminate()
        server.wait()


def listens(port: int) -> bool:
    """Whether somebody answers at this port of the loopback."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True
