"""The searched network against named ones, trained alike and scored on the same clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path
from statistics import fmean
from typing import Any

from kerasnas.report import run as files
from kerasnas.report.html.elements import Markup, Node, join, note, table, tag
from kerasnas.report.html.formats import count, mean_and_deviation, words
from kerasnas.report.run import Evaluation, MissingError, Run

_WINNER = "winner"
_RATE = "equal_error_rate"


@dataclass(frozen=True)
class Network:
    """An architecture that was trained with the final recipe.

    Attributes:
        name: As readers know it.
        label: Of its directory below `train`.
        searched: Whether the search has chosen it.
        trainings: Directories of the trainings scored on the held-out clips, one a seed.
    """

    name: str
    label: str
    searched: bool
    trainings: tuple[Path, ...]


def networks(run: Run) -> tuple[Network, ...]:
    """The searched network, then all others that the run directory holds, by name."""
    found = []
    try:
        winner = files.chosen(run)
        trainings = _trainings(run, _WINNER) or (winner.directory,)
        found.append(Network(f"searched (trial {winner.trial})", _WINNER, True, trainings))
    except MissingError:
        pass
    labels = sorted(path.name for path in (run.path / "train").glob("*") if path.is_dir())
    return (
        *found,
        *(Network(name, name, False, _trainings(run, name)) for name in labels if name != _WINNER),
    )


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


def _trainings(run: Run, label: str) -> tuple[Path, ...]:
    return tuple(sorted((run.path / "train" / label).glob("test-seed*")))


def _evaluations(run: Run, network: Network) -> list[Evaluation]:
    found = []
    for directory in network.trainings:
        name = (directory / "evaluation.json").relative_to(run.path).as_posix()
        if (run.path / name).is_file():
            found.append(files.evaluation(run, name))
    return found


def _scores(run: Run, scored: Mapping[Network, list[Evaluation]]) -> Markup:
    first = next(iter(scored.values()))[0]
    names = [name for name in first.metrics if name != "scored_classes"]
    rows: list[list[Node]] = [
        [
            network.name,
            count(_parameters(run, network.trainings[0])),
            str(len(known)),
            *(_mean(name, [each.metrics.get(name, nan) for each in known]) for name in names),
        ]
        for network, known in scored.items()
    ]
    head = ["network", "parameters", "trainings", *(words(name) for name in names)]
    return table(f"Scores on the same {first.count} held-out clips", head, rows)


def _tags_of_clips(scored: Mapping[Network, list[Evaluation]]) -> Markup:
    first = next(iter(scored.values()))[0]
    rows: list[list[Node]] = []
    for network, known in scored.items():
        tables = [_column(each.by_class or {}, _RATE) for each in known]
        mean = [each.metrics.get(_RATE, nan) for each in known]
        by_seed = zip(*tables, strict=True)
        rows.append([network.name, *(_mean(_RATE, rates) for rates in by_seed), _mean(_RATE, mean)])
    positives = [int(value) for value in _column(first.by_class or {}, "positives")]
    caption = f"Equal error rate by tag on {first.count} held-out clips"
    return _tag_table(caption, first.classes, positives, rows)


def _over_folds(run: Run) -> dict[str, dict[str, Any]]:
    """What `folds.json` says of taggers' classes, by the network's name; fold by fold only."""
    found = {}
    for network in networks(run):
        name = f"train/{network.label}/folds.json"
        if (run.path / name).is_file():
            data = files.part(run, name, "")
            with files.understanding(name):
                folds = {training["fold"] for training in data["trainings"]}
                if data.get("by_class") and len(folds) > 1:
                    found[network.name] = data["by_class"]
    return found


def _tags_of_folds(found: Mapping[str, Mapping[str, Any]]) -> Markup:
    first = next(iter(found.values()))
    with files.understanding("folds.json"):
        rows: list[list[Node]] = []
        for name, classes in found.items():
            rates = _column(classes["float32"], _RATE)
            known = [rate for rate in rates if isfinite(rate)]
            mean = fmean(known) if known else nan
            rows.append([name, *(_mean(_RATE, [rate]) for rate in (*rates, mean))])
        return _tag_table(
            "Equal error rate by tag, mean over folds",
            [str(name) for name in first["classes"]],
            [int(value) for value in first["positives"]],
            rows,
        )


def _tag_table(
    caption: str, classes: Sequence[str], positives: Sequence[int], rows: list[list[Node]]
) -> Markup:
    listed: list[list[Node]] = [["positive clips", *map(str, positives), ""], *rows]
    return table(caption, ["network", *classes, "mean"], listed)


def _column(table: Mapping[str, Sequence[float | None]], name: str) -> list[float]:
    return [nan if value is None else float(value) for value in table[name]]


def _mean(name: str, values: Sequence[float]) -> str:
    known = [value for value in values if isfinite(value)]
    return mean_and_deviation(name, known) if known else "–"


def _parameters(run: Run, directory: Path) -> int | None:
    from kerasnas.blocks.architecture import Architecture

    name = (directory / "architecture.json").relative_to(run.path).as_posix()
    try:
        data = files.part(run, name, "")
        with files.understanding(name):
            return Architecture.from_json(data["architecture"]).cost().parameters
    except MissingError:
        return None
