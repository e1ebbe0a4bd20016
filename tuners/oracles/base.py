"""The one place that knows KerasTuner: an oracle of its kind round a `Search`.

It keeps KerasTuner's contract (1.4.8) and mends what can be mended from outside: nothing escapes
while KerasTuner's lock is held, seed 0 is a seed, several objectives are never summed, a retry
starts with empty metrics, and state is the journal in the project's directory.

What cannot be mended from outside: `tuner0.json` is KerasTuner's own and is written in place (when
a kill cuts it short, delete it: the journal has everything); a project that is reloaded keeps the
space it was made with, because KerasTuner does not build the model again to compare; failure
messages do not travel over its gRPC, and a worker that dies keeps its chief waiting.
"""

from __future__ import annotations

import copy
import os
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine import trial as trial_module

from ..core.errors import FailuresError, SearchError, TunerError
from ..core.genes import Genes, Values
from ..core.propose import Propose, arguments_of, size_window
from ..core.storage.journal import JOURNAL
from ..core.trial import Trial
from ..search import Search
from .guard import guarded

IDLE_SECONDS = 0.05
"""How long a worker that must wait for others' results is held before it asks again."""

_STATUS = trial_module.TrialStatus
_STATUSES = {
    "running": _STATUS.RUNNING,
    "waiting": _STATUS.INVALID,
    "completed": _STATUS.COMPLETED,
    "failed": _STATUS.FAILED,
}


