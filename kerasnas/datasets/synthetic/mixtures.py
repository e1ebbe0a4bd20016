"""Mixtures of domestic sounds with known tags, written as WAV files.

A clip is a mixture of tagged sounds, each in its own room, over background noise. In a single-label
clip a weaker sound of another class may be heard behind the tagged one. Clip i depends on the seed
and on i alone.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile
from numpy.random import Generator
from numpy.typing import NDArray

from kerasnas.datasets import audiofolder, chime_home, sins, tau2020_3class
from kerasnas.datasets.chime_home import TAGS, Chunk
from kerasnas.datasets.synthetic.settings import MixtureSettings
from kerasnas.datasets.synthetic.sounds import SOUNDS, Signal, coloured_noise, room
from kerasnas.paths import StrPath

CLASSES = tuple(SOUNDS)


@dataclass(frozen=True)
class Recording:
    """One synthetic clip.

    Attributes:
        index: Number of the clip, from 0.
        labels: The tagged sounds; exactly one unless multi-label.
        fold: `"1"` and up; a single-label fold holds every class.
        waveform: float32 `(samples, channels)`, within ±1.
    """

    index: int
    labels: tuple[str, ...]
    fold: str
    waveform: NDArray[np.float32]


def recordings(settings: MixtureSettings, *, multi_label: bool = False) -> Iterator[Recording]:
    """All clips of the data set, in order."""
    for index in range(settings.clips):
        yield recording(settings, index, multi_label=multi_label)


def recording(settings: MixtureSettings, index: int, *, multi_label: bool = False) -> Recording:
    """Clip `index`, the same whatever else is generated."""
    rng = np.random.default_rng((settings.seed, index))
    if multi_label:
        labels = tuple(sorted(rng.choice(CLASSES, rng.integers(1, 4), replace=False).tolist()))
        fold = index % settings.folds
    else:
        labels = (CLASSES[index % len(CLASSES)],)
        fold = index // len(CLASSES) % settings.folds
    sounds = dict.fromkeys(labels, 0.0)
    if not multi_label and rng.random() < settings.interference:
        other = rng.choice([name for name in CLASSES if name not in labels])
        sounds[str(other)] = -rng.uniform(3, 15)
    return Recording(index, labels, str(fold + 1), _mix(rng, settings, sounds))


def write_csv(root: StrPath, settings: MixtureSettings, *, multi_label: bool = False) -> None:
    """Write `clips.csv` (filename, labels, fold) and `audio/00000.wav` and so on."""
    lines = []
    for item in recordings(settings, multi_label=multi_label):
        name = f"audio/{item.index:05d}.wav"
        _write(Path(root) / name, item, settings)
        lines.append([name, ";".join(item.labels), item.fold])
    _write_table(Path(root) / "clips.csv", ["filename", "labels", "fold"], lines)


def write_directories(root: StrPath, settings: MixtureSettings) -> None:
    """Write one directory per label."""
    for item in recordings(settings):
        _write(Path(root) / item.labels[0] / f"{item.index:05d}.wav", item, settings)


def write_audiofolder(
    root: StrPath, settings: MixtureSettings, *, multi_label: bool = False
) -> None:
    """Write Hugging Face's layout; the last fold is `test`, the one before it `validation`.

    The metadata has the columns `file_name`, `label` and `fold`.

    Args:
        root: Where to.
        settings: `folds` is 3 or more.
        multi_label: Whether clips have lists of labels.
    """
    last, listed = settings.folds, list[tuple[str, dict[str, object]]]()
    for item in recordings(settings, multi_label=multi_label):
        split = {last: "test", last - 1: "validation"}.get(int(item.fold), "train")
        name = f"{split}/{item.index:05d}.wav"
        _write(Path(root) / name, item, settings)
        label = list(item.labels) if multi_label else item.labels[0]
        listed.append((name, {"label": label, "fold": item.fold}))
    audiofolder.write_lists(Path(root), listed)


def write_esc50(root: StrPath, settings: MixtureSettings) -> None:
    """Write ESC-50's layout; every second class counts as one of ESC-10's."""
    lines = []
    for item in recordings(settings):
        target = CLASSES.index(item.labels[0])
        name = f"{item.fold}-{item.index:06d}-A-{target}.wav"
        _write(Path(root) / "audio" / name, item, settings)
        source = f"{item.index:06d}"
        lines.append([name, item.fold, target, item.labels[0], target % 2 == 0, source, "A"])
    header = ["filename", "fold", "target", "category", "esc10", "src_file", "take"]
    _write_table(Path(root) / "meta" / "esc50.csv", header, lines)


def write_chime_home(root: StrPath, settings: MixtureSettings) -> None:
    """Write CHiME-Home's layout: `folds` development folds, and as large an evaluation set.

    The seven tags are the first seven sounds; clips of other sounds alone are silent chunks. Every
    fourth chunk is in the raw lists only. Segments are four chunks long; the folds cut the first,
    as the published ones cut three.

    Args:
        root: Where to.
        settings: With a sample rate of 16 000 or 48 000 Hz.
    """
    chunks = []
    for item in recordings(settings, multi_label=True):
        place, number = divmod(item.index, 4)
        fold = place % (settings.folds + 1)
        if (place, number) == (0, 2):
            fold = 1 % settings.folds
        chunk = Chunk(
            f"CR_synthetic_{place:06d}.s0_chunk{number}",
            tuple(TAGS[i] for i in map(CLASSES.index, item.labels) if i < len(TAGS)),
            fold if fold < settings.folds else None,
            refined=number < 3,
        )
        rate = f"{settings.sample_rate // 1000}kHz"
        _write(Path(root) / "chunks" / f"{chunk.name}.{rate}.wav", item, settings)
        chunks.append(chunk)
    chime_home.write_lists(Path(root), chunks)


_ACTIVITIES = {
    "alarm": "other",
    "appliance_hum": "absence",
    "dishes": "dishwashing",
    "dog_bark": "other",
    "door_knock": "eating",
    "frying": "cooking",
    "music": "watching_tv",
    "running_water": "working",
    "speech": "social_activity",
    "vacuum_cleaner": "vacuum_cleaner",
}


def write_sins(root: StrPath, settings: MixtureSettings, *, evaluation: bool = False) -> None:
    """Write SINS' layout: `folds` folds, in which two segments of a sound are a session.

    Args:
        root: Where to.
        settings: The data set has four channels at 16 000 Hz.
        evaluation: Write an evaluation set, without folds, instead.
    """
    segments = []
    for item in recordings(settings):
        sound, fold = CLASSES.index(item.labels[0]), int(item.fold)
        turn = item.index // len(CLASSES) // settings.folds
        session = ((turn // 2) * settings.folds + fold - 1) * len(CLASSES) + sound
        name = f"audio/DevNode{1 + turn % 4}_ex{session}_{1 + turn % 2}.wav"
        if evaluation:
            name = f"audio/{item.index}.wav"
        _write(Path(root) / name, item, settings)
        label = _ACTIVITIES[item.labels[0]]
        segments.append(sins.Segment(name, label, f"s{session}", None if evaluation else item.fold))
    sins.write_lists(Path(root), segments)


def write_tau2020_3class(root: StrPath, settings: MixtureSettings) -> None:
    """Write the layout of TAU Urban Acoustic Scenes 2020 3Class.

    Each sound is a scene, recorded at `folds` places; the last place of each is evaluated on.

    Args:
        root: Where to.
        settings: The data set is stereo at 48 000 Hz and 24 bits; `folds` is 2 or more.
    """
    scenes = sorted(tau2020_3class.SCENES)
    clips = []
    for item in recordings(settings):
        scene, place = CLASSES.index(item.labels[0]), int(item.fold)
        location = scene * settings.folds + place - 1
        turn = item.index // len(CLASSES) // settings.folds
        name = f"audio/{scenes[scene]}-city{place}-{location}-{turn}-a.wav"
        _write(Path(root) / name, item, settings)
        split = "test" if place == settings.folds else "train"
        clips.append(tau2020_3class.Recorded(name, split))
    tau2020_3class.write_lists(Path(root), clips)


def _mix(
    rng: Generator, settings: MixtureSettings, sounds: dict[str, float]
) -> NDArray[np.float32]:
    """`sounds` (with their relative levels, dB) over noise: float32 `(samples, channels)`."""
    samples = round(settings.seconds * settings.sample_rate)
    noise = coloured_noise(rng, samples, rng.uniform(0.5, 2.0))
    mixture = np.tile(_unit(noise), (settings.channels, 1))
    snr = rng.uniform(*settings.snr)
    for name, level in sounds.items():
        sound = room(rng, SOUNDS[name](rng, samples, settings.sample_rate), settings.sample_rate)
        sides = 10 ** (rng.uniform(-3, 3, (settings.channels, 1)) / 20)
        mixture += sides * _unit(sound) * 10 ** ((snr + level) / 20)
    peak = 10 ** (rng.uniform(-30, -1) / 20)
    return (mixture.T * (peak / np.abs(mixture).max())).astype(np.float32)


def _unit(sound: Signal) -> Signal:
    """`sound` at a root mean square of 1."""
    return np.asarray(sound / (np.sqrt(np.mean(sound**2)) + 1e-12))


def _write(path: Path, item: Recording, settings: MixtureSettings) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    wav = BytesIO()  # written by Python, whose errors tell a full disk from other trouble
    rate, subtype = settings.sample_rate, settings.subtype
    soundfile.write(wav, item.waveform, rate, format="WAV", subtype=subtype)
    path.write_bytes(wav.getvalue())


def _write_table(path: Path, header: list[str], lines: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *lines])
