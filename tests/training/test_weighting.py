import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from kerasnas.training.examples import Examples
from kerasnas.training.weighting import class_weights, example_weights


def _examples(targets):
    targets = np.asarray(targets, np.float32)
    features = np.zeros((len(targets), 1, 1, 1, 1), np.float32)
    return Examples.of_clips(features, targets, np.arange(len(targets)))


def test_balanced_weights_are_scikit_learns():
    labels = np.array([0] * 6 + [1] * 3 + [2])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert class_weights(_examples(np.eye(3)[labels])) == pytest.approx(expected)


def test_a_class_without_examples_weighs_nothing():
    assert class_weights(_examples([[1, 0], [1, 0]])).tolist() == [1, 0]


def test_an_example_weighs_as_its_labels_do():
    weights = np.array([1, 3], np.float32)
    y = np.array([[1, 0], [0.5, 0.5], [1, 1], [0, 0]], np.float32)
    assert example_weights(y, weights).tolist() == [1, 2, 2, 1]
