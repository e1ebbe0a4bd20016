import numpy as np
import pytest

from kerasnas.training.review.mistakes import Mistake, mistakes

LABELS = np.eye(3)[[0, 0, 0, 0, 1, 1, 2, 2]]
SCORES = np.array(
    [
        [0.2, 0.8, 0.0],  # 0 taken for 1, surely
        [0.4, 0.6, 0.0],
        [0.3, 0.7, 0.0],
        [0.9, 0.1, 0.0],
        [0.0, 0.5, 0.5 - 1e-3],  # right, hardly
        [0.1, 0.8, 0.1],
        [0.0, 0.9, 0.1],  # 2 taken for 1
        [0.3, 0.0, 0.7],
    ]
)


def test_the_most_confused_pairs_come_first_and_within_them_the_surest():
    found = mistakes(LABELS, SCORES, multi_label=False, per_pair=2, unsure=2)
    assert [(each.row, each.label, each.answer, each.wrong) for each in found] == [
        (0, 0, 1, True),
        (2, 0, 1, True),
        (6, 2, 1, True),
        (4, 1, 1, False),
        (7, 2, 2, False),
    ]
    assert found[0].score == pytest.approx(0.8)


def test_nothing_is_wrong_with_a_right_network():
    assert mistakes(LABELS, LABELS, multi_label=False, unsure=0) == []


def test_of_several_labels_misses_and_false_alarms_are_pairs():
    labels = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    scores = np.array([[0.1, 0.0], [0.4, 0.9], [0.0, 0.6], [0.0, 0.8]])
    found = mistakes(labels, scores, multi_label=True, unsure=1)
    assert found == [
        Mistake(0, 0, None, 0.1),
        Mistake(1, 0, None, 0.4),
        Mistake(1, None, 1, 0.9),
        Mistake(2, 1, 1, 0.6),
    ]
    lower = mistakes(labels, scores, multi_label=True, thresholds=np.array([0.3, 0.95]), unsure=0)
    assert [(each.row, each.label, each.answer) for each in lower] == [
        (2, 1, None),
        (3, 1, None),
        (0, 0, None),
    ]
