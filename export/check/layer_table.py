"""What each layer of a network costs in a file: bytes, multiply-accumulates, error, delegate.

A file's operators are not the network's layers, so the file is cut behind every operator whose
output is that of a layer (`check.layer_error`): what lies before such a cut counts for that layer,
with the layers that have become a part of others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..arrays import Floats, finite_or_none
from ..errors import ExportError
from ..flatbuffer.delegation import Delegation
from ..flatbuffer.graph import TfliteFile, TfliteGraph
from ..keras_model.private import calls_in
from ..network.model_ops import from_keras
from .layer_error import layer_errors


def layer_table(
    model: Any, path: Path, examples: Floats, delegation: Delegation
) -> list[dict[str, Any]]:
    """Return a row for each layer that can be found in a file, in order of computation.

    Args:
        model: The functional Keras model of one input that the file was made from.
        path: The `.tflite` file.
        examples: `(n, *input shape)`; the first eight are used.
        delegation: What XNNPACK takes of the file.

    Returns:
        `layer` and `operator` as `LayerError` has them, `bytes` of constants, `macs` (None where
        they are not known), `error` and `added` as there, and `delegate`: `XNNPACK`, or None where
        the runtime's own kernels compute some of it.
    """
    file = TfliteFile(path.read_bytes())
    operators = file.main.t.operators
    sizes = [_constant_bytes(file, operator) for operator in operators]
    names = [file.main.name_of(operator) for operator in operators]
    macs = _macs(model)
    order = [call.operation.name for call in calls_in(model)]
    rows = []
    begin = first = 0
    errors = layer_errors(model, path, examples)
    for number, found in enumerate(errors):
        last = number == len(errors) - 1
        end = len(operators) if last else found.place + 1
        after = len(order) if last else order.index(found.layer) + 1
        own = order[first:after] if after > first else []
        left = set(names[begin:end]) & set(delegation.left)
        rows.append(
            {
                "layer": found.layer,
                "operator": found.operator,
                "bytes": sum(sizes[begin:end]),
                "macs": None if macs is None else sum(macs.get(name, 0) for name in own),
                "error": finite_or_none(found.error),
                "added": finite_or_none(found.added),
                "delegate": None if left else "XNNPACK",
            }
        )
        begin, first = max(begin, end), max(first, after)
    return rows


def _macs(model: Any) -> dict[str, int] | None:
    """Return multiply-accumulates by layer; None where a layer's are not known."""
    try:
        ops = from_keras(model)
    except ExportError:
        return None
    found: dict[str, int] = {}
    for op in ops:  # a layer of several operations has theirs behind a point
        name = op.name.split(":")[0]
        layer = name if name in {each.name for each in model.layers} else name.split(".")[0]
        found[layer] = found.get(layer, 0) + op.macs
    return found


def _constant_bytes(file: TfliteFile, operator: Any) -> int:
    """Return the bytes of an operator's constants, and of those in a loop's graphs."""
    total = _read_bytes(file.main, operator)
    if file.main.name_of(operator) == "WHILE":
        options = operator.builtinOptions
        for index in (options.condSubgraphIndex, options.bodySubgraphIndex):
            inner = TfliteGraph(file, file.model.subgraphs[index])
            total += sum(_read_bytes(inner, each) for each in inner.t.operators)
    return total


def _read_bytes(graph: TfliteGraph, operator: Any) -> int:
    buffers = graph.file.model.buffers
    places = {int(index) for index in operator.inputs if index >= 0}
    data = [buffers[graph.t.tensors[place].buffer].data for place in places]
    return sum(len(each) for each in data if each is not None)
