from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from kerasnas.datasets import Clip, Clips, SplitSettings, split
from kerasnas.datasets.splits import stratified, with_folds
from kerasnas.errors import KerasnasError


def table(rows, multi_label=False):
    """Clips from `(labels, fold, split, group)` rows."""
    clips = [
        Clip(f"clip {i}", Path("x.wav"), tuple(labels.split(";")) if labels else (), *rest)
        for i, (labels, *rest) in enumerate(rows)
    ]
    classes = tuple(sorted({label for clip in clips for label in clip.labels}))
    return Clips(tuple(clips), classes, multi_label, "table", Path("root"))


def parts(result):
    return [set(part.tolist()) for part in (result.train, result.validation, result.test)]


def test_fractions_are_stratified_and_use_every_clip_once():
    clips = table([(label,) for label in ["a"] * 50 + ["b"] * 30 + ["c"] * 20])
    result = split(clips, SplitSettings(test_fraction=0.2, validation_fraction=0.25), seed=0)
    train, validation, test = parts(result)
    assert train | validation | test == set(range(100))
    assert clips.subset(result.test).counts == {"a": 10, "b": 6, "c": 4}
    assert clips.subset(result.validation).counts == {"a": 10, "b": 6, "c": 4}
    assert clips.subset(result.train).counts == {"a": 30, "b": 18, "c": 12}
    assert len(train) + len(validation) + len(test) == 100


def test_the_seed_decides():
    clips = table([(label,) for label in "abcd" * 25])
    first = split(clips, SplitSettings(), seed=3)
    assert parts(first) == parts(split(clips, SplitSettings(), seed=3))
    assert parts(first) != parts(split(clips, SplitSettings(), seed=4))


def test_groups_stay_together():
    rng = np.random.default_rng(0)
    rows = [
        (str(rng.choice(list("abc"))), None, None, f"house {rng.integers(30)}") for _ in range(300)
    ]
    clips = table(rows)
    result = split(clips, SplitSettings(), seed=0)
    groups = [{clips[i].group for i in part} for part in parts(result)]
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]
    assert 40 <= len(result.test) <= 80
    share = [clips.subset(result.test).counts[name] / clips.counts[name] for name in "abc"]
    assert max(share) - min(share) < 0.12


def test_multi_label_stratification_shares_out_rare_labels():
    rng = np.random.default_rng(1)
    targets = (rng.random((400, 6)) < [0.5, 0.3, 0.2, 0.1, 0.04, 0.02]).astype(np.float32)
    targets[0] = 0
    part = stratified(targets, np.arange(400), (0.8, 0.2), np.random.default_rng(0))
    expected = 0.2 * targets.sum(axis=0)
    assert np.abs(targets[part == 1].sum(axis=0) - expected).max() <= 2
    assert abs((part == 1).sum() - 80) <= 3


def test_official_fold_is_tested_on_and_validation_comes_from_the_others():
    clips = table([(label, str(fold)) for fold in (1, 2, 3) for label in "ab" * 10])
    result = split(clips, SplitSettings(by="fold", test_fold=3), seed=0)
    assert set(result.test.tolist()) == set(range(40, 60))
    assert len(result.validation) == 8
    both = split(clips, SplitSettings(by="fold", test_fold="3", validation_fold="1"), seed=0)
    assert parts(both) == [set(range(20, 40)), set(range(20)), set(range(40, 60))]


def test_split_column():
    rows = [(label, None, part) for part in ("train", "validation", "test") for label in "ab"]
    result = split(table(rows), SplitSettings(by="split"), seed=0)
    assert parts(result) == [{0, 1}, {2, 3}, {4, 5}]
    rows = [(label, None, part) for part in ("train", "test") for label in "ab" * 10]
    result = split(table(rows), SplitSettings(by="split"), seed=0)
    assert set(result.test.tolist()) == set(range(20, 40))
    assert len(result.validation) == 4


