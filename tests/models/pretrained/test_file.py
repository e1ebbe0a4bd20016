"""Networks read from files compute what the files compute, and others are refused by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from keras import layers
from tensorflow.lite.tools import flatbuffer_utils

from kerasnas.blocks.architecture import Architecture
from kerasnas.errors import KerasnasError
from kerasnas.export import from_keras
from kerasnas.models.pretrained.file import PretrainedFile, read
from kerasnas.models.pretrained.trunk import Trunk
from tests.models.pretrained.conftest import INPUT, examples
from tests.real_data import yamnet_file

KINDS = [
    "normalize",
    "convolution",
    "separable",
    "branches",
    "activation",
    "branches",
    "convolution",
    "global_average_pool",
    "dense",
    "dense",
]


def inner(path: Path, x: np.ndarray, places: list[int]) -> list[Any]:
    """Tensors of a file that is run on one example, as numbers; None of those it has not."""
    interpreter = Interpreter(str(path), experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    interpreter.set_tensor(source["index"], x.reshape(source["shape"]))
    interpreter.invoke()
    details = {entry["index"]: entry for entry in interpreter.get_tensor_details()}
    found: list[Any] = []
    for place in places:
        if place < 0:
            found.append(None)
            continue
        scale, zero = details[place]["quantization"]
        values = interpreter.get_tensor(place).astype(np.float32)
        found.append((values - zero) * scale if scale else values)
    return found


def outputs(trunk: Trunk, x: np.ndarray) -> list[np.ndarray]:
    """Output of every block, for one example."""
    model = trunk.build()
    last = {op.name.partition("_")[0]: op.name for op in trunk.architecture.ops}
    ends = [model.get_layer(last[f"{index:02d}"]).output for index in range(len(trunk.blocks))]
    return [np.asarray(end) for end in keras.Model(model.input, ends)(x[None])]


@pytest.mark.parametrize(("form", "limit"), [("float32", 1e-5), ("float16", 1e-5)])
def test_a_network_computes_what_its_file_does(network, converted, form, limit) -> None:
    path = converted(network, form)
    trunk = read(path).trunk
    assert [block.kind for block in trunk.blocks] == KINDS
    assert trunk.input_shape == INPUT
    x = examples(1)[0]
    found, expected = outputs(trunk, x), inner(path, x, list(trunk.places))
    assert trunk.places.count(-1) == 1  # the sum before its own activation
    for block, own, theirs in zip(trunk.blocks, found, expected, strict=True):
        if theirs is None:
            continue
        assert np.abs(own.reshape(theirs.shape) - theirs).max() < limit * max(1, theirs.max()), (
            block
        )


def test_integer_weights_are_read_with_their_scales(network, converted) -> None:
    x = examples()
    expected = network.predict(x, verbose=0)
    for form in ("int8_weights", "full_int8"):
        trunk = read(converted(network, form)).trunk
        assert [block.kind for block in trunk.blocks] == KINDS
        # Rounded weights, of which each is off by at most half a step of 1 / 127 of the largest.
        np.testing.assert_allclose(trunk.build().predict(x, verbose=0), expected, atol=0.03)
        for own, exact in zip(
            trunk.weights, read(converted(network, "float32")).trunk.weights, strict=True
        ):
            for name, values in own.items():
                assert np.abs(values - exact[name]).max() <= np.abs(exact[name]).max() / 127


@pytest.mark.slow
def test_a_keras_file_is_read_as_its_conversion(network, converted, tmp_path: Path) -> None:
    network.save(tmp_path / "model.keras")
    found, expected = read(tmp_path / "model.keras"), read(converted(network, "float32"))
    assert found.trunk.blocks == expected.trunk.blocks
    assert found.path == tmp_path / "model.keras"
    for own, other in zip(found.trunk.weights, expected.trunk.weights, strict=True):
        for name in other:
            np.testing.assert_allclose(own[name], other[name], rtol=1e-5, atol=1e-6)


def test_blocks_of_a_file_are_an_architecture(network, converted) -> None:
    trunk = read(converted(network, "float32")).trunk
    architecture = trunk.architecture
    assert Architecture.from_json(architecture.to_json()) == architecture
    assert sorted(from_keras(trunk.build())) == sorted(architecture.ops)
    sizes = {f"{op.name}/{w.name}": w.shape for op in architecture.ops for w in op.weights}
    carried = {
        f"{index:02d}_{block.kind}.{name}": values.shape
        for index, (block, weights) in enumerate(zip(trunk.blocks, trunk.weights, strict=True))
        for name, values in weights.items()
    }
    assert carried == sizes


def test_a_trunk_is_cut_and_put_on_longer_clips(network, converted) -> None:
    trunk = read(converted(network, "float32")).trunk
    assert trunk.cuts == (2, 3, 5, 6, 7)  # behind pictures, with the activations that are theirs
    x = examples(1)[0]
    cut = trunk.cut(3)
    np.testing.assert_allclose(outputs(cut, x)[-1], outputs(trunk, x)[2], atol=1e-6)
    longer = cut.on((48, 16, 1))
    assert longer.shapes[-1] == (24, 8, 12)
    whole = outputs(longer, np.concatenate([x, x]))[-1]
    # Frames that see nothing of the other half are the same.
    np.testing.assert_allclose(whole[0, :9], outputs(cut, x)[-1][0, :9], atol=1e-5)
    with pytest.raises(KerasnasError, match="behind block 4: it can be behind 2, 3, 5, 6, 7"):
        trunk.cut(4)
    with pytest.raises(KerasnasError, match="takes 16 bins and 1 channels, not"):
        trunk.on((24, 20, 1))
    with pytest.raises(KerasnasError, match="seems to take bands before frames"):
        trunk.on((16, 24, 1))


def _function(function: Callable[[Any], Any], shape: tuple[int | None, ...]) -> bytes:
    concrete = tf.function(function).get_concrete_function(tf.TensorSpec(shape, tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    converter.allow_custom_ops = True
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS,
        tf.lite.OpsSet.SELECT_TF_OPS,
    ]
    return bytes(converter.convert())


def _recurrent(x: Any) -> Any:
    return tf.while_loop(
        lambda i, _: i < tf.cast(tf.reduce_max(x), tf.int32), lambda i, y: (i + 1, y * 2), (0, x)
    )[1]


KERNEL = np.random.default_rng(0).normal(size=(3, 3, 4, 4)).astype(np.float32)
REFUSED = {
    "custom": (
        lambda x: tf.math.erfinv(x),
        (1, 9, 8, 4),
        r"operator 0, CUSTOM, .*: Erfinv is no operator",
    ),
    "recurrent": (_recurrent, (1, 9, 8, 4), r"WHILE.*it is recurrent"),
    "dilated": (
        lambda x: tf.nn.conv2d(x, KERNEL, 1, "VALID", dilations=2),
        (1, 9, 8, 4),
        r"operator \d, CONV_2D, which writes tensor \d+, cannot be read: it is dilated",
    ),
    "groups": (
        lambda x: tf.nn.conv2d(x, KERNEL[:, :, :2], 1, "SAME"),
        (1, 9, 8, 4),
        r"CONV_2D.*groups of 2 of 4 channels",
    ),
    "gate": (
        lambda x: x * tf.tanh(x),
        (1, 9, 8, 4),
        r"MUL.*branches can be joined by ADD and CONCATENATION, not by MUL",
    ),
    "transposed": (
        lambda x: tf.transpose(x, (0, 2, 1, 3)),
        (1, 9, 8, 4),
        "TRANSPOSE.*can be read:",
    ),
    "frames unknown": (
        lambda x: tf.nn.conv2d(x, KERNEL, 1, "SAME"),
        (1, None, 8, 4),
        "fixed sizes",
    ),
    "waveform without transform": (lambda x: x[None] * 2, (4000,), "0 operators RFFT2D"),
    "mean of one axis": (lambda x: tf.reduce_mean(x, 2), (1, 9, 8, 4), r"MEAN.*axes \[2\]"),
}


@pytest.mark.parametrize(("function", "shape", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_refused_by_operator_and_place(
    function, shape, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "other.tflite"
    path.write_bytes(_function(function, shape))
    with pytest.raises(KerasnasError, match=rf"(?s)other\.tflite: .*{message}"):
        read(path)


def test_a_flex_operator_is_refused_by_its_name(tmp_path: Path) -> None:
    content = _function(lambda x: tf.math.erfinv(x), (1, 9, 8, 4))
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    (code,) = model.operatorCodes
    code.customCode = b"FlexErfinv"
    path = tmp_path / "flex.tflite"
    path.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    with pytest.raises(KerasnasError, match="CUSTOM.*FlexErfinv is no operator of TensorFlow"):
        read(path)


@pytest.mark.parametrize("layer", [layers.LSTM(4), layers.GRU(4)], ids=["LSTM", "GRU"])
def test_a_recurrent_network_is_refused_by_its_operator(layer, converted) -> None:
    inputs = keras.Input((6, 5, 2))
    frames = layers.Reshape((6, 10))(layers.Conv2D(2, 3, padding="same")(inputs))
    model = keras.Model(inputs, layers.Dense(3)(layer(frames)))
    with pytest.raises(KerasnasError, match="operator .*: it is recurrent, and trunks are conv"):
        read(converted(model, "float32"))


def test_damaged_and_missing_files_are_refused(network, converted, tmp_path: Path) -> None:
    whole = converted(network, "float32").read_bytes()
    path = tmp_path / "cut.tflite"
    with pytest.raises(KerasnasError, match=r"cut\.tflite: No such file"):
        read(path)
    for content in (whole[: len(whole) // 2], b"RIFF" + whole[4:8] + b"\xff" * 100, b"text"):
        path.write_bytes(content)
        with pytest.raises(KerasnasError, match=r"cut\.tflite.* damaged"):
            read(path)


def _values_beyond_the_file(graph) -> None:
    graph.tensors[graph.operators[0].inputs[1]].buffer = 10_000


def _operators_in_a_circle(graph) -> None:
    graph.operators[0].inputs[0] = graph.operators[-1].outputs[0]


def _output_that_is_not_there(graph) -> None:
    graph.outputs[0] = 10_000


def _no_output(graph) -> None:
    graph.outputs = []


def _output_of_nothing_but_constants(graph) -> None:
    graph.outputs[0] = graph.operators[0].inputs[1]


def _dense(graph):
    """Return the last operator with a kernel."""
    return [op for op in graph.operators if len(op.inputs) > 1][-1]


def _output_without_axes(graph) -> None:
    graph.tensors[_dense(graph).outputs[0]].shape = []


def _no_options(graph) -> None:
    _dense(graph).builtinOptions = None


@pytest.mark.parametrize(
    "damage",
    [
        _values_beyond_the_file,
        _operators_in_a_circle,
        _output_that_is_not_there,
        _no_output,
        _output_of_nothing_but_constants,
        _output_without_axes,
        _no_options,
    ],
)
def test_references_to_nothing_are_damage(damage, network, converted, tmp_path: Path) -> None:
    whole = converted(network, "float32").read_bytes()
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(whole))
    damage(model.subgraphs[0])
    path = tmp_path / "odd.tflite"
    path.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    with pytest.raises(KerasnasError, match=r"odd\.tflite.* is damaged"):
        read(path)


@pytest.mark.nightly
def test_no_damage_does_more_than_be_refused(network, converted, tmp_path: Path, seed: int) -> None:
    whole = converted(network, "float32").read_bytes()
    rng = np.random.default_rng(seed)
    path = tmp_path / "damaged.tflite"
    for _ in range(200):
        content = bytearray(whole)
        for place in rng.integers(8, len(content), 20):
            content[place] = rng.integers(256)
        path.write_bytes(content)
        try:
            read(path)
        except KerasnasError as error:
            assert "damaged.tflite" in str(error)


def test_weights_that_are_not_finite_are_refused(converted, tmp_path: Path) -> None:
    inputs = keras.Input((6, 5, 2))
    layer = layers.Conv2D(3, 3)
    model = keras.Model(inputs, layer(inputs))
    kernel, bias = layer.get_weights()
    kernel[0, 0, 0, 0] = np.nan
    layer.set_weights([kernel, bias])
    with pytest.raises(KerasnasError, match="CONV_2D.*values that are not finite"):
        read(converted(model, "float32"))


@pytest.fixture(scope="module")
def yamnet() -> PretrainedFile:
    return read(yamnet_file())


def test_yamnet_is_a_stem_and_thirteen_separable_blocks(yamnet: PretrainedFile) -> None:
    kinds = [block.kind for block in yamnet.trunk.blocks]
    assert kinds == ["convolution", *["separable"] * 13, "global_average_pool", "dense"]
    assert yamnet.trunk.cuts == tuple(range(1, 15))
    assert yamnet.trunk.cut(7).architecture.cost().parameters == 266_304
    assert yamnet.metadata.labels[0] == "Speech"
    assert len(yamnet.metadata.labels) == 521 == yamnet.trunk.shapes[-1][0]
    assert "Apache" in (yamnet.metadata.licence or "")
    assert yamnet.metadata.sample_rate == 16000


@pytest.mark.slow
def test_every_block_of_yamnet_computes_what_the_file_does(yamnet: PretrainedFile) -> None:
    """On the file's own inputs of the block, which are rounded to steps, as its outputs are."""
    rng = np.random.default_rng(0)
    wave = (rng.normal(0, 0.1, 15600) * np.geomspace(1, 1e-2, 15600)).astype(np.float32)
    trunk = yamnet.trunk
    features, *expected = inner(yamnet.path, wave, [27, *trunk.places])
    sources = [features, *expected[:-1]]
    for index, (source, theirs) in enumerate(zip(sources, expected, strict=True)):
        shape = trunk.input_shape if index == 0 else trunk.shapes[index - 1]
        own = np.asarray(trunk[index : index + 1].build()(source.reshape(1, *shape)))
        error = np.abs(own.reshape(theirs.shape) - theirs)
        # Half a step of the outputs, and what rounding the inputs and inner values makes.
        assert error.mean() < 0.012, index
        assert error.max() < 0.15, index
