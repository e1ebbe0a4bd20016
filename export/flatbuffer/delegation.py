"""Which operators of a file XNNPACK takes, the library that computes fast on phones' processors.

The runtime shows the parts that it handed over as operators of their own, with the tensors that go
in and come out, for the main graph; what lies in between was taken. For the graphs of loops it
shows nothing: there, a list of what XNNPACK has in LiteRT 2.3 stands in, and the share is marked as
estimated.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from .graph import TfliteFile

_ALWAYS = frozenset(
    {"ADD", "CONV_2D", "DEPTHWISE_CONV_2D", "ELU", "FULLY_CONNECTED", "LOGISTIC", "MAX_POOL_2D"}
    | {"MEAN", "MUL", "RESHAPE", "SUB", "TANH"}
)
_TAKEN = {"int8": _ALWAYS, "float32": _ALWAYS | {"HARD_SWISH", "SOFTMAX"}}


@dataclass(frozen=True)
class Delegation:
    """What XNNPACK takes of a file.

    Attributes:
        share: Of all operators, those in loops once.
        left: Operators that it leaves to the runtime's own kernels, by name.
        parts: Into how many pieces the main graph falls that it takes.
        estimated: Whether some of this is read from a list, not told by the runtime.
    """

    share: float
    left: dict[str, int]
    parts: int
    estimated: bool

    def to_json(self) -> dict[str, Any]:
        """Return all fields by name."""
        return asdict(self)


def read_delegation(interpreter: Any, content: bytes) -> Delegation:
    """Return what XNNPACK takes of a file.

    Args:
        interpreter: LiteRT's, of this file, with its tensors allocated and its own delegates.
        content: The file's bytes.
    """
    details = operators_of(interpreter)
    parts = [operator for operator in details if operator["op_name"] == "DELEGATE"]
    plain = [operator for operator in details if operator["op_name"] != "DELEGATE"]
    taken = {operator["index"] for part in parts for operator in _inside(part, plain)}
    left = Counter(o["op_name"] for o in plain if o["index"] not in taken)
    inner, inner_left = _loops(content)
    operators = len(plain) + inner
    left += inner_left
    share = 1 - left.total() / operators if operators else 1.0
    return Delegation(share, dict(sorted(left.items())), len(parts), inner > 0)


def operators_of(interpreter: Any) -> list[dict[str, Any]]:
    """Return the operators of LiteRT's interpreter in the order in which they run.

    LiteRT has no public call for it; this is the one place that depends on the private one.

    Returns:
        Each with its `index`, `op_name`, and the indices of its tensors, `inputs` and `outputs`.
    """
    found: list[dict[str, Any]] = interpreter._get_ops_details()
    return found


def _inside(part: Any, operators: list[Any]) -> list[Any]:
    """Return the operators between a part's inputs and outputs."""
    producers = {int(index): o for o in operators for index in o["outputs"]}
    borders = {int(index) for index in part["inputs"]}
    waiting = [int(index) for index in part["outputs"]]
    found: dict[int, Any] = {}
    while waiting:
        index = waiting.pop()
        operator = producers.get(index)
        if operator is None or index in borders or operator["index"] in found:
            continue
        found[operator["index"]] = operator
        waiting += [int(i) for i in operator["inputs"]]
    return list(found.values())


def _loops(content: bytes) -> tuple[int, Counter[str]]:
    """Return operators of the graphs of loops: how many, and those that are not on the list."""
    file = TfliteFile(content)
    names = {v: k.lower() for k, v in vars(file.schema.TensorType).items()}
    count, left = 0, Counter[str]()
    for graph in file.graphs[1:]:
        for operator in graph.t.operators:
            count += 1
            kind = names[graph.t.tensors[operator.outputs[0]].type]
            name = graph.name_of(operator)
            if name not in _TAKEN.get(kind, ()):
                left[name] += 1
    return count, left
