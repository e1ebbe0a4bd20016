"""Streams put together from sounds: events over background, with their lists.

`write_stream` takes any sounds, such as recordings of a data set, and writes what
`kerasnas.datasets.streams` reads; `write_streams` makes domestic sounds for it. Hours of stream
take the memory of their longest sound.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile
from numpy.random import Generator

from kerasnas.datasets.streams.streams import SOURCES, SPLITS, TABLE
from kerasnas.datasets.synthetic.sounds import SOUNDS, Signal, coloured_noise, room

_FADE = 0.01  # seconds at both ends of a sound
_PIECE = 10.0  # seconds of one background
_LOUDEST = 0.9


@dataclass(frozen=True)
class Sound:
    """What a stream is made of.

    Attributes:
        source: Where it comes from: what has the same name is the same sound.
        samples: Any level.
        label: Its class; empty for background.
    """

    source: str
    samples: Signal
    label: str = ""


@dataclass(frozen=True)
class Placed:
    """An event in its place.

    Attributes:
        start: Where it begins, seconds.
        sound: What sounds.
        level: Above the background, dB.
    """

    start: float
    sound: Sound
    level: float


def write_stream(
    path: Path, seconds: float, rate: int, background: Iterable[Sound], events: Sequence[Placed]
) -> None:
    """Write a recording, its list of events and its sources.

    Args:
        path: The WAV file; `.txt` (Audacity's labels) and `.sources.csv` are written beside it.
        seconds: Length; backgrounds follow one another until it is reached.
        rate: Samples per second, Hz.
        background: Sounds to choose from, in order; at least enough for the length.
        events: In any order.

    Raises:
        ValueError: The backgrounds end before the stream does.
    """
    total, position, parts = round(seconds * rate), 0, []
    level = 0.05  # root mean square of the background
    waiting = sorted(events, key=lambda event: event.start)
    path.parent.mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as file:
        for sound in background:
            piece = level * _faded(_unit(sound.samples), rate)[: total - position]
            end = position + len(piece)
            for event in waiting:
                _add(piece, position, event, level, rate)
            waiting = [each for each in waiting if _span(each, rate)[1] > end]
            file.write(np.clip(piece, -1, 1).astype(np.float32))
            parts.append((position / rate, end / rate, sound.source))
            position = end
            if position >= total:
                break
    if position < total:
        raise ValueError(f"backgrounds of {position / rate:.1f} s are too short for {seconds:g} s")
    lines = []
    for event in sorted(events, key=lambda event: event.start):
        start, stop = (sample / rate for sample in _span(event, rate))
        lines.append((f"{start:.4f}", f"{min(stop, seconds):.4f}", event.sound.label))
        parts.append((start, min(stop, seconds), event.sound.source))
    path.with_suffix(".txt").write_text(
        "".join("\t".join(line) + "\n" for line in lines), encoding="utf-8"
    )
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [("start", "stop", "source"), *((f"{a:.4f}", f"{b:.4f}", name) for a, b, name in parts)]
    )
    path.with_suffix(SOURCES).write_text(text.getvalue(), encoding="utf-8")


def place(
    sounds: Sequence[Sound],
    seconds: float,
    rate: int,
    rng: Generator,
    every: float,
    levels: tuple[float, float],
) -> list[Placed]:
    """Return events at random moments, none of which overlap.

    Args:
        sounds: To choose from; each is taken once before any is taken again.
        seconds: Length of the stream.
        rate: Samples per second, Hz.
        rng: Of moments, order and levels.
        every: Mean seconds from the end of an event to the start of the next.
        levels: Range of levels above the background, dB.
    """
    found, moment = [], rng.exponential(every)
    for sound in _shuffled_for_ever(sounds, rng):
        length = len(sound.samples) / rate
        if moment + length > seconds:
            break
        found.append(Placed(moment, sound, rng.uniform(*levels)))
        moment += length + 0.5 + rng.exponential(every)
    return found


def _shuffled_for_ever(sounds: Sequence[Sound], rng: Generator) -> Iterator[Sound]:
    while sounds:
        yield from (sounds[int(index)] for index in rng.permutation(len(sounds)))


def write_streams(
    root: Path,
    labels: Sequence[str],
    *,
    minutes: float,
    streams: int = 6,
    rate: int = 16_000,
    every: float = 10.0,
    levels: tuple[float, float] = (0.0, 15.0),
    background_only: int = 1,
    seed: int = 0,
) -> None:
    """Write streams of domestic sounds, a third of them to train, to choose by and to test on.

    Every sound is a draw of its own, so that no source is there twice.

    Args:
        root: Directory.
        labels: Classes of the events, names of `kerasnas.datasets.synthetic.sounds`; sounds of all
            other classes are heard in the background.
        minutes: Length of a stream.
        streams: Number of streams.
        rate: Samples per second, Hz.
        every: Mean seconds between events.
        levels: Range of the events' levels above the background, dB.
        background_only: The last so many streams of each part hold no event.
        seed: Of everything.
    """
    lines, others = [], [name for name in SOUNDS if name not in labels]
    for number in range(streams):
        rng, name = np.random.default_rng((seed, number)), f"stream{number:02d}"
        split, turn = SPLITS[number % len(SPLITS)], number // len(SPLITS)
        seconds = 60 * minutes
        pieces = round(seconds / _PIECE) + 1
        background = (
            Sound(f"{name}/background{index}", _background(rng, others, rate))
            for index in range(pieces)
        )
        silent = turn >= -(-streams // len(SPLITS)) - background_only
        sounds = [] if silent else list(islice(_events(rng, labels, rate, name), 4 * pieces))
        events = place(sounds, seconds, rate, rng, every, levels)
        write_stream(root / f"{name}.wav", seconds, rate, background, events)
        lines.append((f"{name}.wav", f"{name}.txt", split))
    with (root / TABLE).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("filename", "events", "split"), *lines])


def _events(rng: Generator, labels: Sequence[str], rate: int, name: str) -> Iterator[Sound]:
    number = 0
    while True:
        label = str(rng.choice(labels))
        samples = SOUNDS[label](rng, round(rng.uniform(0.6, 1.6) * rate), rate)
        yield Sound(f"{name}/event{number}", room(rng, samples, rate), label)
        number += 1


def _background(rng: Generator, others: Sequence[str], rate: int) -> Signal:
    """Return noise, half of the time with a weaker sound of another class."""
    samples = round(_PIECE * rate)
    noise = _unit(coloured_noise(rng, samples, rng.uniform(0.5, 2.0)))
    if rng.random() < 0.5:
        sound = SOUNDS[str(rng.choice(others))](rng, samples, rate)
        noise = noise + _unit(sound) * 10 ** (rng.uniform(-6, 6) / 20)
    return noise


def _add(piece: Signal, position: int, event: Placed, level: float, rate: int) -> None:
    """Add what falls into a piece of background that begins at a sample."""
    start, stop = _span(event, rate)
    first, last = max(start, position), min(stop, position + len(piece))
    if first < last:
        gain = level * 10 ** (event.level / 20)
        sound = gain * _faded(_unit(event.sound.samples), rate)
        loudest = np.abs(sound).max()
        sound *= min(1.0, _LOUDEST / loudest) if loudest else 1.0
        piece[first - position : last - position] += sound[first - start : last - start]


def _span(event: Placed, rate: int) -> tuple[int, int]:
    start = round(event.start * rate)
    return start, start + len(event.sound.samples)


def _unit(sound: Signal) -> Signal:
    """Return a sound at a root mean square of 1."""
    return np.asarray(sound / (np.sqrt(np.mean(sound**2)) + 1e-12))


def _faded(sound: Signal, rate: int) -> Signal:
    fade = min(round(_FADE * rate), len(sound) // 2)
    ramp = np.ones(len(sound))
    ramp[:fade] = np.linspace(0, 1, fade, endpoint=False)
    ramp[len(sound) - fade :] = np.linspace(1, 0, fade)
    return np.asarray(sound * ramp)
