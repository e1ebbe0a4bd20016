"""Changed versions of recordings: played at another speed, in a room, in noise.

Versions are made of waveforms, so their features are extracted once and kept in the cache as those
of the recordings are. A clip's room, noise and level depend on the seed, the version's number and
the clip's place in the data set alone.

Sources: speeds, Ko et al., "Audio augmentation for speech recognition", Interspeech 2015; rooms and
noise, Ko et al., "A study on data augmentation of reverberant speech for robust speech
recognition", ICASSP 2017.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from kerasnas.datasets import Clips
from kerasnas.datasets.table import AUDIO_SUFFIXES
from kerasnas.errors import KerasnasError
from kerasnas.features.audio import Waveform, finite, read, read_header
from kerasnas.features.clip_features import clip_features, fit_length, read_clip
from kerasnas.features.front_ends import RecordingFrontEnd
from kerasnas.files import digest


class Version(BaseModel):
    """One version of all recordings of a data set.

    Attributes:
        speed: How fast they are played: 1.25 raises tempo and pitch by a quarter.
        noise: Directory of background recordings, of which excerpts are added.
        snr: Range of a clip's level above the noise, dB.
        rooms: Directory of impulse responses, by one of which each clip is filtered.
        seed: Random seed for what is drawn.
        number: Of several versions that differ in what is drawn.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    speed: float = 1.0
    noise: Path | None = None
    snr: tuple[float, float] = (0.0, 0.0)
    rooms: Path | None = None
    seed: int = 0
    number: int = 0

    def key(self) -> dict[str, Any]:
        """Return what the version's features depend on, beside clips and front end."""
        files = {}
        for name, folder in self.folders().items():
            found = [(path, path.stat()) for path in sources(folder, name)]
            files[f"{name}_files"] = [
                [str(path), status.st_size, status.st_mtime_ns] for path, status in found
            ]
        return self.model_dump(mode="json", exclude_defaults=True) | files

    def folders(self) -> dict[str, Path]:
        """Return the directories of other recordings, by the settings that name them."""
        named = {"noise": self.noise, "rooms": self.rooms}
        return {name: folder for name, folder in named.items() if folder is not None}


AS_IT_IS = Version()


def version_features(
    path: Path, settings: RecordingFrontEnd, version: Version, row: int
) -> NDArray[np.float32]:
    """Return features of a version of a clip: float32 `(segments, frames, bins, channels)`.

    Arguments and errors are those of `version_waveform`.
    """
    return clip_features(version_waveform(path, settings, version, row), settings)


def version_waveform(
    path: Path, settings: RecordingFrontEnd, version: Version, row: int
) -> Waveform:
    """Return a version of a clip: float32 `(samples, channels)` at `settings.sample_rate`.

    Args:
        path: The recording.
        settings: The front end's parameters.
        version: What is changed.
        row: The clip's place in the data set.

    Raises:
        KerasnasError: Naming the file, when one cannot be used (see `audio.read`).
    """
    rate = round(settings.sample_rate / version.speed)  # and taken for settings.sample_rate
    waveform = read_clip(path, settings, rate)
    rng = np.random.default_rng((version.seed, version.number, row))
    if version.rooms is not None:
        waveform = reverberated(waveform, version.rooms, settings.sample_rate, rng)
    if version.noise is not None:
        waveform = noisy(waveform, version.noise, version.snr, settings, rng)
    return waveform


def noisy(
    waveform: Waveform,
    folder: Path,
    snr: tuple[float, float],
    settings: RecordingFrontEnd,
    rng: np.random.Generator,
) -> Waveform:
    """Return a clip of the experiment's length with noise all over it, its padding included.

    A clip or an excerpt that is silent throughout has no level, and nothing is added.

    Args:
        waveform: float32 `(samples, channels)` at `settings.sample_rate`.
        folder: Of the background recordings.
        snr: Range of the mean power of the clip's own samples above that of the noise, dB.
        settings: The front end's parameters.
        rng: Draws recording, excerpt and level.
    """
    power = np.mean(np.square(waveform[: settings.samples], dtype=np.float64))
    files = sources(folder, "noise")
    path = files[int(rng.integers(len(files)))]
    added = excerpt(path, settings.samples, settings.sample_rate, rng)
    own = np.mean(np.square(added, dtype=np.float64))
    clip = fit_length(waveform, settings)
    if not power or not own:
        return clip
    gain = np.sqrt(power / own) * 10 ** (-rng.uniform(*snr) / 20)
    return clip + np.float32(gain) * added


