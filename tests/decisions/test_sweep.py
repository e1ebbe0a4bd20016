"""Settings are chosen for the fewest misses at the false alarms that are allowed."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from kerasnas.decisions import ClassDecisions
from kerasnas.decisions.measure import change, decided, measure
from kerasnas.decisions.mistakes import mistakes
from kerasnas.decisions.sweep import Point, choose, curve, share
from tests.decisions.scored import HOP, LABELS, WINDOW, scored

HOUR = 3600.0


def tries(per_hour: float, events: list, plain: bool = False, seconds: float = HOUR):
    stream = scored(seconds, events)
    settings = choose([stream], LABELS, WINDOW, HOP, per_hour, plain=plain)
    everything, by_class = measure([stream], LABELS, decided([stream], LABELS, settings))
    return settings, everything, by_class


def test_a_threshold_parts_events_from_what_is_taken_for_them() -> None:
    events = [("dog", 100.0 * i, 100.0 * i + 3, 0.8) for i in range(1, 11)]
    events += [("not dog", 100.0 * i + 50, 100.0 * i + 53, 0.6) for i in range(1, 21)]
    settings, everything, _ = tries(0.0, events, plain=True)
    assert 0.6 < settings.classes["dog"].threshold < 0.8
    assert (everything.events, everything.misses, everything.rate.alarms) == (10, 0, 0)
    assert everything.f1 == 1.0


def test_short_alarms_are_told_from_long_events_by_more_than_a_threshold() -> None:
    events = [("dog", 20.0 * i, 20.0 * i + 3, 0.7) for i in range(1, 11)]
    events += [("not dog", 20.0 * i + 10, 20.0 * i + 10.3, 0.95) for i in range(1, 11)]
    _, plain, _ = tries(0.0, events, plain=True, seconds=240.0)
    assert plain.misses == 10
    settings, everything, _ = tries(0.0, events, seconds=240.0)
    assert (everything.misses, everything.rate.alarms) == (0, 0)
    own = settings.classes["dog"]
    assert settings.smoothing != "none" or own.minimum_windows > 1


def test_classes_share_the_alarms_where_they_save_most() -> None:
    events = [("dog", 100.0 * i, 100.0 * i + 3, 0.6) for i in range(1, 6)]
    events += [("rain", 100.0 * i + 20, 100.0 * i + 23, 0.6) for i in range(1, 3)]
    for label, start in (("not dog", 3000.0), ("not rain", 3050.0)):
        events.append((label, start, start + 3, 0.9))
    _, _, by_class = tries(1.0, events, plain=True)
    assert (by_class["dog"].misses, by_class["dog"].rate.alarms) == (0, 1)
    assert (by_class["rain"].misses, by_class["rain"].rate.alarms) == (2, 0)
    _, both, _ = tries(2.0, events, plain=True)
    assert both.misses == 0


def test_a_class_that_cannot_keep_to_it_makes_no_events() -> None:
    events = [("dog", 10.0, 13.0, 0.9)]
    events += [("not dog", 10.0 * i, 10.0 * i + 3, 1.0) for i in range(2, 20)]
    settings, everything, _ = tries(0.5, events, seconds=240.0)
    assert "dog" not in settings.classes
    assert (everything.misses, everything.rate.alarms) == (1, 0)


def test_starts_are_shifted_to_where_events_start() -> None:
    stream = scored(240.0, [("dog", 20.0 * i, 20.0 * i + 3, 0.9) for i in range(1, 11)])
    early = scored(240.0, [("dog", 20.0 * i - 0.5, 20.0 * i + 3, 0.9) for i in range(1, 11)])
    early = replace(early, events=stream.events)
    settings = choose([early], LABELS, WINDOW, HOP, 0.5)
    everything, _ = measure([early], LABELS, decided([early], LABELS, settings))
    assert settings.classes["dog"].onset_shift_seconds == pytest.approx(0.5, abs=HOP)
    assert everything.f1 == 1.0


@pytest.mark.parametrize("allowed", [0, 1, 3, 7])
def test_alarms_are_shared_as_well_as_by_trying_all_ways(allowed: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    own = ClassDecisions()
    tables = [
        [Point(own, 0, 9), *(Point(own, int(a), int(m)) for a, m in rng.integers(0, 9, (5, 2)))]
        for _ in range(3)
    ]
    ways = [
        (sum(p.misses for p in way), sum(p.alarms for p in way))
        for way in itertools.product(*tables)
    ]
    best = min(way for way in ways if way[1] <= allowed)
    found = share(tables, allowed)
    assert (sum(p.misses for p in found), sum(p.alarms for p in found)) == best


def test_a_curve_goes_from_all_alarms_to_all_misses() -> None:
    events = [("dog", 100.0 * i, 100.0 * i + 3, 0.8) for i in range(1, 11)]
    events += [("not dog", 100.0 * i + 50, 100.0 * i + 53, 0.6) for i in range(1, 21)]
    stream = scored(HOUR, events)
    settings = choose([stream], LABELS, WINDOW, HOP, 0.0, plain=True)
    points = curve([stream], LABELS, settings, "dog")
    assert points[0].alarms > 20 and points[-1].alarms == 0
    assert points[-1].misses == 10
    assert (20, 0) in {(point.alarms, point.misses) for point in points}


def test_latency_is_the_time_until_an_event_was_known() -> None:
    _, everything, by_class = tries(0.0, [("dog", 100.0, 103.0, 0.9)], plain=True)
    assert everything.latency == pytest.approx((0.5, 0.5))
    assert by_class["rain"].latency is None
    assert by_class["rain"].f1 is None


def test_an_hour_of_silence_is_an_hour_without_alarms() -> None:
    silence = scored(HOUR, [])
    settings = choose([silence], LABELS, WINDOW, HOP, 0.5, plain=True)
    everything, _ = measure([silence], LABELS, decided([silence], LABELS, settings))
    assert (everything.events, everything.rate.alarms, everything.rate.hours) == (0, 0, 1)
    assert everything.rate.verdict(0.5) == "not proven"


def test_what_changed_between_two_networks_has_an_interval() -> None:
    events = [("dog", 100.0, 103.0, 0.9)]
    alarm = [("not dog", 200.0, 203.0, 0.9)]
    before = [scored(HOUR, events + alarm, f"s{i}", i) for i in range(8)]
    after = [scored(HOUR, events, f"s{i}", i) for i in range(8)]
    settings = choose(after, LABELS, WINDOW, HOP, 0.5, plain=True)
    found = change(
        before, LABELS, decided(before, LABELS, settings), decided(after, LABELS, settings)
    )
    assert found["alarms_per_hour"] == (-1.0, -1.0, -1.0)
    assert found["misses"] == (0.0, 0.0, 0.0)
    some = [*after[:4], *before[4:]]
    value, low, high = change(
        before, LABELS, decided(before, LABELS, settings), decided(some, LABELS, settings)
    )["alarms_per_hour"]
    assert value == -0.5
    assert -1 <= low < value < high <= 0


def test_the_surest_mistakes_come_first_and_share_no_sound() -> None:
    events = [
        ("dog", 100.0, 103.0, 0.9),
        ("dog", 200.0, 203.0, 0.2),  # missed
        ("not rain", 300.0, 303.0, 0.95),
        ("not dog", 400.0, 401.0, 0.99),
        ("not dog", 500.0, 501.0, 0.3),  # `other` scores higher
    ]
    found = mistakes(scored(600.0, events), LABELS, WINDOW)
    assert [(each.heard, each.listed) for each in found[:1]] == [("dog", None)]
    assert {(each.heard, each.listed) for each in found} == {
        ("dog", None),
        ("rain", None),
        (None, "dog"),
    }
    sureness = [each.sureness for each in found]
    assert sureness == sorted(sureness, reverse=True)
    starts = np.array(sorted(each.start for each in found))
    assert (np.diff(starts) >= WINDOW).all()
