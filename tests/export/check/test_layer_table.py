"""What each layer costs in a file, as `export.json` has it."""

import pytest

from kerasnas.export import from_keras
from kerasnas.export.flatbuffer.graph import TfliteFile

from ..conftest import Exported, Trained

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["float16", "int8"])
def test_all_that_a_file_costs_is_some_layers(trained: Trained, exported: Exported, name: str):
    rows = exported.report["files"][name]["layers"]
    file = TfliteFile((exported.directory / f"model_{name}.tflite").read_bytes())
    places = {int(i) for o in file.main.t.operators for i in o.inputs if i >= 0}
    buffers = [file.model.buffers[file.main.t.tensors[place].buffer].data for place in places]
    assert sum(row["bytes"] for row in rows) >= sum(
        len(data) for data in buffers if data is not None
    )
    assert sum(row["macs"] for row in rows) == sum(op.macs for op in from_keras(trained.model))
    by_name = {row["layer"]: row for row in rows}
    # The convolution that a batch normalisation is folded into counts with it.
    convolution = trained.model.layers[2]
    normalization = by_name[trained.model.layers[3].name]
    assert normalization["operator"] == "CONV_2D"
    assert normalization["macs"] == 12 * 9 * 9 * 8
    width = 2 if name == "float16" else 1
    assert normalization["bytes"] >= width * convolution.count_params()
    assert normalization["delegate"] == "XNNPACK"
