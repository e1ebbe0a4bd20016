from pathlib import Path

import numpy as np
import pytest

from kerasnas.datasets import Clip, Clips
from kerasnas.datasets.survey import Lengths, Levels, levels_of, survey

LENGTHS = Lengths(np.array([0.2, 0.4, 0.5, 0.5, 0.6, 0.6, 0.7, 0.8, 0.9, 2.0]))


def test_lengths():
    assert (LENGTHS.shortest, LENGTHS.longest) == (0.2, 2.0)
    assert LENGTHS.quantile(0.9) == 0.9
    assert LENGTHS.quantile(0.5) == 0.6
    assert LENGTHS.quantile(0.0) == 0.2
    assert LENGTHS.quantile(1.0) == 2.0
    assert LENGTHS.cut(0.6) == 4
    assert LENGTHS.cut(0.7) == 3
    assert LENGTHS.cut(2.0) == 0


def test_padding_is_what_is_missing_from_short_clips():
    assert LENGTHS.padding(0.2) == pytest.approx(0)
    assert Lengths(np.array([0.5, 1.0, 3.0])).padding(1.0) == pytest.approx(0.5 / 3)


def test_levels():
    loud, half = np.full((100, 2), 0.5, np.float32), np.zeros((100, 1), np.float32)
    half[:50] = 0.1
    found = levels_of([loud, half, np.zeros((100, 1), np.float32)], 10)
    assert found.silent == 1
    assert found.decibels == pytest.approx((-20, -6.02), abs=0.01)
    assert levels_of([half * 0], 10).decibels == (-np.inf, -np.inf)


def test_silent_ends():
    word = np.zeros((100, 2), np.float32)
    word[30:80, 1] = -0.5  # silent for 3 and 2 s, whatever the sign and the channel
    hissing = np.where(word == 0, np.float32(0.01), word)
    silent = np.zeros((100, 1), np.float32)
    found = levels_of([word, hissing, silent], 10)
    assert found.ends.tolist() == [[3, 2], [0, 0], [0, 0]]
    assert found.silent_ends == 1
    assert found.silent_share == pytest.approx(0.5 / 3)
    assert found.sounding.seconds.tolist() == [5, 10, 10]


def described(*labels: str, group=None):
    clips = [Clip(str(i), Path("x"), (label,), group=group) for i, label in enumerate(labels)]
    table = Clips(tuple(clips), tuple(sorted(set(labels))), False, "table", Path("root"))
    levels = Levels(np.ones(1), np.ones(1), np.zeros((1, 2)))
    return survey(table, np.linspace(2, 1, len(clips)), {8000: 2, 16000: 5}, {1: 7}, levels)


def test_counts_and_imbalance():
    found = described(*"aaaaaabb")
    assert found.counts == {"a": 6, "b": 2}
    assert found.majority == ("a", 0.75)
    assert found.imbalance == 3
    assert found.imbalanced
    assert not described(*"aaaaabb").imbalanced
    assert found.rate == 16000
    assert found.lengths.seconds.tolist() == sorted(found.lengths.seconds)


def test_groups_of_the_data_set_are_counted():
    assert described(*"aabb").groups == 0
    found = described(*"aabb", group="g")
    assert (found.groups, found.group_by) == (1, None)
