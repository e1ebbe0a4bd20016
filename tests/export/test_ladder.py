from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasnas.export import ExportError, ExportSettings, ladder
from kerasnas.export.check.checks import Measured
from kerasnas.export.check.networks import KerasNetwork, TfliteNetwork
from kerasnas.export.check.parity import compare
from kerasnas.export.convert.lowering import Candidate
from kerasnas.export.flatbuffer.delegation import Delegation
from kerasnas.export.flatbuffer.facts import FileFacts
from kerasnas.export.ladder import Examined, Reference, climb_down
from kerasnas.export.process.child import ChildDied

LABELS = np.eye(2, dtype=np.float32)[np.arange(200) % 2]
LOOP, UNROLL, WHILE = "int8_loop", "unroll", "while"


class Forms:
    """Stands for the conversion and what is measured: bytes and agreement of each form.

    A form of None dies, files of no bytes are refused by the runtime. With `varies`, each
    conversion gives other bytes. Forms that leave operators in float are known by how many.
    """

    def __init__(self, forms: dict[Any, tuple[int, float] | None], varies: bool) -> None:
        self.forms = forms
        self.varies = varies
        self.converted = 0

    def convert(self, network: Any, candidate: Any, output: Path, *rest: Any) -> None:
        self.converted += self.varies
        form = self.forms.get(candidate.floats or candidate.recurrent)
        if form is None:
            raise ChildDied(f"converting to {candidate}: the process died of SIGSEGV")
        output.write_bytes(bytes([self.converted]) * form[0])

    def load(self, path: Path) -> TfliteNetwork:
        if not path.stat().st_size:
            raise ExportError(f"{path} is damaged")
        return TfliteNetwork(path, None, (20, 4), (2,))

    def measure(
        self, network: Any, candidate: Any, scores: Any, repeated: Any, *rest: Any
    ) -> Measured:
        size, agreement = self.forms[candidate.floats or candidate.recurrent] or (0, 0)
        scores = LABELS.copy()
        wrong = round((1 - agreement) * len(scores))
        scores[:wrong] = scores[:wrong, ::-1]
        parity = compare(scores, LABELS, "single_label", LABELS)
        facts = FileFacts(size, {}, {}, (), None)
        delegation = Delegation(1.0, {}, 1, False)
        return Measured(candidate.form, facts, size, parity, True, delegation, repeated)


def _climb(
    forms: dict[Any, tuple[int, float] | None],
    tmp_path: Path,
    monkeypatch: Any,
    varies: bool = False,
    **settings: Any,
) -> Examined:
    import keras
    from keras import layers

    stand_in = Forms(forms, varies)
    monkeypatch.setattr(TfliteNetwork, "predict", lambda self, x: LABELS)
    monkeypatch.setattr(ladder, "convert_candidate", stand_in.convert)
    monkeypatch.setattr(ladder, "measure", stand_in.measure)
    monkeypatch.setattr(ladder, "load", stand_in.load)
    inputs = keras.Input((20, 4))
    model = keras.Model(inputs, layers.Dense(2)(layers.GRU(2)(inputs)))
    keras_network = KerasNetwork(Path("model.keras"), model, "model.keras")
    reference = Reference(keras_network, np.zeros((200, 20, 4)), LABELS, "single_label", LABELS)
    chosen = ExportSettings(**{"budget": 100, "repeat": False} | settings)
    return climb_down(reference, "int8", tmp_path, chosen, lambda line: None)


def test_a_dying_converter_is_one_failed_form(tmp_path: Path, monkeypatch):
    made = _climb({LOOP: None, UNROLL: (90, 1.0), WHILE: (10, 1.0)}, tmp_path, monkeypatch)
    assert made.candidate == Candidate("full_int8", UNROLL)
    (failure,) = made.failures
    assert failure == "converting to full_int8 with int8_loop: the process died of SIGSEGV"


def test_a_file_that_the_runtime_refuses_is_one_failed_form(tmp_path: Path, monkeypatch):
    made = _climb({LOOP: (0, 1.0), UNROLL: (90, 1.0)}, tmp_path, monkeypatch)
    assert made.candidate == Candidate("full_int8", UNROLL)
    (failure,) = made.failures
    assert failure.startswith("full_int8 with int8_loop: the runtime does not take the file: ")


def test_a_form_with_a_failed_check_gives_way_to_the_next(tmp_path: Path, monkeypatch):
    forms = {LOOP: (101, 1.0), UNROLL: (50, 0.9), WHILE: (100, 0.99)}
    made = _climb(forms, tmp_path, monkeypatch)
    assert made.candidate == Candidate("int8_weights", WHILE)
    over, disagrees = made.failures[0], made.failures[1]
    assert over.startswith(
        "full_int8 with int8_loop was refused: model_int8.tflite has 101 bytes, 1 (1.0%)"
    )
    assert disagrees == (
        "full_int8 with unroll was refused: 90 % agreement of model_int8.tflite with the Keras "
        "model, 98 % required; try 5 epochs of quantisation-aware fine-tuning (qat)"
    )


def test_what_rounding_breaks_floats_may_mend(tmp_path: Path, monkeypatch):
    forms = {LOOP: (50, 0.9), UNROLL: (60, 0.9), 1: (70, 0.97), 2: (80, 0.99), WHILE: (75, 1.0)}
    made = _climb(forms, tmp_path, monkeypatch)
    assert made.candidate == Candidate("mixed", LOOP, 2)
    assert made.failures[-1].startswith(
        "mixed with int8_loop, 1 operator in float was refused: 97 % agreement"
    )


def test_what_is_too_large_gets_no_floats(tmp_path: Path, monkeypatch):
    forms = {LOOP: (101, 0.9), UNROLL: (102, 1.0), 1: (90, 1.0), WHILE: (100, 1.0)}
    assert _climb(forms, tmp_path, monkeypatch).candidate == Candidate("int8_weights", WHILE)


@pytest.mark.parametrize("on_fail", ["error", "report"])
def test_the_first_form_is_kept_where_the_settings_say_so(
    tmp_path: Path, monkeypatch, on_fail: str
):
    forms = {LOOP: (101, 1.0), UNROLL: (50, 1.0), WHILE: (50, 1.0)}
    made = _climb(forms, tmp_path, monkeypatch, on_fail=on_fail)
    assert made.candidate.recurrent == LOOP
    assert [check.name for check in made.checks if check.verdict == "failed"] == ["budget"]


def test_where_none_passes_the_least_bad_is_kept(tmp_path: Path, monkeypatch):
    forms = {LOOP: (300, 1.0), UNROLL: (200, 0.5), WHILE: (350, 1.0)}
    assert _climb(forms, tmp_path, monkeypatch).candidate.recurrent == LOOP


def test_where_none_converts_each_says_why(tmp_path: Path, monkeypatch):
    forms: dict[Any, tuple[int, float] | None] = dict.fromkeys((LOOP, UNROLL, WHILE))
    with pytest.raises(ExportError, match="(?s)int8_loop.*SIGSEGV.*unroll.*int8_weights with"):
        _climb(forms, tmp_path, monkeypatch)


@pytest.mark.parametrize("varies", [False, True])
def test_a_form_is_converted_twice_and_other_bytes_fail(tmp_path: Path, monkeypatch, varies: bool):
    made = _climb(
        {LOOP: (10, 1.0)}, tmp_path, monkeypatch, varies=varies, repeat=True, on_fail="report"
    )
    failed = [check.name for check in made.checks if check.verdict == "failed"]
    assert failed == (["repeated"] if varies else [])
