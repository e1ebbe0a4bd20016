"""Trials on this machine: one child process per slot.

A crash of any kind costs the trial that ran. Workers are replaced after a number of trials or
when they have grown, because Keras gives memory back only when its process ends. The parent
imports nothing of what a trial imports.

The children are found by file descriptors and process groups: Linux and macOS, not Windows.
"""

import math
import os
import platform
import selectors
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ..core.errors import TunerError
from .base import Cause, Event, Failed, Finished, Job, Progress, Started
from .child import BadReplyError, Child
from .environment import available_cores, worker_environment

LOOK_EVERY = 0.5
"""Seconds between looks at limits, memory and silent deaths while trials run."""

GRACE = 5.0
"""Seconds a dismissed worker has for its exit handlers."""


class WorkerSettings(BaseModel):
    """When a worker process is replaced, and what it may take.

    Memory is resident memory without the pages of mapped files, which the kernel can drop.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    trials_per_worker: int = Field(
        20, ge=1, description="a worker process is replaced after so many trials"
    )
    recycle_above: int = Field(
        2_000_000_000,
        ge=1,
        description="bytes: a worker that holds more after a trial is replaced",
    )
    memory_limit: int | None = Field(
        None, ge=1, description="bytes: a trial whose worker holds more is killed, and fails"
    )
    start_limit: float = Field(
        900.0, gt=0, description="seconds a worker may take to import and to load its data"
    )


class LocalSettings(WorkerSettings):
    """How trials run on one machine."""

    workers: int = Field(1, ge=1, description="trials side by side, each in its own process")
    threads: int | None = Field(
        None, ge=1, description="computing threads a worker; default: cores divided by workers"
    )
    devices: tuple[str, ...] = Field(
        (), description="CUDA_VISIBLE_DEVICES of the slots, in turn; empty: as inherited"
    )


@dataclass
class _Running:
    """A job in its slot; `began` is when its time limit started to count, in monotonic seconds."""

    job: Job
    log: Path | None
    limit: float
    began: float
    evaluating: bool = False


class LocalRunner:
    """A `Runner` whose slots are child processes of this one.

    Workers start with the first job of their slot. Use it as a context manager, or call
    `close`; workers also end when this process dies in whatever way. Start and use it in one
    thread that outlives the trials: Linux ends the workers with the thread that started them.

    Raises:
        TunerError: On Windows, which has no process groups.
    """

    def __init__(self, settings: LocalSettings | None = None) -> None:
        if os.name == "nt":
            raise TunerError("trials cannot run in worker processes on Windows: use WSL")
        self.settings = settings or LocalSettings()
        self._children: dict[int, Child] = {}
        self._running: dict[int, _Running] = {}
        self._dismissed: list[tuple[Child, float]] = []
        self._events: list[Event] = []
        self._selector = selectors.DefaultSelector()
        self._closed = False

    @property
    def slots(self) -> int:
        """How many jobs run side by side."""
        return self.settings.workers

    def start(self, job: Job, slot: int) -> None:
        """Begin a job in a free slot; see `Runner.start`."""
        if self._closed or slot in self._running or not 0 <= slot < self.slots:
            state = "closed" if self._closed else f"{sorted(self._running)} are busy"
            raise TunerError(f"no job can start in slot {slot} of {self.slots}: {state}")
        log = self._log(job)
        if slot in self._children and self._children[slot].ended():
            self._discard(slot)
        if slot not in self._children:
            try:
                self._children[slot] = self._spawn(slot)
            except OSError as error:
                raise TunerError(f"no worker can start for trial {job.id}: {error}") from error
        child = self._children[slot]
        now = time.monotonic()
        self._running[slot] = _Running(job, log, now + self.settings.start_limit, now)
        child.run(job, log)

    def wait(self, timeout: float | None = None) -> list[Event]:
        """Events, as soon as there is one; see `Runner.wait`."""
        until = float("inf") if timeout is None else time.monotonic() + timeout
        while not self._events and self._running:
            now = time.monotonic()
            limits = [running.limit for running in self._running.values()]
            pause = min(until, now + LOOK_EVERY, *limits) - now
            for key, _ in self._selector.select(max(0.0, pause)):
                self._receive(key.data)
            self._look()
            if time.monotonic() >= until:
                break
        events, self._events = self._events, []
        return events

    def answer(self, slot: int, keep: bool) -> None:
        """Answer the slot's last `Progress`; see `Runner.answer`."""
        if slot in self._running:  # else it was killed meanwhile
            self._children[slot].send({"keep": keep})

    def kill(self, slot: int) -> None:
        """End the slot's job now; see `Runner.kill`."""
        if slot in self._running:
            self._fail(slot, "killed", "stopped by the search")

    def close(self) -> None:
        """End every worker: at once where a job runs, else with a little time to finish."""
        self._closed = True
        for slot in list(self._children):
            if slot in self._running:
                self._discard(slot)
            else:
                self._dismiss(slot)
        for child, deadline in self._dismissed:
            child.join(max(0.0, deadline - time.monotonic()))
            child.kill()
        self._running.clear()
        self._dismissed.clear()
        self._selector.close()

    def __enter__(self) -> "LocalRunner":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _log(self, job: Job) -> Path | None:
        if job.directory is None:
            return None
        log = job.directory.absolute() / "log.txt"
        try:
            job.directory.mkdir(parents=True, exist_ok=True)
            log.unlink(missing_ok=True)  # of an earlier run of this trial
        except OSError as error:
            raise TunerError(f"the directory of trial {job.id} cannot be made: {error}") from error
        return log

    def _spawn(self, slot: int) -> Child:
        devices = self.settings.devices
        threads = self.settings.threads or max(1, available_cores() // self.slots)
        device = devices[slot % len(devices)] if devices else None
        child = Child(worker_environment(os.environ, threads, device))
        self._selector.register(child.replies, selectors.EVENT_READ, slot)
        return child

    def _receive(self, slot: int) -> None:
        """Turn what a worker wrote into events."""
        child = self._children[slot]
        try:
            replies = child.receive(math.inf) if child.ended() else child.receive()
        except BadReplyError as error:
            if slot in self._running:
                self._fail(slot, "crash", f"the worker's pipe was written to by the trial: {error}")
            else:
                self._discard(slot)
            return
        for reply in replies:
            if slot in self._running:
                self._take(slot, reply)
        if slot in self._children and self._children[slot].silent:
            self._bury(slot)

    def _take(self, slot: int, reply: dict[str, Any]) -> None:
        running, child = self._running[slot], self._children[slot]
        job = running.job
        match reply["event"]:
            case "ready":
                running.evaluating = True
                running.began = time.monotonic()
                running.limit = running.began + (job.time_limit or float("inf"))
                self._events.append(Started(job.id, slot, child.pid, platform.node()))
            case "progress":
                self._events.append(Progress(job.id, slot, reply["step"], reply["metrics"]))
            case "finished":
                memory = child.memory()
                self._events.append(
                    Finished(job.id, slot, reply["result"], reply["seconds"], memory)
                )
                self._free(slot, memory)
            case "failed":
                fields = (reply["message"], reply["traceback"], reply["cause"], reply["seconds"])
                self._events.append(Failed(job.id, slot, *fields))
                self._free(slot, child.memory())

    def _free(self, slot: int, memory: int) -> None:
        """Keep the worker of a slot whose job is over, unless it has served its time or grown."""
        del self._running[slot]
        served = self._children[slot].served
        if served >= self.settings.trials_per_worker or memory > self.settings.recycle_above:
            self._dismiss(slot)

    def _look(self) -> None:
        """Enforce limits, and notice deaths that no pipe told of."""
        now = time.monotonic()
        limit = self.settings.memory_limit
        for slot, running in list(self._running.items()):
            child = self._children[slot]
            if child.ended():
                self._receive(slot)  # it may have finished first
                if slot in self._children:
                    self._bury(slot)
            elif now >= running.limit:
                if running.evaluating:
                    self._fail(slot, "time limit", f"over its limit of {running.job.time_limit} s")
                else:
                    words = f"not ready after {self.settings.start_limit} s"
                    self._fail(slot, "import", f"{running.job.factory} was {words}")
            elif limit is not None and (memory := child.memory()) > limit:
                words = f"{memory / 1e6:.0f} MB in memory, over the limit of {limit / 1e6:.0f} MB"
                self._fail(slot, "memory", f"the worker had {words}")
        waiting = []
        for child, deadline in self._dismissed:
            if child.ended() or now >= deadline:
                child.kill()
            else:
                waiting.append((child, deadline))
        self._dismissed = waiting

    def _bury(self, slot: int) -> None:
        """Bury a dead worker: its running trial, if any, fails with the reason."""
        child = self._children[slot]
        if slot not in self._running:
            self._discard(slot)
            return
        running = self._running[slot]
        if child.join(GRACE):
            cause, words = child.describe_end()
        else:
            cause, words = "crash", "the worker closed its pipes without ending"
        tail = child.tail(running.log)
        if not running.evaluating:
            cause, words = "lost", f"before the trial began, {words}"
            if child.exited():  # as it would again
                cause, words = "import", ": ".join([words, *tail.splitlines()[-1:]])
        self._fail(
            slot,
            cause,
            words,
            f"The end of {running.log or 'what it printed'}:\n{tail}" if tail else "",
        )

    def _fail(self, slot: int, cause: Cause, message: str, traceback: str = "") -> None:
        """End the slot's job and its worker."""
        running = self._running.pop(slot)
        seconds = time.monotonic() - running.began
        self._discard(slot)
        self._events.append(Failed(running.job.id, slot, message, traceback, cause, seconds))

    def _dismiss(self, slot: int) -> None:
        child = self._children.pop(slot)
        self._selector.unregister(child.replies)
        child.dismiss()
        self._dismissed.append((child, time.monotonic() + GRACE))

    def _discard(self, slot: int) -> None:
        child = self._children.pop(slot)
        self._selector.unregister(child.replies)
        child.kill()
