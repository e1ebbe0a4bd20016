"""What is wrong with a network that has been scored, in plain sentences, the worst first.

A network can have a fine score and be useless: on 382 clips of one class and 8 of another, always
answering the first is 98 % right. Each finding names one such fault, with the figures it rests on.

Differences are held against their standard errors: that of two networks on the same clips comes
from the jackknife, which leaves out one of 20 random parts of the clips at a time (Efron &
Tibshirani, "An introduction to the bootstrap", 1993, section 11.5), that of a tag's AUC at chance
from the rank-sum test (Mann & Whitney 1947). Clips of one group count as independent, so that
errors are too small where groups are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import nan
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kerasnas import measures
from kerasnas.errors import counted
from kerasnas.training.scoring.metrics import ClipScores, score
from kerasnas.training.scoring.thresholds import DEFAULT
from kerasnas.words import words

Kind = Literal["one_answer", "baseline", "missed_classes", "drop", "silent_tags", "chance", "few"]

LARGEST_DROP = 0.10
"""How much lower than on validation clips a score may be, of 1."""

_ERRORS = 1.6448536269514722  # standard errors of a one-sided 95 % bound
_PARTS = 20
_CLIPS_TO_MISS = 3  # of all missed classes together: fewer are missed by chance
_POSITIVES_TO_RANK = 5
_WIDEST = 0.10  # of a 95 % interval, to either side
_NAMES = 5
_SHARES = ("accuracy", "balanced_accuracy")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a network.

    Attributes:
        kind: What it is.
        serious: Whether the network should not be called good; others are caveats.
        sentence: It in words, with its figures, without a full stop.
    """

    kind: Kind
    serious: bool
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return all fields by name."""
        return asdict(self)


def findings(
    test: ClipScores,
    *,
    metric: str,
    classes: Sequence[str],
    trained_on: Mapping[str, int],
    baselines: Mapping[str, ClipScores] | None = None,
    validation: Mapping[str, float] | None = None,
    seed: int = 0,
) -> list[Finding]:
    """Return what is wrong with a network, serious findings first, each kind at most once.

    Args:
        test: What the network scored on test clips.
        metric: The score it is judged by. The usual score takes the place of the loss, and
            `macro_f1` that of `channel_macro_f1`, which scores of whole clips do not give.
        classes: Names of the classes, in the order of the scores.
        trained_on: Number of training clips of each class, by name.
        baselines: Evaluations of the same clips by the name that sentences give them, as "a
            logistic regression"; the best of them counts.
        validation: Metrics on the clips by which the network was chosen; None where unknown.
        seed: Random seed for the standard errors.
    """
    multi_label = test.confusion is None
    instead = {
        "loss": measures.scores(multi_label)[0],
        "balanced_loss": "balanced_accuracy",
        "channel_macro_f1": "macro_f1",
    }
    metric = instead.get(metric, metric)
    found = [
        _one_answer(test, classes),
        _baseline(test, metric, baselines or {}, seed),
        _missed_classes(test, classes, trained_on),
        _drop(test, metric, (validation or {}).get(metric, nan), seed),
        _silent_tags(test, classes),
        _chance(test, classes),
        _few(test, classes),
    ]
    known = [finding for finding in found if finding is not None]
    return sorted(known, key=lambda finding: not finding.serious)


def _standard_error(
    statistic: Callable[[NDArray[np.int64]], float], clips: int, seed: int
) -> float:
    """Return the jackknife's standard error of a statistic of clips.

    Args:
        statistic: Of the clips at some rows.
        clips: Number of clips.
        seed: Random seed for the parts that are left out.

    Returns:
        NaN where there are fewer than two clips, or no values.
    """
    parts = min(_PARTS, clips)
    part = np.random.default_rng(seed).permutation(clips) % parts
    values = np.array([statistic(np.flatnonzero(part != left_out)) for left_out in range(parts)])
    values = values[np.isfinite(values)]
    if parts < 2 or len(values) < 2:
        return nan
    return float(np.sqrt((parts - 1) * values.var()))


def _one_answer(test: ClipScores, classes: Sequence[str]) -> Finding | None:
    decided = _decisions(test)
    truth = test.labels > 0.5
    if (decided != decided[0]).any() or not (truth != truth[0]).any():
        return None
    answer = [name for name, chosen in zip(classes, decided[0], strict=True) if chosen]
    clips = f"all {len(decided)} test clips"
    if test.confusion is None and not answer:
        return None  # its silent tags say so
    single = test.confusion is not None
    given = f'answers "{answer[0]}" for' if single else "gives the same tags to"
    named = "" if single else f": {_listed(answer)}"
    return Finding("one_answer", True, f"The network {given} {clips}{named}")


def _baseline(
    test: ClipScores, metric: str, baselines: Mapping[str, ClipScores], seed: int
) -> Finding | None:
    known = {name: _better(metric, each.metrics[metric]) for name, each in baselines.items()}
    known = {name: value for name, value in known.items() if np.isfinite(value)}
    if not known or not np.isfinite(test.metrics[metric]):
        return None
    name = max(known, key=known.__getitem__)
    other = baselines[name]
    gain = _better(metric, test.metrics[metric]) - known[name]

    def difference(rows: NDArray[np.int64]) -> float:
        return _better(metric, _score(test, metric, rows) - _score(other, metric, rows))

    error = _standard_error(difference, len(test.labels), seed)
    if gain > _ERRORS * error:
        return None
    figures = (
        f"{words(metric)} {_shown(metric, test.metrics[metric])} against "
        f"{_shown(metric, other.metrics[metric])} on "
        f"{counted(len(test.labels), 'test clip')}"
    )
    if gain < -_ERRORS * error:
        return Finding("baseline", True, f"The network is worse than {name}: {figures}")
    sentence = (
        f"The network is not shown to beat {name}: {figures}, standard error of the difference "
        f"{_points(metric, error)}"
    )
    return Finding("baseline", gain <= 0, sentence)


def _missed_classes(
    test: ClipScores, classes: Sequence[str], trained_on: Mapping[str, int]
) -> Finding | None:
    if test.confusion is None:
        return None
    counts = test.confusion.sum(axis=1)
    missed = np.flatnonzero((counts > 0) & (test.confusion.diagonal() == 0))
    if not len(missed):
        return None
    order = _largest(missed, counts)
    names = [
        f"{classes[index]} (0 of {counts[index]}, trained on {trained_on.get(classes[index], 0)})"
        for index in order
    ]
    serious = bool(counts[missed].sum() >= _CLIPS_TO_MISS)
    return Finding(
        "missed_classes", serious, f"The network recognises no test clip of {_listed(names)}"
    )


def _drop(test: ClipScores, metric: str, validation: float, seed: int) -> Finding | None:
    value = test.metrics[metric]
    drop = _better(metric, validation - value)
    if not drop > LARGEST_DROP:  # or there is no value
        return None
    error = _standard_error(lambda rows: _score(test, metric, rows), len(test.labels), seed)
    clips, name = len(test.labels), words(metric)
    changed = "rose by" if measures.direction(metric) == "min" else "lost"
    noise = f", within the noise of {clips} clips" if drop <= _ERRORS * error else ""
    sentence = (
        f"{name[0].upper()}{name[1:]} {changed} {_points(metric, drop)} from validation to test"
        f"{noise}: {_shown(metric, validation)} on the validation clips, {_shown(metric, value)} "
        f"on the {clips} test clips; the network may not do as well on other recordings"
    )
    return Finding("drop", True, sentence)


def _silent_tags(test: ClipScores, classes: Sequence[str]) -> Finding | None:
    if test.by_class is None:
        return None
    positives = test.by_class["positives"]
    silent = np.flatnonzero((positives > 0) & ~_decisions(test).any(axis=0))
    if not len(silent):
        return None
    names = [
        f"{classes[i]} ({counted(round(positives[i]), 'clip')})"
        for i in _largest(silent, positives)
    ]
    serious = bool(positives[silent].sum() >= _CLIPS_TO_MISS)
    return Finding(
        "silent_tags",
        serious,
        f"The network never reports {_listed(names)} in {counted(len(test.labels), 'test clip')}",
    )


def _chance(test: ClipScores, classes: Sequence[str]) -> Finding | None:
    if test.by_class is None:
        return None
    clips, positives = len(test.labels), test.by_class["positives"]
    negatives = clips - positives
    pairs = np.maximum(positives * negatives, 1)
    error = np.sqrt((clips + 1) / (12 * pairs))
    ranked = np.minimum(positives, negatives) >= _POSITIVES_TO_RANK
    poor = np.flatnonzero(ranked & (test.by_class["auc"] - 0.5 <= _ERRORS * error))
    if not len(poor):
        return None
    precision = test.by_class["average_precision"]
    names = [
        f"{classes[i]} (average precision {precision[i]:.2f}, by chance {positives[i] / clips:.2f})"
        for i in _largest(poor, positives)
    ]
    return Finding(
        "chance", True, f"The network is not shown to tell better than chance {_listed(names)}"
    )


def _few(test: ClipScores, classes: Sequence[str]) -> Finding | None:
    from scipy.stats import binomtest

    clips = len(test.labels)
    if test.by_class is not None:
        positives = test.by_class["positives"]
        few = np.flatnonzero(positives < _POSITIVES_TO_RANK)
        if not len(few):
            return None
        names = [f"{classes[i]} ({positives[i]:.0f})" for i in few.tolist()]
        return Finding("few", False, f"Too few test clips to judge {_listed(names)}")
    right = int(test.confusion.trace()) if test.confusion is not None else 0
    interval = binomtest(right, clips).proportion_ci(method="wilson")
    if (interval.high - interval.low) / 2 <= _WIDEST:
        return None
    return Finding(
        "few",
        False,
        f"Too few test clips ({clips}) for a sure figure: {right} right is an accuracy of "
        f"{100 * interval.low:.0f} to {100 * interval.high:.0f} %",
    )


def _decisions(test: ClipScores) -> NDArray[np.bool_]:
    """Return which classes are answered, `(clips, classes)`."""
    if test.by_class is None:
        return np.eye(test.labels.shape[1], dtype=bool)[test.predictions.argmax(axis=1)]
    return np.asarray(test.predictions >= test.by_class.get("threshold", DEFAULT))


def _score(test: ClipScores, metric: str, rows: NDArray[np.int64]) -> float:
    """Return the metric on some clips of an evaluation."""
    multi_label = test.confusion is None
    return score(metric, test.labels[rows], test.predictions[rows], multi_label=multi_label)


def _better(metric: str, value: float) -> float:
    """Return the value with its sign such that more is better."""
    return -value if measures.direction(metric) == "min" else value


def _largest(indices: NDArray[np.int64], counts: NDArray[Any]) -> list[int]:
    """Return the indices, those of the largest counts first."""
    ordered: list[int] = indices[np.argsort(-counts[indices], kind="stable")].tolist()
    return ordered


def _listed(names: Sequence[str]) -> str:
    """Return names as a part of a sentence: the first ones, and how many more there are."""
    more = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {more} more" if more > 0 else "")


def _shown(metric: str, value: float) -> str:
    return f"{100 * value:.1f} %" if metric in _SHARES else f"{value:.2f}"


def _points(metric: str, error: float) -> str:
    return f"{100 * error:.1f} points" if metric in _SHARES else f"{error:.2f}"
