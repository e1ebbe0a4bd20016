"""An experiment with its data: what every step of a command needs, task once a process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kerasnas import datasets, features
from kerasnas.blocks.architecture import Architecture
from kerasnas.datasets import Clips, Split, SplitSettings
from kerasnas.datasets.splits import stratified
from kerasnas.errors import KerasnasError
from kerasnas.experiment import Experiment
from kerasnas.features.settings import Spectrogram
from kerasnas.features.versions import AS_IT_IS, Version
from kerasnas.models.pretrained.settings import PretrainedSettings
from kerasnas.models.space import SearchSpace, Values
from kerasnas.streams import Stream
from kerasnas.training.copies import noisy_versions, versions
from kerasnas.training.examples import Examples
from kerasnas.training.mixing import Joined, mixed
from kerasnas.training.presets import SPEEDS
from kerasnas.training.recipe import Augmentation, Recipe
from kerasnas.tuners.runners.environment import available_cores

Indices = NDArray[np.int64]
Part = Literal["train", "validation", "test", "all"]
ScoredOn = Literal["validation", "test"]


@dataclass(frozen=True)
class Task:
    """Clips, split and features of an experiment.

    Attributes:
        experiment: The settings.
        clips: The table of clips.
        split: Who trains, validates, and is only tested on.
        features: Memory-mapped, `(clips, segments, frames, bins, channels)`.
        versions: The same of the clips at other speeds, in rooms and in noise, as recipes ask for.
        cache: Directory for features; None for the usual one.
    """

    experiment: Experiment
    clips: Clips
    split: Split
    features: NDArray[Any]
    versions: Mapping[Version, NDArray[Any]]
    cache: Path | None

    @cached_property
    def space(self) -> SearchSpace:
        """The search space for these features and classes."""
        return self.experiment.space(len(self.clips.classes))

    def architecture(self, values: Values) -> Architecture:
        """Return the network of a trial."""
        return self.experiment.architecture(values, len(self.clips.classes))

    def tuned(self, values: Values) -> Task:
        """Return the task with the settings that a trial's values change, its features included."""
        experiment = self.experiment.tuned(values)
        if experiment.features == self.experiment.features:
            return replace(self, experiment=experiment)
        return _with_features(experiment, self.clips, self.split, self.cache, progress=False)

    def candidate_parts(self) -> dict[str | None, tuple[Indices, Indices]]:
        """Clips that a candidate trains on and is scored on, by the name of the fold.

        Without `search.folds` the split's, under None; else the folds of the clips that nobody
        tests on. Clips without a fold are trained on in each.

        Raises:
            KerasnasError: There is no such fold.
        """
        folds = self.experiment.search.folds
        if folds is None:
            return {None: (self.split.train, self.split.validation)}
        clips = self.split.not_tested
        if isinstance(folds, int):
            dealt = np.array([not self.clips[int(index)].only_trains for index in clips])
            groups = np.unique(self.clips.groups[clips[dealt]], return_inverse=True)[1]
            rng = np.random.default_rng((self.experiment.seed, Stream.FOLDS))
            part = stratified(self.targets[clips[dealt]], groups, (1 / folds,) * folds, rng)
            names = iter(str(number + 1) for number in part)
            fold_of = [next(names) if each else "" for each in dealt]
        else:
            fold_of = [self.clips[int(index)].fold or "" for index in clips]
        known = sorted({*fold_of} - {""}, key=lambda name: name.zfill(9))
        wanted = folds if isinstance(folds, tuple) else known
        if len(known) < 2 or not set(wanted) <= set(known):
            raise KerasnasError(
                f"search.folds: {self.clips.root} has the folds {', '.join(known) or 'none'} among "
                "the clips that are not tested on; give all, some of these, or a number of folds"
            )
        mine = {name: np.array([each == name for each in fold_of]) for name in wanted}
        return {name: (clips[~fold], clips[fold]) for name, fold in mine.items()}

    @cached_property
    def folded(self) -> Clips:
        """The clips with the data set's folds, or with folds made here where it has none.

        Raises:
            KerasnasError: A class has too few clips or groups to be in every fold.
        """
        clips = self.clips
        return clips if clips.folds else datasets.with_folds(clips, self.experiment.seed)

    @cached_property
    def targets(self) -> NDArray[np.float32]:
        """Labels, `(clips, classes)`."""
        return self.clips.targets()

    def part(self, name: Part) -> Indices:
        """Return the indices of the clips of one part of the split."""
        if name == "all":
            return np.arange(len(self.clips))
        indices: Indices = getattr(self.split, name)
        return indices

    def final_parts(
        self, fold: str | None, scored_on: ScoredOn | None = None
    ) -> tuple[Indices, Indices, Indices]:
        """Clips that a final training trains on, stops early by, and is scored on.

        Args:
            fold: None for the experiment's test clips, or the fold to test on.
            scored_on: `validation`: the training clips train alone. `test`: a member of an
                ensemble is scored on the experiment's test clips, and trains on the others that are
                not of `fold`.

        Returns:
            Training takes all that is not tested on; only a recipe that stops early sets
            validation clips aside.
        """
        nobody = np.empty(0, np.int64)
        if scored_on == "validation":
            return self.split.train, nobody, self.split.validation
        stops_early = self.experiment.training.final.patience is not None
        if scored_on == "test":
            clips = self.split.not_tested
            mine = np.array([self.folded[int(index)].fold == fold for index in clips])
            return clips[~mine], clips[mine] if stops_early else nobody, self.split.test
        split = self.split if fold is None else self._split_by(fold)
        if stops_early:
            return split.train, split.validation, split.test
        return split.not_tested, nobody, split.test

    def fold_part(self, name: Part, fold: str) -> Indices:
        """Return the indices of the clips of one part of the split that tests on `fold`."""
        if name == "all":
            return self.part(name)
        indices: Indices = getattr(self._split_by(fold), name)
        return indices

    def _split_by(self, fold: str) -> Split:
        settings = SplitSettings(
            by="fold",
            test_fold=fold,
            validation_fraction=self.experiment.split.validation_fraction,
        )
        return datasets.split(self.folded, settings, self.experiment.seed)

    def examples(self, indices: Indices, recipe: Recipe | None = None) -> Examples:
        """Return the segments of some clips, for scoring, or for fitting by a recipe."""
        channels = getattr(self.experiment.features, "channel_examples", None) or 1
        asked = recipe.augmentation if recipe else Augmentation()
        if recipe is None or not recipe.shuffling_and_mixing.clips:
            return Examples.of_clips(
                self.features,
                self.targets,
                indices,
                tuple(self.versions[version] for version in versions(asked)),
                channels,
                tuple(self.versions[version] for version in noisy_versions(asked)),
            )
        front_end = self.experiment.features
        if not isinstance(front_end, Spectrogram):
            raise KerasnasError(
                f"shuffling_and_mixing needs recordings: leave it out with features.kind: "
                f"{front_end.kind}"
            )
        new = mixed(self.clips, indices, recipe.shuffling_and_mixing, front_end, self.cache)
        labels = np.eye(len(self.clips.classes), dtype=np.float32)[new.labels]
        everything: Any = Joined(self.features, new.features)
        return Examples.of_clips(
            everything,
            np.concatenate([self.targets, labels]),
            np.concatenate([indices, len(self.clips) + np.arange(len(labels))]),
            channels=channels,
        )


