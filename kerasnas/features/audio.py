"""Reading recordings: any format, rate and channel count that libsndfile knows."""

import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from kerasnas.errors import KerasnasError
from kerasnas.paths import StrPath

Waveform = NDArray[np.float32]
BLOCK = 2**18
LONGEST = 2**30
"""Samples, of all channels, that are held at once: formats that compress make gigabytes of silence
out of a file of megabytes."""
LOUDEST = 2.0**31
"""Of samples: integers of 32 bits that were taken for floats. The powers of far larger ones are
infinite."""
_STRETCH = 64
"""Samples that at most are made of one: a damaged header could ask for the memory of a machine."""
_MARGIN = 2**14
"""Samples beyond the end of what is asked for: more than the resampler's filter is long."""


def read(
    path: StrPath, sample_rate: int, channels: int | None = 1, seconds: float | None = None
) -> Waveform:
    """Read a recording as float32 `(samples, channels)`, full scale ±1, at `sample_rate` Hz.

    The file is read, mixed and resampled in blocks, so that hours of it take little more memory
    than the result.

    Args:
        path: A wav, flac, ogg, mp3 or other file that libsndfile reads.
        sample_rate: The rate to resample to (soxr, high quality).
        channels: 1 for the mean of the file's channels; 2 for its two channels, a mono file twice;
            more for a file that has so many; None for all channels that it has.
        seconds: How much of the beginning to read; what is behind it is not looked at. None: all.

    Raises:
        KerasnasError: Naming the file, when it is missing, not audio, cut short, without samples,
            longer than can be held, holds infinities or NaN, or has other channels than are asked
            for.
    """
    parts, size = list[Waveform](), 0
    for block in blocks(Path(path), sample_rate, channels, seconds):
        size += block.size
        if size > LONGEST:
            raise KerasnasError(
                f"{path}: holds more than {LONGEST:,} samples at {sample_rate} Hz, the most that "
                "are read at once; cut it into parts"
            )
        parts.append(block)
    waveform = np.concatenate(parts)
    return waveform if seconds is None else waveform[: math.ceil(seconds * sample_rate)]


def blocks(
    path: Path, sample_rate: int, channels: int | None = 1, seconds: float | None = None
) -> Iterator[Waveform]:
    """Yield what `read` returns, a part at a time: at least one sample in all.

    With `seconds`, a little more than that is read.

    Raises:
        KerasnasError: As from `read`; that a file is cut short shows behind its last block.
    """
    frames = samples = 0
    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:  # whose name may be no text
            promised, rate = file.frames, file.samplerate
            if rate * _STRETCH < sample_rate:
                raise KerasnasError(
                    f"{path}: has {rate} samples a second by its header, where {sample_rate} are "
                    "wanted: it is damaged; write it again, or remove it from the data set"
                )
            most = promised
            if seconds is not None:
                most = min(promised, math.ceil(seconds * rate) + _MARGIN)
            resampler = None
            while frames < most:
                block = file.read(min(BLOCK, most - frames), dtype="float32", always_2d=True)
                if not len(block):
                    break
                frames += len(block)
                mixed = _with_channels(path, finite(path, block), channels)
                if rate != sample_rate:
                    if resampler is None:
                        resampler = soxr.ResampleStream(
                            rate, sample_rate, mixed.shape[1], dtype="float32", quality="HQ"
                        )
                    mixed = resampler.resample_chunk(mixed)
                samples += len(mixed)
                yield mixed
            if resampler is not None:
                last = resampler.resample_chunk(mixed[:0], last=True)
                samples += len(last)
                yield last
    except (soundfile.LibsndfileError, OSError) as error:
        raise KerasnasError(_why_unreadable(path, error)) from None
    with path.open("rb") as raw:
        _check_whole(path, raw)
    if path.suffix.lower() == ".flac" and frames < most:
        raise KerasnasError(
            f"{path}: cut short: {frames} of {promised} samples are there; record or copy it again"
        )
    if not frames:
        raise KerasnasError(f"{path}: holds 0 samples; remove it from the data set")
    if not samples:  # a few samples can resample to none
        yield np.zeros((1, mixed.shape[1]), np.float32)


