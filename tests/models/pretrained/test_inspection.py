"""What is told of a file: blocks in words, and the cost of every cut."""

import io
import json

import pytest
from rich.console import Console

from kerasnas.errors import KerasnasError
from kerasnas.flow.commands.inspect import print_inspection
from kerasnas.models.pretrained.inspection import inspect
from tests.models.pretrained.conftest import INPUT
from tests.real_data import yamnet_file


def test_every_cut_has_the_cost_of_its_architecture(network, converted) -> None:
    found = inspect(converted(network, "float32"))
    assert [cut.number for cut in found.cuts] == list(found.file.trunk.cuts)
    for cut in found.cuts:
        cost = found.file.trunk.cut(cut.number).architecture.cost()
        assert (cut.weights, cut.macs) == (cost.parameters, cost.macs)
        assert cut.int8_bytes == cost.int8_bytes
    assert found.blocks[2] == "depthwise 3×3, relu6; pointwise, relu6"
    assert found.blocks[3] == "(input) + (convolution 3×1, tanh → convolution 1×1)"
    assert found.front_end() == {}
    longer = inspect(converted(network, "float32"), frames=2 * INPUT[0])
    assert longer.cuts[0].macs == 2 * found.cuts[0].macs
    assert longer.cuts[0].weights == found.cuts[0].weights
    assert json.loads(json.dumps(longer.to_json()))["input_shape"] == [48, 16, 1]


def test_a_file_without_pictures_is_no_trunk(converted) -> None:
    import keras

    inputs = keras.Input((6, 5, 1))
    dense = keras.layers.Dense(3)(keras.layers.Flatten()(inputs))
    with pytest.raises(KerasnasError, match="no block behind which frames and bins are left"):
        inspect(converted(keras.Model(inputs, dense), "float32"))


def printed(path, **options) -> str:
    out = io.StringIO()
    print_inspection(path, Console(file=out, width=140), **options)
    return out.getvalue()


def test_the_table_of_a_spectrogram_file(network, converted) -> None:
    text = printed(converted(network, "float32"))
    assert "MACs a second" not in text
    assert "takes: a spectrogram of 24×16×1" in text
    assert "separable" not in text
    assert "dense 5, softmax" in text


@pytest.mark.slow
def test_the_table_of_yamnet() -> None:
    text = printed(yamnet_file(), frames=498)
    assert "MACs a second" in text
    assert "Apache License" in text
    assert "266,304" in text
    assert "htk: True, mel_axis: mel}" in text
    assert "(the same)" in text
    assert "… (521): of its own head, which no cut keeps" in text
