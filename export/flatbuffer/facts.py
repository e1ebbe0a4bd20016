"""What a `.tflite` file says of itself: operators, versions, what computes in float."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ExportError

# Conversions, and comparisons, by which masks begin: they read floats, and compute none.
_COMPUTING_NONE = frozenset({"CAST", "DEQUANTIZE", "EQUAL", "NOT_EQUAL", "QUANTIZE"})
_FLOATS = frozenset({"FLOAT32", "FLOAT16", "FLOAT64"})


@dataclass(frozen=True)
class FileFacts:
    """Facts of one `.tflite` file.

    Attributes:
        bytes: Of the whole file.
        operators: Operators by `NAME:version`, and how many of each.
        float_operators: Those that compute in float, by name, without conversions to and from it
            and comparisons.
        foreign_operators: Custom and Flex operators, which a phone's runtime does not have.
        minimum_runtime: Oldest TensorFlow Lite runtime that has all of its operators, as the
            converter writes it; None where it does not.
        keeps_state: Whether it has variables, which go on from one run to the next until an
            application resets them.
        halves: Scalars of its constants in float16.
        quarters: Scalars of its constants in 4 bits that are not zero.
    """

    bytes: int
    operators: dict[str, int]
    float_operators: dict[str, int]
    foreign_operators: tuple[str, ...]
    minimum_runtime: str | None
    keeps_state: bool = False
    halves: int = 0
    quarters: int = 0

    def runs_on(self, runtime: str) -> bool:
        """Return whether a runtime, `2.16.1`, has all operators; true where it is not said."""
        needed = self.minimum_runtime
        return needed is None or version_of(needed) <= version_of(runtime)


def read_facts(path: Path) -> FileFacts:
    """Return facts of a file that a runtime has already accepted: nothing is verified here."""
    from ai_edge_litert import schema_py_generated as schema

    data = path.read_bytes()
    model = schema.Model.GetRootAs(data)
    builtin = _names(schema.BuiltinOperator)
    types = _names(schema.TensorType)
    operators: Counter[str] = Counter()
    floats: Counter[str] = Counter()
    foreign: set[str] = set()
    keeps_state = False
    halves = quarters = 0
    for graph in (model.Subgraphs(i) for i in range(model.SubgraphsLength())):
        tensors = [graph.Tensors(i) for i in range(graph.TensorsLength())]
        keeps_state |= any(tensor.IsVariable() for tensor in tensors)
        for tensor in tensors:
            kind = types[tensor.Type()]
            halves += int(np.prod(tensor.ShapeAsNumpy())) if kind == "FLOAT16" else 0
            if kind == "INT4":
                pairs = model.Buffers(tensor.Buffer()).DataAsNumpy()
                quarters += int(np.count_nonzero(pairs & 15) + np.count_nonzero(pairs >> 4))
        for operator in (graph.Operators(i) for i in range(graph.OperatorsLength())):
            code = model.OperatorCodes(operator.OpcodeIndex())
            name = builtin[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            if name == "CUSTOM":
                name = code.CustomCode().decode()
                foreign.add(name)
            operators[f"{name}:{code.Version()}"] += 1
            ends = [*operator.InputsAsNumpy(), *operator.OutputsAsNumpy()]
            kinds = {types[tensors[int(i)].Type()] for i in ends if i >= 0}
            if kinds & _FLOATS and name not in _COMPUTING_NONE:
                floats[name] += 1
    return FileFacts(
        len(data),
        dict(sorted(operators.items())),
        dict(sorted(floats.items())),
        tuple(sorted(foreign)),
        minimum_runtime(data),
        keeps_state,
        halves,
        quarters,
    )


def minimum_runtime(content: bytes) -> str | None:
    """Return the oldest TensorFlow Lite runtime that has all operators of a file, if it says so."""
    from ai_edge_litert import schema_py_generated as schema

    return _metadata(schema.Model.GetRootAs(content), b"min_runtime_version")


def version_of(text: str) -> tuple[int, ...]:
    """Return a version, `2.16.1`, as numbers, which can be compared."""
    return tuple(int(part) for part in text.split("."))


def looks_like_tflite(path: Path) -> bool:
    """Return whether the file has the format's identifier.

    Raises:
        ExportError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(8)[4:] == b"TFL3"
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror}") from None


def _metadata(model: Any, key: bytes) -> str | None:
    for index in range(model.MetadataLength()):
        entry = model.Metadata(index)
        if entry.Name() == key:
            data: np.ndarray = model.Buffers(entry.Buffer()).DataAsNumpy()
            return data.tobytes().rstrip(b"\0").decode()
    return None


def _names(enumeration: type) -> dict[int, str]:
    return {v: k for k, v in vars(enumeration).items() if isinstance(v, int)}
