"""The default path on folders of recordings that it was not made for, beside a simple baseline.

For each folder of `own_folders.py` and each seed: `kerasnas init`, `kerasnas search`, nothing
edited but the seed, then the delivered files on the test clips. The baseline is trained on the same
clips and tested on the same clips: logistic regression on means and deviations of 20 MFCCs,
deviations of their changes, and the length, over each recording as long as it is.

    python benchmarks/own_recordings.py WORK [--folders NAME…] [--seeds 0 1 2] [--budget BYTES]

Real recordings are found through KERASNAS_WAKE_WORDS and KERASNAS_ESC10, else in ../shared/data.
WORK keeps folders, features and runs: the same command resumes. Errors are shares of wrong clips;
with several labels a clip, of wrong decisions (clips times classes). ± is one standard error: of
the test clips for one seed, of the mean over seeds for several.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray
from own_folders import FOLDERS

import kerasnas
from kerasnas import datasets, experiment
from kerasnas.datasets import Clips
from kerasnas.features.audio import read
from kerasnas.runs.layout import RunPaths

MFCCS = 20
BASELINE_RATE = 16_000
LONGEST = 10.0  # seconds of a recording that the baseline hears
FILES = ("model_float16.tflite", "model_int8.tflite")

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """What one folder and seed gave: errors as shares, and by how many decisions."""

    folder: str
    seed: int
    default: float
    int8: float
    baseline: float
    majority: float
    decisions: int
    training: int
    seconds: float


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, help="directory for folders, features and runs")
    parser.add_argument("--folders", nargs="+", choices=FOLDERS, default=list(FOLDERS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--budget", type=int, default=200_000, help="bytes of each file")
    given = parser.parse_args()
    work = given.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    os.environ["KERASNAS_CACHE"] = str(work / "cache")
    outcomes: list[Outcome] = []
    for folder in given.folders:
        for seed in given.seeds:
            try:
                outcomes.append(outcome(work, folder, seed, given.budget))
            except (FileNotFoundError, subprocess.CalledProcessError) as error:
                print(f"{folder}, seed {seed}, is left out: {error}", file=sys.stderr)
                continue
            print(json.dumps(asdict(outcomes[-1])), flush=True)
    print_table(outcomes)


def outcome(work: Path, folder: str, seed: int, budget: int) -> Outcome:
    """Return what the default path and the baseline reach, from WORK when it is known."""
    known = work / "outcomes" / f"{folder}-{seed}.json"
    if known.is_file():
        return Outcome(**json.loads(known.read_text()))
    recordings = FOLDERS[folder](work / "folders" / f"{folder}-{seed}", seed)
    settings, run = work / "experiments" / f"{folder}-{seed}.yaml", work / "runs"
    settings.parent.mkdir(exist_ok=True)
    run = run / f"{folder}-{seed}"
    begun = time.perf_counter()
    if not settings.is_file():
        kerasnas.init(recordings, settings, budget)
        text = re.sub(r"^seed: .*\n", "", settings.read_text(), flags=re.MULTILINE)
        settings.write_text(f"{text}seed: {seed}\n")
    command = [sys.executable, "-m", "kerasnas", "search", str(settings), "--run", str(run)]
    with (work / f"{folder}-{seed}.log").open("w") as log:
        subprocess.run(command, check=True, stdout=log, stderr=log)
    seconds = time.perf_counter() - begun
    errors = []
    for name in FILES:
        path = RunPaths(run).export.path / name
        result = kerasnas.evaluate(path).result if path.is_file() else None
        errors.append(math.nan if result is None else _error(result.labels, result.predictions))
    baseline, majority, tested, trained = simple(settings, seed)
    found = Outcome(
        folder, seed, errors[0], errors[1], baseline, majority, tested, trained, seconds
    )
    known.parent.mkdir(exist_ok=True)
    known.write_text(json.dumps(asdict(found)))
    return found


def simple(settings: Path, seed: int) -> tuple[float, float, int, int]:
    """Return errors of the baseline and of the majority, test decisions, and training clips."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    described = experiment.load(settings)
    clips = datasets.load(described.data, described.data.root)
    split = datasets.split(clips, described.split, described.seed)
    train, test = np.union1d(split.train, split.validation), split.test
    x, y = _statistics(clips), clips.targets()
    regression = LogisticRegression(max_iter=2000, random_state=seed)
    if clips.multi_label:
        model = make_pipeline(StandardScaler(), OneVsRestClassifier(regression))
        scores = model.fit(x[train], y[train]).predict_proba(x[test])
        usual = np.broadcast_to(y[train].mean(axis=0), (len(test), y.shape[1]))
    else:
        model = make_pipeline(StandardScaler(), regression).fit(x[train], y[train].argmax(axis=1))
        scores = np.zeros((len(test), y.shape[1]))
        scores[:, model.classes_] = model.predict_proba(x[test])
        usual = np.broadcast_to(y[train].sum(axis=0), scores.shape)
    decisions = len(test) * (y.shape[1] if clips.multi_label else 1)
    return _error(y[test], scores), _error(y[test], usual), decisions, len(train)


