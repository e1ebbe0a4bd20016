from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kerasnas.export.check.checks import Measured, accuracy_checks, check_file
from kerasnas.export.check.interpreter import is_stateless
from kerasnas.export.check.parity import compare
from kerasnas.export.flatbuffer.delegation import Delegation
from kerasnas.export.flatbuffer.facts import FileFacts
from kerasnas.export.settings import ExportSettings

FACTS = FileFacts(1000, {"CONV_2D:3": 1}, {}, (), "1.14.0")
LABELS = np.eye(2, dtype=np.float32)[np.arange(300) % 2]
GOOD = LABELS
QAT = "; try 5 epochs of quantisation-aware fine-tuning (qat)"
SETTINGS = ExportSettings()


def test_single_label_decisions_are_best_classes_of_clip_means():
    # Two clips of two segments. The first file segment is wrong alone, its clip is right.
    reference = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8]], np.float32)
    scores = np.array([[0.4, 0.6], [0.9, 0.1], [0.9, 0.1], [0.8, 0.2]], np.float32)
    labels = np.eye(2, dtype=np.float32)
    parity = compare(scores, reference, "single_label", labels, segments=2)
    assert parity.agreement == 0.5
    assert parity.accuracy == 0.5
    assert parity.largest_difference == pytest.approx(0.8)


def test_multi_label_decisions_are_tags_on_either_side_of_a_half():
    reference = np.array([[0.9, 0.1, 0.6], [0.2, 0.7, 0.4]], np.float32)
    scores = np.array([[0.8, 0.2, 0.4], [0.2, 0.6, 0.4]], np.float32)
    labels = np.array([[1, 0, 1], [0, 1, 1]], np.float32)
    parity = compare(scores, reference, "multi_label", labels)
    assert parity.agreement == pytest.approx(5 / 6)
    assert parity.accuracy == pytest.approx(4 / 6)


def _failed(measured: Measured, settings: ExportSettings) -> dict[str, str]:
    """Messages of the checks that did not pass, by name."""
    checks = check_file("model.tflite", measured, settings)
    assert all("model.tflite" in check.message for check in checks)
    return {check.name: check.message for check in checks if check.verdict != "passed"}


def _measured(scores: np.ndarray, **changes: Any) -> Measured:
    parity = compare(np.asarray(scores, np.float32), LABELS, "single_label", LABELS)
    facts = replace(FACTS, **changes.pop("facts", {}))
    delegation = Delegation(0.5, {"MEAN": 1}, 1, False)
    base = Measured("full_int8", facts, facts.bytes, parity, True, delegation)
    return base._replace(**changes)


NOT_FINITE = np.where(np.arange(300)[:, None] < 150, GOOD, np.nan)


@pytest.mark.parametrize(
    ("changes", "scores", "failed"),
    [
        ({}, GOOD, []),
        ({"counted": 1001}, GOOD, ["budget"]),
        ({}, GOOD[:, ::-1], ["agreement", "accuracy"]),
        ({}, NOT_FINITE, ["agreement", "accuracy", "finite"]),
        ({"stateless": False}, GOOD, ["stateless"]),
        ({"repeated": True}, GOOD, []),
        ({"repeated": False}, GOOD, ["repeated"]),
        ({"delegation": Delegation(0.4, {}, 1, True)}, GOOD, ["delegated"]),
        ({"facts": {"foreign_operators": ("FlexErf",)}}, GOOD, ["operators"]),
        ({"facts": {"float_operators": {"ELU": 2}}}, GOOD, ["integer"]),
        ({"facts": {"float_operators": {"ELU": 2}}, "form": "float16"}, GOOD, []),
        ({"facts": {"minimum_runtime": "2.17.0"}}, GOOD, ["runtime"]),
        ({"facts": {"minimum_runtime": "2.9.0"}}, GOOD, []),
        ({"facts": {"minimum_runtime": None}}, GOOD, []),
    ],
)
def test_each_check_fails_alone(changes: dict, scores: np.ndarray, failed: list[str]):
    settings = ExportSettings(budget=1000, agreement=0.9, delegated=0.5)
    assert list(_failed(_measured(scores, **changes), settings)) == failed


