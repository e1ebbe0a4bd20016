"""Excerpts of recordings, small enough to be heard in a report."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from kerasnas.features.audio import Waveform, read, read_header
from kerasnas.features.clip_features import sounding
from kerasnas.features.embedding_settings import Embedding
from kerasnas.features.settings import Spectrogram

MOST_SECONDS = 3.0
MOST_BYTES = 5_000_000
"""Of all excerpts of a report, as base64 text."""

_RATES = (16_000, 32_000)  # of MP3 files; 32 kbit/s at the first
_LEVEL_WINDOW = 0.1  # seconds; the loudest part is looked for in such steps
_PEAK = 0.9


@dataclass(frozen=True)
class Excerpt:
    """A part of a recording.

    Attributes:
        start: Where it begins in the recording, seconds.
        stop: Where it ends, seconds.
        mp3: The sound, an MP3 file, mono, at a peak of 0.9.
    """

    start: float
    stop: float
    mp3: bytes


def evidence(
    segment_scores: NDArray[np.float32], answer: int, settings: Spectrogram | Embedding
) -> tuple[float, float] | None:
    """Return where a clip speaks most for an answer: begin and end of a segment, in seconds.

    Args:
        segment_scores: The network's, of the clip's segments in their order, `(segments, classes)`.
        answer: Index of the class that was answered.
        settings: The front end, which says where segments lie.

    Returns:
        None where the clip is a single segment.
    """
    if isinstance(settings, Embedding) or settings.channel_segments < 2:
        return None
    best = int(segment_scores[:, answer].argmax()) % settings.channel_segments  # of any channel
    frames = settings.segment_frames or settings.clip_frames
    second = settings.hop_length / settings.sample_rate
    start = best * (settings.segment_hop or frames) * second
    return start, start + frames * second


def excerpt(
    path: Path, settings: Spectrogram | Embedding, where: tuple[float, float] | None = None
) -> Excerpt:
    """Cut at most `MOST_SECONDS` out of a recording and encode them.

    Args:
        path: The recording.
        settings: The front end: what comes after a clip, or lies in silent ends that are cut, was
            never heard by the network.
        where: Begin and end in the clip, seconds, of the part that matters, as `evidence` gives it;
            longer ones give their loudest part. None for the loudest part of the clip.

    Raises:
        KerasnasError: Naming the file, when it cannot be used.
    """
    rate = _RATES[read_header(path).rate > _RATES[0]]
    cut, end = _heard(path, settings)
    start, stop = (cut + second for second in where or (0.0, settings.seconds))
    samples = read(path, rate, seconds=end)[: round(end * rate)]
    first = min(round(start * rate), len(samples) - 1)
    part = samples[first : max(round(stop * rate), first + 1)]
    offset = _loudest(part, rate)
    part = part[offset : offset + round(MOST_SECONDS * rate)]
    begin = (first + offset) / rate
    return Excerpt(begin, begin + len(part) / rate, mp3_of(part, rate))


def _heard(path: Path, settings: Spectrogram | Embedding) -> tuple[float, float]:
    """Return where a clip begins and ends in its recording, seconds."""
    if settings.trim is None:
        return 0.0, settings.seconds
    rate = settings.sample_rate
    sound = sounding(read(path, rate, settings.file_channels), settings)
    return sound.start / rate, min(sound.stop / rate, sound.start / rate + settings.seconds)


def within(excerpts: Iterable[Excerpt], most: int = MOST_BYTES) -> Iterator[Excerpt]:
    """Yield excerpts until the next one would exceed `most` bytes of base64 text in all.

    Args:
        excerpts: The most important first; made one by one, as they are asked for.
        most: Number of bytes.
    """
    left = most
    for each in excerpts:
        left -= 4 * -(-len(each.mp3) // 3)
        if left < 0:
            return
        yield each


def _loudest(samples: Waveform, rate: int) -> int:
    """Return where the loudest stretch of `MOST_SECONDS` begins, in samples."""
    length, step = round(MOST_SECONDS * rate), round(_LEVEL_WINDOW * rate)
    if len(samples) <= length:
        return 0
    energy = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64).sum(axis=1) ** 2)])
    starts = np.arange(0, len(samples) - length + 1, step)
    return int(starts[np.argmax(energy[starts + length] - energy[starts])])


def mp3_of(samples: Waveform, rate: int) -> bytes:
    """Return an MP3 file of `(samples, channels)` at 16 or 32 kHz, at a peak of 0.9."""
    peak = float(np.abs(samples).max())
    file = io.BytesIO()
    scaled = samples * (_PEAK / peak) if peak else samples
    soundfile.write(file, scaled, rate, format="MP3", subtype="MPEG_LAYER_III")
    return file.getvalue()
