"""Shuffling and mixing: new clips of rare classes, made once and kept beside the features.

Source: Inoue et al., "Domestic activities classification based on CNN using shuffling and mixing
data augmentation", DCASE 2018, as Li et al., Interspeech 2020, section 3.1, use it offline. What
they leave open: the number of pieces. Deviation: mixed waveforms are added as they are, so that a
new clip is as loud as both of its clips together.

A new clip depends on the seed, its class and its number alone, and on the clips that it may be made
of. `CACHE/mixed/NAME-KEY/` holds their features, and in `done` how many there are: what was killed
goes on from there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from kerasnas.datasets import Clips, cache_root
from kerasnas.errors import KerasnasError
from kerasnas.features import clip_features
from kerasnas.features.clip_features import fit_length, read_clip
from kerasnas.features.extraction.cache import VERSION as FEATURES_VERSION
from kerasnas.features.front_ends import RecordingFrontEnd
from kerasnas.files import taking_turns, write_atomically
from kerasnas.training.examples import Indices
from kerasnas.training.recipe import ShufflingAndMixing

VERSION = 1
"""To be raised with every change that changes the new clips."""

PART = 128
"""New clips after which a killed process goes on."""


class Mix(NamedTuple):
    """How one new clip is made.

    Attributes:
        label: Its class, a column of the targets.
        clips: Indices of the two clips.
        orders: Their pieces' new orders.
    """

    label: int
    clips: tuple[int, int]
    orders: tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Mixed:
    """New clips.

    Attributes:
        features: `(clips, segments, frames, bins, channels)`.
        labels: Class of each, `(clips,)`.
    """

    features: NDArray[Any]
    labels: NDArray[np.int64]


class Joined:
    """Two arrays of features one after the other, read as one; neither is copied.

    It takes the one kind of index that `Examples` uses: arrays of clips and of segments.
    """

    def __init__(self, first: NDArray[Any], second: NDArray[Any]) -> None:
        self._parts = first, second
        self.shape = (len(first) + len(second), *first.shape[1:])

    def __getitem__(self, index: tuple[Indices, Indices]) -> NDArray[Any]:
        clips, segments = index
        first, second = self._parts
        new = clips >= len(first)
        found = np.empty((len(clips), *self.shape[2:]), first.dtype)
        found[~new] = first[clips[~new], segments[~new]]
        found[new] = second[clips[new] - len(first), segments[new]]
        return found


def plan(
    targets: NDArray[np.float32], among: Indices, counts: Mapping[int, int], pieces: int, seed: int
) -> list[Mix]:
    """How the new clips are made.

    Args:
        targets: Labels of all clips, `(clips, classes)`.
        among: Indices of the clips that new ones are made of.
        counts: For a class, how many clips it shall have, old and new.
        pieces: That a clip is cut into.
        seed: Of the choices.
    """
    mixes = []
    for label, count in sorted(counts.items()):
        members = among[targets[among, label] > 0.5]
        for number in range(count - len(members)):
            rng = np.random.default_rng((seed, label, number))
            first = int(rng.integers(len(members)))  # the other one is another, if there is one
            other = (first + int(rng.integers(1, max(2, len(members))))) % len(members)
            orders = [tuple(int(piece) for piece in rng.permutation(pieces)) for _ in range(2)]
            pair = int(members[first]), int(members[other])
            mixes.append(Mix(label, pair, (orders[0], orders[1])))
    return mixes


def shuffled(waveform: NDArray[np.float32], order: tuple[int, ...]) -> NDArray[np.float32]:
    """Return pieces of `(samples, channels)` in another order; the rest stays at the end."""
    length = len(waveform) // len(order)
    pieces = [waveform[piece * length : (piece + 1) * length] for piece in order]
    return np.concatenate([*pieces, waveform[length * len(order) :]])


def mixed(
    clips: Clips,
    among: Indices,
    settings: ShufflingAndMixing,
    front_end: RecordingFrontEnd,
    cache: Path | None = None,
) -> Mixed:
    """Return new clips made of `among`, from the cache as far as they are there.

    Args:
        clips: The data set.
        among: Indices of the clips that may be used: those that are trained on.
        settings: How many, of which classes.
        front_end: Of the experiment.
        cache: Directory of derived files (see `datasets.cache_root`).

    Raises:
        KerasnasError: A class does not exist or has no clip, or a file cannot be used or written.
    """
    counts = _counts(clips, among, settings)
    mixes = plan(clips.targets(), among, counts, settings.pieces, settings.seed)
    labels = np.array([mix.label for mix in mixes], np.int64)
    shape = (front_end.segments, *front_end.input_shape)
    if not mixes:
        return Mixed(np.zeros((0, *shape), front_end.storage), labels)
    directory = cache_root(cache) / "mixed" / f"{clips.name}-{_key(clips, mixes, front_end)}"
    array, done = directory / "features.npy", directory / "done"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with taking_turns(directory / ".lock"):  # whoever comes second finds everything there
            first = int(done.read_text()) if done.exists() else 0
            if not first:
                open_memmap(array, "w+", front_end.storage, (len(mixes), *shape)).flush()
            _fill(clips, mixes, front_end, array, done, first)
    except OSError as error:
        raise KerasnasError(
            f"{directory}: new clips cannot be written ({error.strerror}); set KERASNAS_CACHE to a "
            "directory with room"
        ) from None
    return Mixed(np.load(array, mmap_mode="r"), labels)


def _fill(
    clips: Clips,
    mixes: Sequence[Mix],
    front_end: RecordingFrontEnd,
    array: Path,
    done: Path,
    first: int,
) -> None:
    """Write the features of new clips from `first` on; `done` says how many are there."""
    starts = range(first, len(mixes), PART)
    written = np.load(array, mmap_mode="r+")
    console = Console(stderr=True)
    for start in track(
        starts, "shuffling and mixing", console=console, disable=not console.is_terminal
    ):
        for row, mix in enumerate(mixes[start : start + PART], start):
            written[row] = mix_features(clips, mix, front_end)
        written.flush()
        write_atomically(done, str(min(start + PART, len(mixes))))


def mix_features(clips: Clips, mix: Mix, front_end: RecordingFrontEnd) -> NDArray[np.float32]:
    """Return the features of one mix, `(segments, frames, bins, channels)`."""
    waveforms = []
    for index, order in zip(mix.clips, mix.orders, strict=True):
        waveform = read_clip(clips[index].path, front_end)
        waveforms.append(shuffled(fit_length(waveform, front_end), order))
    return clip_features(waveforms[0] + waveforms[1], front_end)


def _counts(clips: Clips, among: Indices, settings: ShufflingAndMixing) -> dict[int, int]:
    known = {name: column for column, name in enumerate(clips.classes)}
    if clips.multi_label:
        raise KerasnasError(
            "shuffling_and_mixing makes clips of one class: leave it out where clips carry several "
            "labels"
        )
    present = clips.subset(among).counts
    for name, count in settings.clips.items():
        if name not in known:
            raise KerasnasError(
                f"shuffling_and_mixing.clips: there is no class {name}; the data set has "
                f"{', '.join(known)}"
            )
        if count and not present[name]:
            raise KerasnasError(
                f"shuffling_and_mixing.clips: no training clip is of {name}, so none can be made"
            )
    return {known[name]: count for name, count in settings.clips.items()}


def _key(clips: Clips, mixes: Sequence[Mix], front_end: RecordingFrontEnd) -> str:
    used = sorted({index for mix in mixes for index in mix.clips})
    files = [[str(clips[index].path.absolute()), index] for index in used]
    times = [clips[index].path.stat().st_mtime_ns for index in used]
    about = [VERSION, FEATURES_VERSION, front_end.model_dump(mode="json"), files, times, mixes]
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:20]
