"""A search anew without each fold, so that nothing is chosen on the clips that score it.

A network whose cut, pruning, statistics and penalty are chosen knows the clips that they were
chosen on, even where its weights are fitted anew: see Cawley & Talbot, "On over-fitting in model
selection and subsequent selection bias in performance evaluation", JMLR 2010.
"""

from __future__ import annotations

from kerasnas.blocks.architecture import Architecture
from kerasnas.datasets.splits import SplitSettings
from kerasnas.experiment import Experiment
from kerasnas.flow.stages.candidates import prepare_trunk, score_candidates
from kerasnas.flow.stages.winner_rules import choose_winners
from kerasnas.flow.task.opening import open_run, read_experiment
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import load_task
from kerasnas.flow.task.winners import describe, read_chosen
from kerasnas.runs.records import Description


def search_without(session: Session, fold: str, seed: int) -> Description:
    """Return the description of the network that a search without a fold chooses.

    The search lies in a run directory of its own, and is resumed there. Where it is the search of
    `session` itself, that one's network is taken.

    Args:
        session: Of the search.
        fold: Clips of this fold are not seen.
        seed: Random seed of the search and of the network.

    Raises:
        KerasnasError: No candidate was scored, or none keeps the limits.
        TunerError: No candidate lies in the window.
    """
    own = read_experiment(session.run)
    experiment = _without(own, fold, seed)
    if experiment == own and session.paths.winners.exists():
        chosen = read_chosen(session.run)
        return describe(
            own.tuned(chosen.settings),
            Architecture.from_json(chosen.architecture),
            chosen.settings,
            seed=seed,
            fold=fold,
            values=chosen.values,
        )
    directory = session.paths.without_fold(fold, seed).path
    session.console.print(f"Searching without fold {fold}, seed {seed} ...", markup=False)
    with open_run(directory, experiment):
        task = load_task(experiment, session.cache)
        inner = Session(directory, task, session.cache, session.cluster, session.console)
        prepare_trunk(inner)
        trial = choose_winners(score_candidates(inner), experiment)[experiment.choose]
    tuned = {name: trial.values[name] for name in experiment.search.tune}
    return describe(
        experiment.tuned(tuned),
        task.architecture(trial.values),
        tuned,
        seed=seed,
        fold=fold,
        values=dict(trial.values),
    )


def _without(experiment: Experiment, fold: str, seed: int) -> Experiment:
    """Return the experiment of a search that sees no clip of a fold."""
    fraction = experiment.split.validation_fraction
    split = SplitSettings(by="fold", test_fold=fold, validation_fraction=fraction)
    return experiment.model_copy(update={"split": split, "seed": seed})
