"""What becomes of gradients that are too long: a tenth of it is Adam's first moment."""

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from kerasnas.training.fit import optimizer_of
from kerasnas.training.recipe import Recipe

GRADIENTS = ([3.0, -0.05], [4.0])  # a norm of 5.0002 together


def moments(**recipe) -> np.ndarray:
    optimizer = optimizer_of(Recipe(**recipe))
    weights = [keras.Variable(np.zeros(len(gradient), np.float32)) for gradient in GRADIENTS]
    optimizer.build(weights)
    optimizer.apply([keras.ops.convert_to_tensor(gradient) for gradient in GRADIENTS])
    found = [v for v in optimizer.variables if "momentum" in v.path]
    return 10 * np.concatenate([np.asarray(v) for v in found])


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_gradients_are_clipped_by_norm_by_value_or_not_at_all(optimizer: str) -> None:
    whole = np.concatenate(GRADIENTS)
    np.testing.assert_allclose(moments(optimizer=optimizer), whole, rtol=1e-5)
    scaled = whole * 2 / np.linalg.norm(whole)
    np.testing.assert_allclose(moments(optimizer=optimizer, clip_norm=2.0), scaled, rtol=1e-5)
    cut = np.clip(whole, -0.5, 0.5)
    np.testing.assert_allclose(moments(optimizer=optimizer, clip_value=0.5), cut, rtol=1e-5)


def test_one_way_of_clipping() -> None:
    with pytest.raises(ValidationError, match="clip_norm and clip_value: give one of them"):
        Recipe(clip_norm=1.0, clip_value=1.0)
