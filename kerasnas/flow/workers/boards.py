"""Event files by which TensorBoard shows a run while it trains: `tensorboard --logdir runs/NAME`.

Each training has a directory of its own below `tensorboard/`: scalars of its epochs
(`epoch/val_loss`), what it scored (`objective/accuracy`) and costs (`cost/macs`), and a session of
the HParams plugin with its genes. The process of the search writes them, with what the package
`tensorboard` has in pure Python: it needs no TensorFlow for that. They are for looking at only:
nothing reads them back.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasnas import measures
from kerasnas.errors import KerasnasError
from kerasnas.runs.layout import RunPaths
from kerasnas.tuners.runners.base import Event, Failed, Finished, Progress, Started

if TYPE_CHECKING:
    from kerasnas.tuners import Gene

_EVENTS = "events.out.tfevents"
_UNKNOWN, _SUCCESS, _FAILURE = 0, 1, 2  # Status in tensorboard.plugins.hparams.api_pb2


class Boards:
    """Writes the event files of trainings as their events come in.

    A training that begins anew replaces its file. It is used by one thread.
    """

    def __init__(self, run: Path, wanted: bool = True) -> None:
        """Write nothing yet.

        Args:
            run: The run directory.
            wanted: Whether to write at all; else every call does nothing.
        """
        self._run, self._directory, self._wanted = run, RunPaths(run).tensorboard, wanted
        self._known: dict[str, tuple[str, Mapping[str, Any]]] = {}
        self._open: dict[str, _EventFile] = {}
        self._steps: dict[str, int] = {}

    def describe(self, genes: Iterable[Gene], objectives: Sequence[str]) -> None:
        """Say which columns the table of trials has, once: genes, objectives and costs."""
        if not self._wanted or any(self._directory.glob(f"{_EVENTS}.*")):
            return
        from tensorboard.plugins.hparams import summary_v2 as hparams

        columns = {
            gene.name: hparams.HParam(gene.name, _domain(gene.values, hparams)) for gene in genes
        }
        scores = [f"objective/{name}" for name in objectives if name not in measures.COSTS]
        costs = [f"cost/{name}" for name in measures.COSTS]
        metrics = [hparams.Metric(tag) for tag in (*scores, *costs)]
        summary = hparams.hparams_config_pb(list(columns.values()), metrics)
        with _EventFile(self._directory) as file:
            file.add(summary)

    def announce(self, id: str, training: Path, values: Mapping[str, Any]) -> None:
        """Remember what a training is, before it starts.

        Args:
            id: Of its job.
            training: Its directory in the run, after which ours is named.
            values: Of its genes, and whatever else tells trainings apart; single values.
        """
        name = training.absolute().relative_to(self._run.absolute()).as_posix()
        self._known[id] = id if name == "." else name, values

    def on_event(self, event: Event) -> None:
        """Write what an event tells of a training that was announced.

        Raises:
            KerasnasError: The file cannot be written.
        """
        if not self._wanted or event.id not in self._known:
            return
        match event:
            case Started():
                self._begin(event.id)
            case Progress() if event.id in self._open:
                self._steps[event.id] = event.step
                scalars = {f"epoch/{name}": value for name, value in event.metrics.items()}
                self._open[event.id].add_scalars(scalars, event.step)
            case Finished():
                self._end(event.id, _SUCCESS, _results(event.result))
            case Failed():
                self._end(event.id, _FAILURE, {})

    def close(self) -> None:
        """Close the files of trainings that are still under way."""
        for id in list(self._open):
            self._end(id, _UNKNOWN, {})

    def _begin(self, id: str) -> None:
        from tensorboard.plugins.hparams import summary_v2 as hparams

        if id in self._open:
            self._end(id, _FAILURE, {})
        name, values = self._known[id]
        directory = self._directory / name
        for earlier in directory.glob(f"{_EVENTS}.*"):
            earlier.unlink(missing_ok=True)
        self._steps[id] = 0
        self._open[id] = _EventFile(directory)
        self._open[id].add(hparams.hparams_pb(dict(values), trial_id=name))

    def _end(self, id: str, status: int, results: Mapping[str, float]) -> None:
        if id not in self._open:
            if not results:
                return
            self._begin(id)  # a job too short to be seen starting
        with self._open.pop(id) as file:
            if results:
                file.add_scalars(results, self._steps[id])
            file.add(_session_end(status))


class _EventFile:
    """One event file, every record of which is on its way to the disk once it is added."""

    def __init__(self, directory: Path) -> None:
        from tensorboard.compat.proto import event_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event = event_pb2.Event
        now = f"{time.time():.6f}"
        self._path = directory / f"{_EVENTS}.{now}.{socket.gethostname()}.{os.getpid()}"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("wb", buffering=0)
        except OSError as error:
            raise self._refused(error) from None
        self._writer = RecordWriter(self._file)
        self._write(self._event(wall_time=time.time(), file_version="brain.Event:2"))

    def add(self, summary: Any, step: int = 0) -> None:
        """Add a summary of TensorBoard's."""
        self._write(self._event(wall_time=time.time(), step=step, summary=summary))

    def add_scalars(self, scalars: Mapping[str, float], step: int) -> None:
        """Add numbers by their tags."""
        from tensorboard.compat.proto import summary_pb2

        values = [
            summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()
        ]
        self.add(summary_pb2.Summary(value=values), step)

    def __enter__(self) -> _EventFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _write(self, event: Any) -> None:
        try:
            self._writer.write(event.SerializeToString())
        except OSError as error:
            raise self._refused(error) from None

    def _refused(self, error: OSError) -> KerasnasError:
        return KerasnasError(
            f"{self._path} cannot be written: {error.strerror}; report.tensorboard: false does "
            "without"
        )


def _domain(values: Sequence[Any], hparams: Any) -> Any:
    """Return the domain of a gene; None for a continuous one, or values of several types."""
    kinds = {type(value) for value in values}
    if kinds <= {int, float} and kinds:
        return hparams.Discrete([float(value) for value in values])
    return hparams.Discrete(list(values)) if len(kinds) == 1 else None


def _results(result: Mapping[str, Any]) -> dict[str, float]:
    """Return what a training scored and costs; scores that nothing is chosen by are left out."""
    scores = {
        f"objective/{name}": value
        for name, value in (result.get("metrics") or {}).items()
        if value is not None and name not in measures.COSTS and not name.startswith("test_")
    }
    return scores | {f"cost/{name}": result[name] for name in measures.COSTS if name in result}


def _session_end(status: int) -> Any:
    """Return the summary that ends a session of the HParams plugin."""
    from tensorboard.compat.proto import summary_pb2
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
    data = plugin_data_pb2.HParamsPluginData(session_end_info=end)
    value = summary_pb2.Summary.Value(
        tag=metadata.SESSION_END_INFO_TAG,
        metadata=metadata.create_summary_metadata(data),
        tensor=metadata.NULL_TENSOR,
    )
    return summary_pb2.Summary(value=[value])
