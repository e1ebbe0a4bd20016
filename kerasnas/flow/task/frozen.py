"""Candidates that begin with a frozen trunk, on the clips of a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.features.extraction.cache import kept
from kerasnas.features.versions import Version
from kerasnas.flow.task.task import Indices, Task
from kerasnas.models.pretrained.candidate import (
    Candidates,
    activations_shape,
    compute_activations,
)
from kerasnas.models.pretrained.either import pretrained_part
from kerasnas.models.pretrained.settings import PretrainedSettings
from kerasnas.models.pretrained.space import PretrainedSpace
from kerasnas.models.space import Values

_VERSION = 1
"""To be raised with every change that changes activations."""


@dataclass(frozen=True, eq=False)
class FrozenTask:
    """A task whose candidates begin with a frozen trunk.

    Attributes:
        task: The task.
        candidates: Fits them; where a clip has segments, its clips are segments.
    """

    task: Task
    candidates: Candidates

    @property
    def space(self) -> PretrainedSpace:
        """Of the candidates."""
        return self.candidates.space

    @property
    def segments(self) -> int:
        """Of each clip."""
        return int(self.task.features.shape[1])

    def rows(self, clips: Indices) -> Indices:
        """Return where the segments of some clips are, in their order."""
        return (clips[:, None] * self.segments + np.arange(self.segments)).ravel()


def all_values(task: Task, values: Values) -> Values:
    """Return a candidate's values of the space, those of a fixed network among them."""
    fixed = task.experiment.search.architecture
    return {**fixed, **values} if isinstance(fixed, Mapping) else values


def trunk_space(task: Task, values: Values) -> PretrainedSpace | None:
    """Return the space of a candidate that begins with a trunk; None of another one."""
    return pretrained_part(task.space, all_values(task, values))


def has_trunks(task: Task) -> bool:
    """Whether some candidates of a search begin with a trunk."""
    return isinstance(task.experiment.model, PretrainedSettings)


def open_frozen(task: Task, space: PretrainedSpace) -> FrozenTask:
    """Return a task with what the unpruned blocks compute of its clips, from the cache.

    Raises:
        KerasnasError: The cache cannot be written, or the file of the trunk has changed.
    """
    speeds = (Version(speed=speed) for speed in space.settings.speeds)
    versions = (task.features, *(task.versions[version] for version in speeds))
    found = [_activations(task, space, features) for features in versions]
    segments = task.features.shape[1]
    return FrozenTask(
        task,
        Candidates(
            space,
            found,
            np.repeat(task.targets, segments, axis=0),
            np.repeat(task.clips.groups, segments),
            task.space.output == "sigmoid",
        ),
    )


def _activations(task: Task, space: PretrainedSpace, features: Any) -> NDArray[Any]:
    """Activations of every segment of every clip, `(clips * segments, frames, bins, channels)`."""
    flat = features.reshape(-1, *features.shape[2:])
    key = {
        "version": _VERSION,
        "trunk": space.file.sha256,
        "unpruned": space.unpruned,
        "features": Path(features.filename).parent.name,  # stands for clips, settings, version
    }

    def fill(path: Path) -> None:
        found = np.load(path, mmap_mode="r+")
        compute_activations(space, flat, found)
        found.flush()

    shape = (len(flat), *activations_shape(space))
    return kept("activations", task.clips.name, key, shape, "float16", fill, task.cache)