def excerpt(path: Path, samples: int, sample_rate: int, rng: np.random.Generator) -> Waveform:
    """Return a random stretch of a recording, float32 `(samples, 1)`; a shorter one is repeated."""
    header = read_header(path)
    wanted = min(samples / sample_rate, header.seconds)
    start = rng.uniform(0, header.seconds - wanted)
    with soundfile.SoundFile(os.fsencode(path)) as file:
        file.seek(int(start * header.rate))
        part = file.read(int(np.ceil(wanted * header.rate)) + 1, dtype="float32", always_2d=True)
    resampled = soxr.resample(finite(path, part).mean(axis=1), header.rate, sample_rate)
    return np.resize(resampled[:, None], (samples, 1))


def reverberated(
    waveform: Waveform, folder: Path, sample_rate: int, rng: np.random.Generator
) -> Waveform:
    """Return a clip in a room: as loud as before, and longer by the response after its peak.

    Args:
        waveform: float32 `(samples, channels)` at `sample_rate`.
        folder: Of the impulse responses.
        sample_rate: Of the clip, Hz.
        rng: Draws the response.
    """
    from scipy.signal import fftconvolve

    files = sources(folder, "rooms")
    response = _response(files[int(rng.integers(len(files)))], sample_rate)
    wet = fftconvolve(waveform, response, axes=0)
    power = np.mean(np.square(wet[: len(waveform)], dtype=np.float64))
    if not power:
        return waveform
    gain = np.sqrt(np.mean(np.square(waveform, dtype=np.float64)) / power)
    return np.asarray(wet * gain, np.float32)


@lru_cache(maxsize=64)
def _response(path: Path, sample_rate: int) -> Waveform:
    """Return an impulse response from its peak on, so that sounds begin when they did."""
    response = read(path, sample_rate)
    peak = int(np.abs(response[:, 0]).argmax())
    if not response[peak, 0]:
        raise KerasnasError(f"{path}: is silent, and no room's impulse response; remove it")
    return response[peak:]


@lru_cache(maxsize=8)
def sources(folder: Path, name: str) -> tuple[Path, ...]:
    """Return the recordings in a folder and below it, sorted; listed once a process.

    Args:
        folder: The directory.
        name: Of the setting that names it, for messages: noise or rooms.

    Raises:
        KerasnasError: There is no such directory, or no recording in it.
    """
    setting = f"augmentation.{name}.folder"
    if not folder.is_dir():
        state = "is a file, not a directory" if folder.exists() else "does not exist"
        raise KerasnasError(f"{setting}: {folder} {state}; name a directory of recordings")
    found = tuple(
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in AUDIO_SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not found:
        raise KerasnasError(
            f"{setting}: {folder} holds no recordings; expected files with one of "
            f"{' '.join(AUDIO_SUFFIXES)}"
        )
    return found


def check_sources(clips: Clips, version: Version) -> None:
    """Refuse to augment with recordings that are clips of the data set.

    In another fold, or among the test clips, such a recording would be heard in training and
    scored. A file counts as a clip by its path, links followed, and by its bytes.

    Raises:
        KerasnasError: Some are; the message names them. Or a folder has no recordings.
    """
    folders = version.folders()
    if not folders:
        return
    paths = {clip.path.resolve(): clip.id for clip in clips}
    sizes: dict[int, list[Path]] = {}
    for path in paths:
        sizes.setdefault(path.stat().st_size, []).append(path)
    for name, folder in folders.items():
        same = []
        for source in sources(folder, name):
            read_header(source)  # says which file cannot be read
            real = source.resolve()
            equal = [real] if real in paths else sizes.get(real.stat().st_size, [])
            twins = [path for path in equal if path == real or digest(path) == digest(real)]
            if twins:
                same.append(f"{source.relative_to(folder)} is {paths[twins[0]]}")
        if same:
            shown = "; ".join(same[:3]) + (f"; and {len(same) - 3} more" if len(same) > 3 else "")
            raise KerasnasError(
                f"augmentation.{name}.folder: {len(same)} of the recordings in {folder} are clips "
                f"of the data set ({shown}): move them elsewhere, or a clip that is tested on is "
                "heard in training"
            )