def _error(labels: NDArray[np.float32], scores: NDArray[np.floating]) -> float:
    """Return the share of wrong clips, or of wrong decisions where clips carry several labels."""
    if (labels.sum(axis=1) == 1).all():
        return float(np.mean(scores.argmax(axis=1) != labels.argmax(axis=1)))
    return float(np.mean((scores > 0.5) != (labels > 0.5)))


def _statistics(clips: Clips) -> Values:
    """Return statistics of every recording, `(clips, values)`."""
    import librosa

    rows = []
    for clip in clips:
        sound = read(clip.path, BASELINE_RATE)[: int(LONGEST * BASELINE_RATE), 0]
        size = min(512, len(sound))
        mfcc = librosa.feature.mfcc(
            y=sound, sr=BASELINE_RATE, n_mfcc=MFCCS, n_fft=size, hop_length=max(1, size // 2)
        )
        changes = np.diff(mfcc, axis=1) if mfcc.shape[1] > 1 else np.zeros_like(mfcc)
        parts = [mfcc.mean(axis=1), mfcc.std(axis=1), changes.std(axis=1)]
        rows.append(np.concatenate([*parts, [len(sound) / BASELINE_RATE]]))
    return np.array(rows)


def print_table(outcomes: list[Outcome]) -> None:
    """Print errors in per cent as a Markdown table, one row a folder, and the mean ratio."""
    print("\n| folder | training clips | seeds | float16 | int8 | baseline | majority | minutes |")
    print("|---|---|---|---|---|---|---|---|")
    ratios = []
    for folder in dict.fromkeys(found.folder for found in outcomes):
        mine = [found for found in outcomes if found.folder == folder]
        default, baseline = (
            [getattr(found, name) for found in mine] for name in ("default", "baseline")
        )
        decisions = mine[0].decisions
        cells = (
            folder,
            str(mine[0].training),
            str(len(mine)),
            _shown(default, decisions),
            _shown([found.int8 for found in mine], decisions),
            _shown(baseline, decisions),
            f"{100 * fmean(found.majority for found in mine):.1f} %",
            f"{fmean(found.seconds for found in mine) / 60:.1f}",
        )
        print(f"| {' | '.join(cells)} |")
        if fmean(baseline):
            ratios.append(fmean(default) / fmean(baseline))
    if ratios:
        print(f"\nmean ratio of errors, default to baseline: {fmean(ratios):.2f}")


def _shown(errors: list[float], decisions: int) -> str:
    mean = fmean(errors)
    several = len(errors) > 1
    error = (
        stdev(errors) / math.sqrt(len(errors))
        if several
        else math.sqrt(mean * (1 - mean) / decisions)
    )
    return f"{100 * mean:.1f} ± {100 * error:.1f} %"


if __name__ == "__main__":
    main()
