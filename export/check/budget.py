"""Bytes as a rule counts them."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..flatbuffer.facts import FileFacts
from ..forms import CALIBRATED, Form, Rule
from ..keras_model.private import flat_layers


def counted_bytes(rule: Rule, model: Any, form: Form, facts: FileFacts) -> int:
    """Return the bytes of a file under a rule.

    Args:
        rule: `file`: all of the file, also a front end inside. `dcase2020`: non-zero parameters
            times the bytes that each has in the file, without batch normalisation and the front
            end (with input normalisation); DCASE 2020 Challenge, TaskKind 1, Subtask B, "System
            complexity requirements". `float32_params`: trainable parameters times four, which is
            Wu & Lee's window.
        model: The Keras model.
        form: How the file computes.
        facts: Of the file.
    """
    if rule == "file":
        return facts.bytes
    if rule == "float32_params":
        return 4 * sum(prod(weight.shape) for weight in model.trainable_weights)
    counted = sum(
        int(np.count_nonzero(values)) * _width(weight.name, values, form)
        for weight in _parameters(model)
        for values in [np.asarray(weight)]
    )
    if form == "mixed":
        return counted + facts.halves  # which have two bytes, not one
    return counted - (facts.quarters // 2 if form == "int4" else 0)


def _parameters(model: Any) -> list[Any]:
    """Return weights of a model, without those that the DCASE rule leaves out."""
    from keras import layers

    left_out = {
        id(weight)
        for layer in flat_layers(model)
        if isinstance(layer, layers.BatchNormalization | layers.Normalization)
        for weight in layer.weights
    }
    numbers = [weight for weight in model.weights if weight.dtype.startswith("float")]
    return [weight for weight in numbers if id(weight) not in left_out]


def _width(name: str, values: np.ndarray, form: Form) -> int:
    """Return the bytes of one scalar of a weight in a file."""
    if form == "float32":
        return 4
    if form == "float16":
        return 2
    if name == "bias" and form == "int16":
        return 8
    is_kernel = name != "bias" and (form in CALIBRATED or values.ndim >= 2)
    return 1 if is_kernel else 4  # biases are int32 in `full_int8`
