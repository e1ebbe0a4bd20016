"""What a runner is: slots, jobs that go into them, events that come out.

A job names an importable *factory*. A worker calls `factory(**arguments)` once and gets back
`evaluate(values, trial) -> result`; it keeps that function and calls it for every further job
with the same factory and arguments, so data are loaded once per worker and not once per trial.
Jobs, values and results are JSON: they cross process and machine borders.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from ..core.errors import TunerError

Cause = Literal["exception", "import", "disk", "crash", "memory", "time limit", "killed", "lost"]
"""Why a trial ended without a result.

exception: `evaluate` raised; import: the worker or the factory could not be imported, or the
factory raised; disk: `evaluate` found the disk full; crash: the worker died by itself (segmentation
fault, abort, `os._exit`); memory: out of memory, by Python, by the worker's limit or by the kernel;
time limit: killed by the runner at the job's limit; killed: killed from outside or by
`Runner.kill`; lost: the worker was lost before or without the trial being at fault (killed while
starting, its machine is gone): run the job again.
"""


@dataclass(frozen=True)
class Job:
    """One trial to run.

    Args:
        id: the trial's name; comes back in every event.
        factory: `"package.module:callable"`, importable in the worker. `factory(**arguments)`
            returns `evaluate(values, trial) -> {"metrics": {name: number}, ...}`.
        arguments: JSON; a worker keeps what the factory made for the last pair of factory and
            arguments.
        values: JSON; the trial's genes.
        directory: where `log.txt` (all the trial prints) and the trial's own files go; it is
            made when missing. `None`: nothing is kept.
        time_limit: seconds `evaluate` may take, `None` for no limit. Loading data in the factory
            does not count.

    Raises:
        TunerError: `factory` is not of that form or names `__main__`.
    """

    id: str
    factory: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    directory: Path | None = None
    time_limit: float | None = None

    def __post_init__(self) -> None:
        module, colon, name = self.factory.partition(":")
        if not (module and colon and name):
            raise TunerError(
                f'the factory of a job is "package.module:callable", not {self.factory!r}'
            )
        if module == "__main__":
            raise TunerError(
                f"a worker cannot import {self.factory!r}: move the function out of the script "
                "into a module that can be imported"
            )

    def to_plain(self) -> dict[str, Any]:
        """Return the job as JSON data that `from_plain` reads back."""
        return {
            "id": self.id,
            "factory": self.factory,
            "arguments": dict(self.arguments),
            "values": dict(self.values),
            "directory": None if self.directory is None else str(self.directory.absolute()),
            "time_limit": self.time_limit,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Job":
        """Read back what `to_plain` made."""
        directory = plain["directory"]
        return cls(**{**plain, "directory": None if directory is None else Path(directory)})


@dataclass(frozen=True)
class TrialContext:
    """What `evaluate` is told about the trial besides its values.

    `directory` exists and is the trial's own, or is `None`. `report(step, **metrics)` passes
    on how far the trial is and returns False when it should stop early: `evaluate` then
    returns what it has.
    """

    id: str
    directory: Path | None
    report: Callable[..., bool]


Evaluate = Callable[[dict[str, Any], TrialContext], dict[str, Any]]
"""What a factory returns."""


@dataclass(frozen=True)
class Started:
    """The worker in `slot` has loaded its data and begins to evaluate the trial.

    `pid` is its process, `host` the name of its machine.
    """

    id: str
    slot: int
    pid: int
    host: str


@dataclass(frozen=True)
class Progress:
    """The trial reported; it waits until `Runner.answer(slot, keep)` is called."""

    id: str
    slot: int
    step: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class Finished:
    """The trial ended with a result; the slot is free.

    `seconds` is the time `evaluate` took, `memory` the bytes its worker held
    afterwards.
    """

    id: str
    slot: int
    result: dict[str, Any]
    seconds: float
    memory: int


@dataclass(frozen=True)
class Failed:
    """The trial ended without a result; the slot is free.

    `message` says in one line what happened; `traceback` is Python's, or the end of the log of
    a worker that died, or empty.
    """

    id: str
    slot: int
    message: str
    traceback: str
    cause: Cause
    seconds: float


Event = Started | Progress | Finished | Failed


class Runner(Protocol):
    """Runs one job per slot at a time. Slots are numbered from 0. Not thread-safe."""

    @property
    def slots(self) -> int:
        """How many jobs run side by side."""
        ...

    def start(self, job: Job, slot: int) -> None:
        """Begin a job in a free slot and return at once.

        Raises:
            TunerError: the slot is busy.
        """
        ...

    def wait(self, timeout: float | None = None) -> list[Event]:
        """Events in order, as soon as there is one; `[]` after `timeout` seconds.

        Every job ends in exactly one `Finished` or `Failed`. Returns at once when no job runs.
        """
        ...

    def answer(self, slot: int, keep: bool) -> None:
        """Answer the slot's last `Progress`: go on (True) or stop early (False)."""
        ...

    def kill(self, slot: int) -> None:
        """End the slot's job now; `wait` then gives its `Failed` with the cause "killed"."""
        ...

    def close(self) -> None:
        """End every worker, running jobs included. A closed runner stays closed."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the runner."""
        ...
