from dataclasses import replace

import numpy as np
import pytest

from kerasnas.export.checks import check_file, compare
from kerasnas.export.settings import ExportSettings
from kerasnas.export.tflite_file import FileFacts

FACTS = FileFacts(1000, {"CONV_2D:3": 1}, {}, (), "1.14.0")


def test_single_label_decisions_are_best_classes_of_clip_means():
    # Two clips of two segments. The first file segment is wrong alone, its clip is right.
    reference = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8]], np.float32)
    scores = np.array([[0.4, 0.6], [0.9, 0.1], [0.9, 0.1], [0.8, 0.2]], np.float32)
    labels = np.eye(2, dtype=np.float32)
    parity = compare(scores, reference, labels, "single_label")
    assert parity.agreement == 0.5
    assert parity.accuracy == 0.5
    assert parity.largest_difference == pytest.approx(0.8)


def test_multi_label_decisions_are_tags_on_either_side_of_a_half():
    reference = np.array([[0.9, 0.1, 0.6], [0.2, 0.7, 0.4]], np.float32)
    scores = np.array([[0.8, 0.2, 0.4], [0.2, 0.6, 0.4]], np.float32)
    labels = np.array([[1, 0, 1], [0, 1, 1]], np.float32)
    parity = compare(scores, reference, labels, "multi_label")
    assert parity.agreement == pytest.approx(5 / 6)
    assert parity.accuracy == pytest.approx(4 / 6)


GOOD = [[1, 0], [0, 1]]


def test_a_state_kept_between_clips_fails():
    labels = np.eye(2, dtype=np.float32)
    parity = compare(labels, labels, labels, "single_label")
    checks = check_file("model.tflite", "full_int8", FACTS, parity, False, ExportSettings())
    (failed,) = [check for check in checks if not check.passed]
    assert failed.name == "stateless"
    assert "stateful=False" in failed.message


@pytest.mark.parametrize(
    ("facts", "scores", "form", "failed"),
    [
        ({}, GOOD, "full_int8", []),
        ({"bytes": 1001}, GOOD, "full_int8", ["budget"]),
        ({}, [[1, 0], [1, 0]], "full_int8", ["agreement"]),
        ({}, [[1, 0], [np.nan, 0]], "full_int8", ["agreement", "finite"]),
        ({"foreign_operators": ("FlexErf",)}, GOOD, "float16", ["operators"]),
        ({"float_operators": {"ELU": 2}}, GOOD, "full_int8", ["integer"]),
        ({"float_operators": {"ELU": 2}}, GOOD, "float16", []),
    ],
)
def test_each_check_fails_alone(facts, scores, form, failed):
    labels = np.eye(2, dtype=np.float32)
    parity = compare(np.array(scores, np.float32), labels, labels, "single_label")
    settings = ExportSettings(budget=1000, agreement=0.9)
    checks = check_file("model.tflite", form, replace(FACTS, **facts), parity, True, settings)
    assert [check.name for check in checks if not check.passed] == failed
    assert all("model.tflite" in check.message for check in checks)