def load_task(
    experiment: Experiment,
    cache: Path | None = None,
    progress: bool = False,
) -> Task:
    """Read the table of clips, split it, and get the features, from the cache if they are there.

    Args:
        experiment: The settings, as `Experiment.overridden` resolves them.
        cache: Comes before `KERASNAS_CACHE`.
        progress: Whether to show a bar while features are extracted.

    Raises:
        KerasnasError: The data cannot be used; the message names the file.
    """
    clips = datasets.load(experiment.data, experiment.data.root, cache)
    split = datasets.split(clips, experiment.split, experiment.seed)
    return _with_features(experiment, clips, split, cache, progress)


def _with_features(
    experiment: Experiment, clips: Clips, split: Split, cache: Path | None, progress: bool
) -> Task:
    def extract(version: Version) -> NDArray[Any]:
        processes = features.processes_for(len(clips), available_cores())
        return features.extract(
            clips, experiment.features, cache, processes, progress=progress, version=version
        )

    recipes = (experiment.training.candidate, experiment.training.final)
    asked = dict.fromkeys(
        version
        for recipe in recipes
        for version in (*versions(recipe.augmentation), *noisy_versions(recipe.augmentation))
    )
    if not experiment.data.stored and any(
        name != "none" for name in experiment.search.tried_recipes
    ):
        asked |= dict.fromkeys(versions(Augmentation(speeds=SPEEDS)))
    if isinstance(experiment.model, PretrainedSettings):
        asked |= dict.fromkeys(Version(speed=speed) for speed in experiment.model.speeds)
    made = {version: extract(version) for version in asked}
    return Task(experiment, clips, split, extract(AS_IT_IS), made, cache)
