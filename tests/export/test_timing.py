import json
import os
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kerasnas.cli import app
from kerasnas.export import ExportError, benchmark
from kerasnas.export.flatbuffer.arena import Lifetime, arena_bytes, plan
from kerasnas.export.flatbuffer.graph import TfliteFile

from .conftest import Exported, Trained


def test_tensors_share_memory_when_they_do_not_live_at_once():
    chain = [Lifetime(640, 0, 1), Lifetime(1280, 1, 2), Lifetime(640, 2, 3), Lifetime(64, 3, 4)]
    assert plan(chain) == 1280 + 640
    assert plan([Lifetime(640, 0, 9), *chain]) == 1280 + 2 * 640
    assert plan([Lifetime(1, 0, 1), Lifetime(65, 1, 2)]) == 64 + 128
    assert plan([]) == 0


def test_a_gap_is_filled_before_memory_grows():
    # At step 2, the middle third is free again: what is born then fits into it.
    tensors = [Lifetime(640, 0, 3), Lifetime(448, 0, 1), Lifetime(384, 0, 3), Lifetime(320, 2, 3)]
    assert plan(tensors) == 640 + 448 + 384
    assert {plan(list(order)) for order in permutations(tensors)} == {640 + 448 + 384}


def test_a_plan_holds_all_that_lives_at_once():
    rng = np.random.default_rng(0)
    for _ in range(50):
        first = rng.integers(0, 10, 20)
        sizes, spans = 64 * rng.integers(1, 20, 20), rng.integers(0, 4, 20)
        tensors = [
            Lifetime(int(s), int(f), int(f + n))
            for s, f, n in zip(sizes, first, spans, strict=True)
        ]
        at_once = [sum(t.size for t in tensors if t.first <= k <= t.last) for k in range(14)]
        assert max(at_once) <= plan(tensors) <= sum(t.size for t in tensors)


def test_the_arena_of_two_operators_is_known():
    file = TfliteFile()
    main = file.main
    x, y, z = main.tensor((1, 100), "float32"), main.tensor((1, 50), "int8"), None
    z = main.tensor((1, 100), "float32")
    main.operator("QUANTIZE", 1, (x,), (y,))
    main.operator("DEQUANTIZE", 2, (y,), (z,))
    main.t.inputs, main.t.outputs = [x.place], [z.place]
    assert arena_bytes(file.content()) == 2 * 448 + 64


@pytest.mark.slow
def test_files_are_timed_against_the_model_in_float32(trained: Trained, exported: Exported):
    files = [str(trained.path), str(exported.directory / "model_int8.tflite")]
    command = ["benchmark", files[1], "--float32", files[0], "--runs", "3"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "arena" in result.output
    base, int8 = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)["files"]
    assert [base["file"], int8["file"]] == files
    assert base["speed_up"] is None
    assert base["bytes"] > int8["bytes"]
    assert not any(name.startswith("DEQUANTIZE") for name in base["operators"])  # as float16 has
    assert int8["speed_up"] == base["latency_ms"][0]["median"] / int8["latency_ms"][0]["median"]
    assert [entry["threads"] for entry in int8["latency_ms"]] == sorted({1, os.cpu_count()})
    # Of four bytes a number and of one; the two ends are float32 in both.
    assert 2 * int8["arena_bytes"] < base["arena_bytes"]
    assert int8["bytes"] == Path(files[1]).stat().st_size
    assert int8["operators"]["CONV_2D:3"] == 3
    assert base["delegation"]["share"] == 1.0


@pytest.mark.slow
def test_a_damaged_file_is_one_message(exported: Exported, tmp_path: Path):
    path = tmp_path / "model.tflite"
    path.write_bytes((exported.directory / "model_int8.tflite").read_bytes()[:-64])
    result = CliRunner().invoke(app, ["benchmark", str(path)])
    assert result.exit_code == 2
    assert "model.tflite is damaged" in result.output.replace("\n", "")


def test_nothing_to_time_is_refused():
    with pytest.raises(ExportError, match="give .tflite files"):
        benchmark([])
    with pytest.raises(ExportError, match="nothing.tflite does not exist"):
        benchmark(["nothing.tflite"])
    with pytest.raises(ExportError, match="nothing.keras"):
        benchmark(["nothing.tflite"], float32="nothing.keras")
