import numpy as np
import pytest
from sklearn.metrics import f1_score

from kerasnas.training.scoring.thresholds import choose


@pytest.mark.parametrize("decimals", [1, 6])  # with ties and without
def test_no_other_threshold_has_a_higher_f1(decimals):
    rng = np.random.default_rng(6)
    labels = (rng.random((60, 5)) < 0.3).astype(np.float32)
    scores = (0.5 * labels + rng.random((60, 5))).round(decimals).astype(np.float32)
    for truth, column, threshold in zip(labels.T, scores.T, choose(labels, scores), strict=True):
        best = max(f1_score(truth, column >= other) for other in np.unique(column))
        assert f1_score(truth, column >= threshold) == pytest.approx(best)


def test_halfway_between_scores_and_near_a_half():
    # Perfect from above 0.2 up to 0.9.
    assert choose(np.array([[1], [0]]), np.array([[0.9], [0.2]])) == pytest.approx([0.55])
    # Either of the two positives and the negative between them, or all: 2/3, 0.8 for all three.
    labels, scores = np.array([[1], [0], [1]]), np.array([[0.9], [0.4], [0.3]])
    assert choose(labels, scores) == pytest.approx([0.3])
    # 2/3 by the first clip alone, or by all four; 0.65 is nearer to 0.5 than 0.1.
    labels, scores = np.array([[1], [0], [0], [1]]), np.array([[0.9], [0.4], [0.3], [0.1]])
    assert choose(labels, scores) == pytest.approx([0.65])


def test_a_class_without_a_positive_clip_keeps_a_half():
    assert choose(np.zeros((3, 2)), np.full((3, 2), 0.9)).tolist() == [0.5, 0.5]
