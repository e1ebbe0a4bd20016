"""Operators written into a graph by hand: what writers of floats and of integers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .graph import Scale, TfliteGraph, TfliteTensor

_OPTIONS = {  # operators whose options have another name, and those without options
    "COMPLEX_ABS": None,
    "DEQUANTIZE": "Dequantize",
    "DYNAMIC_UPDATE_SLICE": "DynamicUpdateSlice",
    "FULLY_CONNECTED": "FullyConnected",
    "LOG": None,
    "LOGISTIC": None,
    "MAXIMUM": "MaximumMinimum",
    "MEAN": "Reducer",
    "MINIMUM": "MaximumMinimum",
    "REDUCE_MAX": "Reducer",
    "RFFT2D": "Rfft2d",
    "TANH": None,
}


class GraphWriter:
    """Writes operators, each of which returns its output.

    Attributes:
        graph: What is written to.
    """

    def __init__(self, graph: TfliteGraph) -> None:
        self.graph = graph

    def write(
        self,
        name: str,
        inputs: Sequence[TfliteTensor],
        shape: Sequence[int],
        kind: str,
        scale: Scale | None = None,
        *,
        version: int = 1,
        **options: Any,
    ) -> TfliteTensor:
        """Write an operator of one output and return that.

        Args:
            name: As in the schema, `FULLY_CONNECTED`.
            inputs: Tensors that it reads.
            shape: Of the output.
            kind: Type of the output, by its NumPy name.
            scale: Of an output of integers; those without are indices.
            version: Oldest of the operator that has what is used of it.
            options: Fields of its options, by their names in the schema's classes.
        """
        output = self.graph.tensor(shape, kind, scale)
        self.write_to(name, inputs, (output,), version=version, **options)
        return output

    def write_to(
        self,
        name: str,
        inputs: Sequence[TfliteTensor],
        outputs: Sequence[TfliteTensor],
        *,
        version: int = 1,
        **options: Any,
    ) -> None:
        """Write an operator whose outputs are there, as `write` does."""
        title = _OPTIONS.get(name, name.title())
        table = None if title is None else getattr(self.graph.file.schema, f"{title}OptionsT")()
        for field, value in options.items():
            setattr(table, field, value)
        self.graph.operator(name, version, inputs, outputs, table)

    def indices(self, values: Any) -> TfliteTensor:
        """Return a constant of int32."""
        return self.graph.constant(np.array(values, np.int32))

    def reshape(
        self, x: TfliteTensor, shape: tuple[int, ...], output: TfliteTensor | None = None
    ) -> TfliteTensor:
        """Return `x` in another shape, in a new tensor or in `output`."""
        output = output or self.graph.tensor(shape, x.kind, x.scale)
        self.write_to("RESHAPE", (x, self.indices(shape)), (output,))
        return output
