import math

import numpy as np
import pytest

from kerasnas.report.statistics import (
    class_scores,
    groups,
    median_or_none,
    wilson,
    worst_confusions,
)
from kerasnas.runs.records import Evaluation
from kerasnas.runs.trials import Trial


def trial(number: int, **values: str) -> Trial:
    return Trial(f"{number:04d}", number, values, "completed", metrics={"accuracy": 0.5})


# Newcombe, "Two-sided confidence intervals for the single proportion: comparison of seven
# methods", Statistics in Medicine 17, 1998, table I, method 3 (the score interval).
@pytest.mark.parametrize(
    ("correct", "count", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_agrees_with_the_published_table(correct, count, low, high):
    assert wilson(correct, count) == pytest.approx((low, high), abs=5e-5)


def test_nothing_counted_says_nothing():
    assert wilson(0, 0) == (0.0, 1.0)


def test_groups_are_in_the_order_of_numbers_and_leave_inactive_genes_out():
    trials = [trial(0, width="10"), trial(1, width="9"), trial(2), trial(3, width="10")]
    found = groups(trials, "width")
    assert [(g.label, [t.number for t in g.trials]) for g in found] == [
        ("9", [1]),
        ("10", [0, 3]),
    ]


def test_many_numbers_are_parted_into_quarters_that_hold_every_trial():
    trials = [trial(n, width=str(100 - n)) for n in range(20)]
    found = groups(trials, "width")
    assert [g.label for g in found] == ["81 to 85", "86 to 90", "91 to 95", "96 to 100"]
    assert sorted(t.number for g in found for t in g.trials) == list(range(20))


def test_many_words_cannot_be_grouped():
    assert groups([trial(n, name=f"net{n}") for n in range(9)], "name") == ()


def test_median_leaves_out_what_is_unknown():
    assert median_or_none([None, 3.0, 1.0, None, 2.0]) == 2.0
    assert median_or_none([None]) is None


def test_class_scores_by_hand():
    labels = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 0]])
    outputs = np.array([[0.9, 0.6, 0.1], [0.4, 0.7, 0.2], [0.8, 0.1, 0.1], [0.2, 0.9, 0.1]])
    result = Evaluation(
        "test", ("a", "b", "c"), {}, None, None, None, 4, outputs, labels, ("k", "l", "m", "n")
    )
    a, b, c = class_scores(result)
    # a: decided for clips 0 and 2, right on 0; ranked 0, 2, 1: precisions 1/1 and 2/3 at hits
    assert (a.positives, a.precision, a.recall, a.f1) == (2, 0.5, 0.5, 0.5)
    assert a.average_precision == pytest.approx((1 + 2 / 3) / 2)
    # b: decided for clips 0, 1, 3, right on 1 and 3; ranked 3, 1, 0, 2
    assert (b.positives, b.precision, b.recall) == (3, 2 / 3, 2 / 3)
    assert b.average_precision == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert c.positives == 0
    assert all(math.isnan(v) for v in (c.precision, c.recall, c.f1, c.average_precision))


def test_worst_confusions_leave_the_diagonal_out_and_prefer_rarer_labels():
    matrix = np.array([[90, 2, 0], [2, 8, 0], [3, 0, 1]])
    found = worst_confusions(matrix, ("a", "b", "c"), most=2)
    assert [(c.truth, c.answer, c.clips, c.of) for c in found] == [
        ("c", "a", 3, 4),
        ("b", "a", 2, 10),
    ]
