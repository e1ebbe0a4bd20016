"""From a recording of any length to the features of clips of the experiment's length."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from kerasnas.features import tfio
from kerasnas.features.audio import Waveform, read
from kerasnas.features.embedding_settings import Embedding
from kerasnas.features.front_ends import RecordingFrontEnd
from kerasnas.features.mel_settings import Mfcc, Pcen, TfioLogMel
from kerasnas.features.settings import LogMel, Scalogram, Spectrogram
from kerasnas.features.spectral.log_mel import log_mel
from kerasnas.features.spectral.mfcc import mfcc
from kerasnas.features.spectral.pcen import pcen
from kerasnas.features.spectral.scalogram import scalogram
from kerasnas.paths import StrPath


class ClipLength(Protocol):
    """What is cut from recordings: front ends say it, and files that take waveforms."""

    @property
    def sample_rate(self) -> int:
        """Hz."""

    @property
    def seconds(self) -> float:
        """Length of a clip."""

    @property
    def samples(self) -> int:
        """The same, in samples."""

    @property
    def pad(self) -> Literal["zeros", "repeat"]:
        """How a shorter clip is filled up at its end."""

    @property
    def trim(self) -> float | None:
        """Level below which ends are cut as silent, in dB of the largest; None: they stay."""


@dataclass(frozen=True)
class Slice:
    """One clip cut out of a longer recording.

    Attributes:
        start: Where it begins, seconds.
        stop: Where it ends, seconds; the recording's end when the clip was filled up.
        waveform: Its samples, `(samples, channels)`; fewer than a clip's at a short recording.
    """

    start: float
    stop: float
    waveform: Waveform


def of_file(path: StrPath, settings: RecordingFrontEnd) -> NDArray[np.float32]:
    """Return features of a clip, read from a file: float32 `(segments, frames, bins, channels)`.

    Args:
        path: The recording.
        settings: The front end's parameters.

    Raises:
        KerasnasError: Naming the file, when it cannot be used (see `audio.read`).
    """
    return clip_features(read_clip(Path(path), settings), settings)


def read_clip(path: Path, settings: RecordingFrontEnd, sample_rate: int | None = None) -> Waveform:
    """Read a clip: the beginning of a recording, without its silent ends where they are cut.

    Args:
        path: The recording.
        settings: The front end's parameters.
        sample_rate: Hz; by default the front end's.

    Returns:
        float32 `(samples, channels)`, at most `settings.samples`.

    Raises:
        KerasnasError: Naming the file, when it cannot be used (see `audio.read`).
    """
    rate = settings.sample_rate if sample_rate is None else sample_rate
    # Of hours, too, only the beginning is read, unless silence can lie before it and behind it.
    seconds = settings.samples / rate if settings.trim is None else None
    waveform = read(path, rate, settings.file_channels, seconds)
    return waveform[sounding(waveform, settings)][: settings.samples]


def sounding(waveform: Waveform, settings: ClipLength) -> slice:
    """Return the samples of a recording that clips are made of.

    Args:
        waveform: All of it, `(samples, channels)`.
        settings: Whether its silent ends are cut.
    """
    if settings.trim is None:
        return slice(0, len(waveform))
    return tfio.sound(waveform, settings.trim)


def clip_features(waveform: Waveform, settings: RecordingFrontEnd) -> NDArray[np.float32]:
    """Features of a waveform, cropped or filled up to the clip length.

    Args:
        waveform: float32 `(samples, channels)` at `settings.sample_rate`, at least one sample.
        settings: The front end's parameters.

    Returns:
        float32 `(segments, frames, bins, channels)`, the same shape for every clip; where channels
        are examples, the segments of the first channel, of the second, and so on.
    """
    waveform = fit_length(waveform, settings)
    if isinstance(settings, Embedding):
        from kerasnas.features.waveform_model import embed

        return embed(waveform, settings)[None]
    if not settings.channel_examples:
        return _segments(waveform, settings)
    channels = np.split(waveform, settings.channel_examples, axis=1)
    return np.concatenate([_segments(channel, settings) for channel in channels])


def _segments(waveform: Waveform, settings: Spectrogram) -> NDArray[np.float32]:
    """Segments of the channels of one example, `(segments, frames, bins, channels)`."""
    return cut_segments(_of_kind(waveform, settings), settings)


def cut_segments(features: NDArray[np.float32], settings: Spectrogram) -> NDArray[np.float32]:
    """Return segments `(segments, frames, bins, channels)` of features `(frames, ...)`."""
    frames = settings.segment_frames or settings.clip_frames
    hop = settings.segment_hop or frames
    starts = hop * np.arange(settings.channel_segments)
    return np.stack([features[start : start + frames] for start in starts])


def _of_kind(waveform: Waveform, settings: Spectrogram) -> NDArray[np.float32]:
    match settings:
        case LogMel():
            return log_mel(waveform, settings)
        case Mfcc():
            return mfcc(waveform, settings)
        case Pcen():
            return pcen(waveform, settings)[0]
        case Scalogram():
            return scalogram(waveform, settings)
        case TfioLogMel():
            return tfio.of_waveforms([waveform[:, 0]], settings)[0, ..., None]
    raise TypeError(f"features of kind {settings.kind} are made elsewhere")


def fit_length(waveform: Waveform, settings: ClipLength) -> Waveform:
    """Crop the end of `(samples, channels)`, or fill it up, to exactly `settings.samples`."""
    missing = settings.samples - len(waveform)
    if missing <= 0:
        return waveform[: settings.samples]
    if settings.pad == "repeat":
        return np.resize(waveform, (settings.samples, waveform.shape[1]))
    return np.pad(waveform, ((0, missing), (0, 0)))


def sliding(
    blocks: Iterable[Waveform], settings: ClipLength, hop_seconds: float | None = None
) -> Iterator[Slice]:
    """Cut a recording of any length into clips, the last one ending where the recording ends.

    What would add less than a twentieth of a clip at the end is left out, as the end of a training
    clip that is a little too long: decoders and resamplers differ by some samples.

    No more than a clip and a block is held at a time.

    Args:
        blocks: The recording in parts, float32 `(samples, channels)` each at
            `settings.sample_rate`, at least one sample in all.
        settings: The length of a clip.
        hop_seconds: Time between the beginnings of two clips; the clip length by default.
    """
    rate = settings.sample_rate
    hop = max(1, round((hop_seconds or settings.seconds) * rate))
    length, start = settings.samples, 0
    held, offset = np.zeros((0, 1), np.float32), 0  # what is left of the recording, and its place
    for block in blocks:
        held = np.concatenate([held, block]) if len(held) else block
        end = offset + len(held)
        while start + length < end:
            part = held[start - offset : start - offset + length]
            yield Slice(start / rate, (start + length) / rate, part)
            start += hop
        done = max(0, min(start, end - length) - offset)  # the last clip may begin behind this
        held, offset = held[done:], offset + done
    end = offset + len(held)
    last = max(0, end - length)
    if not start or last - (start - hop) > length // 20:
        yield Slice(last / rate, end / rate, held[last - offset :])
