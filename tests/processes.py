"""Child processes of the code under test run in this one: each would import TensorFlow for seconds.

`tests/conftest.py` puts these in their places; a test that is about processes asks for the fixture
`processes`, which puts the real ones back.
"""

import importlib
import json
import platform
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kerasnas.export.errors import ExportError
from kerasnas.export.process.child import REFUSED, run_module
from kerasnas.tuners.runners.base import Event, Failed, Finished, Job, Progress, Started
from kerasnas.tuners.runners.local import LocalRunner, LocalSettings
from kerasnas.tuners.runners.worker import Worker

_PLACES = (
    "kerasnas.export.convert.lowering",
    "kerasnas.export.flatbuffer.runtimes",
    "kerasnas.export.check.interpreter",
    "kerasnas.export.micro.runtime",
    "kerasnas.export.process.child",
)


def run_module_here(module: str, request: Mapping[str, Any], **limits: Any) -> None:
    """`run_module` in this process, except where that needs the legacy Keras in the place of 3."""
    if request.get("recurrent") == "fused_lstm":
        run_module(module, request, **limits)
        return
    with tempfile.TemporaryDirectory() as directory:
        given, error = Path(directory) / "request.json", Path(directory) / "error"
        given.write_text(json.dumps(request), encoding="utf-8")
        if importlib.import_module(module).main(given, error) == REFUSED:
            raise ExportError(error.read_text(encoding="utf-8"))


class RunnerHere(LocalRunner):
    """A `LocalRunner` whose jobs run in this process, to their end as soon as they start."""

    def __init__(self, settings: LocalSettings | None = None) -> None:
        super().__init__(settings)
        self._replies: list[dict[str, Any]] = []
        pipe = SimpleNamespace(
            send=self._send, busy=False, answers=SimpleNamespace(get=lambda: True)
        )
        self._worker = Worker(pipe)

    def start(self, job: Job, slot: int) -> None:
        """Run a job."""
        if job.directory is not None:
            job.directory.mkdir(parents=True, exist_ok=True)
        self._worker.run(Job.from_plain(job.to_plain()))
        self._events += [_event(job.id, slot, reply) for reply in self._replies]
        self._replies.clear()

    def wait(self, timeout: float | None = None) -> list[Event]:
        """Return what happened up to the next epoch: in a process it waits for its answer."""
        epochs = (n for n, event in enumerate(self._events, 1) if isinstance(event, Progress))
        end = next(epochs, len(self._events))
        events, self._events = self._events[:end], self._events[end:]
        return events

    def answer(self, slot: int, keep: bool) -> None:
        """Come too late: the job has ended."""

    def kill(self, slot: int) -> None:
        """Come too late: the job has ended."""

    def _send(self, event: str, **content: Any) -> None:
        plain = json.dumps({"event": event, **content}, default=lambda value: value.item())
        self._replies.append(json.loads(plain))


def _event(id: str, slot: int, reply: dict[str, Any]) -> Event:
    """Return the event that `LocalRunner` makes of a worker's reply."""
    match reply["event"]:
        case "ready":
            return Started(id, slot, 0, platform.node())
        case "progress":
            return Progress(id, slot, reply["step"], reply["metrics"])
        case "finished":
            return Finished(id, slot, reply["result"], reply["seconds"], 0)
        case _:
            names = ("message", "traceback", "cause", "seconds")
            return Failed(id, slot, *(reply[name] for name in names))


@contextmanager
def here() -> Iterator[None]:
    """Let workers and the children of the export run in this process meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        for place in _PLACES:
            patch.setattr(f"{place}.run_module", run_module_here)
        patch.setattr("kerasnas.flow.workers.pool.LocalRunner", RunnerHere)
        yield


@contextmanager
def elsewhere() -> Iterator[None]:
    """Let them run in processes of their own again, inside of `here`."""
    with pytest.MonkeyPatch.context() as patch:
        for place in _PLACES:
            patch.setattr(f"{place}.run_module", run_module)
        patch.setattr("kerasnas.flow.workers.pool.LocalRunner", LocalRunner)
        yield
