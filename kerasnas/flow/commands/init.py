"""A starter experiment for a folder of recordings."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from kerasnas import datasets, experiment, objectives
from kerasnas.datasets import Clips, DataSettings, SplitSettings
from kerasnas.datasets.table import rows
from kerasnas.errors import KerasnasError
from kerasnas.features.audio import rate_and_length
from kerasnas.files import write_atomically
from kerasnas.paths import StrPath

# Above this rate a phone's microphone brings little, and features cost more.
_HIGHEST_RATE = 32_000
_LONGEST_CLIP = 10.0
_FRAMES = 160
_FEWEST_FRAMES = 40
_PER_CLASS = 20
# Below some such size in bytes the scales in an int8 file outweigh its smaller weights.
_SMALL = 50_000
# Enough to rank candidates, and to train a winner: those of configs/esc10_wu_lee.yaml.
_CANDIDATE_EXAMPLES = 5_000
_FINAL_EXAMPLES = 32_000


@dataclass(frozen=True)
class _Look:
    """What the recordings are like: rate in Hz, lengths in seconds."""

    rate: int
    shortest: float
    typical: float
    most: float


def init(folder: StrPath, output: StrPath = "experiment.yaml", budget: int = 500_000) -> str:
    """Write a starter experiment for `folder` to `output` and say what was found.

    Raises:
        KerasnasError: The folder holds no recordings in a layout that can be read, or too few to
            part, or `output` exists.
    """
    folder, output = Path(folder), Path(output)
    if output.exists():
        raise KerasnasError(f"{output} exists: move it away, or give another --output")
    settings = _layout(folder)
    clips = datasets.load(settings, settings.root)  # KERASNAS_DATA is not what was asked about
    look = _look(clips)
    split = _split(clips)
    training = len(datasets.split(clips, split, seed=0).train)
    name = re.sub(r"[^\w.-]+", "_", output.stem).lstrip("_.-") or "experiment"
    text = _yaml(name, settings, clips, split, training, look, budget)
    write_atomically(output, text)
    experiment.load(output)
    counts = clips.counts
    lines = [
        f"{len(clips)} clips of {len(clips.classes)} classes, {min(counts.values())} to "
        f"{max(counts.values())} a class; {look.shortest:.1f} to {look.most:.1f} s, "
        f"{look.rate} Hz",
    ]
    few = [name for name, count in counts.items() if count < _PER_CLASS]
    if few:
        lines.append(
            f"fewer than {_PER_CLASS} clips of {', '.join(few)}: expect little of their scores"
        )
    lines += [f"wrote {output}", f"next: kerasnas search {output}"]
    return "\n".join(lines)


def _layout(folder: Path) -> DataSettings:
    root = folder.absolute()
    if not root.is_dir():
        raise KerasnasError(f"{folder} is not a directory of recordings")
    if (root / "meta" / "esc50.csv").is_file():
        return DataSettings(dataset="esc50", root=root)
    tables = [path for path in sorted(root.glob("*.csv")) if _lists_clips(path)]
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise KerasnasError(f"{folder} holds several lists of clips ({names}): keep one there")
    if not tables:
        return DataSettings(dataset="folder", root=root)
    several = any(";" in row["labels"] for _, row in rows(tables[0], ("filename", "labels")))
    return DataSettings(dataset="folder", root=root, csv=Path(tables[0].name), multi_label=several)


def _lists_clips(path: Path) -> bool:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = [name.strip() for name in file.readline().split(",")]
    return {"filename", "labels"} <= set(header)


def _look(clips: Clips) -> _Look:
    rates: Counter[int] = Counter()
    lengths = []
    for clip in clips:
        rate, seconds = rate_and_length(clip.path)
        rates[rate] += 1
        lengths.append(seconds)
    most = quantiles(lengths, n=10)[-1] if len(lengths) > 1 else lengths[0]
    return _Look(
        rate=rates.most_common(1)[0][0],
        shortest=min(lengths),
        typical=median(lengths),
        most=most,
    )


def _split(clips: Clips) -> SplitSettings:
    if clips.folds:
        return SplitSettings(by="fold", test_fold=clips.folds[-1])
    if {clip.split for clip in clips} >= {"train", "test"}:
        return SplitSettings(by="split")
    return SplitSettings()


def _yaml(
    name: str,
    data: DataSettings,
    clips: Clips,
    split: SplitSettings,
    training: int,
    look: _Look,
    budget: int,
) -> str:
    rate = min(look.rate, _HIGHEST_RATE)
    seconds = max(0.1, round(min(look.most, _LONGEST_CLIP), 1))
    samples = round(rate * seconds)
    n_fft = 2 ** (min(round(rate * 0.04), samples).bit_length() - 1)
    hop = max(min(n_fft // 4, samples // _FEWEST_FRAMES), samples // _FRAMES, 1)
    layout = [f"  dataset: {data.dataset}", f"  root: {str(data.root)!r}"]
    if data.csv is not None:
        layout.append(f"  csv: {str(data.csv)!r}")
    if data.multi_label:
        layout.append("  multi_label: true  # a clip may carry several labels, or none")
    parts = {
        "fractions": "  by: fractions  # stratified; clips of one group stay together",
        "fold": f"  by: fold\n  test_fold: {split.test_fold!r}  # nothing is chosen on this fold",
        "split": "  by: split  # the split column",
    }
    score = objectives.scores(data.multi_label)[0].replace("_", " ")

    def epochs(examples: int, fewest: int, most: int) -> int:
        return max(fewest, min(examples // training, most))

    return f"""\
# Written by `kerasnas init` for {len(clips)} clips of {len(clips.classes)} classes.
schema: 1
name: {name}
data:
{chr(10).join(layout)}
split:
{parts[split.by]}
features:
  sample_rate: {rate}  # recordings: {look.rate} Hz
  seconds: {seconds}  # recordings: {look.shortest:.1f} to {look.most:.1f} s, median \
{look.typical:.1f} s; longer ones lose their end
  n_fft: {n_fft}
  hop_length: {hop}
  mel_bins: 64
model:
  space: wu_lee
  stem_strides: [2, 2]
search:
  trials: 24
  choose: loss  # steadier than {score} on few validation clips
  window:
    rule: {"float16_file" if budget > _SMALL else "int8_file"}  # the larger of the two files
    minimum: {budget // 10}
    maximum: {budget}
training:
  candidate: &recipe
    epochs: {epochs(_CANDIDATE_EXAMPLES, 5, 60)}
    batch_size: 16
    optimizer: adamw
    learning_rate: 0.002
    schedule: cosine
    warm_up_epochs: 2
    weight_decay: 0.001
    augmentation:
      mixup: uniform
      mixup_domain: power
      speeds: [0.9, 1.1]  # leave this out where pitch tells classes apart
      time_roll: true
      time_masks: {{count: 1, width: 0.15}}
      frequency_masks: {{count: 1, width: 0.15}}
  final:
    <<: *recipe
    epochs: {epochs(_FINAL_EXAMPLES, 20, 200)}
    weight_average: 0.99
export:
  budget: {budget}  # bytes of each file
"""
