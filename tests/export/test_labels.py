from typing import Any

import numpy as np
import pytest

from kerasnas.export import ExportError
from kerasnas.export.labels import checked_classes, dense_labels

EYE = np.eye(3, dtype=np.float32)


@pytest.mark.parametrize(
    ("y", "outputs", "task", "expected"),
    [
        (EYE, (3,), "single_label", EYE),
        (np.array([2, 0, 1]), (3,), "single_label", EYE[[2, 0, 1]]),
        (np.array([[2], [0], [1]]), (3,), "single_label", EYE[[2, 0, 1]]),
        (np.array([1, 0, 1]), (1,), "binary", np.array([[1], [0], [1]])),
        (np.array([True, False, True]), (1,), "binary", np.array([[1], [0], [1]])),
        (np.array([0.5, 2, -1]), (1,), "regression", np.array([[0.5], [2], [-1]])),
        (EYE.astype(int), (3,), "multi_label", EYE),
        (np.array([[0, 2]] * 3), (2, 3), "sequence", np.stack([EYE[[0, 2]]] * 3)),
        (np.array([[0, 1]] * 3), (2, 1), "sequence", np.array([[[0], [1]]] * 3)),
    ],
)
def test_labels_are_taken_as_numbers_or_as_classes(
    y: np.ndarray, outputs: Any, task: Any, expected: np.ndarray
):
    labels = dense_labels(y, 3, outputs, task, "test clips")
    assert labels.dtype == np.float32
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize(
    ("y", "task", "message"),
    [
        (np.array([0, 1]), "single_label", r"test clips have shape \(2,\): .* = \(3, 3\) or ind"),
        (np.array([0.0, 1, 2]), "single_label", r"shape \(3,\)"),
        (np.array([0, 1, 2]), "multi_label", r"shape \(3,\): \(clips, outputs\) = \(3, 3\) is"),
        (np.array([0, 1, 3]), "single_label", "index 3: the model has 3 classes, counted from 0"),
        (np.array([0, -1, 2]), "single_label", "index -1"),
        (np.full((3, 3), np.nan), "multi_label", "not finite"),
    ],
)
def test_labels_that_do_not_fit_are_refused(y: np.ndarray, task: Any, message: str):
    with pytest.raises(ExportError, match=message):
        dense_labels(y, 3, (3,), task, "test clips")


def test_names_of_classes_are_optional_but_as_many_as_outputs():
    assert checked_classes(None, 3) is None
    assert checked_classes(["a", "b"], 2) == ("a", "b")
    with pytest.raises(ExportError, match="1 labels .* with 2 outputs: .* or leave classes= out"):
        checked_classes(["a"], 2)
    with pytest.raises(ExportError, match=r"with 1 output:"):
        checked_classes(["a", "b"], 1)
