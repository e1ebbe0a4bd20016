"""Mined clips train beside a data set's own, and are never chosen by or tested on."""

from dataclasses import replace
from pathlib import Path

import pytest

from kerasnas.datasets import Clip, Clips, SplitSettings, split, with_folds
from kerasnas.datasets.streams.mined import with_mined, write_mined
from kerasnas.errors import KerasnasError


def clips(root: Path, multi_label: bool = False) -> Clips:
    table = [
        Clip(f"{label}{number}", root / f"{label}{number}.wav", (label,), fold=str(number % 4))
        for label in ("dog", "rain")
        for number in range(12)
    ]
    return Clips(tuple(table), ("dog", "rain"), multi_label, "home", root)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    for name in ("a.wav", "b.wav", "c.wav"):
        (tmp_path / name).touch()
    write_mined(tmp_path / "clips.csv", [("a.wav", "other"), ("b.wav", "dog"), ("c.wav", "other")])
    return tmp_path / "clips.csv"


@pytest.mark.parametrize(
    "settings",
    [SplitSettings(), SplitSettings(by="fold", test_fold="1", validation_fold="2")],
    ids=["fractions", "fold"],
)
def test_splits_are_as_without_them_and_they_all_train(
    tmp_path: Path, table: Path, settings: SplitSettings
) -> None:
    before = split(clips(tmp_path), settings, 3)
    more = with_mined(clips(tmp_path), table)
    after = split(more, settings, 3)
    assert after.validation.tolist() == before.validation.tolist()
    assert after.test.tolist() == before.test.tolist()
    assert after.train.tolist() == [*before.train.tolist(), 24, 25, 26]
    assert more.classes == ("dog", "rain", "other")
    assert more.counts == {"dog": 13, "rain": 12, "other": 2}


def test_they_are_in_no_fold_that_is_made_here(tmp_path: Path, table: Path) -> None:
    known = clips(tmp_path)
    without = replace(known, clips=tuple(replace(clip, fold=None) for clip in known))
    write_mined(table, [("b.wav", "dog")])
    folded = with_folds(with_mined(without, table), 0)
    assert [clip.fold for clip in folded][:24] == [clip.fold for clip in with_folds(without, 0)]
    assert folded[24].fold is None


def test_other_is_no_tag(tmp_path: Path, table: Path) -> None:
    more = with_mined(clips(tmp_path, multi_label=True), table)
    assert more.classes == ("dog", "rain")
    assert [clip.labels for clip in more][24:] == [(), ("dog",), ()]


def test_what_cannot_be_trained_on_is_named(tmp_path: Path, table: Path) -> None:
    table.write_text("filename,label\na.wav,cat\nnone.wav,dog\n")
    with pytest.raises(KerasnasError) as refused:
        with_mined(clips(tmp_path), table)
    assert "clips.csv:2: cat is no class (dog, rain), nor other" in str(refused.value)
    assert "clips.csv:3: " in str(refused.value)
