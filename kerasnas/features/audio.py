"""Reading recordings: any format, rate and channel count that libsndfile knows."""

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from kerasnas.errors import KerasnasError

Waveform = NDArray[np.float32]


def read(path: Path, sample_rate: int, channels: int | None = 1) -> Waveform:
    """Read a recording as float32 `(samples, channels)`, full scale ±1, at `sample_rate` Hz.

    Args:
        path: A wav, flac, ogg, mp3 or other file that libsndfile reads.
        sample_rate: The rate to resample to (soxr, high quality).
        channels: 1 for the mean of the file's channels; 2 for its two channels, a mono file twice;
            more for a file that has so many; None for all channels that it has.

    Raises:
        KerasnasError: Naming the file, when it is missing, not audio, cut short, without samples,
            holds infinities or NaN, or has other channels than are asked for.
    """
    try:
        with soundfile.SoundFile(path) as file:
            promised, rate = file.frames, file.samplerate
            samples = file.read(dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise KerasnasError(_why_unreadable(path, error)) from None
    with path.open("rb") as raw:
        _check_whole(path, raw)
    if path.suffix.lower() == ".flac" and len(samples) < promised:
        raise KerasnasError(
            f"{path}: cut short: {len(samples)} of {promised} samples are there; "
            "record or copy it again"
        )
    if not len(samples):
        raise KerasnasError(f"{path}: holds 0 samples; remove it from the data set")
    if not np.isfinite(samples).all():
        raise KerasnasError(
            f"{path}: holds samples that are infinite or not numbers; "
            "write it again, or remove it from the data set"
        )
    return resample(_with_channels(path, samples, channels), rate, sample_rate)


def rate_and_length(path: Path) -> tuple[int, float]:
    """Samples per second and length in seconds of a recording, from its header.

    Raises:
        KerasnasError: As from `read`, as far as the header tells.
    """
    try:
        info = soundfile.info(path)
    except (soundfile.LibsndfileError, OSError) as error:
        raise KerasnasError(_why_unreadable(path, error)) from None
    with path.open("rb") as raw:
        _check_whole(path, raw)
    if not info.frames:
        raise KerasnasError(f"{path}: holds 0 samples; remove it from the data set")
    return info.samplerate, info.duration


def resample(samples: Waveform, rate: int, sample_rate: int) -> Waveform:
    """Resample float32 `(samples, channels)` from `rate` to `sample_rate` Hz."""
    if rate == sample_rate:
        return samples
    resampled: Waveform = soxr.resample(samples, rate, sample_rate, quality="HQ")
    if len(resampled):
        return resampled
    return np.zeros((1, samples.shape[1]), np.float32)  # a few samples can resample to none


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
