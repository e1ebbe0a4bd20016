"""What a data set is like: counts, imbalance, lengths, levels, and which clips belong together.

Pure functions of the table of clips and of what was read of the recordings
(`kerasnas.features.recordings` reads it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kerasnas.datasets.clips import Clips
from kerasnas.datasets.groups import GroupKey, group_key, grouped

ACCURACY_MISLEADS = 3.0
"""Clips of the largest class by those of the smallest, from which on accuracy hides the smallest:
`kerasnas init` takes another score then. Balancing is tried from fewer on, since trying is safe."""

SILENT = 40.0
"""Samples so many dB below a recording's largest are silent, ends of which may be cut."""

_NOTABLE = 1 / 20


@dataclass(frozen=True)
class Lengths:
    """Lengths of recordings.

    Attributes:
        seconds: Of every recording, ascending, `(clips,)`.
    """

    seconds: NDArray[np.float64]

    @property
    def shortest(self) -> float:
        """Seconds."""
        return float(self.seconds[0])

    @property
    def longest(self) -> float:
        """Seconds."""
        return float(self.seconds[-1])

    def quantile(self, share: float) -> float:
        """Return the length that so large a share of the recordings does not exceed, seconds."""
        index = int(np.ceil(share * len(self.seconds))) - 1
        return float(self.seconds[max(0, index)])

    def cut(self, seconds: float) -> int:
        """Return how many recordings are longer than `seconds`, by more than a hundredth of it."""
        return int((self.seconds > 1.01 * seconds).sum())

    def padding(self, seconds: float) -> float:
        """Return which share of the clips is padding when they are `seconds` long."""
        return float(np.mean(1 - np.minimum(self.seconds, seconds) / seconds))


@dataclass(frozen=True)
class Levels:
    """Levels of a sample of the recordings.

    Attributes:
        peaks: Largest absolute value of each recording, full scale 1, `(sample,)`.
        heard: How much of each was listened to, seconds, `(sample,)`.
        ends: Silence before and behind its sound, of what was listened to, seconds, `(sample, 2)`;
            none in a recording that is silent throughout.
    """

    peaks: NDArray[np.float64]
    heard: NDArray[np.float64]
    ends: NDArray[np.float64]

    @property
    def silent(self) -> int:
        """Number of recordings of the sample without any sound."""
        return int((self.peaks == 0).sum())

    @property
    def decibels(self) -> tuple[float, float]:
        """Lowest and highest peak of the recordings that are not silent, dB of full scale."""
        heard = self.peaks[self.peaks > 0]
        if not len(heard):
            return (-np.inf, -np.inf)
        return (20 * float(np.log10(heard.min())), 20 * float(np.log10(heard.max())))

    @property
    def silent_ends(self) -> int:
        """Number of recordings of the sample whose ends are silent for a twentieth of them."""
        return int((self.ends.sum(axis=1) >= _NOTABLE * self.heard).sum())

    @property
    def silent_share(self) -> float:
        """Share of a recording that is silent ends, the mean over the sample."""
        return float((self.ends.sum(axis=1) / self.heard).mean())

    @property
    def lengths(self) -> Lengths:
        """Lengths of the sample, as far as it was listened to."""
        return Lengths(np.sort(self.heard))

    @property
    def sounding(self) -> Lengths:
        """Lengths of the sample without silent ends."""
        return Lengths(np.sort(self.heard - self.ends.sum(axis=1)))


def levels_of(waveforms: Sequence[NDArray[np.float32]], rate: int) -> Levels:
    """Return the levels of waveforms, `(samples, channels)` each, of so many samples a second."""
    sizes = [np.abs(waveform).max(axis=1) for waveform in waveforms]
    return Levels(
        np.array([float(size.max()) for size in sizes]),
        np.array([len(size) / rate for size in sizes]),
        np.array([_silent_ends(size) for size in sizes]) / rate,
    )


def _silent_ends(size: NDArray[np.float32]) -> tuple[int, int]:
    """Return how many samples at either end are silent, as `features.trim` counts them."""
    sound = np.flatnonzero(size > size.max() * 10 ** (-SILENT / 20))
    return (int(sound[0]), len(size) - 1 - int(sound[-1])) if len(sound) else (0, 0)


@dataclass(frozen=True)
class Survey:
    """What a data set is like.

    Attributes:
        counts: Number of clips of each class.
        multi_label: Whether a clip may carry any number of labels.
        clips: Number of clips.
        groups: Number of groups; 0 where it is not known which clips belong together.
        group_by: How groups are found in the names of the files, where the data set names none.
        lengths: Real lengths.
        rates: Number of recordings by sample rate, Hz.
        channels: Number of recordings by number of channels.
        levels: Of a sample.
    """

    counts: Mapping[str, int]
    multi_label: bool
    clips: int
    groups: int
    group_by: GroupKey | None
    lengths: Lengths
    rates: Mapping[int, int]
    channels: Mapping[int, int]
    levels: Levels

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.counts)

    @property
    def rate(self) -> int:
        """The most frequent sample rate, Hz."""
        return max(self.rates, key=lambda rate: self.rates[rate])

    @property
    def imbalance(self) -> float:
        """How many times the smallest class's clips the largest class has."""
        return max(self.counts.values()) / max(1, min(self.counts.values()))

    @property
    def imbalanced(self) -> bool:
        """Whether the classes are so different in size that accuracy hides the small ones."""
        return self.imbalance >= ACCURACY_MISLEADS

    @property
    def majority(self) -> tuple[str, float]:
        """The largest class, and the share of the clips that carry it."""
        name = max(self.counts, key=lambda label: self.counts[label])
        return name, self.counts[name] / self.clips


def survey(
    clips: Clips,
    seconds: NDArray[np.float64],
    rates: Mapping[int, int],
    channels: Mapping[int, int],
    levels: Levels,
) -> Survey:
    """Describe a data set.

    Args:
        clips: The table.
        seconds: Length of every recording, `(clips,)`.
        rates: Number of recordings by sample rate, Hz.
        channels: Number of recordings by number of channels.
        levels: Of a sample of the recordings.
    """
    named = {clip.group for clip in clips if clip.group is not None}
    key = group_key(clips)
    found = {clip.group for clip in grouped(clips, key)} if key else named
    return Survey(
        counts=clips.counts,
        multi_label=clips.multi_label,
        clips=len(clips),
        groups=len(found),
        group_by=key,
        lengths=Lengths(np.sort(seconds)),
        rates=dict(rates),
        channels=dict(channels),
        levels=levels,
    )
