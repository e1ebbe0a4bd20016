"""Trials on the machines of a Ray cluster: one actor per slot.

An actor holds a `LocalRunner` with a single slot on its own machine, so logs, limits, recycling
and what a crash costs are the same there as here. What Ray adds is where the actors are, and that
an actor or a whole machine may be gone: its trial is then `lost`, and to be run again.
"""

from __future__ import annotations

import importlib
import logging
import socket
import sys
import time
from dataclasses import dataclass, replace
from types import ModuleType, TracebackType
from typing import Any

from pydantic import Field

from ..core.errors import LostError, TunerError
from .base import Cause, Event, Failed, Finished, Job, Progress
from .local import LocalRunner, LocalSettings, WorkerSettings

REACH = 5.0
"""Seconds to wait for an answer at the cluster's address; Ray itself waits for minutes."""

MISSED = 3
"""A head that so many times in a row takes no connection is gone; Ray ends the process in a minute,
from within C++, when it has found out."""

TURN = 5.0
"""Seconds after which an actor's empty-handed wait comes back to be asked again."""


class RaySettings(WorkerSettings):
    """How trials run on a Ray cluster."""

    address: str = Field(
        "auto", description='"auto" for the cluster this machine belongs to, or "HOST:PORT"'
    )
    workers: int | None = Field(
        None, ge=1, description="trials side by side; default: as many as the machines have room"
    )
    cpus: int = Field(1, ge=1, description="cores, and computing threads, of a worker")
    gpus: float = Field(0.0, ge=0, description="GPUs of a worker; a part of one is shared")
    room_limit: float = Field(
        300.0, gt=0, description="seconds to wait while the cluster has room for no worker at all"
    )


class Host:
    """The actor: one slot on some machine. All calls but the first give events."""

    def __init__(self, settings: dict[str, Any], path: list[str]) -> None:
        sys.path += [entry for entry in path if entry not in sys.path]
        self._runner = LocalRunner(LocalSettings(**settings))

    def ready(self) -> None:
        """Answered once the actor has a place."""

    def run(self, job: dict[str, Any]) -> list[Event]:
        """Start a job and wait for its first events."""
        self._runner.start(Job.from_plain(job), 0)
        return self._runner.wait(TURN)

    def more(self) -> list[Event]:
        """Wait for further events; none after a while."""
        return self._runner.wait(TURN)

    def answer(self, keep: bool) -> list[Event]:
        """Answer the last progress and wait for further events."""
        self._runner.answer(0, keep)
        return self._runner.wait(TURN)


@dataclass
class _Slot:
    """An actor, the call whose answer is awaited (none: it is idle), and its job.

    While the actor has no place yet, `call` is its `ready`.
    """

    actor: Any
    call: Any
    placed: bool = False
    job: Job | None = None
    began: float = 0.0


