"""Masks of attention for integer files: large enough to hide what they mask, and no larger.

Keras hides a frame from attention by a number such as -1e9 in its logit. Integers of 8 bits that
reach so far have a step of millions, and all logits become one. What hides it as well is a number
so far below the others that its share vanishes: how far they spread, calibration tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import Floats

_LARGE = 1e8
"""From here on a number is no logit: Keras has 1e9 and seven tenths of float32's largest."""
_BELOW = 10.0
"""Below the least logit that is not masked; a share of exp(-10) is a hundredth of int8's step."""
_EXAMPLES = 8


def with_near_masks(function: Any, calibration: Sequence[Floats]) -> Any:
    """Return a concrete function whose masks lie just below the logits; itself where it has none.

    Args:
        function: Without variables.
        calibration: For each input, `(examples, *its shape)`.
    """
    import tensorflow as tf

    definition = function.graph.as_graph_def()
    masks = [node for node in definition.node if _is_large(node)]
    logits = [node.input[0] for node in definition.node if node.op == "Softmax"]
    if not masks or not logits:
        return function
    spread = _spread(_imported(function, definition, logits), calibration)
    for node in masks:
        value = np.sign(_value(node)) * np.float32(spread + _BELOW)
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, shape=_value(node).shape))
    return _imported(function, definition, [tensor.name for tensor in function.outputs])


def _imported(function: Any, definition: Any, outputs: list[str]) -> Any:
    """Return a concrete function of the same inputs that gives tensors of a graph."""
    import tensorflow as tf

    names = [tensor.name for tensor in function.inputs]
    places = [name if ":" in name else f"{name}:0" for name in outputs]

    def run(*inputs: Any) -> Any:
        given = dict(zip(names, inputs, strict=True))
        return tf.graph_util.import_graph_def(
            definition, input_map=given, return_elements=places, name=""
        )

    signature = [
        tf.TensorSpec(tensor.shape, tensor.dtype, name=tensor.op.name) for tensor in function.inputs
    ]
    return tf.function(run, input_signature=signature, autograph=False).get_concrete_function()


def _spread(logits: Any, calibration: Sequence[Floats]) -> float:
    """Return the distance between the greatest and the least logit that is not masked."""
    import tensorflow as tf

    low, high = 0.0, 0.0
    for example in zip(*(examples[:_EXAMPLES] for examples in calibration), strict=True):
        for found in logits(*(tf.constant(values[None], tf.float32) for values in example)):
            values = np.asarray(found)
            values = values[np.abs(values) < _LARGE / 2]
            low = min(low, float(values.min(initial=0)))
            high = max(high, float(values.max(initial=0)))
    return high - low


def _is_large(node: Any) -> bool:
    if node.op != "Const":
        return False
    value = _value(node)
    return value.dtype == np.float32 and value.size == 1 and bool(np.abs(value).min() >= _LARGE)


def _value(node: Any) -> Any:
    import tensorflow as tf

    return tf.make_ndarray(node.attr["value"].tensor)
