"""The searched network against named ones, trained alike and scored on the same clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from kerasnas.errors import KerasnasError
from kerasnas.report.html.elements import Markup, Node, join, note, table, tag
from kerasnas.report.html.formats import count, mean_and_deviation, words
from kerasnas.report.reading import MissingError, chosen, optional, training_of
from kerasnas.runs.layout import WINNER_LABEL, NetworkPaths, TrainingPaths
from kerasnas.runs.records import Description, Evaluation, FoldClasses, Folds
from kerasnas.runs.run import Run

_RATE = "equal_error_rate"


@dataclass(frozen=True)
class Network:
    """An architecture that was trained with the final recipe.

    Attributes:
        name: As readers know it.
        paths: Its trainings over folds and seeds.
        searched: Whether the search has chosen it.
        trainings: Those scored on the held-out clips, one a seed.
    """

    name: str
    paths: NetworkPaths
    searched: bool
    trainings: tuple[TrainingPaths, ...]


def networks(run: Run) -> tuple[Network, ...]:
    """The searched network, then all others that the run directory holds, by name."""
    found = []
    try:
        winner, paths = chosen(run), run.paths.network(WINNER_LABEL)
        trainings = paths.tested() or (training_of(run, winner),)
        found.append(Network(f"searched (trial {winner.trial})", paths, True, trainings))
    except MissingError:
        pass
    others = [paths for paths in run.paths.networks() if paths.label != WINNER_LABEL]
    return (*found, *(Network(paths.label, paths, False, paths.tested()) for paths in others))


def section(run: Run) -> Markup | None:
    """Scores, and equal error rates by tag (Liu & Zhang 2020, table 3); None for a lone network.

    A tagger's rates are shown of a lone one, too.
    """
    scored = {network: _evaluations(run, network) for network in networks(run)}
    scored = {network: known for network, known in scored.items() if known}
    tagger = any(known[0].by_class for known in scored.values())
    over_folds = _over_folds(run)
    if not tagger and len(scored) < 2:
        return None
    lone = len(scored) < 2 and len(over_folds) < 2
    return join(
        [
            _scores(run, scored) if len(scored) > 1 else None,
            _tags_of_clips(scored) if tagger else None,
            _tags_of_folds(over_folds) if over_folds else None,
            note(tag("code", "kerasnas train RUN --architecture NAME"), " adds a named network.")
            if lone
            else note(
                "All were trained with the final recipe. ± is the deviation over seeds. Held-out "
                "clips chose nothing; the searched network was chosen with clips of the folds."
            ),
        ]
    )


def _evaluations(run: Run, network: Network) -> list[Evaluation]:
    found = (optional(run, Evaluation, training.evaluation) for training in network.trainings)
    return [evaluation for evaluation in found if evaluation is not None]


def _scores(run: Run, scored: Mapping[Network, list[Evaluation]]) -> Markup:
    first = next(iter(scored.values()))[0]
    names = [name for name in first.known_metrics if name != "scored_classes"]
    rows: list[list[Node]] = [
        [
            network.name,
            count(_parameters(run, network.trainings[0])),
            str(len(known)),
            *(_mean(name, [each.metrics.get(name) for each in known]) for name in names),
        ]
        for network, known in scored.items()
    ]
    head = ["network", "parameters", "trainings", *(words(name) for name in names)]
    return table(f"Scores on the same {first.count} held-out clips", head, rows)


def _tags_of_clips(scored: Mapping[Network, list[Evaluation]]) -> Markup:
    first = next(iter(scored.values()))[0]
    rows: list[list[Node]] = []
    for network, known in scored.items():
        tables = [_column(each, _RATE) for each in known]
        mean = [each.metrics.get(_RATE) for each in known]
        by_seed = zip(*tables, strict=True)
        rows.append([network.name, *(_mean(_RATE, rates) for rates in by_seed), _mean(_RATE, mean)])
    positives = [int(value) for value in _column(first, "positives")]
    caption = f"Equal error rate by tag on {first.count} held-out clips"
    return _tag_table(caption, first.classes, positives, rows)


def _over_folds(run: Run) -> dict[str, FoldClasses]:
    """What `folds.json` says of taggers' classes, by the network's name; fold by fold only."""
    found = {}
    for network in networks(run):
        scored = optional(run, Folds, network.paths.folds)
        folds = {training.fold for training in scored.trainings} if scored else ()
        if scored is not None and scored.by_class is not None and len(folds) > 1:
            found[network.name] = scored.by_class
    return found


def _tags_of_folds(found: Mapping[str, FoldClasses]) -> Markup:
    first = next(iter(found.values()))
    rows: list[list[Node]] = []
    for name, classes in found.items():
        rates = classes.scores.get("float32", {}).get(_RATE, _unknown(classes.classes))
        known = [rate for rate in rates if isfinite(rate)]
        mean = fmean(known) if known else nan
        rows.append([name, *(_mean(_RATE, [rate]) for rate in (*rates, mean))])
    caption = "Equal error rate by tag, mean over folds"
    return _tag_table(caption, first.classes, first.positives, rows)


def _tag_table(
    caption: str, classes: Sequence[str], positives: Sequence[int], rows: list[list[Node]]
) -> Markup:
    listed: list[list[Node]] = [["positive clips", *map(str, positives), ""], *rows]
    return table(caption, ["network", *classes, "mean"], listed)


def _column(evaluation: Evaluation, name: str) -> NDArray[np.float64]:
    return (evaluation.by_class or {}).get(name, _unknown(evaluation.classes))


def _unknown(classes: Sequence[str]) -> NDArray[np.float64]:
    return np.full(len(classes), nan)


def _mean(name: str, values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None and isfinite(value)]
    return mean_and_deviation(name, known) if known else "–"


def _parameters(run: Run, training: TrainingPaths) -> int | None:
    from kerasnas.blocks.architecture import Architecture

    try:
        described = optional(run, Description, training.description)
        if described is not None:
            return Architecture.from_json(described.architecture).cost().parameters
    except (MissingError, KerasnasError):
        pass  # the page says at its top which file is damaged
    return None
