"""ELU in int8: the runtime has it, the converter leaves it in float."""

from __future__ import annotations

from typing import Any

from kerasnas.export.integers import RUNTIME
from kerasnas.export.tflite_graph import Graph, TfliteFile


def with_integer_elu(file: TfliteFile) -> None:
    """Let every ELU between a DEQUANTIZE and QUANTIZEs compute in int8.

    The runtime's table of 256 results holds the very numbers that float would be rounded to.
    """
    for operator in float_operators(file.main, "ELU"):
        to_integers(file.main, operator)
        file.require_runtime(RUNTIME)


def float_operators(main: Graph, name: str) -> list[Any]:
    """Operators of this name, of one input, between a DEQUANTIZE and QUANTIZEs to one scale."""
    return [operator for operator in main.t.operators if _is_in_float(main, operator, name)]


def to_integers(main: Graph, operator: Any) -> None:
    """Let an operator read what is dequantised for it, and write what its results become."""
    source: Any = main.producer(int(operator.inputs[0]))
    readers = main.consumers(int(operator.outputs[0]))
    operator.inputs = [int(source.inputs[0])]
    kept, *others = (int(reader.outputs[0]) for reader in readers)
    operator.outputs = [kept]
    main.t.operators = [o for o in main.t.operators if not any(o is r for r in readers)]
    for other in others:
        for reader in main.consumers(other):
            reader.inputs = [kept if int(i) == other else int(i) for i in reader.inputs]


def _is_in_float(main: Graph, operator: Any, name: str) -> bool:
    if main.name_of(operator) != name:
        return False
    source = main.producer(int(operator.inputs[0]))
    readers = main.consumers(int(operator.outputs[0]))
    if source is None or main.name_of(source) != "DEQUANTIZE" or not readers:
        return False
    scales = {main.existing(int(reader.outputs[0]))[2:] for reader in readers}
    quantized = all(main.name_of(reader) == "QUANTIZE" for reader in readers)
    return quantized and len(scales) == 1 and int(operator.outputs[0]) not in list(main.t.outputs)
