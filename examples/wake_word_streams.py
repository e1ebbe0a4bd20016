"""Streams of wake words over ESC-10's sounds, and the list of clips that a network is trained on.

Each source stays on one side: ESC-10's folds 1 and 2 are the background of streams to mine
(`train`), fold 3 of those that decisions are chosen on (`validation`), folds 4 and 5 of those they
are measured on (`test`). Wake words are parted in the same way, 60 : 20 : 20 of each label, and the
network is trained on those of the first part. The words of the label `other` are said in the
background.

    python examples/wake_word_streams.py ESC10_DIRECTORY WAKE_WORDS_DIRECTORY OUTPUT [--hours 1]
    kerasnas search OUTPUT/experiment.yaml --run runs/wake_words
    kerasnas tune-decisions runs/wake_words
    kerasnas mine runs/wake_words

ESC-10 has 33 minutes of sound: hours of stream repeat it under other words and levels, and the
distinct hours are counted, not those.
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import yaml

from kerasnas.datasets import data_settings, load
from kerasnas.datasets.streams.streams import SPLITS, TABLE
from kerasnas.datasets.synthetic.streams import Sound, place, write_stream
from kerasnas.features.audio import read

RATE = 16_000
FOLDS = {"train": ("1", "2"), "validation": ("3",), "test": ("4", "5")}
SHARES = (0.6, 0.8)
OTHER = "other"
OTHERS_EVERY = 12.0  # seconds between words that are no wake words
QUIETEST = 1e-3  # root mean square of a background that is left out as silence


def parts(root: Path, seed: int) -> dict[str, list[tuple[str, Path]]]:
    """Label and file of the wake words of each part."""
    found: dict[str, list[tuple[str, Path]]] = {name: [] for name in SPLITS}
    rng = np.random.default_rng(seed)
    for label in sorted(path.name for path in root.iterdir() if path.is_dir()):
        files = sorted((root / label).glob("*.ogg"))
        for number, index in enumerate(rng.permutation(len(files))):
            share = (number + 0.5) / len(files)
            part = SPLITS[int(np.searchsorted(SHARES, share))]
            found[part].append((label, files[int(index)]))
    return found


def backgrounds(esc10: Path, part: str) -> list[Sound]:
    """ESC-10's recordings of a part, without those that are silent."""
    clips = load(data_settings(dataset="esc50", esc10=True), esc10)
    found = []
    for clip in clips:
        if clip.fold in FOLDS[part]:
            samples = read(clip.path, RATE)[:, 0].astype(np.float64)
            if np.sqrt(np.mean(samples**2)) > QUIETEST:
                found.append(Sound(f"esc10/{clip.group or clip.id}", samples))
    return found


def again_and_again(sounds: list[Sound], rng: np.random.Generator) -> Iterator[Sound]:
    """All sounds in random order, for ever."""
    while True:
        for index in rng.permutation(len(sounds)):
            yield sounds[int(index)]


def with_others(
    sounds: Iterator[Sound], words: list[Sound], rng: np.random.Generator
) -> Iterator[Sound]:
    """Backgrounds, with words that are no wake words between them."""
    seconds, due = 0.0, 0.0
    for sound in sounds:
        if seconds >= due and words:
            yield words[int(rng.integers(len(words)))]
            due = seconds + rng.exponential(OTHERS_EVERY)
        yield sound
        seconds += len(sound.samples) / RATE


def word(label: str, path: Path) -> Sound:
    """A wake word, without its silent ends."""
    samples = read(path, RATE)[:, 0].astype(np.float64)
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    cut = samples[loud[0] : loud[-1] + 1] if len(loud) else samples
    return Sound(f"words/{label}/{path.stem}", cut, label)


def write(
    esc10: Path,
    words: Path,
    output: Path,
    *,
    hours: float = 1.0,
    streams: int = 2,
    every: float = 30.0,
    levels: tuple[float, float] = (0.0, 15.0),
    seed: int = 0,
) -> None:
    """Write `clips.csv` with `clips/`, `streams/`, and `experiment.yaml`.

    Args:
        esc10: ESC-10 or ESC-50 in its official layout.
        words: A directory for each word, of `.ogg` files.
        output: Where to.
        hours: Length of a stream.
        streams: Number of streams of each part.
        every: Mean seconds between wake words.
        levels: Range of their levels above the background, dB.
        seed: Of the parts and the streams.
    """
    found, lines = parts(words, seed), [("filename", "labels", "split")]
    for part, clips in found.items():
        for label, path in clips:
            name = f"clips/{label}/{path.stem}.wav"
            (output / name).parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(output / name, read(path, RATE), RATE, subtype="PCM_16")
            lines.append((name, label, part))
    _write_table(output / "clips.csv", lines)
    table = [("filename", "events", "split")]
    for part in SPLITS:
        sounds, said = backgrounds(esc10, part), [word(*each) for each in found[part]]
        wake = [sound for sound in said if sound.label != OTHER]
        others = [Sound(sound.source, sound.samples) for sound in said if sound.label == OTHER]
        for number in range(streams):
            rng = np.random.default_rng((seed, SPLITS.index(part), number))
            seconds, name = 3600 * hours, f"{part}{number}"
            chosen = with_others(again_and_again(sounds, rng), others, rng)
            events = place(wake, seconds, RATE, rng, every, levels)
            write_stream(output / "streams" / f"{name}.wav", seconds, RATE, chosen, events)
            table.append((f"{name}.wav", f"{name}.txt", part))
    _write_table(output / "streams" / TABLE, table)
    (output / "experiment.yaml").write_text(yaml.safe_dump(experiment(output), sort_keys=False))


def experiment(output: Path) -> dict[str, object]:
    """A small search for a network of windows of 1.5 s."""
    return {
        "schema": 1,
        "name": "wake_words",
        "data": {
            "dataset": "folder",
            "csv": "clips.csv",
            "root": str(output.absolute()),
            "streams": str((output / "streams").absolute()),
        },
        "split": {"by": "split"},
        "features": {
            "sample_rate": RATE,
            "seconds": 1.5,
            "n_fft": 512,
            "hop_length": 256,
            "mel_bins": 40,
        },
        "search": {"trials": 4, "window": {"minimum": 10_000, "maximum": 200_000}},
        "training": {"candidate": {"epochs": 8}, "final": {"epochs": 30}},
        "export": {"budget": 200_000, "on_fail": "report"},
    }


def _write_table(path: Path, lines: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("esc10", type=Path, help="ESC-10 or ESC-50 in its official layout")
    parser.add_argument("words", type=Path, help="a directory for each wake word")
    parser.add_argument("output", type=Path)
    parser.add_argument("--hours", type=float, default=1.0, help="length of a stream")
    parser.add_argument("--streams", type=int, default=2, help="streams of each part")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    write(
        given.esc10,
        given.words,
        given.output,
        hours=given.hours,
        streams=given.streams,
        seed=given.seed,
    )
    print(f"{len(SPLITS) * given.streams} streams and their experiment in {given.output}")


if __name__ == "__main__":
    main()
