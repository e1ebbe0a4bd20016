"""A search on a supernet, as Li et al., Interspeech 2020, show it (figures 4 and 5, table 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kerasnas.errors import KerasnasError
from kerasnas.measures import COSTS
from kerasnas.report.html.elements import Markup, Node, figure, join, note, table, tag
from kerasnas.report.html.formats import counted
from kerasnas.report.pictures import supernet as pictures
from kerasnas.report.reading import MissingError, chosen, optional, within
from kerasnas.report.sections.network import read_architecture
from kerasnas.runs.records import Agreement, Hypervolume
from kerasnas.runs.run import Run
from kerasnas.runs.trials import value_of
from kerasnas.words import words

if TYPE_CHECKING:
    from kerasnas.blocks.architecture import Architecture

_SEARCHES = {"search": "the search", "random": "random search"}


def generations(run: Run) -> Markup | None:
    """Candidates by generation, beside random search's, their fronts and hypervolumes (figure 4).

    None where no cost was an objective, and where there are neither generations nor a comparison.
    """
    cost = _cost(run)
    population = _population(run)
    compared = run.paths.random.journal.is_file()
    if cost is None or not run.trials.completed or not (population or compared):
        return None
    objective = run.trials.scores[0]
    clouds = {"the search": _candidates(run, objective, cost, population)}
    if compared:
        try:
            other = Run.read(run.paths.random.path)
        except KerasnasError as error:
            raise MissingError(within(run, str(error))) from None
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
    record = optional(run, Agreement, run.paths.agreement)
    if record is None or not run.trials.scores:
        return None
    name = run.trials.scores[0]
    scores = [(path.supernet.get(name), path.stand_alone.get(name)) for path in record.paths]
    pairs = [(one, other) for one, other in scores if one is not None and other is not None]
    rows: list[list[Node]] = [
        [words(measure), _rank(found.tau), _rank(found.low), _rank(found.high)]
        for measure, found in record.kendall.items()
    ]
    return join(
        [
            figure(
                pictures.agreement(name, pairs),
                f"{counted(len(pairs), 'candidate')} from all strata of the supernet's scores, "
                f"each trained from scratch for {counted(record.epochs, 'epoch')} on the training "
                "clips; both scores are of the validation clips.",
            )
            if pairs
            else None,
            table(
                "Kendall's rank correlation (tau-b)",
                ["by", "tau", "95 % interval from", "to"],
                rows,
            ),
            note("The interval is a bootstrap over the candidates; 0 is chance."),
        ]
    )


def layers(run: Run) -> Markup | None:
    """Return the options that the chosen network takes, layer by layer (figure 5).

    None for networks of other blocks, and before a network was chosen.
    """
    try:
        winner = chosen(run)
        blocks = _bottlenecks(read_architecture(run, winner))
    except MissingError:
        return None  # where it is damaged, the page says so at its top
    if not blocks:
        return None
    return figure(
        pictures.layers(blocks),
        f"Searched layers of trial {winner.trial}, from the input down: E is the expansion, K the "
        "kernel size. The length of a bar is the kernel's, its shade the expansion's; blue runs "
        "along time, orange along frequency; ↓ makes frames or bins fewer.",
    )


def _population(run: Run) -> int | None:
    """Candidates of one generation; None for an oracle without any, or given by its bare name."""
    oracle = (run.settings.get("search") or {}).get("oracle")
    return oracle.get("population") if isinstance(oracle, dict) else None


def _cost(run: Run) -> str | None:
    """Return the first objective that is a cost."""
    return next((name for name in run.trials.objectives if name in COSTS), None)


def _candidates(run: Run, objective: str, cost: str, population: int | None) -> pictures.Cloud:
    rows = [
        (value, score, trial.number, trial.number in run.trials.front)
        for trial in run.trials.completed
        if (value := value_of(trial, cost)) is not None
        and (score := value_of(trial, objective)) is not None
    ]
    costs, scores, numbers, front = np.array(rows, np.float64).reshape(-1, 4).T
    return pictures.Cloud(
        costs, scores, None if not population else numbers // population, front > 0
    )


def _volumes(run: Run) -> Node:
    try:
        record = optional(run, Hypervolume, run.paths.hypervolume)
    except MissingError as missing:
        return note(str(missing))
    if record is None:
        return None
    curves = {_SEARCHES.get(name, name): curve for name, curve in record.searches.items()}
    return figure(
        pictures.volumes(curves),
        "Hypervolume of all objectives: the share of the box between the best and the worst values "
        "met that candidates so far dominate.",
    )


def _bottlenecks(architecture: Architecture) -> list[pictures.Layer]:
    from kerasnas.blocks.unidirectional import UnidirectionalBottleneck

    return [
        pictures.Layer(block.axis, block.kernel_size, block.expansion, max(block.strides) > 1)
        for block in architecture.blocks
        if isinstance(block, UnidirectionalBottleneck)
    ]


def _rank(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
