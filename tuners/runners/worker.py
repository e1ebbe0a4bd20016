"""The worker process: `python -m kerasnas.tuners.runners.worker REQUESTS REPLIES PARENT`.

REQUESTS and REPLIES are inherited file descriptors that carry JSON lines, PARENT is the id of
the process at their other end. Requests: `{"job": {...}, "log": path or null}` and, after a
progress reply, `{"keep": bool}`. Replies: `ready`, `progress`, `finished` or `failed`, in `event`.
Standard output and error go to each trial's log, if it has one, else where they went at first.
When the parent dies, so does the worker.
"""

import contextlib
import ctypes
import errno
import faulthandler
import importlib
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from .base import Evaluate, Job, TrialContext


class Pipe:
    """The worker's end: lines out, and a thread that takes requests and notices the end.

    The thread is what ends a running trial when the parent is gone: it kills the worker's whole
    process group, because Python's own exit would wait for the trial.
    """

    def __init__(self, requests: int, replies: int) -> None:
        self.jobs: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.busy = False
        self._requests, self._replies = requests, replies
        self._lock = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, event: str, **content: Any) -> None:
        """Write one reply."""
        line = json.dumps({"event": event, **content}, default=_plain) + "\n"
        with self._lock, contextlib.suppress(BrokenPipeError):  # the reader deals with it
            _write_all(self._replies, line.encode())

    def _read(self) -> None:
        with os.fdopen(self._requests, encoding="utf-8") as lines:
            for line in lines:
                request = json.loads(line)
                if "keep" in request:
                    self.answers.put(request["keep"])
                else:
                    self.busy = True
                    self.jobs.put(request)
        if self.busy:
            os.killpg(0, signal.SIGKILL)
        self.jobs.put(None)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _plain(value: Any) -> Any:
    """NumPy and tensor scalars as Python numbers, so that a metric need not be converted."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} {value!r} cannot be written as JSON")


def load_factory(name: str) -> Callable[..., Evaluate]:
    """The object behind `"package.module:callable"`."""
    module, _, attribute = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    return found


class Worker:
    """Runs jobs one after the other, keeping what the last factory made."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._loaded: tuple[str, Evaluate] | None = None

    def run(self, job: Job) -> None:
        """Run a job and reply `finished` or `failed`."""
        started = time.monotonic()
        try:
            evaluate = self._load(job)
        except BaseException as error:
            self._fail("import", f"{job.factory} could not be loaded: {_say(error)}", started)
            return
        self._pipe.send("ready")
        started = time.monotonic()
        trial = TrialContext(job.id, job.directory, self._report)
        try:
            result = evaluate(dict(job.values), trial)
            if not isinstance(result, dict) or not isinstance(result.get("metrics"), dict):
                raise TypeError(
                    f'{job.factory} must make a function that returns {{"metrics": {{...}}}}; '
                    f"it returned {result!r:.200}"
                )
            seconds = time.monotonic() - started
            self._pipe.busy = False
            self._pipe.send("finished", result=result, seconds=seconds)
        except MemoryError as error:
            self._fail("memory", _say(error), started)
        except BaseException as error:  # SystemExit too: it costs the trial, not the worker
            full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
            self._fail("disk" if full else "exception", _say(error), started)

    def _load(self, job: Job) -> Evaluate:
        key = json.dumps([job.factory, dict(job.arguments)], sort_keys=True)
        if self._loaded is None or self._loaded[0] != key:
            self._loaded = None  # let go of the old data before loading the new
            self._loaded = (key, load_factory(job.factory)(**job.arguments))
        return self._loaded[1]

    def _report(self, step: int, **metrics: float) -> bool:
        plain = {name: float(value) for name, value in metrics.items()}
        self._pipe.send("progress", step=int(step), metrics=plain)
        return self._pipe.answers.get()

    def _fail(self, cause: str, message: str, started: float) -> None:
        self._pipe.busy = False
        self._pipe.send(
            "failed",
            cause=cause,
            message=message,
            traceback=traceback.format_exc(),
            seconds=time.monotonic() - started,
        )


def _say(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)).strip()


def _log_to(path: str | None, own: int) -> None:
    """Send what this process prints, from Python or from C, to a new file or to `own`, emptied."""
    sys.stdout.flush()
    sys.stderr.flush()
    if path is None:
        os.ftruncate(own, 0)
        os.lseek(own, 0, os.SEEK_SET)
        log = os.dup(own)
    else:
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def _die_with(parent: int) -> None:
    """Ask Linux to kill this process when the parent's starting thread ends.

    The pipe's end says the same, but a trial stuck in native code may never notice it.
    """
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def main(requests: int, replies: int, parent: int) -> None:
    """Serve jobs until the parent closes the pipe."""
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C ends
    faulthandler.enable(all_threads=False)
    os.set_inheritable(requests, False)
    os.set_inheritable(replies, False)
    pipe = Pipe(requests, replies)
    worker = Worker(pipe)
    output = os.dup(sys.stdout.fileno())
    while (request := pipe.jobs.get()) is not None:
        _log_to(request["log"], output)
        worker.run(Job.from_plain(request["job"]))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
