"""`kerasnas search --oracle random`: as many candidates by random search, to compare with.

The comparison lies in `random/` of the run directory. It scores candidates as the search does, on
the same supernet where there is one, and trains no winners.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from kerasnas.experiment import Experiment
from kerasnas.flow.result import Result
from kerasnas.flow.stages import hypervolume
from kerasnas.flow.stages.candidates import prepare_supernet, prepare_trunk, score_candidates
from kerasnas.flow.stages.recipes.choice import choose_recipe
from kerasnas.flow.task.opening import fit_oracle, fit_recipes, open_run
from kerasnas.flow.task.recipes import take_over_recipe
from kerasnas.flow.task.session import Session, resolve
from kerasnas.flow.task.task import load_task
from kerasnas.flow.workers.threads import take_over_threads
from kerasnas.paths import StrPath, path_or_none
from kerasnas.report import write as write_report
from kerasnas.runs.layout import RunPaths
from kerasnas.tuners.settings import RandomSettings
from kerasnas.words import words


@dataclass(frozen=True, repr=False)
class RandomSearch(Result):
    """What random search found in the same number of candidates.

    Attributes:
        run: Where the comparison lies.
        trials: Number of its trials.
        best: Highest (or lowest) first objective of its candidates.
        objective: Its name.
        report: The page of the search that it is compared with.
    """

    run: Path
    trials: int
    best: float
    objective: str
    report: Path

    def facts(self) -> dict[str, str]:
        """See `Result`."""
        return {
            "run": str(self.run),
            "trials": f"{self.trials}",
            f"best {words(self.objective)}": f"{self.best:.4f}",
            "report": str(self.report),
        }

    def summary(self) -> str:
        """For the screen."""
        name = words(self.objective)
        return f"Random search: best {name} {self.best:.3f}.\nReport: {self.report}"


def search_randomly(
    experiment: Experiment | StrPath,
    *,
    data: StrPath | None = None,
    run: StrPath | None = None,
    workers: int | None = None,
    max_trials: int | None = None,
    seconds: float | None = None,
    overwrite: bool = False,
    cache: StrPath | None = None,
    cluster: str | None = None,
    console: Console | None = None,
) -> RandomSearch:
    """Score as many candidates as the search does, at random; call it again to resume.

    Args:
        experiment: As in `kerasnas.flow.commands.search.search`, as are the next ones.
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
    settings, directory, features = resolve(experiment, run, cache)
    settings = settings.overridden(path_or_none(data), workers, max_trials, seconds)
    settings, _ = fit_oracle(settings, directory)
    settings, _ = fit_recipes(settings)
    search = settings.search.model_copy(update={"oracle": RandomSettings()})
    randomly = settings.model_copy(update={"search": search})
    beside = RunPaths(directory).random.path
    with open_run(directory, settings), open_run(beside, randomly, overwrite):
        task = load_task(randomly, features, progress=console.is_terminal)
        session = Session(directory, task, features, cluster, console)
        session = choose_recipe(session)
        take_over_recipe(beside, directory)
        supernet = prepare_supernet(session)
        prepare_trunk(session)
        take_over_threads(beside, directory)
        results = score_candidates(replace(session, run=beside), supernet)
        (objective, _), *_ = results.objectives
        best = results.best()
        assert best is not None
        value = best.metrics[objective]
        assert value is not None  # objectives of completed trials are finite
        hypervolume.measure(directory)
        return RandomSearch(beside, len(results.trials), value, objective, write_report(directory))
