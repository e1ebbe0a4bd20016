"""The winners of a search, trained with the final recipe."""

from __future__ import annotations

from collections.abc import Mapping

from kerasnas.flow.stages.winner_rules import describe_rule
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.winners import describe
from kerasnas.flow.workers.pool import FinalTraining, prepare_training, run_finals
from kerasnas.runs.layout import RunPaths, TrainingPaths
from kerasnas.runs.records import WinnerEntry, Winners
from kerasnas.tuners import Trial


def winner_training(run: RunPaths, winners: Mapping[str, Trial], name: str) -> TrainingPaths:
    """Return the files of a winner's final training.

    One trial that wins by two rules has one training.
    """
    return run.winner(next(first for first in winners if winners[first].id == winners[name].id))


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
        session.console.print(f"Training {names} with the final recipe ...", markup=False)
        if not experiment.search.tune:  # new clips are made here, where one sees it
            session.task.examples(session.task.final_parts(None)[0], experiment.training.final)
        # As many as there are rules, since how many trials they choose may change on the way.
        run_finals(session, "winners", waiting, planned=len(experiment.winners))
    chosen = Winners({name: _entry(session, winners, name) for name in winners}, experiment.choose)
    if session.intact(Winners, session.paths.winners) != chosen:
        chosen.write(session.paths.winners)


def _entry(session: Session, winners: Mapping[str, Trial], name: str) -> WinnerEntry:
    experiment = session.experiment
    rule = experiment.winners[name]
    return WinnerEntry(
        winners[name].number,
        winner_training(session.paths, winners, name).path.relative_to(session.run).as_posix(),
        describe_rule(rule, experiment),
        None if rule.rule == "knee" else rule.by or experiment.criteria[0],
    )


def _prepare(session: Session, winners: Mapping[str, Trial]) -> dict[str, FinalTraining]:
    """Make directories ready; return the trainings that are left, by the first winner's name."""
    experiment, waiting = session.experiment, {}
    for name, trial in winners.items():
        training = winner_training(session.paths, winners, name)
        architecture = session.task.architecture(trial.values)
        tuned = {name: trial.values[name] for name in experiment.search.tune}
        description = describe(
            experiment.tuned(tuned),
            architecture,
            tuned,
            trial=trial.number,
            values=dict(trial.values),
            cost=architecture.cost().to_json(),
        )
        if prepare_training(session, training, description):
            waiting[training.path.name] = training, description
    return waiting


def _names_of(winners: Mapping[str, Trial], first: str) -> list[str]:
    """Return the names of all rules that chose the same trial."""
    return [name for name in winners if winners[name].id == winners[first].id]
