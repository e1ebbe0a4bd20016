"""Scores of sound as it comes: of whole clips on a window that slides, or step by step."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from kerasnas.errors import KerasnasError
from kerasnas.export.check.networks import StepNetwork
from kerasnas.features import FramewiseFeatures
from kerasnas.features.audio import Waveform
from kerasnas.features.settings import Spectrogram
from kerasnas.flow.commands.predict import Predictor


class Scored(NamedTuple):
    """Scores of the sound from when to when, seconds from the beginning.

    Attributes:
        start: Where the clip begins that the scores are of.
        stop: Where it ends.
        scores: `(classes,)`.
    """

    start: float
    stop: float
    scores: NDArray[np.float32]


class Scorer(Protocol):
    """Takes sound and gives scores."""

    @property
    def window_seconds(self) -> float:
        """Length of the sound that scores are of."""

    @property
    def hop_seconds(self) -> float:
        """Time between two rows of scores."""

    def push(self, samples: Waveform) -> list[Scored]:
        """Take `(samples, channels)`, and return the scores that they make possible."""

    def finish(self) -> list[Scored]:
        """End the sound, and return what scores are left."""


class ClipScorer:
    """A file of whole clips, on a window of a clip's length that slides by a hop."""

    def __init__(self, predictor: Predictor, hop_seconds: float) -> None:
        """Begin a recording.

        Args:
            predictor: The file.
            hop_seconds: Time between two windows.
        """
        self._predictor = predictor
        self._rate, self._length = predictor.settings.sample_rate, predictor.settings.samples
        self._hop = max(1, round(hop_seconds * self._rate))
        self._held = np.zeros((0, predictor.settings.file_channels), np.float32)
        self._start = 0

    @property
    def window_seconds(self) -> float:
        """See `Scorer`."""
        return self._length / self._rate

    @property
    def hop_seconds(self) -> float:
        """See `Scorer`."""
        return self._hop / self._rate

    def push(self, samples: Waveform) -> list[Scored]:
        """See `Scorer`."""
        self._held = np.concatenate([self._held, samples])
        found = []
        while len(self._held) >= self._length:
            found.append(self._score(self._held[: self._length]))
            self._held = self._held[self._hop :]
            self._start += self._hop
        return found

    def finish(self) -> list[Scored]:
        """Return the scores of sound that is shorter than a clip, filled up; else none."""
        return [self._score(self._held)] if not self._start and len(self._held) else []

    def _score(self, waveform: Waveform) -> Scored:
        start, stop = self._start, self._start + len(waveform)
        return Scored(start / self._rate, stop / self._rate, self._predictor.score(waveform))


class StepScorer:
    """A file of one step, whose states go from step to step.

    Scores are given from the first whole clip on: before it, what the network has not heard yet
    counts as zeros.
    """

    def __init__(self, predictor: Predictor) -> None:
        """Begin a recording.

        Raises:
            KerasnasError: The front end looks ahead.
        """
        network, settings = predictor.network, predictor.settings
        assert isinstance(network, StepNetwork)
        if not isinstance(settings, Spectrogram):
            raise KerasnasError(
                f"{predictor.model} goes step by step, and its features do not: keep the files of "
                "one export together"
            )
        self._network, self._settings = network, settings
        self._features = FramewiseFeatures(settings)
        self._states = network.begin()
        self._frames = np.zeros((0, *network.frame_shape), np.float32)
        self._read = 0  # frames

    @property
    def window_seconds(self) -> float:
        """See `Scorer`."""
        frames = self._settings.input_shape[0]
        return frames * self._settings.hop_length / self._settings.sample_rate

    @property
    def hop_seconds(self) -> float:
        """See `Scorer`."""
        return self._network.frames * self._settings.hop_length / self._settings.sample_rate

    def push(self, samples: Waveform) -> list[Scored]:
        """See `Scorer`."""
        return self._step(self._features.push(samples))

    def finish(self) -> list[Scored]:
        """See `Scorer`."""
        return self._step(self._features.finish())

    def _step(self, frames: NDArray[np.float32]) -> list[Scored]:
        self._frames = np.concatenate([self._frames, frames])
        length, clip = self._network.frames, self._settings.input_shape[0]
        found = []
        while len(self._frames) >= length:
            scores, self._states = self._network.step(self._frames[:length], self._states)
            self._frames = self._frames[length:]
            self._read += length
            if self._read > clip - length:
                stop = self._read * self._settings.hop_length / self._settings.sample_rate
                found.append(Scored(max(0.0, stop - self.window_seconds), stop, scores))
        return found


def scorer_of(predictor: Predictor, hop_seconds: float) -> Scorer:
    """Return what scores sound by an opened file.

    Args:
        predictor: The file.
        hop_seconds: Time between two windows of a file of whole clips.

    Raises:
        KerasnasError: A front end looks ahead, where the file goes step by step.
    """
    if isinstance(predictor.network, StepNetwork):
        return StepScorer(predictor)
    return ClipScorer(predictor, hop_seconds)
