"""Which operators of a file need a newer runtime than allowed: a program, in a process of its own.

The converter writes into a file the oldest runtime that has all of its operators, from a table in
C++ (`lite/tools/versioning/runtime_version.cc`) that Python cannot read. For one operator, it is
what the converter writes for a file of that operator alone.

Usage: `python -m kerasnas.export.flatbuffer.runtimes REQUEST ERROR`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from ..errors import ExportError
from ..process.child import run_module
from .facts import minimum_runtime, version_of
from .graph import TfliteFile, TfliteGraph

_TIME_LIMIT = 120
_MEMORY_LIMIT = 4_000_000_000


def too_new(path: Path, allowed: str) -> str:
    """Return the operators of a file that need a newer runtime than allowed, in words.

    Empty where they are not known.

    Args:
        path: The `.tflite` file.
        allowed: A version, `2.16.1`.
    """
    with tempfile.TemporaryDirectory(prefix="kerasnas-") as directory:
        output = Path(directory) / "runtimes.json"
        try:
            run_module(
                "kerasnas.export.flatbuffer.runtimes",
                {"path": str(path.absolute()), "output": str(output)},
                what=f"asking what the operators of {path} need",
                time_limit=_TIME_LIMIT,
                memory_limit=_MEMORY_LIMIT,
            )
        except ExportError:
            return ""
        runtimes = json.loads(output.read_text(encoding="utf-8"))
    newer = {n: v for n, v in runtimes.items() if version_of(v) > version_of(allowed)}
    return ", ".join(f"{name} needs {version}" for name, version in sorted(newer.items()))


def operator_runtimes(content: bytes) -> dict[str, str]:
    """Oldest runtime of the operators of a file, by `NAME:version`, without those not known."""
    from tensorflow.lite.python.convert import mlir_sparsify

    found: dict[str, str] = {}
    for number, graph in enumerate(TfliteFile(content).graphs):
        for place, operator in enumerate(graph.t.operators):
            code = graph.file.model.operatorCodes[operator.opcodeIndex]
            name = f"{graph.name_of(operator)}:{code.version}"
            if name in found or name.startswith(("WHILE:", "IF:")):  # of graphs, not of operators
                continue
            runtime = minimum_runtime(mlir_sparsify(_alone(content, number, place)))
            if runtime is not None:
                found[name] = runtime
    return found


def _alone(content: bytes, graph: int, place: int) -> bytes:
    """Return a file of one operator of a file."""
    file = TfliteFile(content)
    file.model.subgraphs = [file.model.subgraphs[graph]]
    file.model.metadata = []
    main = file.main = TfliteGraph(file, file.model.subgraphs[0])
    operator: Any = main.t.operators[place]
    main.t.operators = [operator]
    main.t.inputs = [
        int(index)
        for index in dict.fromkeys(int(i) for i in operator.inputs)
        if index >= 0
        and file.model.buffers[main.t.tensors[index].buffer].data is None
        and not main.t.tensors[index].isVariable
    ]
    main.t.outputs = [int(index) for index in operator.outputs]
    return file.content()


def main(request: Path, error: Path) -> int:
    """Write the runtimes of the operators of the file that `request` names: 0.

    Args:
        request: JSON of `path` and `output`, the JSON file to write.
        error: Not used: the runtime has accepted the file before.
    """
    todo = json.loads(request.read_text(encoding="utf-8"))
    runtimes = operator_runtimes(Path(todo["path"]).read_bytes())
    Path(todo["output"]).write_text(json.dumps(runtimes), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
