from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasnas.export import layer_errors
from kerasnas.export.check.layer_error import blame
from kerasnas.export.flatbuffer.graph import TfliteFile

from ..conftest import SHAPE, Exported, Trained

pytestmark = pytest.mark.slow


def _normalizations(model: Any) -> list[str]:
    return [layer.name for layer in model.layers if "batch_norm" in layer.name]


def test_layers_are_found_by_what_they_compute(trained: Trained, exported: Exported):
    examples = trained.test_x.reshape(-1, *SHAPE)
    for name, most in (("float16", 0.01), ("int8", 0.2)):
        errors = layer_errors(trained.model, exported.directory / f"model_{name}.tflite", examples)
        found = {error.layer: error for error in errors}
        # Each is folded into the convolution before it, which has no output of its own.
        for layer, operator in zip(
            _normalizations(trained.model),
            ("CONV_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D"),
            strict=True,
        ):
            assert found[layer].operator == operator
        assert all(error.error < most for error in errors)
        assert sum(error.added for error in errors) == pytest.approx(errors[-1].error)


def test_a_wrong_operator_is_to_blame(trained: Trained, exported: Exported, tmp_path: Path):
    file = TfliteFile((exported.directory / "model_int8.tflite").read_bytes())
    second = [o for o in file.main.t.operators if file.main.name_of(o) == "CONV_2D"][1]
    kernel = file.main.t.tensors[second.inputs[1]].quantization
    kernel.scale = np.asarray(kernel.scale, np.float32) * np.float32(1.4)
    path = tmp_path / "model.tflite"
    path.write_bytes(file.content())
    text = blame(trained.model, path, trained.test_x.reshape(-1, *SHAPE))
    wrong = _normalizations(trained.model)[1]
    assert text.startswith(f"the error grows most in layer '{wrong}' (CONV_2D), by ")