def read_part(
    path: Path, sample_rate: int, start: float, seconds: float, channels: int | None = 1
) -> Waveform:
    """Read a part of a recording, without what is before it: otherwise as `read`.

    Args:
        path: The recording.
        sample_rate: The rate to resample to.
        start: Where the part begins, seconds.
        seconds: Its length; less is read where the recording ends.
        channels: As of `read`.

    Raises:
        KerasnasError: As from `read`, and where the part begins behind the recording's end.
    """
    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:
            rate = file.samplerate
            first = round(start * rate)
            if not 0 <= first < file.frames:
                raise KerasnasError(
                    f"{path}: ends at {file.frames / rate:.2f} s, and a part from {start:.2f} s is "
                    "wanted"
                )
            file.seek(first)
            samples = file.read(round(seconds * rate), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise KerasnasError(_why_unreadable(path, error)) from None
    mixed = _with_channels(path, finite(path, samples), channels)
    if rate != sample_rate:
        mixed = np.asarray(soxr.resample(mixed, rate, sample_rate, quality="HQ"), np.float32)
    return mixed


@dataclass(frozen=True)
class Header:
    """What the header of a recording says.

    Attributes:
        rate: Samples per second, Hz.
        seconds: Length.
        channels: Number of channels.
    """

    rate: int
    seconds: float
    channels: int


def read_header(path: Path) -> Header:
    """Read the header of a recording, and none of its samples.

    Raises:
        KerasnasError: As from `read`, as far as the header tells.
    """
    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:
            frames, rate, channels = file.frames, file.samplerate, file.channels
    except (soundfile.LibsndfileError, OSError) as error:
        raise KerasnasError(_why_unreadable(path, error)) from None
    with path.open("rb") as raw:
        _check_whole(path, raw)
    if not frames:
        raise KerasnasError(f"{path}: holds 0 samples; remove it from the data set")
    return Header(rate, frames / rate, channels)


def finite(path: Path, samples: Waveform) -> Waveform:
    """Return samples of a file, all of which are numbers, and none beyond all measure.

    Raises:
        KerasnasError: Some are not.
    """
    peak = np.abs(samples).max()
    if peak <= LOUDEST:
        return samples
    held = "that are infinite or not numbers"
    if np.isfinite(peak):
        held = f"of up to {peak:.3g}, where full scale is 1"
    raise KerasnasError(
        f"{path}: holds samples {held}; write it again, or remove it from the data set"
    )


def _with_channels(path: Path, samples: Waveform, channels: int | None) -> Waveform:
    found = samples.shape[1]
    if channels is None or found == channels:
        return samples
    if channels == 1:
        return samples.mean(axis=1, keepdims=True)
    if found == 1 and channels == 2:
        return np.repeat(samples, channels, axis=1)
    raise KerasnasError(
        f"{path}: has {found} channels where {channels} are expected; replace the file, or change "
        "features.channels or features.channel_examples"
    )


def _why_unreadable(path: Path, error: Exception) -> str:
    if not path.exists():
        return f"{path}: no such file"
    if path.is_dir():
        return f"{path}: is a directory, not a recording"
    if path.stat().st_size == 0:
        return f"{path}: is an empty file of 0 bytes; remove it from the data set"
    reason = str(getattr(error, "error_string", error)).strip().rstrip(".")
    return f"{path}: cannot be read as audio ({reason}); use wav, flac, ogg or mp3"


def _check_whole(path: Path, file: BinaryIO) -> None:
    """Refuse a RIFF/WAVE file whose data chunk promises more bytes than there are.

    libsndfile reads such a file without a word and returns what is left of it. Sizes of 0 and of
    2 GiB or more are what writers leave that could not seek back (sox 0x7ffff000, ffmpeg 2^32-1).
    """
    if file.read(4) != b"RIFF":
        return
    file.seek(0, 2)
    end = file.tell()
    position = 12
    while position + 8 <= end:
        file.seek(position)
        name, size = struct.unpack("<4sI", file.read(8))
        if name == b"data":
            there = end - position - 8
            if there < size < 0x7FFFF000:
                raise KerasnasError(
                    f"{path}: cut short: its header promises {size} bytes of samples, "
                    f"{there} are there; record or copy it again"
                )
            return
        position += 8 + size + size % 2
