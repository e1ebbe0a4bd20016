"""What hours prove: the exact bound, sources that repeat, and that the bound holds."""

import numpy as np
import pytest
from scipy.stats import poisson

from kerasnas.decisions.bound import Source, hours_needed, lower_bound, rate, upper_bound
from kerasnas.decisions.matching import Alarm
from kerasnas.decisions.sources import Part, Timeline, rates


@pytest.mark.parametrize("alarms", [0, 1, 3, 20])
def test_single_alarms_have_the_exact_bound(alarms: int) -> None:
    bound = upper_bound([1.0] * alarms)
    assert poisson.cdf(alarms, bound) == pytest.approx(0.05)
    low = lower_bound([1.0] * alarms)
    assert (low == 0) if not alarms else poisson.sf(alarms - 1, low) == pytest.approx(0.05)


def test_half_an_alarm_an_hour_needs_six_hours() -> None:
    assert hours_needed(0.5) == pytest.approx(5.991, abs=1e-3)
    assert rate([Source(5.98, 5.98, 0)]).verdict(0.5) == "not proven"
    assert rate([Source(6.0, 6.0, 0)]).verdict(0.5) == "passed"
    assert rate([Source(1.0, 1.0, 1)] * 10).verdict(0.5) == "failed"


def test_repeats_prove_nothing() -> None:
    once = rate([Source(1.0, 1.0, 2)])
    again = rate([Source(1.0, 10.0, 20)])
    assert (again.hours, again.alarms, again.upper) == (1.0, 2.0, once.upper)


def test_alarms_of_one_source_are_less_evidence_than_as_many_of_several() -> None:
    apart = rate([Source(1.0, 1.0, 1)] * 6 + [Source(1.0, 1.0, 0)] * 6)
    together = rate([Source(1.0, 1.0, 6)] + [Source(1.0, 1.0, 0)] * 11)
    assert apart.per_hour == together.per_hour == 0.5
    assert apart.upper is not None and together.upper is not None
    assert together.upper > 1.5 * apart.upper
    assert together.lower < apart.lower


def test_without_an_hour_nothing_is_known() -> None:
    nothing = rate([])
    assert (nothing.per_hour, nothing.upper, nothing.verdict(9.0)) == (None, None, "not proven")


def test_a_moment_is_of_the_part_on_top() -> None:
    parts = [Part("rain", 0.0, 10.0), Part("wind", 10.0, 20.0), Part("dog", 9.0, 11.0)]
    timeline = Timeline.of("stream", 30.0, parts)
    moments = (0.0, 8.9, 9.0, 10.5, 11.0, 20.0, 30.0)
    assert [timeline.source(moment) for moment in moments] == [
        *("rain", "rain", "dog", "dog", "wind", "stream", "stream")
    ]
    seconds = dict(zip([p.source for p in timeline.parts], timeline.seconds(), strict=True))
    assert seconds == {"stream": 10.0, "rain": 9.0, "wind": 9.0, "dog": 2.0}


def test_sources_count_once_over_all_streams() -> None:
    looped = [Part("rain", 1800.0 * turn, 1800.0 * (turn + 1)) for turn in range(2)]
    alarms = [Alarm("dog", 10.0, 1), Alarm("dog", 1810.0, 1), Alarm("cat", 20.0, 3)]
    streams = [
        (Timeline.of("a", 3600.0, looped), alarms),
        (Timeline.of("b", 1800.0), [Alarm("dog", 5.0, 1)]),
        (Timeline.of("b", 1800.0), [Alarm("dog", 5.0, 1)]),
    ]
    everything, by_class = rates(streams, ["dog", "cat", "cow"])
    assert everything.hours == 1.0
    assert {name: found.alarms for name, found in by_class.items()} == {
        "dog": 2.0,  # one of the rain, one of b
        "cat": 1.5,
        "cow": 0.0,
    }
    assert everything.alarms == 3.5


@pytest.mark.parametrize("spread", [None, 2.0, 0.5], ids=["alike", "unlike", "very unlike"])
def test_the_bound_holds_in_draws_with_known_rates(spread: float | None) -> None:
    """200 draws each of 40 sources, whose rates are alike or differ, some played again and again.

    True of 95 % of draws, the bound holds in 93 % or more of 200 with a probability of 93 %.
    """
    rng, true, held, naive = np.random.default_rng(20), 0.8, 0, 0
    for _ in range(200):
        hours = rng.uniform(0.1, 1.0, 40)
        own = np.full(40, true) if spread is None else rng.gamma(spread, true / spread, 40)
        alarms = rng.poisson(own * hours)
        plays = rng.integers(1, 6, 40)
        sources = [
            Source(float(once), float(once * turns), int(count * turns))
            for once, turns, count in zip(hours, plays, alarms, strict=True)
        ]
        found = rate(sources)
        assert found.upper is not None
        held += found.upper >= true
        repeated = upper_bound([1.0] * int((alarms * plays).sum()))
        naive += repeated / (hours * plays).sum() >= true
    assert held >= 0.93 * 200
    assert naive < held
