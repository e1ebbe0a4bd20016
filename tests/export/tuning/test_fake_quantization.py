from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow  # importing tensorflow-model-optimization takes seconds


@pytest.fixture(autouse=True)
def legacy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library sets this for good; here it is set for one test."""
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")


def _rounded(kernel: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """TensorFlow Lite's 8-bit quantisation specification: symmetric, -127 to 127."""
    scale = np.abs(kernel).max(axis=axes, keepdims=True) / 127
    return np.round(kernel / scale) * scale


@pytest.mark.parametrize(
    ("shape", "by_channel", "axes"),
    [
        ((3, 3, 4, 6), True, (0, 1, 2)),
        ((3, 3, 5, 1), True, (0, 1, 3)),  # depthwise
        ((7, 3), False, (0, 1)),
    ],
)
def test_kernels_are_rounded_as_in_the_file(shape: Any, by_channel: bool, axes: Any):
    from kerasnas.export.tuning.fake_quantization import Symmetric

    rng = np.random.default_rng(0)
    kernel = (rng.normal(size=shape) * rng.uniform(0.01, 10, shape[2:])).astype(np.float32)
    if len(shape) == 2:
        kernel = rng.normal(size=shape).astype(np.float32)
    received = np.asarray(Symmetric(by_channel)(kernel, True, {}))
    np.testing.assert_allclose(received, _rounded(kernel, axes), atol=1e-5 * np.abs(kernel).max())


def test_what_the_file_rounds_is_wrapped():
    import tf_keras
    from tf_keras import layers

    from kerasnas.export.tuning.fake_quantization import with_rounding

    inputs = tf_keras.Input((6, 6, 2))
    x = layers.Activation("elu", name="elu")(
        layers.BatchNormalization(name="folded")(layers.Conv2D(3, 1, name="conv")(inputs))
    )
    y = layers.ReLU(name="relu")(layers.DepthwiseConv2D(3, padding="same", name="fused")(x))
    x = layers.Reshape((6, 18), name="reshape")(layers.Add(name="add")([x, y]))
    outputs = layers.Dense(2, name="scores")(layers.GRU(4, name="memory")(x))
    model = tf_keras.Model(inputs, outputs)
    rounded = {}
    for layer in model.layers:
        wrapper = with_rounding(layer)
        if wrapper is not layer:
            rounding = wrapper.quantize_config
            rounded[layer.name] = (rounding.kernel, rounding.output)
    assert rounded == {
        "conv": ("kernel", False),
        "folded": (None, True),
        "elu": (None, True),
        "fused": ("depthwise_kernel", False),
        "relu": (None, True),
        "add": (None, True),
        "scores": ("kernel", False),
    }
