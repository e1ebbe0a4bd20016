"""Operators that the converter leaves in float between integers, in int8.

ELU the runtime has, the converter does not. Negation and squares, which the runtime lacks, are
products: Keras' layer normalisation subtracts the mean by a negation, its group normalisation
squares. A SPLIT of which a part is not used, as in the first step of a GRU that is written out, is
left in float, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..flatbuffer.graph import Scale, TfliteFile, TfliteGraph
from .writer import RUNTIME

_MINUS_ONE = -127
_MUL_VERSION = _SPLIT_VERSION = 2  # the first of int8


def with_integer_operators(file: TfliteFile) -> None:
    """Let every ELU, NEG, SQUARE and SPLIT between a DEQUANTIZE and QUANTIZEs compute in int8.

    The runtime's table of 256 results of ELU holds the very numbers that float would be rounded to.
    """
    main, schema = file.main, file.schema
    for operator in _between_integers(main, "ELU"):
        _to_integers(main, operator)
        file.require_runtime(RUNTIME)
    for name in ("NEG", "SQUARE"):
        for operator in _between_integers(main, name):
            _to_integers(main, operator)
            (factor,) = operator.inputs
            if name == "NEG":
                minus_one = np.array([_MINUS_ONE], np.int8)
                factor = main.constant(minus_one, Scale(1 / 127)).place
            operator.opcodeIndex = file.operator_code("MUL", _MUL_VERSION)
            operator.inputs = [*operator.inputs, factor]
            operator.builtinOptionsType = schema.BuiltinOptions.MulOptions
            operator.builtinOptions = schema.MulOptionsT()
    for operator in [o for o in main.t.operators if main.name_of(o) == "SPLIT"]:
        _split_integers(file, operator)


def _split_integers(file: TfliteFile, operator: Any) -> None:
    """Split what is dequantised, where all parts become integers of the same scale again."""
    main = file.main
    axis, given = (int(index) for index in operator.inputs)
    source = main.producer(given)
    if source is None or main.name_of(source) != "DEQUANTIZE":
        return
    whole = main.existing(int(source.inputs[0]))
    parts = [int(index) for index in operator.outputs]
    readers = {part: main.consumers(part) for part in parts}
    for part in parts:
        if part in list(main.t.outputs):
            return
        for reader in readers[part]:
            same = main.existing(int(reader.outputs[0]))[2:] == whole[2:]
            if main.name_of(reader) != "QUANTIZE" or not same:
                return
    operator.opcodeIndex = file.operator_code("SPLIT", _SPLIT_VERSION)
    operator.inputs = [axis, whole.place]
    operator.outputs = [main.tensor(main.existing(p).shape, *whole[2:]).place for p in parts]
    for part, integers in zip(parts, operator.outputs, strict=True):
        for reader in readers[part]:
            _replace_reads(main, int(reader.outputs[0]), integers)
        _drop(main, readers[part])


def _drop(main: TfliteGraph, operators: list[Any]) -> None:
    main.t.operators = [o for o in main.t.operators if not any(o is each for each in operators)]


def _replace_reads(main: TfliteGraph, old: int, new: int) -> None:
    for reader in main.consumers(old):
        reader.inputs = [new if int(index) == old else int(index) for index in reader.inputs]


def _between_integers(main: TfliteGraph, name: str) -> list[Any]:
    """Operators of this name, of one input, between a DEQUANTIZE and QUANTIZEs to one scale."""
    return [operator for operator in main.t.operators if _is_in_float(main, operator, name)]


def _to_integers(main: TfliteGraph, operator: Any) -> None:
    """Let an operator read what is dequantised for it, and write what its results become."""
    source: Any = main.producer(int(operator.inputs[0]))
    readers = main.consumers(int(operator.outputs[0]))
    operator.inputs = [int(source.inputs[0])]
    kept, *others = (int(reader.outputs[0]) for reader in readers)
    operator.outputs = [kept]
    _drop(main, readers)
    for other in others:
        _replace_reads(main, other, kept)


def _is_in_float(main: TfliteGraph, operator: Any, name: str) -> bool:
    if main.name_of(operator) != name:
        return False
    source = main.producer(int(operator.inputs[0]))
    readers = main.consumers(int(operator.outputs[0]))
    if source is None or main.name_of(source) != "DEQUANTIZE" or not readers:
        return False
    scales = {main.existing(int(reader.outputs[0]))[2:] for reader in readers}
    quantized = all(main.name_of(reader) == "QUANTIZE" for reader in readers)
    return quantized and len(scales) == 1 and int(operator.outputs[0]) not in list(main.t.outputs)
