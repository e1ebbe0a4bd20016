"""The reading of the input's statistics that is fitted beside a trained network."""

from typing import Any

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.convolutional import Dense, GlobalAveragePool, Stem
from kerasnas.blocks.texture import COSINES, LEVEL, OWN, READINGS, TextureScores, cosines
from kerasnas.training.examples import Examples
from kerasnas.training.fit import fit
from kerasnas.training.recipe import Recipe
from kerasnas.training.texture import fit_texture

CLIPS, CLASSES, SHAPE = 60, 3, (12, 4, 1)


def _model(activation: str = "softmax") -> Any:
    keras.utils.set_random_seed(0)
    body = (Stem(4), GlobalAveragePool())
    return Architecture(SHAPE, (TextureScores(body, CLASSES, activation),)).build()


def _examples(multi_label: bool = False, rare: bool = False) -> Examples:
    rng = np.random.default_rng(0)
    labels = np.arange(CLIPS) % CLASSES
    labels[: CLIPS // 2] %= 2 if rare else CLASSES
    targets = np.eye(CLASSES, dtype=np.float32)[labels]
    if multi_label:
        targets = np.maximum(targets, targets[rng.permutation(CLIPS)])
    scale = 1 + targets @ np.arange(1, CLASSES + 1)
    x = rng.normal(size=(2, CLIPS, 1, *SHAPE)) * scale[:, None, None, None, None]
    features = x.astype(np.float32)
    return Examples.of_clips(features[0], targets, np.arange(CLIPS), (features[1],))


def _layers(model: Any) -> dict[str, Any]:
    return {layer.name.rpartition(".")[2]: layer for layer in model.layers}


@pytest.mark.parametrize(
    ("activation", "balanced"), [("softmax", False), ("sigmoid", False), ("softmax", True)]
)
def test_scores_are_averaged_with_those_of_a_logistic_regression(
    activation: str, balanced: bool
) -> None:
    model, examples = _model(activation), _examples(activation == "sigmoid", rare=balanced)
    layers = _layers(model)
    layers[COSINES].set_weights([cosines(*SHAPE[1:])])
    read = keras.Model(model.input, [layers[name].input for name in READINGS])
    own = keras.Model(model.input, layers[OWN].output)
    x = np.concatenate([examples.features[:, 0], examples.versions[0][:, 0]])
    before = np.asarray(own(x))
    statistics = StandardScaler().fit_transform(np.concatenate(read(x), axis=1))

    fit_texture(model, examples, balanced)

    targets = np.tile(examples.targets, (2, 1))
    weights = "balanced" if balanced else None
    regression = LogisticRegression(C=0.1, class_weight=weights, max_iter=10_000, tol=1e-8)
    if activation == "softmax":
        logits = regression.fit(statistics, targets.argmax(axis=1)).decision_function(statistics)
    else:
        logits = OneVsRestClassifier(regression).fit(statistics, targets)
        logits = logits.decision_function(statistics)
    function = keras.activations.get(activation)
    expected = np.asarray(function(keras.ops.convert_to_tensor((before + logits) / 2, "float32")))
    np.testing.assert_allclose(model(x), expected, atol=0.005)


def test_training_leaves_the_reading_to_be_fitted_afterwards() -> None:
    model, examples = _model(), _examples()

    fit(model, examples, Recipe(epochs=1, batch_size=20))

    assert not any(np.any(w) for name in READINGS for w in _layers(model)[name].get_weights())


def test_a_band_that_only_rounding_changes_is_not_read() -> None:
    model, examples = _model(), _examples()
    for features in (examples.features, *examples.versions):
        features[..., 0, :] = -80 + 1e-5 * features[..., 0, :]

    fit_texture(model, examples)

    weights = _layers(model)[LEVEL].get_weights()[0]
    assert np.abs(weights[0]).max() < 1e-4 < np.abs(weights[1:]).min()


def test_a_label_that_no_clip_carries_is_read_as_improbable() -> None:
    model, examples = _model(), _examples()
    examples.targets[:, 2] = 0
    examples.targets[np.arange(2, CLIPS, CLASSES), 0] = 1

    fit_texture(model, examples)

    layers = _layers(model)
    texture = keras.Model(model.input, [layers[name].output for name in READINGS])
    logits = sum(np.asarray(values) for values in texture(examples.features[:, 0]))
    assert np.isfinite(logits).all()
    assert (logits.argmax(axis=1) != 2).all()


def test_a_network_without_it_is_left_as_it_is() -> None:
    blocks = (Stem(4), GlobalAveragePool(), Dense(CLASSES, "softmax"))
    model = Architecture(SHAPE, blocks).build()
    before = [weight.copy() for weight in model.get_weights()]

    fit_texture(model, _examples())

    for weight, was in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, was)
