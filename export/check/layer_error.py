"""Where a file's error arises: its inner tensors against the outputs of the Keras model's layers.

A file keeps no names of layers, and its operators are fused and split differently. So an operator's
output is held to be that of the layer whose output it resembles most, among those of its size;
what resembles none (the halves of a swish, a convolution before its batch normalisation is folded
into it) is left out.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..flatbuffer.delegation import operators_of
from ..keras_model.private import calls_in
from ..process.quiet import quiet

_EXAMPLES = 8
_MOST = 1.0  # relative error, above which an output does not resemble a layer's


class LayerError(NamedTuple):
    """How a layer's output differs in a file.

    Attributes:
        layer: The Keras layer.
        operator: What computes it in the file, by the schema's name; `input` for the file's input.
        error: Root mean square of the difference, relative to that of the layer's output.
        added: By how much that is more than the layer before had.
        place: Number of that operator in the file's main graph; -1 for the file's input.
    """

    layer: str
    operator: str
    error: float
    added: float
    place: int = -1


def layer_errors(model: Any, path: str | os.PathLike[str], examples: Floats) -> list[LayerError]:
    """Return errors of the layers that can be found in a file, in order of computation.

    Args:
        model: The functional Keras model of one input that the file was made from.
        path: The `.tflite` file.
        examples: `(n, *input shape)`; the first eight are used.
    """
    examples = examples[:_EXAMPLES]
    found = _operator_outputs(path, examples)
    best: dict[int, tuple[float, str]] = {}  # by operator: its layer, and how they differ
    for layer, values in _layer_outputs(model, examples).items():
        fitting = [
            (_relative(output, values), place)
            for place, (_, output, _) in enumerate(found)
            if output.shape == values.shape
        ]
        error, place = min(fitting, default=(np.inf, -1))
        if error <= _MOST:
            best[place] = min(best.get(place, (np.inf, "")), (error, layer))
    errors: list[LayerError] = []
    before = 0.0
    for place, (error, layer) in sorted(best.items()):
        operator, _, number = found[place]
        errors.append(LayerError(layer, operator, error, error - before, number))
        before = error
    return errors


def blame(model: Any, path: Path, examples: Floats) -> str:
    """Return the layer at which the error grows most, in words; empty where none can be found."""
    errors = layer_errors(model, path, examples)
    if not errors:
        return ""
    worst = max(errors, key=lambda error: error.added)
    return (
        f"the error grows most in layer {worst.layer!r} ({worst.operator}), by "
        f"{worst.added:.1%} of its output to {worst.error:.1%}"
    )


def _relative(output: Floats, values: Floats) -> float:
    size = float(np.sqrt(np.mean(values**2)))
    difference = float(np.sqrt(np.mean((output - values) ** 2)))
    return difference / size if size and np.isfinite(difference) else float("inf")


def _layer_outputs(model: Any, examples: Floats) -> dict[str, Floats]:
    """Return `(n, scalars)` of each layer that is called once and has one output of numbers."""
    import keras

    # A layer may have been called elsewhere, too: only calls within this model count.
    calls = calls_in(model)
    times = Counter(call.operation.name for call in calls)
    outputs = {
        call.operation.name: call.output_tensors[0]
        for call in calls
        if times[call.operation.name] == len(call.output_tensors) == 1
        and call.output_tensors[0].dtype.startswith("float")
        and call.output_tensors[0].shape[:1] == (None,)  # neither masks nor constants
    }
    inner = keras.Model(model.inputs, outputs)
    inner.jit_compile = False  # XLA would compile for longer than this takes
    with quiet():
        values = inner([examples], training=False)
    return {name: np.asarray(values[name]).reshape(len(examples), -1) for name in outputs}


def _operator_outputs(
    path: str | os.PathLike[str], examples: Floats
) -> list[tuple[str, Floats, int]]:
    """Return operators of the main graph, in order, their output `(n, scalars)`, their number."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with quiet():
        interpreter = Interpreter(
            model_path=str(path),
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    details = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    wanted = [("input", source["index"], -1)]
    for number, operator in enumerate(operators_of(interpreter)):
        wanted += [(operator["op_name"], int(index), number) for index in operator["outputs"]]
    wanted = [
        (name, index, number)
        for name, index, number in wanted
        if index in details and details[index]["dtype"] is not np.bool_  # -1: of no use, not kept
    ]
    seen: list[list[Floats]] = [[] for _ in wanted]
    for example in examples:
        interpreter.reset_all_variables()
        interpreter.set_tensor(source["index"], example[None])
        interpreter.invoke()
        for values, (_, index, _) in zip(seen, wanted, strict=True):
            values.append(_numbers(interpreter.get_tensor(index), details[index]))
    return [
        (name, np.stack(values), number)
        for (name, _, number), values in zip(wanted, seen, strict=True)
    ]


def _numbers(values: NDArray[Any], details: Any) -> Floats:
    scale, zero = details["quantization"]
    flat = values.astype(np.float32).reshape(-1)
    return (flat - zero) * scale if scale else flat
