import numpy as np
import pytest

from kerasnas.export import ExportError, stratified
from kerasnas.export.calibration import calibration_examples, flat_examples


def test_every_class_is_taken_before_any_twice():
    labels = np.eye(4, dtype=np.float32)[[0] * 50 + [1] * 30 + [2] * 3 + [3]]
    chosen = stratified(labels, 10, seed=0)
    assert len(set(chosen)) == 10
    assert list(labels[chosen].sum(axis=0)) == [3, 3, 3, 1]
    assert sorted(chosen) == list(chosen)


def test_a_clip_of_several_tags_counts_for_the_rarest():
    labels = np.zeros((20, 3), np.float32)
    labels[:, 0] = 1  # everywhere
    labels[10:, 1] = 1
    labels[19, 2] = 1
    for seed in range(5):
        assert 19 in stratified(labels, 3, seed)


def test_the_seed_decides_and_few_clips_are_all_taken():
    labels = np.eye(2, dtype=np.float32)[np.arange(40) % 2]
    assert list(stratified(labels, 8, 1)) == list(stratified(labels, 8, 1))
    assert list(stratified(labels, 8, 1)) != list(stratified(labels, 8, 2))
    assert list(stratified(labels[:5], 8, 1)) == [0, 1, 2, 3, 4]


def test_segments_are_used_in_turn():
    x = np.arange(3 * 2 * 4, dtype=np.float32).reshape(3, 2, 4, 1, 1)
    examples = calibration_examples(x, (4, 1, 1))
    np.testing.assert_array_equal(examples, x[[0, 1, 2], [0, 1, 0]])
    np.testing.assert_array_equal(calibration_examples(x[:, 0], (4, 1, 1)), x[:, 0])


def test_half_precision_features_are_taken_as_float32():
    flat = flat_examples(np.ones((2, 3, 4, 1, 1), np.float16), (4, 1, 1), "test clips")
    assert flat.dtype == np.float32
    assert flat.shape == (6, 4, 1, 1)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((0, 4, 1, 1)), "there are no calibration clips"),
        (np.zeros((2, 4, 1, 1)), "all values of the calibration clips are 0"),
        (np.array([[[[np.inf]]] * 4]), "not finite"),
        (np.zeros((2, 4, 1)), r"shape \(2, 4, 1\)"),
        (np.zeros((2, 4, 1, 2)), r"shape \(2, 4, 1, 2\)"),
    ],
)
def test_what_teaches_no_range_is_refused(x, message):
    with pytest.raises(ExportError, match=message):
        calibration_examples(x, (4, 1, 1))
