"""The winners of a search, trained with the final recipe."""

from __future__ import annotations

from collections.abc import Mapping

from kerasnas.files import write_json
from kerasnas.flow.stages.winner_rules import describe_rule
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.winners import describe
from kerasnas.flow.workers.pool import FinalTraining, prepare_directory, run_finals
from kerasnas.tuners import Trial


def winner_directory(winners: Mapping[str, Trial], criterion: str) -> str:
    """Return where a winner's files are, in the run directory.

    One trial that wins by two criteria has one directory.
    """
    first = next(name for name in winners if winners[name].id == winners[criterion].id)
    return f"winners/{first}"


def train_winners(session: Session, winners: Mapping[str, Trial]) -> None:
    """Train those winners that the run directory does not hold yet, and write `winners.json`.

    Args:
        session: Of the search.
        winners: Trials by the names of the rules that chose them.

    Raises:
        KerasnasError: A training failed.
    """
    experiment = session.experiment
    if waiting := _prepare(session, winners):
        names = " and ".join(
            f"trial {winners[first].number} ({', '.join(_names_of(winners, first))})"
            for first in waiting
        )
        session.console.print(f"Training {names} with the final recipe ...")
        if not experiment.search.tune:  # new clips are made here, where one sees it
            session.task.examples(session.task.final_parts(None)[0], experiment.training.final)
        # As many as there are rules, since how many trials they choose may change on the way.
        run_finals(session, "winners", waiting, planned=len(experiment.winners))
    write_json(
        session.run / "winners.json",
        {
            "schema": 1,
            **{
                criterion: {
                    "trial": trial.number,
                    "directory": winner_directory(winners, criterion),
                    "rule": describe_rule(experiment.winners[criterion], experiment),
                }
                for criterion, trial in winners.items()
            },
            "chosen": experiment.choose,
            "rule": describe_rule(experiment.winners[experiment.choose], experiment),
        },
    )


def _prepare(session: Session, winners: Mapping[str, Trial]) -> dict[str, FinalTraining]:
    """Make directories ready; return the trainings that are left, by the first winner's name."""
    experiment, waiting = session.experiment, {}
    for criterion, trial in winners.items():
        directory = session.run / winner_directory(winners, criterion)
        architecture = session.task.architecture(trial.values)
        tuned = {name: trial.values[name] for name in experiment.search.tune}
        description = {
            **describe(experiment.tuned(tuned), architecture, tuned),
            "trial": trial.number,
            "values": dict(trial.values),
            "cost": architecture.cost().to_json(),
        }
        if prepare_directory(directory, description):
            values = {**description, "seed": experiment.seed, "fold": None}
            waiting[directory.name] = directory, values
    return waiting


def _names_of(winners: Mapping[str, Trial], first: str) -> list[str]:
    """Return the names of all rules that chose the same trial."""
    return [name for name in winners if winners[name].id == winners[first].id]
