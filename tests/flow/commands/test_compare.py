"""Two runs on the same test clips."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from kerasnas.errors import KerasnasError
from kerasnas.flow.commands import compare as command
from kerasnas.flow.commands.compare import compare
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import Evaluation, WinnerEntry, Winners
from kerasnas.training.scoring.metrics import evaluation

CLASSES = ("cat", "dog", "owl")


def run(path: Path, wrong: int, clips: int = 120, several: bool = False, shift: int = 0) -> Path:
    """A run whose network answers so many clips wrongly; the clips are listed from `shift` on."""
    truth = np.arange(clips) % 3
    answers = truth.copy()
    answers[:wrong] = (answers[:wrong] + 1) % 3
    rng = np.random.default_rng(0)
    predictions = 0.1 + 0.8 * np.eye(3)[answers] + rng.uniform(0, 0.01, (clips, 3))
    labels = np.eye(3)[truth]
    loss = "binary_crossentropy" if several else "categorical_crossentropy"
    found = evaluation(labels, predictions, np.arange(clips), multi_label=several, loss=loss)
    order = np.roll(np.arange(clips), shift)
    entry = WinnerEntry(0, "winners/best", "the best", None)
    paths = RunPaths(path)
    Winners({"best": entry}, "best").write(paths.winners)
    record = Evaluation(
        clips="test",
        classes=CLASSES,
        metrics=found.metrics,
        confusion=found.confusion,
        by_class=found.by_class,
        channel_f1=None,
        count=clips,
        predictions=predictions[order],
        labels=labels[order].astype(int),
        ids=tuple(f"clip {index}" for index in order),
    )
    record.write(paths.winner("best").evaluation)
    record.write(paths.export.evaluation("int8"))
    return path


def test_a_difference_that_the_clips_show(tmp_path: Path) -> None:
    found = compare(run(tmp_path / "a", 30), run(tmp_path / "b", 6, shift=17))
    assert found.difference == pytest.approx(24 / 120)
    assert found.only == (0, 24)
    # Tango's interval for 24 and 0 of 120 discordant pairs, by the closed form for one-sided
    # tables: the roots of n (d - 0.2)² = z² (d - d²).
    n, z2, mean = 120, 1.959964**2, 0.2
    roots = np.roots([n + z2, -(2 * n * mean + z2), n * mean**2])
    assert found.interval == pytest.approx(sorted(roots), abs=1e-6)
    assert found.verdict == f"{tmp_path / 'b'} is better"
    assert compare(tmp_path / "b", tmp_path / "a", precision="int8").verdict == found.verdict


def test_equal_networks_show_no_difference_and_no_certainty(tmp_path: Path) -> None:
    found = compare(run(tmp_path / "a", 6), run(tmp_path / "b", 6, shift=5))
    low, high = found.interval
    assert low < 0 < high
    assert found.verdict == "no difference is shown by 120 clips"
    assert "95 % interval" in repr(found)
    assert "too narrow where several are of one speaker" in repr(found)


@pytest.mark.parametrize(
    ("several", "metric"), [(False, "macro_f1"), (True, None), (True, "micro_f1")]
)
def test_other_scores_have_bootstrap_intervals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, several: bool, metric: str | None
) -> None:
    monkeypatch.setattr(command, "RESAMPLES", 200)
    one, other = (run(tmp_path / str(wrong), wrong, several=several) for wrong in (30, 3))
    found = compare(one, other, metric)
    assert found.metric == (metric or "mean_average_precision")
    low, high = found.interval
    assert 0 < low < found.difference < high


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    one = run(tmp_path / "a", 6)
    with pytest.raises(KerasnasError, match="120 clips and .*/b on 90, of which 90 are the same"):
        compare(one, run(tmp_path / "b", 6, clips=90))
    relabelled = run(tmp_path / "c", 6)
    path = RunPaths(relabelled).winner("best").evaluation
    record = Evaluation.read(path)
    labels = record.labels.copy()
    labels[7] = np.roll(labels[7], 1)
    dataclasses.replace(record, labels=labels).write(path)
    with pytest.raises(KerasnasError, match=r"1 clip labelled otherwise in .*/c .*\(clip 7\)"):
        compare(one, relabelled)
    with pytest.raises(KerasnasError, match="metric: 'loss' is unknown; both runs have accuracy"):
        compare(one, one, "loss")
    with pytest.raises(KerasnasError, match=r"evaluation_float16.json does not exist"):
        compare(one, one, precision="float16")
    with pytest.raises(KerasnasError, match="no chosen network yet"):
        compare(one, tmp_path)
