"""What cannot be exported, run or timed is one message that says what to do."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasnas.baselines import model_files
from kerasnas.errors import KerasnasError
from kerasnas.export import ExportError, from_keras, predict_bytes
from kerasnas.export.keras_model.model_file import check_model, load_keras
from kerasnas.export.keras_model.private import flat_layers
from kerasnas.features import LogMel
from kerasnas.flow.commands.predict import predict
from kerasnas.runs.records import FrontEndDescription


def _subclassed() -> Any:
    import keras

    class Network(keras.Model):
        def call(self, x: Any) -> Any:
            return x

    return Network()


def _functional(shape: tuple[int | None, ...], *layers_: Any, inputs: int = 1) -> Any:
    import keras
    from keras import layers

    ends = [keras.Input(shape) for _ in range(inputs)]
    x = ends[0] if inputs == 1 else layers.Add()(ends)
    for layer in layers_:
        x = layer(x)
    return keras.Model(ends, x)


def _not_a_number() -> Any:
    from keras import layers

    model = _functional((4,), layers.Dense(2, name="scores"))
    kernel, bias = model.get_weights()
    kernel[1, 1] = np.nan
    model.set_weights([kernel, bias])
    return model


def _stateful() -> Any:
    import keras
    from keras import layers

    inputs = keras.Input(batch_shape=(1, 5, 4))
    return keras.Model(inputs, layers.GRU(2, stateful=True, name="memory")(inputs))


def _bad_models() -> list[tuple[Any, str]]:
    from keras import layers

    dense = layers.Dense(2)
    return [
        (_subclassed(), r"subclassed model \(Network\).*build it from layers with keras.Model"),
        (_functional((4,), dense, inputs=2), "has 2 inputs and 1 output: one of each"),
        (_functional((None, 4), layers.GRU(2)), r"unknown size \(None, 4\).*keras.Input\(shape="),
        (_functional((4,), layers.Reshape((2, 2, 1))), r"output of shape \(None, 2, 2, 1\)"),
        (
            _functional((4,), layers.Lambda(lambda x: 2 * x, name="twice"), dense),
            r"has the Lambda layer 'twice', .*: replace it by functions of keras\.ops",
        ),
        (_stateful(), r"has the stateful layer 'memory', .* build it with stateful=False"),
        (_not_a_number(), "not finite, in scores/kernel: train it again"),
    ]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"model.weights.h5": 60_000_000}, r"unpacks to 60,000,000 bytes, where at most \d\d,"),
        ({"config.json": 60_000_000, "x": 0}, "its config.json has 60,000,000 bytes"),
    ],
)
def test_an_archive_that_unpacks_to_far_more_than_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, members: dict[str, int], message: str
):
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, size in members.items():
            with archive.open(name, "w") as member:
                for _ in range(size // 10_000_000):
                    member.write(bytes(10_000_000))
        if "x" in members:
            archive.writestr("y", np.random.default_rng(0).bytes(4_000_000))
    with pytest.raises(ExportError, match=rf"bomb\.keras.*{message}"):
        load_keras(path)
    with pytest.raises(KerasnasError, match=message):
        model_files.read(path)


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_archive_is_one_message(tmp_path: Path, content: bytes):
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises(ExportError, match=r"model\.keras (is damaged|cannot be opened)"):
        load_keras(path)


def test_an_error_that_quotes_the_file_is_cut(tmp_path: Path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", " " * 70_000)
    content = bytearray(path.read_bytes())
    content[26:28] = (60_000).to_bytes(2, "little")  # the length of the member's name
    path.write_bytes(content)
    with pytest.raises(ExportError, match=r"model\.keras cannot be opened: File name") as raised:
        load_keras(path)
    assert len(str(raised.value)) < 1000


def test_models_that_cannot_be_exported_are_refused_with_the_remedy():
    for model, message in _bad_models():
        with pytest.raises(ExportError, match=f"(?s)the model .*{message}"):
            check_model(model, "the model")


def test_a_strangers_file_runs_no_code(tmp_path: Path):
    from keras import layers

    path = tmp_path / "stranger.keras"
    _functional((4,), layers.Lambda(lambda x: x * 2)).save(path)
    with pytest.raises(ExportError, match=r"stranger\.keras has a Lambda layer, .*keras\.ops"):
        load_keras(path)


def test_an_only_output_in_a_dictionary_or_list_stands_alone(tmp_path: Path):
    import keras
    from keras import layers

    inputs = keras.Input((4,), name="features")
    scores = layers.Dense(2)(inputs)
    x = np.ones((3, 4), np.float32)
    expected = keras.Model(inputs, scores)(x)
    for number, (source, sink) in enumerate(
        [(inputs, {"scores": scores}), ({"features": inputs}, scores), ([inputs], [scores])]
    ):
        path = tmp_path / f"{number}.keras"
        keras.Model(source, sink).save(path)
        np.testing.assert_array_equal(load_keras(path).predict(x, verbose=0), expected)


def test_sizes_that_cannot_be_predicted_say_why():
    from keras import layers

    with pytest.raises(ExportError, match=r"unknown size \(None, 8\): .* keras\.Input\(shape="):
        from_keras(_functional((None, 8), layers.GRU(2)))
    two = from_keras(_functional((4,), layers.Dense(2), inputs=2))
    with pytest.raises(ExportError, match="a file with 2 inputs cannot be predicted: .*one input"):
        predict_bytes(two, "float16")


def test_a_model_of_mixed_precision_computes_in_float32(tmp_path: Path):
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    inner = keras.Sequential([keras.Input((8, 6)), layers.Dense(5, dtype="mixed_bfloat16")])
    keras.config.set_dtype_policy("mixed_float16")
    try:
        inputs = keras.Input((8, 6))
        x = layers.Normalization(mean=0.5, variance=2.0)(inputs)
        x = layers.Bidirectional(layers.GRU(4))(layers.Activation("silu")(inner(x)))
        model = keras.Model(inputs, layers.Dense(2, activation="softmax")(x))
    finally:
        keras.config.set_dtype_policy("float32")
    model.save(tmp_path / "model.keras")
    opened = load_keras(tmp_path / "model.keras")
    assert {layer.compute_dtype for layer in [opened, *flat_layers(opened)]} == {"float32"}
    x = np.random.default_rng(0).normal(size=(4, 8, 6)).astype(np.float32)
    scores = opened(x)
    assert keras.backend.standardize_dtype(scores.dtype) == "float32"
    np.testing.assert_allclose(scores, model(x), atol=0.01)
    assert np.std(scores) > 0.02


def test_a_damaged_file_has_no_predictions(tmp_path: Path):
    (tmp_path / "labels.txt").write_text("a\nb\n")
    FrontEndDescription(LogMel().model_dump(mode="json"), {}, {}).write(tmp_path / "features.json")
    path = tmp_path / "model.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(range(200)))
    with pytest.raises(ExportError, match=r"model\.tflite is damaged"):
        predict(path, tmp_path / "recording.wav")
