"""One worker process as its parent sees it: start, lines in and out, and how it ended."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from .base import Cause, Job

LOG_TAIL = 12
"""Lines of a dead worker's log that its message quotes."""

LONGEST = 16_000_000
"""Bytes of the longest reply: a larger result belongs in a file of the trial's directory."""

_TAIL_BYTES = 4096
_CHUNK = 1 << 16
_TURN = 1 << 20  # bytes that are read at once, before other workers have their turn


class BadReplyError(Exception):
    """What came through a worker's pipe is no reply."""


class Child:
    """A running worker process, its two pipes, and how many jobs it was given.

    Args:
        environment: the whole environment of the process.

    It prints into a file that has no name, so that nothing is left of it, until a job names one.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        requests, self._requests = os.pipe()
        self.replies, replies = os.pipe()
        os.set_blocking(self.replies, False)
        self.served = 0
        self._asked = "", 0  # the job whose replies are awaited, and how many it had then served
        self.silent = False  # True once the other end of `replies` is closed
        self._partial = bytearray()
        self._fault: BadReplyError | None = None
        # -P: the current directory is on the path only where the parent has it there
        command = [sys.executable, "-u", "-P", "-m", "kerasnas.tuners.runners.worker"]
        descriptors = (requests, replies)
        try:
            self._output = tempfile.TemporaryFile()  # noqa: SIM115, closed by `kill`
            self._process = subprocess.Popen(
                [*command, *map(str, descriptors), str(os.getpid())],
                env=dict(environment),
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                start_new_session=True,  # out of Ctrl-C's reach, and a group to kill
            )
        finally:
            os.close(requests)
            os.close(replies)
        self.pid = self._process.pid
        self._kernel_kills = kernel_kills()

    def run(self, job: Job, log: Path | None) -> None:
        """Ask for one more job."""
        self.served += 1
        self._asked = job.id, self.served
        self.send({"job": job.to_plain(), "run": self.served, "log": log and str(log)})

    def send(self, request: Mapping[str, Any]) -> None:
        """Write one request; a dead worker is noticed by `ended`, not here."""
        view = memoryview(json.dumps(request).encode() + b"\n")
        with contextlib.suppress(BrokenPipeError):
            while view:
                view = view[os.write(self._requests, view) :]

    def receive(self, at_most: float = _TURN) -> list[dict[str, Any]]:
        """Return the complete replies to the last job that have come in; never blocks.

        Args:
            at_most: Bytes to read, about: other workers want their turn.

        Raises:
            BadReplyError: What came is longer than `LONGEST`, or is no reply.
        """
        if self._fault is not None:
            raise self._fault
        replies: list[dict[str, Any]] = []
        try:
            self._take_in(replies, at_most)
        except BadReplyError as error:
            if not replies:
                raise
            self._fault = error  # what came before it counts
        return replies

    def _take_in(self, replies: list[dict[str, Any]], at_most: float) -> None:
        taken = 0
        while taken < at_most:
            try:
                chunk = os.read(self.replies, _CHUNK)
            except BlockingIOError:
                return
            if not chunk:
                self.silent = True
                return
            taken += len(chunk)
            *whole, rest = chunk.split(b"\n")
            for part in whole:
                line = bytes(self._partial + part)
                self._partial.clear()
                reply = _reply(line)
                if (reply["id"], reply["run"]) == self._asked:
                    replies.append(reply)
            self._partial += rest
            if len(self._partial) > LONGEST:
                raise BadReplyError(f"it sent more than {LONGEST:,} bytes as one reply")

    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def memory(self) -> int:
        """See `held_memory`."""
        return held_memory(self.pid)

    def dismiss(self) -> None:
        """Let the process end by itself, with its exit handlers."""
        if self._requests >= 0:
            os.close(self._requests)
            self._requests = -1

    def join(self, timeout: float) -> bool:
        """Wait until the process has ended; False when it has not in time."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End the process and all it started, and free what the parent holds of it."""
        started = descendants(self.pid)  # what has left the group among them
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for process in started:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._process.wait()
        self.dismiss()
        os.close(self.replies)
        self._output.close()

    def tail(self, log: Path | None) -> str:
        """Return the last lines printed into `log`, or if there are none, before or without it."""
        if log is not None and (lines := log_tail(log)):
            return lines
        size = os.fstat(self._output.fileno()).st_size
        return _last(os.pread(self._output.fileno(), _TAIL_BYTES, max(0, size - _TAIL_BYTES)))

    def exited(self) -> bool:
        """Whether the process has ended by itself: an exit code, no signal."""
        return (self._process.returncode or 0) > 0

    def describe_end(self) -> tuple[Cause, str]:
        """Cause and words for a process that ended without being asked to."""
        return describe_exit(self._process.returncode, kernel_kills() > self._kernel_kills)