def test_messages_name_the_remedy_or_who_is_to_blame():
    settings = ExportSettings(budget=1000, rule="dcase2020")
    messages = _failed(_measured(GOOD, counted=1200, stateless=False), settings)
    assert "1,200 bytes by the rule dcase2020, 200 (20.0%) more than" in messages["budget"]
    assert "stateful=False" in messages["stateless"]
    asked = ExportSettings(recurrent="fused_lstm", budget=1000)
    (kept,) = [
        check
        for check in check_file("model.tflite", _measured(GOOD, facts={"keeps_state": True}), asked)
        if check.name == "stateless"
    ]
    assert (kept.verdict, kept.received) == ("passed", False)
    assert "keeps state: reset between clips" in kept.message
    old = _measured(GOOD, facts={"minimum_runtime": "2.17.0"}, too_new="ADD:9 needs 2.17.0")
    assert _failed(old, ExportSettings())["runtime"].endswith("allowed; ADD:9 needs 2.17.0")
    wrong = _failed(_measured(GOOD[:, ::-1], blame="it is layer 'x'"), settings)
    assert all(wrong[name].endswith("; it is layer 'x'") for name in ("agreement", "accuracy"))


@pytest.mark.parametrize(
    ("form", "settings", "remedy"),
    [
        ("full_int8", {}, QAT),
        ("int8_weights", {}, QAT),
        ("full_int8", {"qat": 5}, ""),
        ("float16", {}, ""),
    ],
)
def test_lost_agreement_names_fine_tuning_where_it_can_help(form: str, settings: dict, remedy: str):
    scores = LABELS[:300].copy()
    scores[:7] = scores[:7, ::-1]
    parity = compare(scores, LABELS[:300], "single_label", LABELS[:300])
    messages = _failed(_measured(GOOD, parity=parity, form=form), ExportSettings(**settings))
    assert messages["agreement"] == (
        f"97.66 % agreement of model.tflite with the Keras model, 98 % required{remedy}"
    )


@pytest.mark.parametrize(
    ("clips", "lost", "verdict", "message"),
    [
        (300, 0, "passed", "at most 0.89 by"),  # z² / (n + z²), with z = 1.645
        (300, 4, "not proven", "(300) to prove a loss of accuracy below 2 points; 1.33 points"),
        (300, 20, "failed", "loses 6.67 points"),  # at least 4.6
        (100, 0, "not proven", "(100) to prove a loss of accuracy below 2 points; none was"),
    ],
)
def test_accuracy_passes_only_where_it_is_proven(clips: int, lost: int, verdict: str, message: str):
    labels = LABELS[:clips]
    scores = labels.copy()
    scores[:lost] = scores[:lost, ::-1]
    parity = compare(scores, labels, "single_label", labels)
    measured = _measured(GOOD, parity=parity)
    (check,) = [
        check
        for check in check_file("model.tflite", measured, ExportSettings())
        if check.name == "accuracy"
    ]
    assert check.verdict == verdict
    assert parity.drop == pytest.approx(lost / clips)
    assert message in check.message
    assert ("too few test clips" in check.message) == (verdict == "not proven")


def test_a_file_that_is_more_accurate_than_the_model_gains():
    reference = LABELS.copy()
    reference[:3] = reference[:3, ::-1]
    parity = compare(LABELS, reference, "single_label", LABELS)
    (check,) = accuracy_checks("a.tflite", parity, SETTINGS)
    assert check.message.startswith("a.tflite gains 1.00 points on the Keras model's accuracy, and")


class Recurrent:
    """A network whose state begins at zero with every clip, or goes on from the clip before."""

    def __init__(self, remembers: bool) -> None:
        self.remembers, self.state = remembers, 0.0

    def predict(self, x):
        return np.array([[self._score(clip)] for clip in x])

    def _score(self, clip):
        self.state = 0.01 * self.state * self.remembers + float(clip @ np.arange(len(clip)))
        return self.state


@pytest.mark.parametrize("remembers", [False, True])
def test_clips_a_b_a_tell_whether_a_state_is_kept(remembers: bool):
    clip = np.array([1.0, 2.0, 3.0], np.float32)  # also as B: it is turned round
    assert is_stateless(Recurrent(remembers), clip, clip) is not remembers
