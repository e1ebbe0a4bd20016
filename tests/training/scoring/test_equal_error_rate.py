import math

import numpy as np
import pytest

from kerasnas.training.scoring.equal_error_rate import equal_error_rate, over_folds


@pytest.mark.parametrize(
    ("truth", "scores", "rate"),
    [
        # ROC (0, 0) (0, 1): every positive above every negative.
        ([1, 1, 0, 0], [0.9, 0.8, 0.3, 0.1], 0.0),
        # ROC (0, 0) (1, 0): none.
        ([0, 0, 1, 1], [0.9, 0.8, 0.3, 0.1], 1.0),
        # ROC (0, 0) (0, 1/2) (1/2, 1/2): flat there, the miss rate is 1/2.
        ([1, 0, 1, 0], [0.9, 0.6, 0.4, 0.1], 0.5),
        # ROC (0, 1/3) (1/4, 1/3) (1/4, 2/3) (3/4, 2/3): flat at a miss rate of 1/3.
        ([1, 0, 1, 0, 0, 1, 0], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3], 1 / 3),
        # ROC (0, 0) (1/4, 0) (1/4, 1): steep at a false positive rate of 1/4.
        ([0, 1, 1, 0, 0, 0], [0.9, 0.8, 0.7, 0.3, 0.2, 0.1], 1 / 4),
        # ROC (0, 1/2) (1/2, 1), by a tie of one positive with two negatives: y = 1/2 + x meets
        # y = 1 - x at 1/4.
        ([1, 1, 0, 0, 0, 0], [0.9, 0.5, 0.5, 0.5, 0.2, 0.1], 1 / 4),
        # ROC (0, 0) (1/4, 3/4) (1, 1), by ties: the second point is the rate itself.
        ([1, 1, 1, 0, 1, 0, 0, 0], [0.8, 0.8, 0.8, 0.8, 0.1, 0.1, 0.1, 0.1], 1 / 4),
        # ROC (0, 0) (1, 1): a constant score.
        ([1, 0, 0], [0.4, 0.4, 0.4], 1 / 2),
    ],
)
def test_rates_worked_out_by_hand(truth, scores, rate):
    assert equal_error_rate(np.array(truth), np.array(scores)) == pytest.approx(rate)


@pytest.mark.parametrize("decimals", [1, 8])  # with ties and without
def test_scores_upside_down_have_the_complementary_rate(decimals):
    rng = np.random.default_rng(3)
    for _ in range(20):
        truth = rng.random(40) < 0.3
        scores = (rng.random(40) + 0.3 * truth).round(decimals)
        rate = equal_error_rate(truth, scores)
        assert equal_error_rate(truth, -scores) == pytest.approx(1 - rate)
        assert equal_error_rate(truth, 3 * scores - 1) == pytest.approx(rate)


@pytest.mark.parametrize("truth", [[0, 0, 0], [1, 1, 1]])
def test_without_positives_or_negatives_there_is_no_rate(truth):
    assert math.isnan(equal_error_rate(np.array(truth), np.array([0.1, 0.2, 0.3])))


def test_folds_without_a_rate_are_left_out_of_a_tags_mean():
    nan = math.nan
    rates = over_folds(np.array([[0.1, nan, nan], [0.3, 0.2, nan]]))
    assert rates[:2] == pytest.approx([0.2, 0.2])
    assert math.isnan(rates[2])
