"""TFLearn's `layers.merge_ops`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from kerasnas.baselines.layers.core import check_name
from kerasnas.errors import KerasnasError

if TYPE_CHECKING:
    import keras

Mode = Literal[
    "concat", "elemwise_sum", "elemwise_mul", "sum", "mean", "prod", "max", "min", "and", "or"
]


def merge(
    tensors_list: Sequence[keras.KerasTensor], mode: Mode, axis: int = 1, name: str | None = None
) -> keras.KerasTensor:
    """Several tensors as one.

    Args:
        tensors_list: Two or more.
        mode: `concat` along `axis`; `elemwise_sum` and `elemwise_mul` of tensors of one shape;
            others reduce what is joined along `axis`, and drop the axis.
        axis: Counted from 0, the clips.
        name: Of the layer; the reductions have none.

    Raises:
        KerasnasError: There are fewer than two tensors, or the mode is unknown.
    """
    import keras

    if len(tensors_list) < 2:
        raise KerasnasError(f"merge was given {len(tensors_list)} tensors: give two or more")
    layers = {
        "concat": lambda: keras.layers.Concatenate(axis, name=name),
        "elemwise_sum": lambda: keras.layers.Add(name=name),
        "elemwise_mul": lambda: keras.layers.Multiply(name=name),
    }
    reductions = {
        "sum": keras.ops.sum,
        "mean": keras.ops.mean,
        "prod": keras.ops.prod,
        "max": keras.ops.max,
        "min": keras.ops.min,
        "and": keras.ops.all,
        "or": keras.ops.any,
    }
    check_name("mode", mode, (*layers, *reductions))
    if mode in layers:
        return layers[mode]()(list(tensors_list))
    return reductions[mode](keras.layers.Concatenate(axis)(list(tensors_list)), axis=axis)
