"""Weight decay in the gradient: gradient over weight, and whole steps by hand."""

from pathlib import Path

import keras
import numpy as np
import pytest

from kerasnas.experiment import load
from kerasnas.export.keras_model.private import adam_state
from kerasnas.training.fit import optimizer_of
from kerasnas.training.recipe import Recipe

CONFIGS = Path(__file__).parents[2] / "configs"
SHARE = 1 - 0.9
"""Of a gradient, in Adam's first moment after one step."""


def variables() -> list[keras.Variable]:
    rng = np.random.default_rng(0)
    shapes = {"kernel": (3, 2), "gamma": (2,), "beta": (2,), "bias": (2,)}
    return [
        keras.Variable(rng.uniform(0.5, 2, shape).astype(np.float32), name=name)
        for name, shape in shapes.items()
    ]


@pytest.mark.parametrize(("experiment", "decay"), [("wu_lee_2020", 0.0015), ("nasc_2020", 1e-6)])
@pytest.mark.parametrize("part", ["candidate", "final"])
def test_gradient_over_weight_is_the_papers_on_every_weight(
    experiment: str, decay: float, part: str
) -> None:
    """Where the loss has no gradient, Adam's first moment holds the decay alone."""
    optimizer = optimizer_of(getattr(load(CONFIGS / f"{experiment}.yaml").training, part))
    weights = variables()
    before = [np.array(weight) for weight in weights]
    optimizer.build(weights)
    optimizer.apply([keras.ops.zeros_like(weight) for weight in weights])
    moments = [np.array(adam_state(optimizer, weight)[0]) for weight in weights]
    for weight, moment in zip(before, moments, strict=True):
        np.testing.assert_allclose(moment / SHARE / weight, decay, rtol=1e-5)


def test_steps_are_those_of_pytorch_s_adam() -> None:
    """Gradients are clipped first; then Adam takes them with the decay as one gradient."""
    decay, rate, clip = 0.05, 0.02, 1.5
    optimizer = optimizer_of(Recipe(weight_decay=decay, learning_rate=rate, clip_value=clip))
    weight = keras.Variable(np.array([1.0, -2.0, 0.5], np.float32), name="kernel")
    optimizer.build([weight])
    expected = np.array(weight, np.float64)
    first, second = np.zeros(3), np.zeros(3)
    for step in range(1, 11):
        gradient = np.sin(np.arange(3) + step) * 2
        optimizer.apply([keras.ops.convert_to_tensor(gradient.astype(np.float32))])
        whole = np.clip(gradient, -clip, clip) + decay * expected
        first = 0.9 * first + 0.1 * whole
        second = 0.999 * second + 0.001 * whole**2
        root = np.sqrt(second / (1 - 0.999**step)) + 1e-7
        expected -= rate * first / (1 - 0.9**step) / root
    np.testing.assert_allclose(np.array(weight), expected, rtol=1e-4)
