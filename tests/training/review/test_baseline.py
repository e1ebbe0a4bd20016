import numpy as np
import pytest

from kerasnas.errors import KerasnasError
from kerasnas.training.review.baseline import chance, measure

CLASSES, FRAMES, BINS = 3, 10, 5


def _clips(counts: list[int], spread: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels: each class has a mean spectrum of its own."""
    rng = np.random.default_rng(seed)
    spectra = rng.normal(size=(len(counts), BINS))
    label = np.repeat(np.arange(len(counts)), counts)
    noise = spread * rng.normal(size=(len(label), 1, FRAMES, BINS, 1))
    features = spectra[label][:, None, None, :, None] + noise
    return features.astype(np.float16), np.eye(len(counts), dtype=np.float32)[label]


def _measure(features, targets, parts=None, **options):
    everything = np.arange(len(targets))
    options = {"multi_label": False, "loss": "categorical_crossentropy"} | options
    train = options.pop("train", everything[::2])
    rest = np.setdiff1d(everything, train)
    return measure(features, targets, train, parts or {"test": (train, rest)}, **options)


def test_spectra_of_classes_are_told_apart():
    features, targets = _clips([40, 40, 40])
    found = _measure(features, targets)
    assert found.regression["test"].metrics["accuracy"] > 0.95
    assert found.majority["test"].metrics["accuracy"] == pytest.approx(1 / 3)
    right = found.out_of_fold.argmax(axis=1) == targets[::2].argmax(axis=1)
    assert right.mean() > 0.95
    np.testing.assert_allclose(found.out_of_fold.sum(axis=1), 1, atol=1e-5)


def test_the_majority_is_that_of_the_training_clips():
    features, targets = _clips([20, 60, 10])
    train = np.r_[0:18, 20:30, 80:85]  # the first class has the most of these
    result = _measure(features, targets, train=train).majority["test"]
    assert (result.predictions.argmax(axis=1) == 0).all()
    assert result.predictions[0] == pytest.approx(np.array([18, 10, 5]) / 33)
    assert result.clips.tolist() == np.setdiff1d(np.arange(90), train).tolist()


def test_each_part_has_clips_of_its_own_to_fit_to():
    features, targets = _clips([40, 40, 40])
    train, validation, test = (np.arange(120)[start::3] for start in range(3))
    parts = {
        "validation": (train, validation),
        "test": (np.union1d(train, validation), test),
        "nobody": (train, train[:0]),
    }
    found = _measure(features, targets, parts, train=train)
    assert list(found.regression) == list(found.majority) == list(found.chance)
    assert list(found.regression) == ["validation", "test"]
    assert found.regression["test"].clips.tolist() == test.tolist()
    alone = _measure(features, targets, {"validation": parts["validation"]}, train=train)
    same = alone.regression["validation"].predictions
    np.testing.assert_array_equal(found.regression["validation"].predictions, same)


def test_clips_that_are_scored_change_nothing_about_the_regression():
    features, targets = _clips([40, 40, 40])
    found = _measure(features, targets)
    changed = targets.copy()
    changed[1::2] = changed[1::2, ::-1]
    again = _measure(features, changed)
    np.testing.assert_array_equal(found.out_of_fold, again.out_of_fold)
    np.testing.assert_array_equal(
        found.regression["test"].predictions, again.regression["test"].predictions
    )


def test_groups_stay_together_in_the_folds():
    """Every group has a spectrum of its own: only who has heard a group knows its label."""
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(10), 16)
    features = 5 * rng.normal(size=(10, 30))[groups][:, None, None, :, None]
    features = features + 0.1 * rng.normal(size=(160, 1, FRAMES, 30, 1))
    targets = np.eye(2, dtype=np.float32)[groups % 2]
    together = _measure(features, targets, train=np.arange(160), groups=groups)
    apart = _measure(features, targets, train=np.arange(160))
    right, heard = (
        float((found.out_of_fold.argmax(axis=1) == targets.argmax(axis=1)).mean())
        for found in (together, apart)
    )
    assert right < 0.7 < 0.9 < heard


def test_rare_classes_weigh_more_where_asked():
    features, targets = _clips([300, 16], spread=4.0)
    plain, balanced = (_measure(features, targets, balanced=b) for b in (False, True))
    assert (
        balanced.regression["test"].metrics["balanced_accuracy"]
        > plain.regression["test"].metrics["balanced_accuracy"] + 0.1
    )


def test_several_labels_are_told_apart_tag_by_tag():
    rng = np.random.default_rng(2)
    targets = (rng.random((160, CLASSES)) < 0.4).astype(np.float32)
    targets[:, 2] = 0
    targets[0, 2] = 1  # out of its fold, nobody knows this tag
    spectra = 2 * rng.normal(size=(CLASSES, BINS))
    features = (targets @ spectra)[:, None, None, :, None]
    features = features + rng.normal(size=(160, 1, FRAMES, BINS, 1))
    found = _measure(features, targets, multi_label=True, loss="binary_crossentropy")
    result = found.regression["test"]
    assert result.metrics["mean_average_precision"] > 0.95
    assert result.predictions[:, 2].max() < 0.5
    assert np.isnan(found.out_of_fold[0, 2])
    assert np.isfinite(found.out_of_fold[:, :2]).all()
    prevalence = targets[1::2, :2].mean(axis=0)
    assert found.chance["test"]["mean_average_precision"] == pytest.approx(prevalence.mean())
    assert found.majority["test"].metrics["mean_average_precision"] == pytest.approx(
        prevalence.mean()
    )


def test_a_class_of_one_group_is_unknown_out_of_its_fold():
    features, targets = _clips([30, 30, 30])
    groups = np.arange(90)
    groups[:30] = 0
    found = _measure(features, targets, train=np.arange(90), groups=groups)
    assert np.isnan(found.out_of_fold[:30, 0]).all()
    assert np.isfinite(found.out_of_fold[:, 1:]).all()
    single = _measure(features, targets, train=np.arange(90), groups=np.zeros(90, np.int64))
    assert np.isfinite(single.out_of_fold).all()


def test_two_clips_suffice_and_one_is_refused():
    features, targets = _clips([2, 2])
    parts = {"test": (np.array([0, 2]), np.array([1, 3]))}
    found = _measure(features, targets, parts, train=np.array([0, 2]))
    assert found.regression["test"].metrics["accuracy"] in (0, 0.5, 1)
    with pytest.raises(KerasnasError, match="train has 1 clip, and a baseline needs at least 2"):
        _measure(features, targets, parts, train=np.array([0]))


def test_chance_is_what_random_answers_score():
    rng = np.random.default_rng(5)
    label = np.repeat([0, 1, 2, 3], [50, 30, 15, 5])
    labels = np.eye(4, dtype=np.float32)[label]
    expected = chance(labels, multi_label=False)
    answers = rng.integers(0, 4, (2000, 100))
    assert expected["accuracy"] == pytest.approx((answers == label).mean(), abs=0.01)
    recalls = [(answers[:, label == k] == k).mean() for k in range(4)]
    assert expected["balanced_accuracy"] == pytest.approx(np.mean(recalls), abs=0.01)
    hits = np.array([((answers == k) & (label == k)).sum(axis=1) for k in range(4)])
    made = np.array([(answers == k).sum(axis=1) for k in range(4)])
    f1 = 2 * hits / (made + np.bincount(label)[:, None])
    assert expected["macro_f1"] == pytest.approx(f1.mean(), abs=0.01)
