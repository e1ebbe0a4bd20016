"""`kerasnas search --oracle random`: as many candidates by random search, to compare with.

The comparison lies in `random/` of the run directory. It scores candidates as the search does, on
the same supernet where there is one, and trains no winners.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from kerasnas.experiment import Experiment
from kerasnas.flow.commands.search import find, inherited_from
from kerasnas.flow.opening import open_run, resolved
from kerasnas.flow.stages import hypervolume
from kerasnas.flow.task import task
from kerasnas.report import write as write_report
from kerasnas.tuners import Results
from kerasnas.tuners.settings import RandomSettings

Oracle = Literal["random"]


@dataclass(frozen=True)
class Comparison:
    """What another oracle found in the same number of candidates.

    Attributes:
        run: Where the comparison lies.
        best: Highest (or lowest) first objective of its candidates.
        objective: Its name.
        report: The page of the search that it is compared with.
    """

    run: Path
    best: float
    objective: str
    report: Path

    def summary(self) -> str:
        """For the screen."""
        name = self.objective.replace("_", " ")
        return f"Random search: best {name} {self.best:.3f}.\nReport: {self.report}"


def compare(
    experiment: Experiment | Path | str,
    oracle: Oracle,
    *,
    data: Path | None = None,
    run: Path | None = None,
    workers: int | None = None,
    max_trials: int | None = None,
    seconds: float | None = None,
    overwrite: bool = False,
    cache: Path | None = None,
    cluster: str | None = None,
    console: Console | None = None,
) -> Comparison:
    """Score as many candidates of another oracle; the same call goes on.

    Args:
        experiment: As in `kerasnas.flow.commands.search.search`, as are the next ones.
        oracle: `random`: every choice equally probable.
        data: Directory of the data set.
        run: Run directory of the search; the comparison goes into a directory in it.
        workers: Trials side by side.
        max_trials: Candidates; by default those of the experiment.
        seconds: After which no trial starts.
        overwrite: Delete an earlier comparison; the search itself stays.
        cache: Directory for features.
        cluster: Of a Ray cluster.
        console: Where progress is shown.

    Raises:
        KerasnasError: Something given cannot be used.
        TunerError: No candidate lies in the window, or the run is in use.
    """
    console = console or Console()
    experiment, run, cache = resolved(experiment, run, cache)
    experiment = experiment.overridden(data, workers, max_trials, seconds)
    search = experiment.search.model_copy(update={"oracle": RandomSettings()})
    other = experiment.model_copy(update={"search": search})
    with open_run(run, experiment), open_run(run / oracle, other, overwrite):
        loaded = task.load(other, cache, progress=console.is_terminal)
        supernet = inherited_from(run, loaded, cache, console)
        find(run / oracle, loaded, cache, cluster, console, supernet)
        results = Results.read(run / oracle)
        (objective, _), *_ = results.objectives
        best = results.best()
        assert best is not None
        hypervolume.measure(run)
        value = best.metrics[objective]
        assert value is not None  # objectives of completed trials are finite
        return Comparison(run / oracle, value, objective, write_report(run))
