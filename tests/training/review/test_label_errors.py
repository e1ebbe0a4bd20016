import numpy as np
import pytest

from kerasnas.training.review.baseline import measure
from kerasnas.training.review.label_errors import suspects

FRAMES, BINS, CLASSES, CLIPS = 10, 6, 4, 400


def _sounds(label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Features of clips that carry the tags `(clips, classes)`."""
    heard = (label @ (2 * rng.normal(size=(CLASSES, BINS))))[:, None, None, :, None]
    return heard + rng.normal(size=(len(label), 1, FRAMES, BINS, 1))


def _recall_and_precision(found, wrong: np.ndarray) -> tuple[float, float]:
    rows = [suspect.index for suspect in found]
    return float(wrong[rows].sum() / wrong.sum()), float(wrong[rows].mean())


def test_injected_label_errors_are_found():
    """Of 5 % wrong labels, nine in ten are found; nine in ten of the suspects are wrong."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, CLASSES, CLIPS)
    wrong = rng.random(CLIPS) < 0.05
    given = np.where(wrong, (truth + rng.integers(1, CLASSES, CLIPS)) % CLASSES, truth)
    labels = np.eye(CLASSES, dtype=np.float32)[given]
    features = _sounds(np.eye(CLASSES)[truth], rng)
    baseline = measure(
        features,
        labels,
        np.arange(CLIPS),
        {},
        multi_label=False,
        loss="categorical_crossentropy",
    )
    found = suspects(labels, baseline.out_of_fold, multi_label=False)
    recall, precision = _recall_and_precision(found, wrong)
    assert recall >= 0.9
    assert precision >= 0.9
    margins = [suspect.margin for suspect in found]
    assert margins == sorted(margins, reverse=True)
    for suspect in found:
        assert suspect.given == (given[suspect.index],)
        if wrong[suspect.index]:
            assert suspect.suggested == (truth[suspect.index],)


def test_injected_missing_and_added_tags_are_found():
    """Of 5 % clips with a wrong tag, four in five are found; four in five suspects are wrong."""
    rng = np.random.default_rng(1)
    truth = (rng.random((CLIPS, CLASSES)) < 0.4).astype(np.float32)
    wrong = rng.random(CLIPS) < 0.05
    labels = truth.copy()
    rows = np.flatnonzero(wrong)
    tags = rng.integers(0, CLASSES, len(rows))
    labels[rows, tags] = 1 - labels[rows, tags]
    baseline = measure(
        _sounds(truth, rng),
        labels,
        np.arange(CLIPS),
        {},
        multi_label=True,
        loss="binary_crossentropy",
    )
    found = suspects(labels, baseline.out_of_fold, multi_label=True)
    recall, precision = _recall_and_precision(found, wrong)
    assert recall >= 0.8
    assert precision >= 0.8


@pytest.mark.parametrize(
    ("own", "other", "suspected"),
    [
        (0.1, 0.9, True),
        (0.45, 0.55, False),  # the other class is below its threshold
        (0.8, 0.2, False),
    ],
)
def test_both_thresholds_decide(own: float, other: float, suspected: bool):
    labels = np.eye(2)[[0, 0, 0, 1, 1, 1]]
    known = np.array([[own, other], [0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7]])
    found = suspects(labels, known, multi_label=False)
    assert [suspect.index for suspect in found] == ([0] if suspected else [])
    if suspected:
        (one,) = found
        assert (one.given, one.suggested) == ((0,), (1,))
        assert one.margin == pytest.approx(other - own)
        assert one.probabilities == (own, other)


def test_a_class_that_nobody_knew_is_neither_suspected_nor_suggested():
    labels = np.eye(3)[[0, 0, 1, 1, 2, 2]]
    known = np.array(
        [
            [np.nan, 0.9, 0.1],
            [np.nan, 0.1, 0.9],
            [0.1, 0.9, 0.0],
            [0.8, 0.1, 0.1],
            [0.1, 0.1, 0.8],
            [0.0, 0.1, 0.9],
        ]
    )
    assert suspects(labels, known, multi_label=False) == []
