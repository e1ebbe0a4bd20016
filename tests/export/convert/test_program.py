"""Forms of files of plain networks."""

from pathlib import Path

import numpy as np
import pytest

from kerasnas.export import load
from kerasnas.export.convert.program import convert
from kerasnas.export.flatbuffer.facts import read_facts

from ..conftest import Trained


@pytest.mark.slow
def test_int16_between_layers_is_finer_than_int8_and_all_integer(tmp_path: Path, trained: Trained):
    x = trained.test_x.reshape(-1, *trained.test_x.shape[2:])
    expected = trained.model.predict(x, verbose=0)
    errors = {}
    for form in ("full_int8", "int16"):
        path = tmp_path / f"{form}.tflite"
        path.write_bytes(convert(trained.model, form, x[:16]).content)
        assert read_facts(path).float_operators == {}
        errors[form] = float(np.sqrt(np.mean((load(path).predict(x) - expected) ** 2)))
    assert errors["int16"] < 0.5 * errors["full_int8"]
    sizes = {form: (tmp_path / f"{form}.tflite").stat().st_size for form in errors}
    assert sizes["int16"] < 1.2 * sizes["full_int8"]
