"""The networks that Wu & Lee compare theirs with, against published sizes and Keras's own."""

import json

import keras
import numpy as np
import pytest

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.shuffle import ShuffleUnit
from kerasnas.export import from_keras
from kerasnas.models.comparison import NETWORKS
from kerasnas.models.wu_lee import WuLeeSpace

SPACE = WuLeeSpace((128, 128, 2), 3, "sigmoid")


@pytest.mark.parametrize(
    ("name", "megabytes"),
    [
        ("alexnet_stand_in", 33.8),
        ("mobilenet_v1", 12.2),
        ("mobilenet_v2", 8.5),
        ("shufflenet_v2", 4.8),
    ],
)
def test_sizes_of_table_4(name: str, megabytes: float) -> None:
    # MB of 2^20 bytes, of two channels and three classes.
    assert round(SPACE.reference(name).size("float32_params") / 2**20, 1) == megabytes


# Of images of 224 x 224 and 1000 classes. Multiply-accumulates: MobileNet's table 8, MobileNetV2's
# table 4, ShuffleNetV2's table 8. Parameters: Keras's summary (trainable), torchvision's
# `num_params` of the other two.
@pytest.mark.parametrize(
    ("name", "parameters", "macs"),
    [
        ("mobilenet_v1", 4_231_976, 569e6),
        ("mobilenet_v2", 3_504_872, 300e6),
        ("shufflenet_v2", 2_278_604, 146e6),
    ],
)
def test_sizes_published_for_images(name: str, parameters: int, macs: float) -> None:
    cost = Architecture((224, 224, 3), NETWORKS[name](1000, "softmax")).cost()
    assert cost.trainable_parameters == parameters
    assert cost.macs == pytest.approx(macs, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "peer"), [("mobilenet_v1", "MobileNet"), ("mobilenet_v2", "MobileNetV2")]
)
def test_mobilenets_compute_what_keras_applications_do(name: str, peer: str) -> None:
    shape = (32, 32, 2)
    theirs = getattr(keras.applications, peer)(
        input_shape=shape, weights=None, classes=3, classifier_activation="sigmoid"
    )
    ours = Architecture(shape, NETWORKS[name](3, "sigmoid")).build()
    assert ours.count_params() == theirs.count_params()
    macs = sum(op.macs for op in from_keras(theirs))
    assert Architecture(shape, NETWORKS[name](3, "sigmoid")).cost().macs == macs
    rng = np.random.default_rng(0)
    weights = [rng.uniform(0.5, 1.5, w.shape) * np.sign(w + 0.5) for w in theirs.get_weights()]
    weights = [w / np.sqrt(max(1, np.prod(w.shape[:-1]))) if w.ndim > 1 else w for w in weights]
    theirs.set_weights(weights)
    # The last layer is a convolution of a single place in MobileNet, a dense layer here.
    ours.set_weights([w.reshape(o.shape) for w, o in zip(weights, ours.weights, strict=True)])
    x = rng.normal(size=(2, *shape)).astype("float32")
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-3, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alexnet_stand_in", "shufflenet_v2"])
def test_costs_are_those_of_the_built_model(name: str) -> None:
    architecture = SPACE.reference(name)
    again = Architecture.from_json(json.loads(json.dumps(architecture.to_json())))
    model = again.build()
    cost = architecture.cost()
    assert cost.parameters == model.count_params()
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert cost.trainable_parameters == trainable
    assert model.output_shape == (None, 3)


def test_a_shuffle_unit_passes_half_of_the_channels_and_deals_them_out() -> None:
    model = Architecture((4, 4, 6), (ShuffleUnit(6),)).build()
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 6)).astype("float32")
    y = np.asarray(model(x))
    # ShuffleNetV2's figure 3c: of two branches' channels the first ones come first.
    np.testing.assert_array_equal(y[..., ::2], x[..., :3])
    assert (y[..., 1::2] >= 0).all()  # convolved, the last step a ReLU


def test_the_space_names_them() -> None:
    assert SPACE.reference_names[-4:] == tuple(NETWORKS)