def test_the_test_list_may_choose_while_all_others_train():
    rows = [(label, None, part) for part in ("train", "validation", "test") for label in "ab" * 5]
    result = split(table(rows), SplitSettings(by="split", validation="test_list"), seed=0)
    assert parts(result) == [set(range(20)), set(range(20, 30)), set(range(20, 30))]
    assert set(result.not_tested.tolist()) == set(range(20))
    with pytest.raises(ValidationError, match="test_list needs by: split, not by: fractions"):
        SplitSettings(validation="test_list")


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        ([("a", "1"), ("b", "2")], {"by": "fold", "test_fold": 9}, "fold 9 .* folds are 1, 2"),
        ([("a",), ("b",)], {"by": "fold", "test_fold": 1}, "its folds are none"),
        (
            [("a", "1"), ("b", "1"), ("a", "2")],
            {"by": "fold", "test_fold": 2},
            "no clip of b in fold 2",
        ),
        ([("a", None, "train"), ("b", None, "train")], {"by": "split"}, "no clip has split test"),
        ([("a", None, "test"), ("b", None, "test")], {"by": "split"}, "all 2 clips are .* tested"),
        (
            [("a", "1"), ("b", "1")],
            {"by": "fold", "test_fold": 1},
            "none is left to train on: add training clips",
        ),
        ([("a", None, "train"), ("b", None, None)], {"by": "split"}, "clip 1 has no split"),
        ([("a",)] * 9 + [("b",)], {}, r"no clip of b in the \w+ clips .1 of b in all"),
        (
            [(c, None, s, "g") for s in ("train", "validation", "test") for c in "ab"],
            {"by": "split"},
            "group g is both in the train and the validation",
        ),
    ],
)
def test_impossible_splits_are_explained(rows, settings, message):
    with pytest.raises(KerasnasError, match=message):
        split(table(rows), SplitSettings.model_validate(settings), seed=0)


def test_folds_are_made_where_there_are_none():
    rng = np.random.default_rng(0)
    rows = [(label, None, None, f"{label} {rng.integers(12)}") for label in "abc" * 60]
    clips = table(rows)
    folded = with_folds(clips, seed=0)
    assert folded.folds == ("1", "2", "3", "4", "5")
    assert folded.ids == clips.ids
    for name in folded.folds:
        members = [i for i, clip in enumerate(folded) if clip.fold == name]
        assert all(8 <= count <= 16 for count in folded.subset(members).counts.values())
        others = {clip.group for clip in folded if clip.fold != name}
        assert others.isdisjoint(folded[i].group for i in members)
    assert with_folds(clips, seed=0) == folded
    assert with_folds(clips, seed=1) != folded


def test_test_clips_are_in_no_fold_and_rare_classes_get_fewer_folds():
    rows = [(label, None, "train") for label in "ab" * 9 + "ccc"] + [("a", None, "test")] * 4
    folded = with_folds(table(rows), seed=0)
    assert folded.folds == ("1", "2", "3")
    assert [clip.fold for clip in folded][-4:] == [None] * 4
    with pytest.raises(KerasnasError, match=r"4 folds need 4 clips of every class .* c has 3"):
        with_folds(table(rows), seed=0, count=4)
    with pytest.raises(KerasnasError, match=r"2 folds need 2 .* b has 1"):
        with_folds(table([("a",), ("a",), ("b",)]), seed=0)


@pytest.mark.parametrize(("groups", "number"), [("g", "one group"), ("gh", "2 groups")])
def test_too_few_groups_to_part(groups, number):
    rows = [(label, None, None, groups[i % len(groups)]) for i, label in enumerate("aabb" * 10)]
    with pytest.raises(KerasnasError, match=rf"all clips belong to {number} .* need 3"):
        split(table(rows), SplitSettings(), seed=0)


def test_three_groups_are_enough_to_part():
    rows = [(label, None, None, "ghi"[i // 8]) for i, label in enumerate("ab" * 12)]
    clips = table(rows)
    found = split(clips, SplitSettings(), seed=0)
    assert sorted({clips[i].group for i in part}.pop() for part in parts(found)) == list("ghi")


def test_copies_stay_together():
    clips = table([(label,) for label in "ab" * 20])
    copied = [
        replace(clip, copy_of=f"clip {i - 2}" if i % 4 > 1 else None)
        for i, clip in enumerate(clips)
    ]
    found = split(replace(clips, clips=tuple(copied)), SplitSettings(), seed=0)
    for part in parts(found):
        assert all((i - 2 if i % 4 > 1 else i + 2) in part for i in part)


def test_few_clips_of_a_class_are_said():
    for count in (1, 2, 3):
        rows = [("a",)] * 9 + [("b",)] * count
        with pytest.raises(KerasnasError, match=f"{count} of b in all.* a class needs 4 or more"):
            split(table(rows), SplitSettings(), seed=0)
    split(table([("a",)] * 9 + [("b",)] * 4), SplitSettings(), seed=0)


@pytest.mark.parametrize(
    "values",
    [{"by": "fold"}, {"test_fold": "1"}, {"by": "fold", "test_fold": "1", "validation_fold": 1}],
)
def test_settings_that_contradict(values):
    with pytest.raises(ValidationError):
        SplitSettings.model_validate(values)


def test_multi_label_test_clips_may_lack_a_class():
    rows = [("a;b", "1"), ("a", "1"), ("b", "1"), ("a", "2"), ("", "2")]
    clips = table(rows, multi_label=True)
    result = split(clips, SplitSettings(by="fold", test_fold=2, validation_fraction=0.34), seed=0)
    assert set(result.test.tolist()) == {3, 4}
