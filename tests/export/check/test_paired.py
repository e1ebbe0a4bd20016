from itertools import product
from math import comb, sqrt

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from kerasnas.export.check.paired import upper_bound


def _tango(lost: int, won: int, clips: int) -> float:
    """Tango 1998, equations 6 to 8, in closed form."""

    def score(delta: float) -> float:
        a = 2 * clips
        b = -lost - won + (2 * clips - lost + won) * delta
        c = -won * delta * (1 - delta)
        restricted = (sqrt(max(b * b - 4 * a * c, 0)) - b) / (2 * a)
        deviation = sqrt(clips * (2 * restricted + delta * (1 - delta)))
        return (lost - won - clips * delta) / deviation + norm.ppf(0.95)

    start = (lost - won) / clips
    return brentq(score, start + 1e-9, 1 - 1e-9, xtol=1e-12)


def _differences(lost: int, won: int, clips: int) -> np.ndarray:
    return np.repeat([1.0, -1.0, 0.0], [lost, won, clips - lost - won])


@pytest.mark.parametrize("clips", [20, 398])
@pytest.mark.parametrize(("lost", "won"), [(0, 0), (1, 0), (0, 1), (4, 0), (3, 5), (9, 2)])
def test_differences_of_whole_clips_have_tangos_bound(lost: int, won: int, clips: int):
    found = upper_bound(_differences(lost, won, clips))
    assert found == pytest.approx(_tango(lost, won, clips), abs=1e-7)


def test_without_a_difference_the_bound_is_known_exactly():
    # The score test of a share p of which nothing was seen: n p / (1 - p) = z**2.
    z = norm.ppf(0.95)
    assert upper_bound(np.zeros(133)) == pytest.approx(z**2 / (133 + z**2))
    assert upper_bound(np.zeros(132)) > 0.02 > upper_bound(np.zeros(133))


@pytest.mark.parametrize(("loss", "win"), [(0.03, 0.0), (0.05, 0.02), (0.02, 0.06)])
def test_the_bound_covers_the_truth_about_nineteen_times_in_twenty(loss: float, win: float):
    """By adding up the probabilities of all outcomes of 60 clips."""
    clips, missed = 60, 0.0
    for lost, won in product(range(10), range(10)):
        if (lost - won) / clips >= loss - win:
            continue  # the bound is no lower than the mean
        probability = comb(clips, lost) * comb(clips - lost, won)
        probability *= loss**lost * win**won * (1 - loss - win) ** (clips - lost - won)
        if probability > 3e-4 and upper_bound(_differences(lost, won, clips)) < loss - win:
            missed += probability
    assert missed < 0.065


def test_shares_of_a_clips_tags_lie_between_whole_clips():
    halves = np.repeat([0.5, 0.0], [8, 92])
    assert 0.04 < upper_bound(halves) < upper_bound(_differences(8, 0, 100))
    # A quarter of the tags lost everywhere: nothing varies but what was not seen.
    assert 0.25 < upper_bound(np.full(100, 0.25)) < 0.3
