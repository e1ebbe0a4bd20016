"""Tasks: what fits which outputs, and what tells a good file from a bad one."""

from typing import Any

import numpy as np
import pytest

from kerasnas.export import ExportError, ExportSettings
from kerasnas.export.check.checks import Measured, check_file
from kerasnas.export.check.parity import (
    compare,
    excludes,
    require_fitting_scores,
    require_fitting_shape,
)
from kerasnas.export.flatbuffer.delegation import Delegation
from kerasnas.export.flatbuffer.facts import FileFacts

RNG = np.random.default_rng(0)
NUMBERS = RNG.uniform(-20, 30, (400, 2)).astype(np.float32)
PROBABILITIES = RNG.uniform(0, 1, (400, 1)).astype(np.float32)


def _failed(parity: Any) -> list[str]:
    facts, delegation = FileFacts(1000, {}, {}, (), None), Delegation(1.0, {}, 1, False)
    measured = Measured("float16", facts, 1000, parity, True, delegation)
    checks = check_file("model.tflite", measured, ExportSettings())
    return [check.name for check in checks if check.verdict == "failed"]


@pytest.mark.parametrize(
    ("task", "fitting", "other"),
    [
        ("single_label", [(2,), (9,)], [(1,), (4, 2)]),
        ("multi_label", [(1,), (9,)], [(4, 2)]),
        ("binary", [(1,)], [(2,), (4, 1)]),
        ("regression", [(1,), (3,)], [(4, 2)]),
        ("sequence", [(4, 1), (4, 3)], [(1,), (3,)]),
    ],
)
def test_a_task_fits_outputs_of_its_shape_alone(task: Any, fitting: list, other: list):
    for shape in fitting:
        require_fitting_shape(task, shape)
    for shape in other:
        with pytest.raises(ExportError, match=rf"task='{task}' does not fit .*task="):
            require_fitting_shape(task, shape)


@pytest.mark.parametrize("task", ["multi_label", "binary", "sequence"])
def test_what_is_decided_at_a_threshold_is_a_probability(task: Any):
    require_fitting_scores(task, PROBABILITIES)
    with pytest.raises(ExportError, match="between 0 and 1, .* between -2 and 3: .*sigmoid"):
        require_fitting_scores(task, np.array([[-2.0], [3.0]], np.float32))
    for other in ("single_label", "regression"):
        require_fitting_scores(other, NUMBERS)


def test_numbers_are_compared_against_their_range():
    off = NUMBERS + np.float32(0.5)
    parity = compare(off, NUMBERS, "regression")
    assert parity.agreement is None and parity.accuracy is None and parity.drop is None
    assert parity.error is not None
    assert parity.error.mean == pytest.approx(0.5, abs=1e-4)
    assert parity.error.range == pytest.approx(np.ptp(NUMBERS, axis=0).max())
    assert _failed(parity) == []
    assert _failed(compare(NUMBERS / 50, NUMBERS, "regression")) == ["error"]


def test_numbers_may_not_be_much_farther_from_the_labels():
    labels = NUMBERS + RNG.normal(0, 1, NUMBERS.shape).astype(np.float32)
    good = compare(NUMBERS + np.float32(0.1), NUMBERS, "regression", labels)
    assert good.error is not None and good.error.labels is not None
    assert good.error.labels == pytest.approx(np.abs(NUMBERS + 0.1 - labels).mean(), rel=1e-3)
    assert good.drop_bounds is not None and good.drop is not None
    assert good.drop_bounds[0] <= good.drop <= good.drop_bounds[1] < 0.02
    assert _failed(good) == []
    bad = compare(NUMBERS * np.float32(0.5), NUMBERS, "regression", labels)
    assert _failed(bad) == ["error", "accuracy"]


def test_one_probability_is_decided_at_the_threshold_and_held_to_its_value():
    labels = (PROBABILITIES > 0.5).astype(np.float32)
    same = compare(PROBABILITIES, PROBABILITIES, "binary", labels)
    assert (same.agreement, same.accuracy) == (1.0, 1.0)
    assert _failed(same) == []
    other_side = compare(1 - PROBABILITIES, PROBABILITIES, "binary", labels)
    assert other_side.agreement == 0.0
    assert _failed(other_side) == ["agreement", "error", "accuracy"]
    # On the right side of the threshold, but far off: argmax and threshold see nothing.
    far = np.where(PROBABILITIES > 0.5, 1.0, 0.0).astype(np.float32)
    assert _failed(compare(far, PROBABILITIES, "binary", labels)) == ["error"]


def test_frames_are_decided_by_their_best_class_or_tag_by_tag():
    best = RNG.dirichlet(np.ones(3), (50, 8)).astype(np.float32)
    assert excludes("sequence", best)
    labels = np.eye(3, dtype=np.float32)[best.argmax(axis=-1)]
    assert compare(best, best, "sequence", labels).accuracy == 1.0
    first_wrong = best.copy()
    first_wrong[:, 0] = np.roll(best[:, 0], 1, axis=-1)
    assert compare(first_wrong, best, "sequence").agreement == pytest.approx(7 / 8)
    tags = RNG.uniform(0, 1, (50, 8, 3)).astype(np.float32)
    assert not excludes("sequence", tags)
    tag_wrong = tags.copy()
    tag_wrong[..., 0] = 1 - tags[..., 0]
    assert compare(tag_wrong, tags, "sequence").agreement == pytest.approx(2 / 3)


def test_without_labels_no_accuracy_is_claimed():
    scores = RNG.uniform(0, 1, (40, 3)).astype(np.float32)
    parity = compare(scores, scores, "single_label")
    assert parity.agreement == 1.0
    assert parity.to_json()["accuracy"] is None and parity.to_json()["accuracy_drop"] is None
    assert _failed(parity) == []


@pytest.mark.parametrize(("task", "scores"), [("regression", NUMBERS), ("binary", PROBABILITIES)])
def test_numbers_that_are_not_finite_fail_and_are_null_in_json(task: Any, scores: np.ndarray):
    broken = scores.copy()
    broken[3] = np.nan
    parity = compare(broken, scores, task, scores)
    assert {"error", "finite"} <= set(_failed(parity))
    found = parity.to_json()
    assert found["largest_difference"] is None and found["error"]["mean"] is None
