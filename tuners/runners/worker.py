"""The worker process: `python -m kerasnas.tuners.runners.worker REQUESTS REPLIES PARENT`.

REQUESTS and REPLIES are inherited file descriptors that carry JSON lines, PARENT is the id of
the process at their other end. Requests: `{"job": {...}, "run": number, "log": path or null}` and,
after a progress reply, `{"keep": bool}`. Replies: `ready`, `progress`, `finished` or `failed`, in
`event`, with the `id` and the `run` of the job. Standard output and error go to each trial's log,
if it has one, else where they went at first.

When the parent dies, so does the worker; and when the worker dies, so does what it has started.
What a trial starts ends with the trial; what a factory starts lives on with the data it has loaded.
A child that a trial forks has no pipes: it cannot reply, and it ends where it would.
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
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from .base import Evaluate, Job, TrialContext
from .child import LONGEST, descendants

_SAID = 100_000  # characters of an error's message, and of its traceback


class Pipe:
    """The worker's end: lines out, and a thread that takes requests and notices the end.

    The thread is what ends a running trial when the parent is gone: it kills the worker's whole
    process group, because Python's own exit would wait for the trial.
    """

    def __init__(self, requests: int, replies: int) -> None:
        self.jobs: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.busy = False
        self.job: tuple[str, int] = "", 0  # id and run of the job that replies are about
        self._requests, self._replies = requests, replies
        self._pid = os.getpid()
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._leave)
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, event: str, **content: Any) -> None:
        """Write one reply.

        Raises:
            TypeError: It is no JSON; so with ValueError.
            ValueError: It is longer than the parent reads.
        """
        if os.getpid() != self._pid:
            os._exit(1)  # a forked child has come to the end of its trial
        id, run = self.job
        reply = {"event": event, "id": id, "run": run, **content}
        line = json.dumps(reply, default=_plain).encode() + b"\n"
        if len(line) > LONGEST:
            raise ValueError(
                f"it has {len(line):,} bytes as JSON, and at most {LONGEST:,} are taken: write "
                "what is large to a file in the trial's directory"
            )
        with self._lock, contextlib.suppress(BrokenPipeError):  # the reader deals with it
            _write_all(self._replies, line)

    def _leave(self) -> None:
        """Give both ends up in a child that was just forked."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (self._requests, self._replies):
            os.dup2(nowhere, descriptor, inheritable=False)
        os.close(nowhere)

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
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _plain(value: Any) -> Any:
    """NumPy and tensor scalars as Python numbers, so that a metric need not be converted."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} {value!r} cannot be written as JSON")


def load_factory(name: str) -> Callable[..., Evaluate]:
    """Return the object behind `"package.module:callable"`."""
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
        self._kept: set[psutil.Process] = set()  # processes that no trial has started

    def run(self, job: Job) -> None:
        """Run a job and reply `finished` or `failed`."""
        started = time.monotonic()
        try:
            evaluate = self._load(job)
        except BaseException as error:
            self._fail("import", f"{job.factory} could not be loaded: {_say(error)}", started)
            return
        self._kept = set(descendants(os.getpid()))
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
            self._end_started()
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
        said, seconds = traceback.format_exc(), time.monotonic() - started
        self._end_started()
        self._pipe.busy = False
        self._pipe.send(
            "failed",
            cause=cause,
            message=message[:_SAID],
            traceback=said[-_SAID:],
            seconds=seconds,
        )

    def _end_started(self) -> None:
        """End what the trial has started and left running."""
        left = set(descendants(os.getpid())) - self._kept
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=1)


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


_PARENT_DEATH_SIGNAL, _CHILD_SUBREAPER = 1, 36
"""Requests to Linux; see prctl(2)."""


def _die_with(parent: int) -> None:
    """Ask Linux to kill this process when the parent's starting thread ends.

    The pipe's end says the same, but a trial stuck in native code may never notice it.
    """
    _ask_linux(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _ask_linux(request: int, argument: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(request, argument, 0, 0, 0)


def _guard(descriptors: Sequence[int]) -> None:
    """Start a process that ends the worker's process group when the worker is dead.

    Whatever kills the worker, itself included, may leave running what it has started. Nothing but
    a process of its own can end that: it must not need the worker's interpreter. What leaves both
    the group and its parents stays a descendant of the worker while this lives.

    Args:
        descriptors: Of the worker, which the process gives up.
    """
    if sys.platform != "linux":
        return  # the parent ends the group, if it is alive
    _ask_linux(_CHILD_SUBREAPER, 1)
    worker = os.getpid()
    if os.fork():
        return
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        _ask_linux(_PARENT_DEATH_SIGNAL, signal.SIGUSR1)
        for descriptor in descriptors:
            os.close(descriptor)
        if os.getppid() == worker:
            signal.sigwait([signal.SIGUSR1])
        os.killpg(0, signal.SIGKILL)
    finally:
        os._exit(1)


def main(requests: int, replies: int, parent: int) -> None:
    """Serve jobs until the parent closes the pipe."""
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C ends
    faulthandler.enable(all_threads=False)
    os.set_inheritable(requests, False)
    os.set_inheritable(replies, False)
    _guard((requests, replies))
    pipe = Pipe(requests, replies)
    worker = Worker(pipe)
    output = os.dup(sys.stdout.fileno())
    while (request := pipe.jobs.get()) is not None:
        _log_to(request["log"], output)
        job = Job.from_plain(request["job"])
        pipe.job = job.id, request["run"]
        worker.run(job)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
