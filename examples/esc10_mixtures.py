"""Multi-label clips for tagging, mixed from ESC-10 recordings and written in CHiME-Home's layout.

Seven of ESC-10's classes take the places of CHiME-Home's tags:

    c crying_baby   m sneezing   f rooster   v chainsaw   p clock_tick   b rain   o dog

A chunk is 4 s at 16 kHz and holds one to three of them. Recordings stay inside their fold, and
within it every source stays inside one segment, so that neither the official folds nor a split by
segments ever hears a source on both sides. One fold becomes the evaluation set, the others are the
development folds 0, 1, 2 and 3.

    python examples/esc10_mixtures.py ESC10_DIRECTORY OUTPUT [--chunks 150] [--evaluation-fold 5]
    kerasnas search configs/liu_zhang_2020.yaml --data OUTPUT
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from kerasnas.datasets import Clip, data_settings, load
from kerasnas.datasets.chime_home import Chunk, write_lists
from kerasnas.errors import KerasnasError
from kerasnas.features.audio import read

TAGS = {
    "crying_baby": "c",
    "sneezing": "m",
    "rooster": "f",
    "chainsaw": "v",
    "clock_tick": "p",
    "rain": "b",
    "dog": "o",
}
RATE = 16_000
SAMPLES = 4 * RATE
MOST_TAGS = 3
QUIETEST = -10  # dB, of a sound beside the loudest of its mixture

Signal = NDArray[np.float32]
Recordings = dict[str, list[Clip]]
"""By tag."""


@dataclass(frozen=True)
class Mixture:
    """A chunk with its sound, and the recordings it was mixed from."""

    chunk: Chunk
    waveform: Signal
    sources: tuple[Clip, ...]


def segments(clips: list[Clip], count: int, rng: np.random.Generator) -> list[Recordings]:
    """Deal a fold's recordings into `count` segments, class by class, keeping sources whole."""
    dealt: list[Recordings] = [{} for _ in range(count)]
    for name, tag in TAGS.items():
        mine = [clip for clip in clips if clip.labels == (name,)]
        sources = sorted({clip.group or clip.id for clip in mine})
        for place, source in enumerate(rng.permutation(sources)):
            taken = [clip for clip in mine if (clip.group or clip.id) == source]
            dealt[place % count].setdefault(tag, []).extend(taken)
    return dealt


def mixtures(
    root: Path, chunks: int, evaluation_fold: str, count: int, seed: int
) -> Iterator[Mixture]:
    """All mixtures of an ESC-10 directory.

    Args:
        root: In ESC-50's layout.
        chunks: Mixtures of each fold.
        evaluation_fold: The fold that becomes the evaluation set.
        count: Segments of each fold.
        seed: A mixture depends on it, its fold and its number alone.
    """
    esc10 = load(data_settings(dataset="esc50", esc10=True), root)
    if evaluation_fold not in esc10.folds:
        raise KerasnasError(
            f"there is no fold {evaluation_fold} in {root}: {', '.join(esc10.folds)}"
        )
    development = [fold for fold in esc10.folds if fold != evaluation_fold]
    for fold in esc10.folds:
        clips = [clip for clip in esc10 if clip.fold == fold]
        dealt = segments(clips, count, np.random.default_rng((seed, int(fold))))
        sounds = {clip.id: read(clip.path, RATE)[:, 0] for clip in clips if clip.labels[0] in TAGS}
        for number in range(chunks):
            place, index = number % count, number // count
            rng = np.random.default_rng((seed, int(fold), number))
            recordings = dealt[place]
            tags = rng.permutation(sorted(recordings))[: rng.integers(1, MOST_TAGS + 1)].tolist()
            taken = tuple(recordings[tag][rng.integers(len(recordings[tag]))] for tag in tags)
            chunk = Chunk(
                f"ESC10_fold{fold}_{place}.s0_chunk{index}",
                tuple(tags),
                None if fold == evaluation_fold else development.index(fold),
            )
            yield Mixture(chunk, mix([sounds[clip.id] for clip in taken], rng), taken)


def mix(sounds: list[Signal], rng: np.random.Generator) -> Signal:
    """Four seconds of each sound, equally loud up to a random gain, added up: within ±1."""
    mixture = np.zeros(SAMPLES, np.float32)
    for sound in sounds:
        part = excerpt(sound, rng)
        level = np.sqrt(_energies(part, RATE // 2).max() / (RATE // 2))
        mixture += part / (level + 1e-9) * 10 ** (rng.uniform(QUIETEST, 0) / 20)
    return mixture * np.float32(rng.uniform(0.1, 0.9) / (np.abs(mixture).max() + 1e-9))


def excerpt(sound: Signal, rng: np.random.Generator) -> Signal:
    """Four seconds with nearly all that can be heard (recordings are padded with silence)."""
    missing = SAMPLES - len(sound)
    if missing >= 0:
        before = int(rng.integers(missing + 1))
        return np.pad(sound, (before, missing - before))
    energies = _energies(sound, SAMPLES)
    start = int(rng.choice(np.flatnonzero(energies >= 0.9 * energies.max())))
    return sound[start : start + SAMPLES]


def _energies(sound: Signal, length: int) -> NDArray[np.float64]:
    """Sum of squares of every stretch of `length` samples."""
    sums = np.cumsum(np.insert(sound.astype(np.float64) ** 2, 0, 0.0))
    return np.maximum(sums[length:] - sums[:-length], 0.0)


def write(
    root: Path,
    output: Path,
    *,
    chunks: int = 150,
    evaluation_fold: str = "5",
    count: int = 2,
    seed: int = 0,
) -> list[Chunk]:
    """Write the mixtures and their lists to `output`; see `mixtures`."""
    (output / "chunks").mkdir(parents=True, exist_ok=True)
    written = []
    for mixture in mixtures(root, chunks, evaluation_fold, count, seed):
        path = output / "chunks" / f"{mixture.chunk.name}.16kHz.wav"
        soundfile.write(path, mixture.waveform, RATE, subtype="PCM_16")
        written.append(mixture.chunk)
    write_lists(output, written)
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("esc10", type=Path, help="ESC-10 or ESC-50 in its official layout")
    parser.add_argument("output", type=Path)
    parser.add_argument("--chunks", type=int, default=150, help="mixtures of each fold")
    parser.add_argument("--evaluation-fold", default="5")
    parser.add_argument("--segments", type=int, default=2, help="of each fold")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    written = write(
        given.esc10,
        given.output,
        chunks=given.chunks,
        evaluation_fold=given.evaluation_fold,
        count=given.segments,
        seed=given.seed,
    )
    counts = {tag: sum(tag in chunk.tags for chunk in written) for tag in TAGS.values()}
    print(f"{len(written)} chunks in {given.output}; with each tag: {counts}")


if __name__ == "__main__":
    main()
