"""What a command works with while it holds a run directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from kerasnas import experiment as experiments
from kerasnas.datasets import cache_root
from kerasnas.errors import DamagedError
from kerasnas.experiment import Experiment
from kerasnas.flow.task.task import Task
from kerasnas.paths import StrPath, path_or_none
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.record import Record

_Record = TypeVar("_Record", bound=Record)


@dataclass(frozen=True)
class Session:
    """A run directory that is held, the task it is for, and where work is done and shown.

    Attributes:
        run: The run directory.
        task: Settings, clips and features.
        cache: Absolute directory for features, since workers may have another environment.
        cluster: `auto` or `HOST:PORT` of a Ray cluster to train on; None for this machine.
        console: Where progress is shown.
    """

    run: Path
    task: Task
    cache: Path
    cluster: str | None
    console: Console

    @property
    def paths(self) -> RunPaths:
        """The files of the run."""
        return RunPaths(self.run)

    @property
    def experiment(self) -> Experiment:
        """The settings of the task."""
        return self.task.experiment

    @property
    def worker_arguments(self) -> dict[str, str]:
        """Arguments of the factories in `workers.jobs`, which load the task in a worker."""
        return {"run": str(self.run.absolute()), "cache": str(self.cache)}

    def intact(self, kind: type[_Record], path: Path) -> _Record | None:
        """Return what a file holds that can be made again.

        Args:
            kind: Of the record.
            path: The file.

        Returns:
            None where the file is missing, or is empty or damaged, which is said: the caller makes
            it again.
        """
        if not path.is_file():
            return None
        try:
            return kind.read(path)
        except DamagedError as error:
            self.console.print(f"{error.fault}: it is made again.", markup=False)
            return None


def resolve(
    experiment: Experiment | StrPath, run: StrPath | None, cache: StrPath | None
) -> tuple[Experiment, Path, Path]:
    """Return what a command works on.

    Args:
        experiment: The settings, or their YAML file.
        run: Run directory; None for `runs/NAME`.
        cache: Directory for features; None for the usual one.

    Returns:
        The settings, the run directory, and the absolute directory for features, since workers may
        have another environment.

    Raises:
        KerasnasError: The file is no experiment.
    """
    if not isinstance(experiment, Experiment):
        experiment = experiments.load(Path(experiment))
    run = Path("runs") / experiment.name if run is None else Path(run)
    return experiment, run, cache_root(path_or_none(cache)).absolute()
