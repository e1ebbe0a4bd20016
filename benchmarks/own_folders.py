"""Folders of recordings as users have them, written for `benchmarks/own_recordings.py`.

Every builder takes the directory of the folder, the seed, and the sources it needs, and does
nothing where the folder is already whole. The same seed writes the same recordings.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from kerasnas.datasets import load
from kerasnas.datasets.esc50 import Esc50Settings
from kerasnas.datasets.places import filled_beside
from kerasnas.datasets.synthetic.mixtures import CLASSES, write_csv
from kerasnas.datasets.synthetic.synthetic import SyntheticSettings
from kerasnas.features.audio import read

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = REPOSITORY.parent / "shared" / "data"

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TAKES = 50
RATE = 8000
# Accent, voice, pitch (0 to 99) and words a minute of each speaker.
SPEAKERS = {
    "anna": ("en-us", "f2", 55, 160),
    "ben": ("en-us", "m3", 35, 170),
    "carol": ("en-gb", "f4", 62, 150),
    "dan": ("en-gb-scotland", "m7", 40, 185),
    "eve": ("en-gb-x-rp", "Annie", 50, 165),
    "finn": ("en-029", "m1", 45, 155),
}

Signal = NDArray[np.float32]


def source(variable: str, name: str) -> Path:
    """Return the directory of real recordings: `$variable`, or `name` in `../shared/data`.

    Raises:
        FileNotFoundError: It is in neither place.
    """
    root = Path(os.environ.get(variable) or SHARED / name)
    if not root.is_dir():
        raise FileNotFoundError(f"no recordings in {root}: set {variable} to their directory")
    return root


def wake_words(directory: Path, seed: int) -> Path:
    """Return the folder of wake words as it is: six labels, 482 clips of one and 56 of another."""
    del directory, seed
    return source("KERASNAS_WAKE_WORDS", "wake_words")


def esc10(directory: Path, seed: int) -> Path:
    """Return ESC-10 as it is: about 40 clips a class, five folds."""
    del directory, seed
    return source("KERASNAS_ESC10", "esc10")


def esc10_second(directory: Path, seed: int) -> Path:
    """Write the loudest second of every ESC-10 clip, with its fold and source."""
    del seed
    if not directory.is_dir():
        clips = load(Esc50Settings(esc10=True), source("KERASNAS_ESC10", "esc10"))
        with filled_beside(directory) as partial:
            rows = []
            for clip in clips:
                (rate,) = {soundfile.info(clip.path).samplerate}
                sound = read(clip.path, rate)[:, 0]
                sums = np.cumsum(np.insert(sound.astype(np.float64) ** 2, 0, 0.0))
                start = int(np.argmax(sums[rate:] - sums[:-rate])) if len(sound) > rate else 0
                name = f"{clip.path.stem}.wav"
                soundfile.write(partial / name, sound[start : start + rate], rate, "PCM_16")
                rows.append((name, clip.labels[0], clip.fold, clip.group))
            _table(partial, ("filename", "labels", "fold", "group"), rows)
    return directory


def mixtures(directory: Path, seed: int) -> Path:
    """Write 750 mixtures of one to three ESC-10 recordings, several labels a clip."""
    if not directory.is_dir():
        sys.path.insert(0, str(REPOSITORY / "examples"))
        from esc10_mixtures import RATE as MIXTURE_RATE
        from esc10_mixtures import TAGS
        from esc10_mixtures import mixtures as mix

        names = {tag: name for name, tag in TAGS.items()}
        with filled_beside(directory) as partial:
            rows = []
            for mixture in mix(source("KERASNAS_ESC10", "esc10"), 150, "5", 2, seed):
                chunk = mixture.chunk
                name = f"{chunk.name}.wav"
                soundfile.write(partial / name, mixture.waveform, MIXTURE_RATE, "PCM_16")
                fold = "5" if chunk.fold is None else str(chunk.fold + 1)
                labels = ";".join(names[tag] for tag in chunk.tags)
                rows.append((name, labels, fold, chunk.name.partition(".")[0]))
            _table(partial, ("filename", "labels", "fold", "group"), rows)
    return directory


def synthetic(per_class: int) -> Callable[[Path, int], Path]:
    """Return a builder of generated domestic sounds, `per_class` clips of each class."""

    def build(directory: Path, seed: int) -> Path:
        if not directory.is_dir():
            settings = SyntheticSettings(clips=per_class * len(CLASSES), seed=seed)
            with filled_beside(directory) as partial:
                write_csv(partial, settings)
        return directory

    return build


def spoken(directory: Path, seed: int) -> Path:
    """Write 3 000 digits by six synthetic speakers (espeak-ng), the speaker as the group.

    Takes of a word differ in pitch, speed, level, tone and noise; some are cut tightly, others
    have up to 0.3 s before and after.

    Raises:
        FileNotFoundError: espeak-ng is not installed.
    """
    if directory.is_dir():
        return directory
    if shutil.which("espeak-ng") is None:
        raise FileNotFoundError("espeak-ng is not installed: apt-get install espeak-ng")
    with filled_beside(directory) as partial:
        rows = []
        for number, (speaker, voice) in enumerate(SPEAKERS.items()):
            for index, word in enumerate(WORDS):
                for take in range(TAKES):
                    rng = np.random.default_rng((seed, number, index, take))
                    name = f"{word}_{speaker}_{take}.wav"
                    soundfile.write(partial / name, _take(word, voice, rng), RATE, "PCM_16")
                    rows.append((name, word, speaker))
        _table(partial, ("filename", "labels", "group"), rows)
    return directory


def _take(word: str, voice: tuple[str, str, int, int], rng: np.random.Generator) -> Signal:
    """Return one take of a word, `(samples,)` at `RATE`."""
    accent, variant, pitch, speed = voice
    pitch = int(np.clip(pitch + rng.normal(0, 6), 0, 99))
    speed = int(speed * rng.uniform(0.7, 1.4))
    command = ["espeak-ng", "-v", f"{accent}+{variant}", "-p", str(pitch), "-s", str(speed)]
    spoken = subprocess.run([*command, "--stdout", word], capture_output=True, check=True).stdout
    sound, rate = soundfile.read(io.BytesIO(_with_sizes(spoken)), dtype="float32")
    import soxr

    sound = soxr.resample(sound, rate, RATE)
    loud = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max())
    sound = sound[loud[0] : loud[-1] + 1]
    tilt = rng.uniform(-0.5, 0.5)
    sound = sound - tilt * np.insert(sound[:-1], 0, 0)
    if rng.random() < 0.5:
        before, after = (rng.uniform(0, 0.3, 2) * RATE).astype(int)
        sound = np.pad(sound, (before, after))
    sound = sound / np.abs(sound).max() * 10 ** (rng.uniform(-20, -1) / 20)
    noise = rng.standard_normal(len(sound)) * np.sqrt(np.mean(sound**2))
    return np.asarray(sound + noise * 10 ** (-rng.uniform(20, 45) / 20), np.float32)


def _with_sizes(wav: bytes) -> bytes:
    """Return a streamed WAV file with the sizes that its header leaves open."""
    data = bytearray(wav)
    data[4:8] = (len(data) - 8).to_bytes(4, "little")
    data[40:44] = (len(data) - 44).to_bytes(4, "little")
    return bytes(data)


def _table(root: Path, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    with (root / "clips.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


FOLDERS: dict[str, Callable[[Path, int], Path]] = {
    "wake_words": wake_words,
    "esc10": esc10,
    "esc10_second": esc10_second,
    "mixtures": mixtures,
    "synthetic_30": synthetic(30),
    "synthetic_1000": synthetic(1000),
    "spoken": spoken,
}
"""Every folder by name; the last needs espeak-ng."""