class Oracle(keras_tuner.Oracle):
    """A KerasTuner oracle whose state is a `Search`.

    Args:
        objective: What KerasTuner ranks by: a metric's name, a `keras_tuner.Objective`, or a
            `(name, "min" | "max")`. Of a list the first; the others join `objectives`.
        max_trials: Trials in all; None for no limit.
        cost: From values to a size in any unit, bytes for example; the window is in that unit.
            None for no window.
        minimum: The least size that is accepted; None for any.
        maximum: The greatest; None for any.
        propose: The pure generator of candidates.
        objectives: More objectives, for the Pareto front, in the forms of `objective`. One named
            `cost` that no metric reports is the window's cost.
        seed: From 0.
        hyperparameters: As in KerasTuner; so are the next four.
        allow_new_entries: Whether a build may meet genes not declared before.
        tune_new_entries: Whether such genes are searched from then on, or keep their default.
        max_retries_per_trial: How often a failed trial is run again.
        max_consecutive_failed_trials: After so many the search ends with an error.
        time_budget: Seconds over all sessions after which no more trials start.
        patience: Candidates looked at for one suggestion before giving up.
        identity: JSON that tells this oracle's journals from others', besides its class and
            the arguments of `propose`.

    Raises:
        SearchError: A bound without a cost, an empty window, another wrong argument; and from
            `create_trial` when no candidate fits, with the sizes that were seen.
    """

    hyperparameters: keras_tuner.HyperParameters
    trials: dict[str, trial_module.Trial]
    ongoing_trials: dict[str, trial_module.Trial]
    start_order: list[str]

    def __init__(
        self,
        objective: Any = None,
        max_trials: int | None = 10,
        cost: Callable[[Values], float] | None = None,
        minimum: float | None = None,
        maximum: float | None = None,
        *,
        propose: Propose,
        objectives: Sequence[Any] = (),
        seed: int = 0,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        allow_new_entries: bool = True,
        tune_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int | None = 3,
        time_budget: float | None = None,
        patience: int = 10_000,
        identity: Mapping[str, Any] | None = None,
    ) -> None:
        given = list(objective) if isinstance(objective, list) else [objective]
        resolved = [_objective(item) for item in [*given, *objectives]]
        super().__init__(
            objective=resolved[0],
            max_trials=max_trials,
            hyperparameters=hyperparameters,
            allow_new_entries=allow_new_entries,
            tune_new_entries=tune_new_entries,
            seed=seed,
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
        )
        self.seed = seed  # KerasTuner makes a random number of 0
        pairs = {item.name: (item.name, item.direction) for item in resolved}
        self._settings: dict[str, Any] = {
            "objectives": list(pairs.values()),
            "propose": propose,
            "window": size_window(cost, minimum, maximum),
            "seed": seed,
            "max_retries": max_retries_per_trial,
            "max_consecutive_failures": max_consecutive_failed_trials,
            "time_budget": time_budget,
            "patience": patience,
            "identity": {
                "oracle": type(self).__name__,
                "propose": arguments_of(propose),
                **(identity or {}),
            },
        }
        Search((), **self._settings, max_trials=max_trials)  # wrong arguments fail here, not later
        self._search: Search | None = None
        self._genes_seen = 0
        self._enqueued: list[Values] = []
        self._mutex = threading.RLock()

    # --- What KerasTuner calls -----------------------------------------------------------------

    def create_trial(self, tuner_id: str) -> trial_module.Trial:
        """Return a trial to run, or one that is STOPPED, or IDLE: ask again after other results.

        Raises:
            TunerError: No candidate fits the window, or too many trials have failed. With a chief
                it is a warning there, and the workers are stopped.
        """
        trial = self._create_trial(tuner_id)
        if trial.status == _STATUS.IDLE:
            time.sleep(IDLE_SECONDS)  # KerasTuner asks again at once
        return trial

    @guarded
    def _create_trial(self, tuner_id: str) -> trial_module.Trial:
        if tuner_id in self.ongoing_trials:
            return self.ongoing_trials[tuner_id]
        search, idle = self._current(), False
        self.tuner_ids.add(tuner_id)
        try:
            if self.tune_new_entries and len(self.hyperparameters.space) != self._genes_seen:
                search.extend(Genes.from_hyperparameters(self.hyperparameters))
                self._genes_seen = len(self.hyperparameters.space)
            self._enqueue(search)
            found = search.ask()
            if found is None and search.failing and not search.history.running:
                raise FailuresError(f"the search has stopped: {search.finished}")
            # an exhausted space grows when a running trial meets another hyperparameter
            idle = bool(search.history.running) and (not search.finished or search.exhausted)
        except TunerError as error:
            self.tuner_ids.discard(tuner_id)
            if not _has_chief():
                raise
            warnings.warn(str(error), stacklevel=1)
            found = None
        if found is None:
            if idle:
                return trial_module.Trial(self.hyperparameters.copy(), "", _STATUS.IDLE)
            self.tuner_ids.discard(tuner_id)
            if not search.history.running:
                search.close()  # whoever wants the directory now may have it
            return trial_module.Trial(self.hyperparameters.copy(), "", _STATUS.STOPPED)
        try:
            trial = self._mirror(found)
        except BaseException:
            search.requeue(found.id)  # nobody has been given it
            raise
        self.ongoing_trials[tuner_id] = trial
        self._display.on_trial_begin(trial)
        return trial

    @guarded
    def update_trial(
        self, trial_id: str, metrics: Mapping[str, float], step: int = 0
    ) -> trial_module.Trial:
        """Metrics of a running trial at one step; they are kept when the trial ends."""
        trial = self.trials[trial_id]
        self._check_objective_found(metrics)
        for name, value in metrics.items():
            self._metric(trial, name, value, step)
        return trial

    @guarded
    def end_trial(self, trial: trial_module.Trial | str, status: str | None = None) -> None:
        """End a run: the trial is scored, failed, or will be run again.

        Args:
            trial: The trial, with its status and message; or its id.
            status: `"COMPLETED"`, `"INVALID"` (it may be run again) or `"FAILED"`; None for the
                trial's own, and for an id `"COMPLETED"`.

        Raises:
            FailuresError: Too many trials have failed one after another, as in KerasTuner a
                RuntimeError. With a chief it is a warning there, and the workers are stopped.
        """
        if isinstance(trial, str):
            trial, status = self.trials[trial], status or _STATUS.COMPLETED
        if status is not None:
            trial.status = status
        own, search = self.trials[trial.trial_id], self._current()
        own.hyperparameters, own.message = trial.hyperparameters, trial.message
        own.hyperparameters.ensure_active_values()
        if trial.status == _STATUS.COMPLETED:
            ended = self._tell(own, search)
        else:
            text = trial.message or "the worker told no reason; its log has it"
            reason = text.strip().splitlines()[-1]
            retry = trial.status != _STATUS.FAILED
            ended = search.fail(own.trial_id, reason, trial.message or "", retry=retry)
        self._fill_in(own, ended)
        own.status, own.message = _STATUSES[ended.status], ended.traceback or ended.message
        if ended.status != "waiting":
            self.end_order.append(own.trial_id)
        for tuner_id in [id for id, item in self.ongoing_trials.items() if item is own]:
            del self.ongoing_trials[tuner_id]
        self.update_space(trial.hyperparameters)
        self._display.on_trial_end(own)
        if search.failing and ended.status == "failed" and not _has_chief():
            raise FailuresError(f"the search has stopped: {search.finished}\n{own.message or ''}")

    def save(self) -> None:
        """Nothing to do: every event was written when it happened."""

    @guarded
    def reload(self) -> None:
        """Continue the search of the project's directory.

        Raises:
            SearchError: The project is of another oracle.
        """
        if not (Path(self._project_dir) / JOURNAL).exists():
            raise SearchError(
                f"{self._project_dir} is a project of another oracle (it has no {JOURNAL}): "
                "choose another project_name, or pass overwrite=True to the tuner"
            )
        if self._current().history.genes is None:
            raise SearchError(
                f"{self._project_dir}/{JOURNAL} holds no trial yet: delete the directory, or pass "
                "overwrite=True to the tuner"
            )

    def get_best_trials(self, num_trials: int = 1) -> list[trial_module.Trial]:
        """Completed trials, best objective first; KerasTuner's would fill up with failed ones."""
        if self._search is None:
            return []
        return [self.trials[found.id] for found in self._search.ranking()[:num_trials]]

    # --- What users may call -------------------------------------------------------------------

    @property
    def search(self) -> Search:
        """The search itself: trials with why they failed, costs, `finished`, ...

        Raises:
            SearchError: It has not begun.
        """
        if self._search is None:
            raise SearchError("the search has not begun: call tuner.search() first")
        return self._search

    @property
    def rejected(self) -> int:
        """Candidates that the window has refused."""
        return self._search.rejected if self._search is not None else 0

    def pareto_front(self) -> list[trial_module.Trial]:
        """Completed trials that no other dominates, in the order of suggestion."""
        return [self.trials[found.id] for found in self.search.pareto_front()]

    def enqueue(self, values: Values) -> None:
        """Try these values before anything is suggested; they are checked when the search runs."""
        with self._mutex:
            self._enqueued.append(dict(values))

    # --- Inside --------------------------------------------------------------------------------

    def _current(self) -> Search:
        """Return the search, opened when it is first needed: not before `overwrite` had its say."""
        if self._search is not None:
            self._search.max_trials = self.max_trials
            if not self._search.closed or self._search.finished:
                return self._search
        self._search = Search(
            Genes.from_hyperparameters(self.hyperparameters),
            **self._settings,
            max_trials=self.max_trials,
            directory=self._project_dir,
            take_over=True,
        )
        space = copy.deepcopy(self._search.genes.config())  # KerasTuner edits what it reads
        self.hyperparameters = keras_tuner.HyperParameters.from_config(
            {"space": space, "values": {}}
        )
        self._genes_seen = len(space)
        self.trials, self.start_order, self.ongoing_trials = {}, [], {}
        for found in self._search.trials:
            self._mirror(found)
        return self._search

    def _enqueue(self, search: Search) -> None:
        """Hand on what the user enqueued; wrong values are dropped with their error."""
        while self._enqueued:
            try:
                search.enqueue(self._enqueued[0])
            except SearchError:
                del self._enqueued[0]
                raise
            del self._enqueued[0]

    def _mirror(self, found: Trial) -> trial_module.Trial:
        """KerasTuner's form of a trial, as its tuners want to see it; empty before a new run."""
        # KerasTuner's own copy() makes every hyperparameter anew, which takes ten times as long.
        shared = {id(item): item for item in self.hyperparameters.space}
        hyperparameters = copy.deepcopy(self.hyperparameters, shared)
        hyperparameters.values = dict(found.values)
        trial = trial_module.Trial(hyperparameters, found.id, _STATUSES[found.status])
        if found.id not in self.trials:
            self.start_order.append(found.id)
        if found.status == "completed":
            trial.best_step = found.info.get("best_step", 0)
            self._fill_in(trial, found)
            trial.score = found.metrics[self.objective.name]
        trial.message = found.traceback or found.message
        self.trials[found.id] = trial
        return trial

    def _fill_in(self, trial: trial_module.Trial, found: Trial) -> None:
        """Give the trial the metrics that it lacks: all after a reload, the window's cost."""
        for name, value in found.metrics.items():
            if value is not None and not trial.metrics.exists(name):
                self._metric(trial, name, value, trial.best_step)

    def _metric(self, trial: trial_module.Trial, name: str, value: float, step: int) -> None:
        if not trial.metrics.exists(name):
            objectives = dict(self._settings["objectives"])
            trial.metrics.register(name, direction=objectives.get(name))
        trial.metrics.update(name, value, step=step)

    def _tell(self, own: trial_module.Trial, search: Search) -> Trial:
        try:
            self.score_trial(own)
        except Exception as error:
            return search.fail(own.trial_id, f"the trial could not be scored: {error}")
        if own.best_step is None:
            return search.fail(own.trial_id, f"{self.objective.name} was {own.score}")
        metrics = {
            name: observation.mean()
            for name, history in own.metrics.metrics.items()
            for observation in history.get_history()
            if observation.step == own.best_step
        }
        values, info = dict(own.hyperparameters.values), {"best_step": own.best_step}
        try:
            return search.tell(own.trial_id, metrics, info, values=values)
        except SearchError as error:
            return search.fail(own.trial_id, f"its result cannot be kept: {error}")


def _has_chief() -> bool:
    """Whether the oracle is a chief's, which an exception would leave with its workers waiting."""
    return "KERASTUNER_ORACLE_IP" in os.environ


def _objective(given: Any) -> keras_tuner.Objective:
    if isinstance(given, tuple):
        return keras_tuner.Objective(*given)
    # KerasTuner knows the directions of Keras' metrics; its base class is the public way to ask.
    return keras_tuner.Oracle(objective=given).objective
