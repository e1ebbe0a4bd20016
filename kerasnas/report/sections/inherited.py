"""A search on a supernet, as Li et al., Interspeech 2020, show it (figures 4 and 5, table 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.errors import KerasnasError
from kerasnas.measures import COSTS
from kerasnas.report import run as files
from kerasnas.report.html.elements import Markup, Node, figure, join, note, paragraph, table, tag
from kerasnas.report.html.formats import metric, words
from kerasnas.report.pictures import inherited as pictures
from kerasnas.report.run import Evaluation, MissingError, Run

if TYPE_CHECKING:
    from kerasnas.blocks.architecture import Architecture

_SEARCHES = {"search": "the search", "random": "random search"}


def generations(run: Run) -> Markup | None:
    """Candidates by generation, beside random search's, their fronts and hypervolumes (figure 4).

    None where no cost was an objective, and where there are neither generations nor a comparison.
    """
    cost = _cost(run)
    population = _population(run)
    compared = (run.path / "random" / "trials.csv").is_file()
    if cost is None or not run.completed or not (population or compared):
        return None
    objective = run.objectives[0]
    clouds = {"the search": _candidates(run, objective, cost, population)}
    if compared:
        other = files.read(run.path / "random")
        clouds["random search"] = _candidates(other, objective, cost, None)
    drawn: list[Node] = [
        figure(
            pictures.generations(objective, cost, cloud, clouds, f"generations-{number}"),
            f"Candidates of {name}"
            + (" by generation: from dark to light." if cloud.generation is not None else "."),
        )
        for number, (name, cloud) in enumerate(clouds.items())
    ]
    drawn.append(
        figure(
            pictures.fronts(objective, cost, clouds),
            "Candidates that no other of the same search dominates.",
        )
    )
    drawn.append(_volumes(run))
    hint = "Not compared with random search yet: kerasnas search EXPERIMENT --oracle random."
    return join(
        [
            tag("div", *drawn, class_="pictures"),
            note(hint) if len(clouds) == 1 else None,
        ]
    )


def agreement(run: Run) -> Markup | None:
    """Scores of the supernet against those of trained networks; None where not measured."""
    try:
        data = files.part(run, "agreement.json", "")
    except MissingError as missing:
        if str(missing):
            raise
        return None
    with files.understanding("agreement.json"):
        name = run.objectives[0]
        paths = data["paths"]
        pairs = [(path["supernet"][name], path["stand_alone"][name]) for path in paths]
        rows: list[list[Node]] = [
            [words(measure), *(_rank(found[key]) for key in ("tau", "low", "high"))]
            for measure, found in data["kendall"].items()
        ]
        picture = pictures.agreement(name, pairs)
        epochs = int(data["epochs"])
    return join(
        [
            figure(
                picture,
                f"{len(pairs)} candidates from all strata of the supernet's scores, each trained "
                f"from scratch for {epochs} epochs on the training clips; both scores are of the "
                "validation clips.",
            ),
            table(
                "Kendall's rank correlation (tau-b)",
                ["by", "tau", "95 % interval from", "to"],
                rows,
            ),
            note("The interval is a bootstrap over the candidates; 0 is chance."),
        ]
    )


def layers(run: Run) -> Markup | None:
    """The options that the chosen network takes, layer by layer (figure 5); None elsewhere."""
    if (run.experiment.get("model") or {}).get("space") != "nasc":
        return None
    winner = files.chosen(run)
    name = f"{winner.directory.relative_to(run.path).as_posix()}/architecture.json"
    data = files.part(run, name, f"There is no {name}.")
    try:
        with files.understanding(name):
            blocks = _bottlenecks(data["architecture"])
    except KerasnasError as error:
        raise MissingError(f"{name} cannot be drawn: {error}.") from None
    return figure(
        pictures.layers(blocks),
        f"Searched layers of trial {winner.trial}, from the input down: E is the expansion, K the "
        "kernel size. The length of a bar is the kernel's, its shade the expansion's; blue runs "
        "along time, orange along frequency; ↓ makes frames or bins fewer.",
    )


def classes(run: Run) -> Markup | None:
    """F1 of every class for the chosen network and its ensemble (table 2).

    None where clips carry several labels, and before a network was chosen.
    """
    try:
        winner = files.chosen(run)
    except MissingError:
        return None
    found: dict[str, tuple[Evaluation, Any]] = {}
    places = {
        "single": f"{winner.directory.relative_to(run.path).as_posix()}/evaluation.json",
        "ensemble of folds": "train/winner-ensemble/evaluation.json",
    }
    for label, name in places.items():
        try:
            evaluation = files.evaluation(run, name)
        except MissingError:
            continue
        found[label] = evaluation, files.part(run, name, "").get("channel_f1")
    if not found or any(evaluation.confusion is None for evaluation, _ in found.values()):
        return None
    columns: dict[str, NDArray[np.float64]] = {}
    for label, (evaluation, channels) in found.items():
        assert evaluation.confusion is not None
        if channels is not None:
            values = [np.nan if value is None else value for value in channels]
            columns[f"{label}, each channel alone"] = np.array(values, np.float64)
            label = f"{label}, mean of channels"
        columns[label] = f1_of(evaluation.confusion)
    (first, _), *_ = found.values()
    rows: list[list[Node]] = [
        [name, *(metric("f1", _known(column[index])) for column in columns.values())]
        for index, name in enumerate(first.classes)
    ]
    rows.append(["macro F1", *(metric("f1", _mean(column)) for column in columns.values())])
    return join(
        [
            table(
                f"F1 of every class on {first.count} held-out clips",
                ["class", *columns],
                rows,
                marked=[len(rows) - 1],
            ),
            paragraph("Not answered by an ensemble yet: kerasnas train RUN --ensemble.")
            if len(found) == 1 and run.inherits
            else None,
        ]
    )


def f1_of(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """F1 of every class; NaN of one that neither occurs nor was answered.

    Args:
        confusion: Clips by true (rows) and answered (columns) class.
    """
    total = confusion.sum(axis=0) + confusion.sum(axis=1)
    hits = 2.0 * np.diag(confusion)
    return np.divide(hits, total, out=np.full(len(hits), np.nan), where=total > 0)


def _population(run: Run) -> int | None:
    """Candidates of one generation; None for an oracle without any, or given by its bare name."""
    oracle = (run.experiment.get("search") or {}).get("oracle")
    return oracle.get("population") if isinstance(oracle, dict) else None


def _cost(run: Run) -> str | None:
    """The first objective that is a cost."""
    names = (run.experiment.get("search") or {}).get("objectives") or ()
    return next((name for name in names if name in COSTS), None)


def _candidates(run: Run, objective: str, cost: str, population: int | None) -> pictures.Cloud:
    trials = [trial for trial in run.trials if trial.status == "completed"]
    rows = [
        (value, score, trial.number, trial.front)
        for trial in trials
        if (value := trial.costs.get(cost)) is not None
        and (score := trial.objectives.get(objective)) is not None
    ]
    costs, scores, numbers, front = np.array(rows, np.float64).reshape(-1, 4).T
    return pictures.Cloud(
        costs, scores, None if not population else numbers // population, front > 0
    )


def _volumes(run: Run) -> Node:
    try:
        data = files.part(run, "hypervolume.json", "")
        with files.understanding("hypervolume.json"):
            curves = {
                _SEARCHES[name]: [(int(count), float(volume)) for count, volume in curve]
                for name, curve in data["searches"].items()
            }
    except MissingError as missing:
        return note(str(missing)) if str(missing) else None
    return figure(
        pictures.volumes(curves),
        "Hypervolume of all objectives: the share of the box between the best and the worst values "
        "met that candidates so far dominate.",
    )


def _bottlenecks(description: Any) -> list[pictures.Layer]:
    from kerasnas.blocks.architecture import Architecture
    from kerasnas.blocks.unidirectional import UnidirectionalBottleneck

    architecture: Architecture = Architecture.from_json(description)
    return [
        pictures.Layer(block.axis, block.kernel_size, block.expansion, max(block.strides) > 1)
        for block in architecture.blocks
        if isinstance(block, UnidirectionalBottleneck)
    ]


def _rank(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _mean(column: NDArray[np.float64]) -> float | None:
    known = column[np.isfinite(column)]
    return float(known.mean()) if len(known) else None
