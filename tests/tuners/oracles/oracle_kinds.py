"""The oracles of the conformance suite: ours, and KerasTuner's with what they are known to fail.

To put another oracle under the suite, add a line to `OURS`.
"""

import contextlib
import threading

import keras_tuner
from keras_tuner.src import utils as keras_tuner_files
from keras_tuner.src.engine.oracle import LOCKS

from kerasnas.tuners import (
    Controller,
    ControllerOracle,
    GridOracle,
    NSGA2Oracle,
    SizeConstrainedRandomOracle,
)
from kerasnas.tuners.core.storage import journal as journal_module


def nsga2(*arguments, **settings):
    """With so small a population that nearly all suggestions have parents."""
    return NSGA2Oracle(*arguments, population=2, exploitation=1, **settings)


def controller(*arguments, **settings):
    """One that learns from the second trial on, and draws from what it has learned."""
    learner = Controller(batch=2, exploration=0.0)
    return ControllerOracle(*arguments, controller=learner, **settings)


OURS = {
    "random": SizeConstrainedRandomOracle,
    "NSGA-II": nsga2,
    "controller": controller,
    "grid": GridOracle,
}

LOCK = "raises while it holds the lock"
TORN = "files are written in place and must be whole"
COLLISIONS = "gives up after 20 collisions"
RESUMED = "has lost its place when it is read back (keras-tuner issue 1055)"
EVERY_ORACLE_OF_KERAS_TUNER = {
    "test_a_retry_replaces_not_a_number": "keeps the first run's metrics",
    "test_failures_one_after_another_end_the_search": LOCK,
    "test_an_exception_in_a_hook_never_leaves_the_lock_held": LOCK,
    "test_a_missing_metric_never_leaves_the_lock_held": LOCK,
    "test_torn_files_of_the_oracle_lose_no_project": TORN,
    "test_files_cut_at_every_byte": TORN,
    "test_fault_at_every_file_operation": TORN,
}
AT_RANDOM = {
    "test_seed_zero_repeats": "`seed or random` makes a random seed of 0",
    "test_a_small_space_is_searched_to_its_end": COLLISIONS,
}
PLAIN = "test_values_are_plain_and_only_of_active_genes"
KILLED = "test_a_killed_search_ends_as_an_undisturbed_one"


def hyperband(objective, max_trials, **settings):
    oracle = keras_tuner.oracles.HyperbandOracle(objective, **settings)
    oracle.max_trials = max_trials
    return oracle


def bayesian(objective, max_trials, **settings):
    """Its model takes a second a suggestion: fitted for the last one, in tests of many trials."""
    return keras_tuner.oracles.BayesianOptimizationOracle(
        objective, max_trials, num_initial_points=max(10, max_trials - 1), **settings
    )


THEIRS = {
    "KerasTuner RandomSearch": (keras_tuner.oracles.RandomSearchOracle, AT_RANDOM),
    "KerasTuner GridSearch": (
        keras_tuner.oracles.GridSearchOracle,
        {
            "test_more_trials_can_be_asked_for": RESUMED,
            f"{KILLED}[middle]": RESUMED,
        },
    ),
    "KerasTuner BayesianOptimization": (bayesian, AT_RANDOM),
    "KerasTuner Hyperband": (hyperband, AT_RANDOM | {PLAIN: "adds values of its own"}),
}
"""What makes the oracle, and which tests it fails besides those that all of KerasTuner's fail."""


def expected_failure(name, test, parameters):
    """Why this oracle fails this test with these parameters; None when it must pass."""
    if name in OURS:
        return None
    known = EVERY_ORACLE_OF_KERAS_TUNER | THEIRS[name][1]
    return known.get(test) or next(
        (known[case] for value in parameters if (case := f"{test}[{value}]") in known), None
    )


def make(name, max_trials=6, seed=3, objective=("score", "max"), **settings):
    if name in OURS:
        return OURS[name](objective, max_trials, seed=seed, **settings)
    objective = keras_tuner.Objective(*objective)
    return THEIRS[name][0](objective, max_trials=max_trials, seed=seed, **settings)


def space(hp):
    hp.Int("units", 1, 64)
    hp.Choice("family", ["dense", "conv"])
    with hp.conditional_scope("family", ["conv"]):
        hp.Choice("kernel", [3, 5])
        hp.Boolean("norm")
        with hp.conditional_scope("norm", [True]):
            hp.Float("momentum", 0.5, 1.0, step=0.0625)


def score(values):
    return values["units"] / 100 + len(values)


class Tuner(keras_tuner.Tuner):
    """A stock tuner that needs no model; `evaluate(trial)` gives the metrics."""

    def __init__(self, oracle, directory, evaluate=None, hypermodel=space, **settings):
        self.evaluate = evaluate or (lambda trial: {"score": score(trial.hyperparameters.values)})
        super().__init__(
            oracle, hypermodel, directory=directory, project_name="project", **settings
        )
        self.oracle.verbose = 0

    def run_trial(self, trial, **_):
        return self.evaluate(trial)


def search(name, directory, evaluate=None, hypermodel=space, **settings):
    tuner = Tuner(make(name, **settings), directory, evaluate, hypermodel)
    tuner.search(verbose=0)
    return tuner.oracle


def table(oracle):
    return [
        (trial.trial_id, dict(trial.hyperparameters.values), trial.status, trial.score)
        for trial in sorted(oracle.trials.values(), key=lambda trial: trial.trial_id)
    ]


def still_usable(name, oracle):
    """Whether another thread gets an answer, be it an exception."""
    if name in THEIRS:
        return not LOCKS[oracle].locked()  # asking would have to wait for nothing to happen

    def ask():
        with contextlib.suppress(Exception, KeyboardInterrupt):
            oracle.create_trial("other")

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(30)
    return not thread.is_alive()


def break_disk(name, disk, patch):
    """Let the oracle's files be written through a `FaultyDisk`."""
    if name in OURS:
        patch.setattr(journal_module, "os", disk)
    else:
        real = keras_tuner_files.save_json
        patch.setattr(keras_tuner_files, "save_json", disk.operation(real))
