"""Listen to a microphone, or to a recording at real speed, with an exported file."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kerasnas.decisions import Decider, DecisionSettings, Detection
from kerasnas.errors import KerasnasError
from kerasnas.export.check.networks import StepNetwork
from kerasnas.features.audio import Waveform
from kerasnas.flow.commands.live.scorers import Scored, Scorer, scorer_of
from kerasnas.flow.commands.live.sources import Block, Clock, of_microphone, of_recording
from kerasnas.flow.commands.predict import HOPS, Predictor
from kerasnas.paths import StrPath
from kerasnas.runs.layout import ExportPaths
from kerasnas.runs.records import Postprocessing

_SILENCE = -120.0
"""dB of full scale, and less."""


@dataclass(frozen=True)
class Heard:
    """What became of one window, or of one step.

    Attributes:
        start: Where the sound begins that the scores are of, seconds.
        stop: Where it ends.
        scores: `(classes,)`.
        events: That begin here (`lasts` is true), and that end here (false).
        level: Of the sound since the scores before, dB of full scale: 0 is a full square wave.
        latency: From when the last sample had come until scores and events were there, seconds.
        load: Share of real time that all computing has taken so far; above 1, the machine is too
            slow.
        lost: Whether sound was lost since the scores before.
    """

    start: float
    stop: float
    scores: NDArray[np.float32]
    events: tuple[Detection, ...]
    level: float
    latency: float
    load: float
    lost: bool


class Listener:
    """Scores and decides on sound as it comes."""

    def __init__(
        self,
        model: StrPath,
        hop_seconds: float | None = None,
        threshold: float | None = None,
        *,
        clock: Clock = time.perf_counter,
    ) -> None:
        """Open a file.

        Args:
            model: A `.tflite` file of an export; one of steps (`export.recurrent: step`) goes step
                by step, any other is run on a window of a clip's length.
            hop_seconds: Time between two windows; by default that of `postprocessing.json` beside
                the file, or else a quarter of a clip.
            threshold: Of events, for every class, 0 to 1; replaces what was chosen.
            clock: Tells seconds.

        Raises:
            KerasnasError: A file is missing or damaged, they do not belong together, or a setting
                does not fit.
        """
        self._predictor = Predictor.open(model, threshold)
        self.settings, self._scorer = self._opened(hop_seconds, threshold is not None)
        self._every = max(1, round(self.settings.hop_seconds / self._scorer.hop_seconds))
        self._decider = Decider(self.settings, self.classes)
        self._clock = clock
        self._rows = 0
        self._busy = self._sound = 0.0  # seconds
        self._square = self._samples = 0.0  # since the last scores
        self._lost = False

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self._predictor.classes

    @property
    def sample_rate(self) -> int:
        """Hz of the sound that it takes."""
        return self._predictor.settings.sample_rate

    @property
    def channels(self) -> int:
        """Channels of the sound that it takes."""
        return self._predictor.settings.file_channels

    def listen(self, source: Iterable[Block]) -> Iterator[Heard]:
        """Yield what becomes of sound, once for each window or step."""
        for block in source:
            begun = self._clock()
            self._measure(block.samples)
            self._lost |= block.lost
            found = [(each, self._decide(each)) for each in self._scorer.push(block.samples)]
            self._busy += self._clock() - begun
            # The first of several is as late as the last one, with which it was computed.
            for scored, events in found:
                yield self._heard(scored, events, block.arrived)

    def finish(self) -> Iterator[Heard]:
        """End the sound: yield what is left, with the events that last, ended."""
        begun = self._clock()
        found = [(each, self._decide(each)) for each in self._scorer.finish()]
        last = self._decider.finish()
        self._busy += self._clock() - begun
        for scored, events in found:
            yield self._heard(scored, events, begun)
        if last:
            stop = self._sound
            nothing = Scored(stop, stop, np.zeros(0, np.float32))
            yield self._heard(nothing, last, begun)

    def _measure(self, samples: Waveform) -> None:
        self._sound += len(samples) / self.sample_rate
        self._square += float(np.square(samples, dtype=np.float64).sum())
        self._samples += samples.size

    def _decide(self, scored: Scored) -> tuple[Detection, ...]:
        """Return the events of a row; steps between two windows decide nothing."""
        self._rows += 1
        if (self._rows - 1) % self._every:
            return ()
        return self._decider.push(scored.start, scored.scores)

    def _heard(self, scored: Scored, events: tuple[Detection, ...], arrived: float) -> Heard:
        level = _SILENCE
        if self._square:
            level = max(_SILENCE, 10 * math.log10(self._square / self._samples))
        lost, self._lost = self._lost, False
        self._square = self._samples = 0.0
        load = self._busy / self._sound if self._sound else 0.0
        return Heard(*scored, events, level, self._clock() - arrived, load, lost)

    def _opened(self, hop: float | None, given: bool) -> tuple[DecisionSettings, Scorer]:
        """Return how to decide, and what scores."""
        predictor = self._predictor
        steps = isinstance(predictor.network, StepNetwork)
        if hop is not None and (steps or not 0 < hop <= predictor.settings.seconds):
            remedy = (
                f"{predictor.model} goes step by step: leave it out"
                if steps
                else f"give seconds above 0, and no more than a clip has, "
                f"{predictor.settings.seconds:g}"
            )
            raise KerasnasError(f"hop_seconds: {hop:g} does not fit; {remedy}")
        path = ExportPaths(predictor.model.parent).postprocessing
        if path.is_file() and hop is None and not given:
            settings = Postprocessing.read(path).settings
            scorer = scorer_of(predictor, settings.hop_seconds)
            if settings.hop_seconds < scorer.hop_seconds * (1 - 1e-6):
                raise KerasnasError(
                    f"{path} decides every {settings.hop_seconds:g} s, and a step of "
                    f"{predictor.model} is {scorer.hop_seconds:g} s: run `kerasnas tune-decisions` "
                    "with a hop of whole steps"
                )
            return settings, scorer
        scorer = scorer_of(predictor, hop or predictor.settings.seconds / HOPS)
        own = scorer.hop_seconds
        decided = own * max(1, round(scorer.window_seconds / HOPS / own)) if steps else own
        limits = None if predictor.thresholds is None else predictor.thresholds.tolist()
        untuned = DecisionSettings.untuned(
            predictor.classes, scorer.window_seconds, min(decided, scorer.window_seconds), limits
        )
        return untuned, scorer


def listen(
    model: StrPath,
    recording: StrPath | None = None,
    *,
    fast: bool = False,
    hop_seconds: float | None = None,
    threshold: float | None = None,
    device: int | str | None = None,
) -> Iterator[Heard]:
    """Listen until the recording ends, or the microphone goes away.

    Args:
        model: See `Listener`.
        recording: What to hear; the microphone by default.
        fast: Whether a recording is heard as fast as it can be, instead of at real speed.
        hop_seconds: See `Listener`.
        threshold: See `Listener`.
        device: Number of a microphone, or a part of its name; the system's own by default.

    Yields:
        What became of each window, or step; at the end the events that last, ended.

    Raises:
        KerasnasError: As from `Listener` and from the sources of sound.
    """
    listener = Listener(model, hop_seconds, threshold)
    yield from listener.listen(source_of(listener, recording, fast, device))
    yield from listener.finish()


def source_of(
    listener: Listener, recording: StrPath | None, fast: bool, device: int | str | None
) -> Iterator[Block]:
    """Return the sound that a listener is to hear; see `listen`.

    Raises:
        KerasnasError: Settings do not go together.
    """
    rate, channels, clock = listener.sample_rate, listener.channels, time.perf_counter
    if recording is None:
        if fast:
            raise KerasnasError("fast: a microphone hears at real speed; give a recording with it")
        return of_microphone(rate, channels, device, clock=clock)
    if device is not None:
        raise KerasnasError(f"device: {device!r} and a recording were given; leave one of them out")
    return of_recording(Path(recording), rate, channels, fast=fast, clock=clock)