_FIELDS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "ready": {},
    "progress": {"step": int, "metrics": dict},
    "finished": {"result": dict, "seconds": (int, float)},
    "failed": {"message": str, "traceback": str, "cause": str, "seconds": (int, float)},
}
"""What a reply of each kind has beside `event`, `id` and `run`; see `worker`."""


def _reply(line: bytes) -> dict[str, Any]:
    """Return the reply that a line is.

    Raises:
        BadReplyError: It is none.
    """
    try:
        reply: dict[str, Any] = json.loads(line)
        fields = {"id": str, "run": int, **_FIELDS[reply["event"]]}
        whole = all(isinstance(reply[name], kind) for name, kind in fields.items())
        if whole and reply["event"] == "progress":
            whole = all(isinstance(value, int | float) for value in reply["metrics"].values())
        if whole and reply["event"] == "finished":
            whole = isinstance(reply["result"]["metrics"], dict)
    except (ValueError, RecursionError, LookupError, TypeError):
        whole = False
    if not whole:
        raise BadReplyError(f"what it sent is no reply: {line[:60]!r}")
    return reply


def descendants(pid: int) -> list[psutil.Process]:
    """Return the processes that a process has started, and those started by them."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def held_memory(pid: int) -> int:
    """Resident bytes of a process, without mapped files where the system tells; 0 if it is gone."""
    try:
        memory = psutil.Process(pid).memory_info()
    except psutil.Error:
        return 0
    return int(memory.rss - getattr(memory, "shared", 0))


def describe_exit(code: int, out_of_memory: bool) -> tuple[Cause, str]:
    """Cause and words for an exit code as `subprocess` gives it (a negated signal, if one).

    Args:
        code: the exit code.
        out_of_memory: whether the kernel killed some process for memory meanwhile.
    """
    if code >= 0:
        return "crash", f"the worker ended by itself with exit code {code}"
    name = signal.Signals(-code).name if -code in list(signal.Signals) else f"signal {-code}"
    if -code == signal.SIGKILL and out_of_memory:
        return "memory", "the kernel killed the worker because memory ran out"
    if -code in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        return "killed", f"the worker was killed from outside ({name})"
    return "crash", f"the worker crashed with {name} ({signal.strsignal(-code)})"


def kernel_kills(
    files: tuple[Path, ...] = (Path("/sys/fs/cgroup/memory.events"), Path("/proc/vmstat")),
) -> int:
    """How many processes Linux has killed for memory so far; 0 where it cannot be known."""
    for file in files:
        with contextlib.suppress(OSError, ValueError):
            counts = dict(line.split() for line in file.read_text().splitlines())
            if "oom_kill" in counts:
                return int(counts["oom_kill"])
    return 0


def log_tail(log: Path, lines: int = LOG_TAIL) -> str:
    """Return the last non-empty lines of a log; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return _last(file.read(), lines)
    except OSError:
        return ""


def _last(data: bytes, lines: int = LOG_TAIL) -> str:
    text = data.decode(errors="replace")
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])
