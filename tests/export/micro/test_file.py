"""Files in TensorFlow Lite Micro: the same answers, the arena, and what does not run."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasnas.export import ExportError, ExportSettings, export, verify
from kerasnas.export.check.checks import FileCheck
from kerasnas.export.check.interpreter import load
from kerasnas.export.check.networks import TfliteNetwork
from kerasnas.export.flatbuffer.graph import TfliteFile
from kerasnas.export.flatbuffer.writer import GraphWriter
from kerasnas.export.integer.loop import write_loop
from kerasnas.export.integer.writer import int8_scale
from kerasnas.export.keras_model.recurrent import Range, cells, trace
from kerasnas.export.micro.file import MOST_STEPS, MicroFile, examine_micro
from kerasnas.export.micro.runtime import run_micro
from kerasnas.export.micro.sources import MicroInput
from tests.export.conftest import CLASSES, Trained

pytest.importorskip("tflite_micro", reason="tflite-micro has wheels for Linux on x86-64 alone")

EXAMPLES = np.random.default_rng(3).normal(size=(4, 9, 6)).astype(np.float32)


def _loop(path: Path, layer: Any) -> Path:
    """A file of one recurrent layer in integers, with float32 at both ends."""
    layer.build((None, None, EXAMPLES.shape[2]))
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(rng.normal(0, 0.4, weight.shape))
    (cell,) = cells(layer) or ()
    ranges = trace(cell, EXAMPLES).ranges
    file = TfliteFile()
    main, writer = file.main, GraphWriter(file.main)
    features = main.tensor((1, *EXAMPLES.shape[1:]), "float32")
    x = writer.write(
        "QUANTIZE", (features,), features.shape, "int8", int8_scale(Range.of(EXAMPLES))
    )
    output = write_loop(file, cell, x, ranges, int8_scale(ranges["output"])).output
    scores = writer.write("DEQUANTIZE", (output,), output.shape, "float32", version=2)
    main.t.inputs, main.t.outputs = [features.place], [scores.place]
    path.write_bytes(file.content())
    return path


def _examine(path: Path, **settings: Any) -> MicroFile:
    network = load(path)
    assert isinstance(network, TfliteNetwork)
    scores = network.predict(EXAMPLES)
    asked = ExportSettings(target="tflm", **settings)
    return examine_micro(path, "model_int8.tflite", EXAMPLES, scores, MicroInput(), asked)


@pytest.mark.parametrize("kind", ["gru", "lstm", "backward"])
@pytest.mark.parametrize("sequences", [False, True])
def test_loops_give_litert_s_answers_on_microcontrollers(
    tmp_path: Path, kind: str, sequences: bool
):
    from keras import layers

    layer = layers.LSTM if kind == "lstm" else layers.GRU
    path = _loop(
        tmp_path / "loop.tflite",
        layer(5, return_sequences=sequences, go_backwards=kind == "backward"),
    )
    found = _examine(path)
    assert [check.verdict for check in found.checks] == ["passed"]
    assert found.entry is not None
    assert found.entry["steps"]["most"] <= 2
    assert {"AddGather", "AddWhile", "AddFullyConnected"} <= set(found.entry["resolver"])
    text = found.sources["model_int8.cc"].decode()
    array = text[text.index("kModel[") : text.index("};")]
    assert bytes(int(each, 16) for each in re.findall(r"0x\w\w", array)) == path.read_bytes()


def test_the_arena_is_the_least_one_and_can_be_limited(tmp_path: Path):
    from keras import layers

    path = _loop(tmp_path / "loop.tflite", layers.GRU(5))
    needed = run_micro(path, EXAMPLES).arena_bytes
    assert 1000 < needed < 20_000
    for limit, verdict in ((needed, "passed"), (needed - 1, "failed")):
        arena = _examine(path, arena_bytes=limit).checks[-1]
        assert (arena.name, arena.verdict, arena.received) == ("arena", verdict, needed)
    assert "1 more than the limit of" in arena.message


def test_a_file_that_the_interpreter_does_not_take_says_why(tmp_path: Path):
    file = TfliteFile()
    main, writer = file.main, GraphWriter(file.main)
    features = main.tensor((1, 4), "float32")
    integers = writer.write("CAST", (features,), (1, 4), "int32")
    product = writer.write("POW", (integers, integers), (1, 4), "int32")
    main.t.inputs = [features.place]
    main.t.outputs = [writer.write("CAST", (product,), (1, 4), "float32").place]
    path = tmp_path / "power.tflite"
    path.write_bytes(file.content())
    with pytest.raises(ExportError, match="POW"):
        run_micro(path, np.ones((1, 4), np.float32))


def test_a_file_of_floats_is_refused(tmp_path: Path):
    file = TfliteFile()
    features = file.main.tensor((1, *EXAMPLES.shape[1:]), "float32")
    scores = GraphWriter(file.main).reshape(features, (1, 54))
    file.main.t.inputs, file.main.t.outputs = [features.place], [scores.place]
    path = tmp_path / "floats.tflite"
    path.write_bytes(file.content())
    found = _examine(path)
    assert found.entry is None
    assert found.sources == {}
    (check,) = found.checks
    assert isinstance(check, FileCheck)
    assert (check.verdict, check.name) == ("failed", "micro")
    assert "it computes in float" in check.message


def test_scores_that_differ_by_more_than_rounding_fail(tmp_path: Path):
    from keras import layers

    path = _loop(tmp_path / "loop.tflite", layers.GRU(5))
    network = load(path)
    scores = network.predict(EXAMPLES)
    step = 2 / 255  # at most: a state lies within -1 and 1
    scores[2, 3] += (MOST_STEPS + 3) * step
    asked = ExportSettings(target="tflm")
    found = examine_micro(path, "m.tflite", EXAMPLES, scores, MicroInput(), asked)
    assert [check.verdict for check in found.checks] == ["failed"]


@pytest.mark.slow
def test_an_export_for_microcontrollers(tmp_path: Path, trained: Trained):
    settings = ExportSettings(
        formats=("int8",), target="tflm", arena_bytes=100_000, repeat=False, latency_runs=2
    )
    result = export(
        trained.path,
        tmp_path,
        calibration=trained.train_x,
        test_x=trained.test_x,
        test_y=trained.test_y,
        classes=CLASSES,
        parameters={"sample_rate": 16000},
        settings=settings,
    )
    names = {check["name"]: check["verdict"] for check in result.report["checks"]}
    assert names["micro"] == names["arena"] == "passed"
    assert result.files["int8_header"] == tmp_path / "model_int8.h"
    assert verify(result.files["int8_source"])
    assert verify(result.files["int8_header"])
    text = (tmp_path / "model_int8.h").read_text()
    assert f"kArenaSize = {result.report['files']['int8']['micro']['arena_bytes']};" in text
    assert "kFrontEndSampleRate = 16000;" in text
    assert "resolver.AddDepthwiseConv2D() == 0" in text
    export(
        trained.path,
        tmp_path,
        calibration=trained.train_x,
        settings=settings.model_copy(update={"target": "phone", "arena_bytes": None}),
    )
    assert not (tmp_path / "model_int8.cc").exists()


def test_settings_that_do_not_go_together_are_refused(tmp_path: Path, trained: Trained):
    x = trained.train_x
    for settings, message in [
        (ExportSettings(target="tflm", formats=("float16",)), "takes integer files alone"),
        (ExportSettings(arena_bytes=1000), "limit of the arena is for the target tflm"),
    ]:
        with pytest.raises(ExportError, match=message):
            export(trained.path, tmp_path, calibration=x, settings=settings)