class RayRunner:
    """A `Runner` whose slots are actors of a Ray cluster.

    kerasnas, and what the factories need, must be importable on every machine. A job's directory
    is a path there: results that files carry need a directory all machines share.

    Raises:
        TunerError: Ray is not installed, or no cluster answers, or it has no room for a worker.
    """

    def __init__(self, settings: RaySettings | None = None) -> None:
        self.settings = settings or RaySettings()
        self._ray = _import_ray()
        self._own = not self._ray.is_initialized()
        if self._own:
            _connect(self._ray, self.settings.address)
        self._head = _parse(self._ray.get_runtime_context().gcs_address)
        self._missed, self._looked = 0, time.monotonic()
        self._closed = False
        self._slots: dict[int, _Slot] = {}
        self._events: list[Event] = []
        self._placed_last = time.monotonic()
        try:
            self._count = self.settings.workers or self._room()
        except BaseException:
            self.close()
            raise
        self._actor_class = self._ray.remote(
            num_cpus=self.settings.cpus, num_gpus=self.settings.gpus
        )(Host)

    @property
    def slots(self) -> int:
        """How many jobs run side by side when every worker has its place."""
        return self._count

    def start(self, job: Job, slot: int) -> None:
        """Begin a job in a free slot; see `Runner.start`."""
        busy = [number for number, each in self._slots.items() if each.job]
        if self._closed or slot in busy or not 0 <= slot < self.slots:
            state = "closed" if self._closed else f"{sorted(busy)} are busy"
            raise TunerError(f"no job can start in slot {slot} of {self.slots}: {state}")
        if slot not in self._slots:
            actor = self._actor_class.remote(self._host_settings(), list(sys.path))
            self._slots[slot] = _Slot(actor, actor.ready.remote())
        self._slots[slot].job = job
        self._slots[slot].began = time.monotonic()
        if self._slots[slot].placed:
            self._begin(self._slots[slot])

    def wait(self, timeout: float | None = None) -> list[Event]:
        """Events, as soon as there is one; see `Runner.wait`.

        Raises:
            TunerError: For too long the cluster has had room for no worker.
            LostError: The cluster's head is gone.
        """
        until = float("inf") if timeout is None else time.monotonic() + timeout
        while not self._events and any(each.job for each in self._slots.values()):
            self._lend_idle()
            calls = {each.call: slot for slot, each in self._slots.items() if each.call}
            if not calls:
                break  # every job waits for an answer to its progress
            pause = max(0.0, min(until - time.monotonic(), TURN))
            self._check_head()
            ready, _ = self._ray.wait(list(calls), timeout=pause)
            for call in ready:
                self._receive(calls[call], call)
            self._check_room()
            if time.monotonic() >= until:
                break
        events, self._events = self._events, []
        return events

    def answer(self, slot: int, keep: bool) -> None:
        """Answer the slot's last `Progress`; see `Runner.answer`."""
        if slot in self._slots:  # else it was killed meanwhile
            self._slots[slot].call = self._slots[slot].actor.answer.remote(keep)

    def kill(self, slot: int) -> None:
        """End the slot's job now; see `Runner.kill`."""
        if slot in self._slots and self._slots[slot].job:
            self._drop(slot, "killed", "stopped by the search")

    def close(self) -> None:
        """End every worker, running jobs included, and leave the cluster."""
        if self._closed:
            return
        self._closed = True
        if self._missed < MISSED:  # else there is nobody to ask, and Ray would wait for an answer
            for slot in self._slots.values():
                self._ray.kill(slot.actor)
            if self._own:
                self._ray.shutdown()
        self._slots.clear()

    def __enter__(self) -> RayRunner:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _host_settings(self) -> dict[str, Any]:
        """Return the `LocalSettings` of each actor's runner."""
        shared = self.settings.model_dump(include=set(WorkerSettings.model_fields))
        return {**shared, "workers": 1, "threads": self.settings.cpus}

    def _check_head(self) -> None:
        """Give up when the cluster's head takes no connection any more; looks now and then."""
        if self._head is None or time.monotonic() < self._looked + TURN:
            return
        while True:
            try:
                socket.create_connection(self._head, REACH).close()
            except OSError as error:
                self._missed += 1
                if self._missed >= MISSED:
                    raise LostError(
                        f"the head of the Ray cluster at {self._head[0]}:{self._head[1]} is gone "
                        f"({error}): every result so far is kept. Start the cluster again, and run "
                        "the same search again to continue"
                    ) from None
                time.sleep(1)
            else:
                self._missed, self._looked = 0, time.monotonic()
                return

    def _check_room(self) -> None:
        """Give up when jobs have waited for too long and not one worker has a place."""
        now = time.monotonic()
        if any(each.placed for each in self._slots.values()):
            self._placed_last = now
        waiting = [each.began for each in self._slots.values() if each.job]
        limit = self.settings.room_limit
        if waiting and now > max(self._placed_last, min(waiting)) + limit:
            raise TunerError(
                f"for {limit:.0f} s the Ray cluster has had no room for a worker of "
                f"{self._size()}: add machines, or lower what a worker needs"
            )

    def _begin(self, slot: _Slot) -> None:
        assert slot.job is not None
        slot.call = slot.actor.run.remote(slot.job.to_plain())

    def _lend_idle(self) -> None:
        """Swap actors, so that no job waits for a place while another slot's actor is idle.

        It happens when a machine is gone for good and the last trials are fewer than the slots.
        """
        idle = [each for each in self._slots.values() if each.placed and not each.job]
        homeless = [each for each in self._slots.values() if not each.placed and each.job]
        for free, waiting in zip(idle, homeless, strict=False):
            free.actor, waiting.actor = waiting.actor, free.actor
            free.call, waiting.call = waiting.call, free.call
            free.placed, waiting.placed = False, True
            self._begin(waiting)

    def _receive(self, number: int, call: Any) -> None:
        """Turn an actor's answer into events, and ask it for more while its job runs."""
        slot = self._slots[number]
        slot.call = None
        try:
            answer = self._ray.get(call)
        except self._ray.exceptions.RayTaskError as error:  # the call itself raised
            self._drop(number, "import", f"a worker could not start its trial: {error.cause}")
            return
        except self._ray.exceptions.RayError as error:
            reason = " ".join(line.strip() for line in str(error).splitlines())
            if getattr(error, "actor_init_failed", False):
                self._drop(number, "import", f"a worker could not start on its machine: {reason}")
            else:
                self._drop(number, "lost", f"the worker or its machine is gone: {reason}")
            return
        if not slot.placed:
            slot.placed = True
            if slot.job:
                self._begin(slot)
            return
        for event in answer:
            self._events.append(replace(event, slot=number))
            if isinstance(event, Finished | Failed):
                slot.job = None
        if slot.job and not (answer and isinstance(answer[-1], Progress)):
            slot.call = slot.actor.more.remote()

    def _drop(self, number: int, cause: Cause, message: str) -> None:
        """Give up a slot's actor; its job, if any, fails."""
        slot = self._slots.pop(number)
        self._ray.kill(slot.actor)
        if slot.job:
            seconds = time.monotonic() - slot.began
            self._events.append(Failed(slot.job.id, number, message, "", cause, seconds))

    def _room(self) -> int:
        """How many workers the machines can hold now."""
        room = 0
        for node in self._ray.nodes():
            resources = node["Resources"] if node["Alive"] else {}
            fits = resources.get("CPU", 0) // self.settings.cpus
            if self.settings.gpus:
                fits = min(fits, resources.get("GPU", 0) // self.settings.gpus)
            room += int(fits)
        if not room:
            raise TunerError(
                f"no machine of the Ray cluster at {self.settings.address} has room for a worker "
                f"of {self._size()}: lower what a worker needs, or set the number of workers to "
                "wait for machines to join"
            )
        return room

    def _size(self) -> str:
        return f"{self.settings.cpus} CPUs and {self.settings.gpus:g} GPUs"


def _import_ray() -> ModuleType:
    try:
        import ray
    except ImportError as error:
        raise TunerError(
            f"running on a cluster needs Ray ({error}): pip install 'kerasnas[ray]'"
        ) from error
    return ray


def _connect(ray: ModuleType, address: str) -> None:
    """Join the cluster, or say within seconds that there is none."""
    remedy = "start one with `ray start --head` and give its address, or run without a cluster"
    if address != "auto" and _parse(address) is None:
        raise TunerError(f'the address of a Ray cluster is "auto" or HOST:PORT, not {address!r}')
    try:
        found = _auto_address(ray) if address == "auto" else address
        if found is not None and (place := _parse(found)) is not None:
            _require_answer(place, address if found == address else f"{found} ({address})", remedy)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise TunerError(
            f"no Ray cluster can be joined at {address} ({first}): {remedy}"
        ) from error


def _parse(address: str) -> tuple[str, int] | None:
    """Return host and port; None where an address is not made of them."""
    host, colon, port = address.rpartition(":")
    return (host, int(port)) if host and colon and port.isdigit() and "/" not in host else None


def _require_answer(place: tuple[str, int], named: str, remedy: str) -> None:
    try:
        socket.create_connection(place, REACH).close()
    except OSError as error:
        raise TunerError(f"no Ray cluster answers at {named} ({error}): {remedy}") from error


def _auto_address(ray: ModuleType) -> str | None:
    """Return the address of the cluster that "auto" joins; None where only Ray can tell.

    It may be a note that `ray start` left on this machine and that outlived its cluster.

    Raises:
        ConnectionError: There is no cluster to be found.
    """
    try:
        find = importlib.import_module(f"{ray.__name__}._private.services")
        found: str = find.get_ray_address_from_environment("auto", None)
    except (ImportError, AttributeError, TypeError):  # another version of Ray
        return None
    return found
