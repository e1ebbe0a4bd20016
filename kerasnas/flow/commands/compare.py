"""`kerasnas compare`: two networks on the same test clips, with an interval of their difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kerasnas import measures
from kerasnas.errors import KerasnasError, counted
from kerasnas.export.check.paired import upper_bound
from kerasnas.export.forms import Precision
from kerasnas.flow.result import Result
from kerasnas.paths import StrPath
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import Evaluation
from kerasnas.runs.run import chosen_training
from kerasnas.training.scoring import metrics
from kerasnas.words import words

RESAMPLES = 2000
_SHOWN = 3

_WHOLE = ("loss", "channel_macro_f1")
"""Scores that need more than the clips' scores."""


@dataclass(frozen=True, repr=False)
class Compared(Result):
    """How two runs score on the same test clips.

    Attributes:
        runs: The run directories.
        precision: Which of their networks' forms is compared.
        metric: Name of the score.
        scores: Of either run.
        interval: The 95 % confidence interval of the second run's score less the first one's.
        clips: How many clips both were tested on.
        only: How many of them only the first run, and only the second one, answers rightly; None
            where clips carry several labels.
    """

    runs: tuple[Path, Path]
    precision: Precision
    metric: str
    scores: tuple[float, float]
    interval: tuple[float, float]
    clips: int
    only: tuple[int, int] | None

    @property
    def difference(self) -> float:
        """The second run's score less the first one's."""
        return self.scores[1] - self.scores[0]

    @property
    def verdict(self) -> str:
        """Which run is better, if the clips show it."""
        low, high = self.interval
        if low <= 0 <= high:
            return f"no difference is shown by {counted(self.clips, 'clip')}"
        less_is_better = measures.direction(self.metric) == "min"
        better = self.runs[(low > 0) != less_is_better]
        return f"{better} is better"

    def facts(self) -> dict[str, str]:
        """See `Result`."""
        name = words(self.metric)
        low, high = self.interval
        facts = {
            f"{run}, {name} in {self.precision}": f"{score:.4f}"
            for run, score in zip(self.runs, self.scores, strict=True)
        }
        facts["difference"] = f"{self.difference:+.4f} (95 % interval {low:+.4f} to {high:+.4f})"
        if self.only is not None:
            facts["right in one run only"] = f"{self.only[0]} and {counted(self.only[1], 'clip')}"
        facts["interval"] = (
            "of independent clips; it is too narrow where several are of one speaker or recording"
        )
        return {**facts, "verdict": self.verdict}


def compare(
    first: StrPath, second: StrPath, metric: str | None = None, precision: Precision = "float32"
) -> Compared:
    """Compare the chosen networks of two runs on the test clips of both.

    The interval of an accuracy is Tango's (see `kerasnas.export.check.paired`); that of any other
    score is the percentile interval of a bootstrap over the clips (Efron & Tibshirani, "An
    introduction to the bootstrap", 1993, section 13.3). Clips count as independent: where several
    are of one speaker, the interval is too narrow, as the result says.

    Args:
        first: Run directory.
        second: Another one, with the same test clips.
        metric: Name of the score; None: accuracy, or where clips carry several labels
            mean_average_precision.
        precision: float32: the trained network; float16 or int8: the exported file.

    Raises:
        KerasnasError: A run has no such network yet, the runs were tested on different clips or
            classes, clips are labelled otherwise in one of them, or the score is unknown.
    """
    paths = Path(first), Path(second)
    one, other = (_evaluation(run, precision) for run in paths)
    _check_alike(paths, one, other)
    order = {clip: row for row, clip in enumerate(other.ids)}
    rows = np.array([order[clip] for clip in one.ids])
    _check_labels(paths, one, other, rows)
    labels = one.labels.astype(np.float32)
    predictions = tuple(
        each.astype(np.float32) for each in (one.predictions, other.predictions[rows])
    )
    several = one.confusion is None
    name = metric or ("mean_average_precision" if several else "accuracy")
    known = one.known_metrics.keys() & other.known_metrics.keys()
    names = [each for each in measures.scores(several) if each in known and each not in _WHOLE]
    if name not in names:
        raise KerasnasError(f"metric: {name!r} is unknown; both runs have {', '.join(names)}")
    only = None
    if not several:
        right = [each.argmax(axis=1) == labels.argmax(axis=1) for each in predictions]
        only = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    if name == "accuracy" and not several:
        gained = right[1].astype(float) - right[0].astype(float)
        interval = -upper_bound(-gained, 0.975), upper_bound(gained, 0.975)
    else:
        interval = _bootstrap(labels, predictions, name, several)
    scores = one.known_metrics[name], other.known_metrics[name]
    return Compared(paths, precision, name, scores, interval, one.count, only)


def _evaluation(run: Path, precision: Precision) -> Evaluation:
    if precision == "float32":
        path = chosen_training(run).evaluation
    else:
        path = RunPaths(run).export.evaluation(precision)
    if not path.exists():
        raise KerasnasError(
            f"{path} does not exist: let `kerasnas search` end in {run}, or give another "
            "precision (float32, float16, int8)"
        )
    return Evaluation.read(path)


def _check_alike(runs: tuple[Path, Path], one: Evaluation, other: Evaluation) -> None:
    if one.classes != other.classes:
        raise KerasnasError(
            f"{runs[0]} has the classes {', '.join(one.classes)}, and {runs[1]} has "
            f"{', '.join(other.classes)}: only runs of the same classes can be compared"
        )
    if set(one.ids) != set(other.ids):
        both = len(set(one.ids) & set(other.ids))
        raise KerasnasError(
            f"{runs[0]} was tested on {one.count} clips and {runs[1]} on {other.count}, of which "
            f"{both} are the same: search both with the same data, split and seed"
        )


def _check_labels(
    runs: tuple[Path, Path], one: Evaluation, other: Evaluation, rows: NDArray[np.int64]
) -> None:
    """Refuse labels that differ; `rows` of the second run are the clips of the first."""
    differ = np.flatnonzero((one.labels != other.labels[rows]).any(axis=1))
    if len(differ):
        shown = ", ".join(one.ids[int(row)] for row in differ[:_SHOWN])
        more = f" and {len(differ) - _SHOWN} more" if len(differ) > _SHOWN else ""
        raise KerasnasError(
            f"{counted(len(differ), 'clip')} labelled otherwise in {runs[1]} than in {runs[0]} "
            f"({shown}{more}): search both with the same labels"
        )


def _bootstrap(
    labels: metrics.Floats,
    predictions: Sequence[metrics.Floats],
    name: str,
    multi_label: bool,
) -> tuple[float, float]:
    """Return the percentile interval of the second score less the first one, over clips."""
    rng = np.random.default_rng(0)
    differences = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, len(labels), len(labels))
        first, second = (
            metrics.score(name, labels[drawn], each[drawn], multi_label=multi_label)
            for each in predictions
        )
        differences.append(second - first)
    low, high = np.nanpercentile(differences, (2.5, 97.5))
    return float(low), float(high)
