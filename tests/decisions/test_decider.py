"""Scores become events window by window, and the same events from all windows at once."""

import doctest
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from kerasnas.decisions import Decider, DecisionSettings, Detection, decider
from kerasnas.decisions.whole import decide
from kerasnas.errors import KerasnasError

LABELS = ("other", "rain", "dog")


def settings(smoothing: str = "none", windows: int = 1, **of_rain: Any) -> DecisionSettings:
    return DecisionSettings.model_validate(
        {
            "window_seconds": 1.0,
            "hop_seconds": 0.5,
            "smoothing": smoothing,
            "smoothing_windows": windows,
            "classes": {"rain": {"threshold": 0.5, "release": 0.5, **of_rain}},
        }
    )


def events(settings: DecisionSettings, scores: list[float]) -> list[Detection]:
    """The ended events of one class, `rain`, decided window by window."""
    decider, found = Decider(settings, ("rain",)), []
    for index, score in enumerate(scores):
        found += decider.push(index * settings.hop_seconds, [score])
    found += decider.finish()
    assert len(found) % 2 == 0
    return [event for event in found if not event.lasts]


def spans(settings: DecisionSettings, scores: list[float]) -> list[tuple[float, float]]:
    return [(event.start, event.stop) for event in events(settings, scores)]


def test_the_example_of_the_docstring_runs() -> None:
    failed, tried = doctest.testmod(decider)
    assert (failed, tried > 0) == (0, True)


def test_a_window_speaks_for_a_hop_round_its_middle() -> None:
    assert spans(settings(), [0, 0, 0.9, 0.8, 0, 0, 0.7]) == [(1.25, 2.25), (3.25, 3.75)]


def test_windows_without_overlap_speak_for_themselves() -> None:
    apart = settings().model_copy(update={"hop_seconds": 1.0})
    assert spans(apart, [0, 0.9, 0.9, 0]) == [(1.0, 3.0)]


def test_an_event_is_told_when_it_begins_and_when_it_ends() -> None:
    decider = Decider(settings(), LABELS)
    assert decider.push(0.0, [0.9, 0.1, 0.9]) == ()
    (began,) = decider.push(0.5, [0.1, 0.6, 0.0])
    assert (began.label, began.lasts, began.decided) == ("rain", True, 1.5)
    assert decider.push(1.0, [0.1, 0.8, 0.0]) == ()
    (ended,) = decider.push(1.5, [0.1, 0.1, 0.0])
    assert ended == replace(began, lasts=False, stop=1.75, score=0.8)
    assert decider.finish() == ()


def test_an_event_lasts_until_the_score_is_below_the_release() -> None:
    scores = [0.0, 0.9, 0.4, 0.3, 0.2, 0.4]
    assert spans(settings(release=0.3), scores) == [(0.75, 2.25)]
    assert spans(settings(), scores) == [(0.75, 1.25)]


def test_an_event_needs_consecutive_windows_and_starts_with_the_first() -> None:
    scores = [0.9, 0.9, 0.0, 0.9, 0.9, 0.9, 0.9]
    (event,) = events(settings(minimum_windows=3), scores)
    assert (event.start, event.stop, event.decided) == (1.75, 3.75, 3.5)


def test_no_event_begins_in_the_refractory_time() -> None:
    scores = [0.9, 0.0, 0.9, 0.0, 0.9, 0.0]
    assert len(spans(settings(), scores)) == 3
    assert spans(settings(refractory_seconds=1.0), scores) == [(0.25, 0.75), (2.25, 2.75)]
    lasting = [0.9, 0.0, 0.9, 0.9, 0.9, 0.0]  # begins where the time is over
    assert spans(settings(refractory_seconds=1.0), lasting) == [(0.25, 0.75), (1.75, 2.75)]


def test_smoothed_scores_are_those_of_the_middle_of_their_windows() -> None:
    step = [0.0] * 6 + [1.0] * 6
    for smoothing in ("mean", "median"):
        ((start, _),) = spans(settings(smoothing, 3), step)
        assert start == 3.25  # as without smoothing
    assert spans(settings(), step)[0][0] == 3.25
    assert spans(settings("median", 3), [0, 0, 0.9, 0, 0, 0]) == []


def test_an_exponential_mean_forgets() -> None:
    weight = settings("exponential", 3).newest_weight
    assert weight == 0.5
    found = events(settings("exponential", 3, threshold=0.75), [0, 1, 1, 1, 0])
    assert [event.score for event in found] == [0.875]
    assert found[0].decided == 2.0


def test_starts_are_shifted_and_stops_come_no_earlier() -> None:
    scores = [0.0, 0.0, 0.9, 0.9, 0.0]
    assert spans(settings(onset_shift_seconds=0.25), scores) == [(1.5, 2.25)]
    assert spans(settings(onset_shift_seconds=-9), scores) == [(0.0, 2.25)]
    assert spans(settings(onset_shift_seconds=9), scores) == [(10.25, 10.25)]


@pytest.mark.parametrize(
    ("smoothing", "windows"),
    [("none", 1), ("mean", 1), ("mean", 4), ("median", 4), ("median", 5), ("exponential", 6)],
)
def test_all_windows_at_once_give_the_same_events(smoothing: str, windows: int) -> None:
    rng = np.random.default_rng(5)
    scores = rng.integers(0, 11, (400, 3)) / 10  # many equal to thresholds
    for minimum, refractory, release in product((1, 3), (0.0, 1.2), (0.3, 0.5)):
        chosen = settings(
            smoothing,
            windows,
            minimum_windows=minimum,
            refractory_seconds=refractory,
            release=release,
        )
        both = {**chosen.classes, "dog": chosen.classes["rain"]}
        chosen = chosen.model_copy(update={"classes": both})
        for length in (0, 1, 2, 400):
            stream, found = Decider(chosen, LABELS), []
            starts = np.arange(length) * 0.5
            for start, row in zip(starts.tolist(), scores, strict=False):
                found += [event for event in stream.push(start, row) if not event.lasts]
            found += stream.finish()
            whole = decide(chosen, LABELS, starts, scores[:length])
            assert sorted(found, key=repr) == sorted(whole, key=repr)
        assert whole


def test_classes_and_scores_that_do_not_fit_are_refused() -> None:
    with pytest.raises(KerasnasError, match="class rain, which the network does not have"):
        Decider(settings(), ("dog",))
    with pytest.raises(KerasnasError, match=r"shape \(2,\) do not fit 3 labels"):
        Decider(settings(), LABELS).push(0.0, [0.1, 0.2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hop_seconds": 2.0}, "hop_seconds: 2 is above window_seconds, 1"),
        ({"smoothing": "none", "smoothing_windows": 3}, "none goes with 1 window, not 3"),
        ({"classes": {"rain": {"threshold": 0.2, "release": 0.4}}}, "release: 0.4 is above"),
        ({"window_seconds": float("nan")}, "finite"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    fields = settings().model_dump() | changes
    with pytest.raises(ValueError, match=message):
        DecisionSettings.model_validate(fields)


def test_the_class_of_other_sounds_makes_no_events() -> None:
    plain = DecisionSettings.untuned(LABELS, 1.0, thresholds=(0.1, 0.2, 0.3))
    assert {name: each.threshold for name, each in plain.classes.items()} == {
        "rain": 0.2,
        "dog": 0.3,
    }
