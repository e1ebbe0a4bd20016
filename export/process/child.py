"""Running a program in a child process that may take only so much time and memory.

The child begins here: `python -m kerasnas.export.process.child PARENT MODULE REQUEST ERROR`.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from ..errors import ExportError

_POLL_SECONDS = 0.1
_LOG_LINES = 5
_ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "",
    "KERAS_BACKEND": "tensorflow",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
}
REFUSED = 3
"""Exit code of a child whose input cannot be used."""


class ChildDied(ExportError):  # noqa: N818 - the child did; nothing erred here
    """The child process ended by itself, by a signal or an exception."""


def run_module(
    module: str,
    request: Mapping[str, Any],
    *,
    what: str,
    time_limit: float,
    memory_limit: int,
) -> None:
    """Run `python -m module REQUEST ERROR` and wait for it.

    REQUEST is a JSON file of `request`; the child writes to the file ERROR what is wrong with its
    input and ends with `REFUSED`. It sees no GPU, computes with one thread, and never outlives
    this call; on Linux not even where this process is killed.

    Args:
        module: What to run.
        request: What it is to do.
        what: The same in words, for messages: "converting model.keras to full_int8".
        time_limit: Seconds.
        memory_limit: Bytes of resident memory, of the child and its own children.

    Raises:
        ChildDied: It died.
        ExportError: It refused its input, or was over a limit.
    """
    with tempfile.TemporaryDirectory(prefix="kerasnas-") as directory:
        files = Path(directory)
        (files / "request.json").write_text(json.dumps(request), encoding="utf-8")
        with (files / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    __name__,
                    str(os.getpid()),
                    module,
                    str(files / "request.json"),
                    str(files / "error"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | _ENVIRONMENT | {"PYTHONPATH": _import_path()},
            )
        try:
            code = _wait(process, what, time_limit, memory_limit)
        finally:
            _kill(process)
        if code == REFUSED:
            raise ExportError((files / "error").read_text(encoding="utf-8"))
        if code:
            reason = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
            raise ChildDied(f"{what}: the process {reason}. Its last words:\n{_tail(files)}")


def _import_path() -> str:
    """Return what can be imported here, for the child.

    Its own directory is not among it, where anything may lie.
    """
    return os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)


def _wait(process: subprocess.Popen[bytes], what: str, time_limit: float, memory: int) -> int:
    deadline = time.monotonic() + time_limit
    while True:
        try:
            return process.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            held = _resident(process.pid)
        if held > memory:
            raise ExportError(
                f"{what} held {held:,} bytes of memory, more than the {memory:,} allowed, and "
                "was stopped: raise the memory limit, or choose a smaller network"
            )
        if time.monotonic() > deadline:
            raise ExportError(
                f"{what} took more than {time_limit:g} s and was stopped: raise "
                "the time limit, or calibrate on fewer clips"
            )


def _resident(pid: int) -> int:
    try:
        process = psutil.Process(pid)
        return sum(p.memory_info().rss for p in [process, *process.children(recursive=True)])
    except psutil.Error:  # it has just ended
        return 0


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        family = []
    process.kill()
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


def _die_with(parent: int) -> None:
    """Ask Linux to kill this process when the parent's starting thread ends."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
        if os.getppid() != parent:  # it died before
            os._exit(1)


def _tail(files: Path) -> str:
    lines = (files / "log").read_text(errors="replace").splitlines()
    return "\n".join([line for line in lines if line.strip()][-_LOG_LINES:]) or "(none)"


if __name__ == "__main__":
    # TensorFlow's import makes objects by the hundred thousand that stay: looking through them
    # again and again for some to free took a fifth of it.
    gc.set_threshold(50_000)
    _die_with(int(sys.argv.pop(1)))
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
