"""Detections held against true events: sed_eval's F1, and hits, delays and alarms."""

import itertools

import numpy as np
import pytest

from kerasnas.decisions import Detection, Event
from kerasnas.decisions.matching import f1, hear, pairs


def found(label: str, start: float, stop: float, decided: float | None = None) -> Detection:
    return Detection(label, start, stop, 0.9, stop if decided is None else decided)


@pytest.mark.parametrize(
    ("start", "stop", "onset", "offset"),
    [
        (1.0, 2.0, 1, 1),
        (1.2, 2.0, 1, 1),
        (0.8, 2.0, 1, 1),
        (1.21, 2.0, 0, 0),
        (1.0, 2.5, 1, 1),  # half of the event's second
        (1.0, 2.51, 1, 0),
    ],
)
def test_onsets_and_offsets_have_a_collar(
    start: float, stop: float, onset: int, offset: int
) -> None:
    truth = [Event("dog", 1.0, 2.0)]
    detected = [found("dog", start, stop)]
    assert pairs(truth, detected) == onset
    assert pairs(truth, detected, offset=True) == offset
    assert pairs(truth, [found("rain", start, stop)]) == 0


def test_each_event_is_in_one_pair_and_pairs_are_as_many_as_can_be() -> None:
    truth = [Event("dog", 1.0, 1.5), Event("dog", 1.3, 1.9)]
    assert pairs(truth, [found("dog", 1.15, 2.0)]) == 1
    # The first detection fits both, the second only the first event.
    assert pairs(truth, [found("dog", 1.15, 2.0), found("dog", 0.85, 1.0)]) == 2


def test_pairs_are_those_of_every_assignment_tried() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        starts, others = rng.uniform(0, 1.2, 4), rng.uniform(0, 1.2, 4)
        best = max(
            sum(abs(a - b) <= 0.2 for a, b in zip(starts, order, strict=True))
            for order in itertools.permutations(others)
        )
        truth = [Event("dog", start, start + 1) for start in starts]
        assert pairs(truth, [found("dog", start, start + 1) for start in others]) == best


def test_f1_is_unknown_where_there_is_nothing_to_find() -> None:
    assert f1(0, 0, 0) is None
    assert f1(1, 2, 1) == pytest.approx(2 / 3)


def test_a_detection_that_touches_an_event_is_no_alarm() -> None:
    truth = [Event("dog", 1.0, 2.0), Event("rain", 5.0, 9.0), Event("dog", 20.0, 21.0)]
    detected = [
        found("dog", 1.9, 4.0, decided=2.5),
        found("dog", 2.1, 4.0, decided=2.75),
        found("rain", 1.0, 2.0),  # another class
        found("dog", 12.0, 13.0),
        found("rain", 8.5, 9.0, decided=8.75),
    ]
    heard = hear(truth, detected)
    assert heard.hits == (True, True, False)
    assert heard.delays == (1.5, 3.75)
    assert [(alarm.label, alarm.start, alarm.count) for alarm in heard.alarms] == [
        ("rain", 1.0, 1),
        ("dog", 12.0, 1),
    ]


def test_one_detection_may_hit_several_events() -> None:
    truth = [Event("dog", 1.0, 2.0), Event("dog", 3.0, 4.0)]
    heard = hear(truth, [found("dog", 1.0, 4.0, decided=1.5)])
    assert heard.hits == (True, True)
    assert heard.alarms == ()


def test_what_never_ends_is_an_alarm_again_and_again() -> None:
    (alarm,) = hear([], [found("dog", 0.0, 35.0)]).alarms
    assert alarm.count == 4
    (alarm,) = hear([Event("dog", 0.0, 10.0)], [found("dog", 0.0, 35.0)]).alarms
    assert alarm.count == 2
    assert hear([Event("dog", 0.0, 10.0)], [found("dog", 0.0, 19.0)]).alarms == ()


def test_a_detection_that_spans_all_events_is_no_good_one() -> None:
    truth = [Event("dog", 60.0 * minute, 60.0 * minute + 2) for minute in range(60)]
    heard = hear(truth, [found("dog", 0.0, 3600.0)])
    assert all(heard.hits)
    assert sum(alarm.count for alarm in heard.alarms) == (3600 - 120) // 10


def test_nothing_is_heard_in_nothing() -> None:
    heard = hear([], [])
    assert (heard.hits, heard.delays, heard.alarms) == ((), (), ())
