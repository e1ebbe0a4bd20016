"""TFLearn's `layers.embedding_ops`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kerasnas.baselines.absent import names_absent_arguments
from kerasnas.baselines.layers.core import initial

if TYPE_CHECKING:
    import keras


@names_absent_arguments
def embedding(
    incoming: keras.KerasTensor,
    input_dim: int,
    output_dim: int,
    *,
    weights_init: Any = "truncated_normal",
    trainable: bool = True,
    name: str | None = None,
) -> keras.KerasTensor:
    """Return a vector for every integer: `(clips, frames)` becomes `(clips, frames, output_dim)`.

    Args:
        incoming: Integers below `input_dim`.
        input_dim: Number of different integers.
        output_dim: Values of a vector.
        weights_init: As of `fully_connected`.
        trainable: Whether training changes the vectors.
        name: Of the layer.
    """
    import keras

    return keras.layers.Embedding(
        input_dim, output_dim, initial(weights_init), trainable=trainable, name=name
    )(incoming)
