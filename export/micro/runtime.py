"""A file in TensorFlow Lite Micro's interpreter: a program, run in a process of its own.

What the interpreter does not expect can end its process. It is that of the package `tflite-micro`,
compiled for this machine, with the reference kernels; the arena holds pointers, which take 8 bytes
here and 4 on most microcontrollers, so that theirs is a little smaller.

Usage: `python -m kerasnas.export.micro.runtime REQUEST ERROR`.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Floats
from ..errors import ExportError
from ..process.child import REFUSED, ChildDied, run_module

PACKAGE = "tflite_micro"
_ROOM = 64_000_000  # bytes of an arena that is large enough for anything here
_STEP = 16  # bytes, to which an arena is aligned
_TIME_LIMIT = 600
_MEMORY_LIMIT = 4_000_000_000
_REASONS = 3  # last lines of what the interpreter says
_USED = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")


class MicroRun(NamedTuple):
    """What a file did in TensorFlow Lite Micro.

    Attributes:
        scores: Of the examples, `(n, *output shape)`.
        arena_bytes: Least arena in which it starts and runs, in steps of 16 bytes.
        tensor_bytes: Of these, what inner tensors share.
        lasting_bytes: Of these, what is kept from start to end: tables, and what kernels prepare.
    """

    scores: Floats
    arena_bytes: int
    tensor_bytes: int
    lasting_bytes: int


def run_micro(path: Path, examples: Floats) -> MicroRun:
    """Run a file on examples in TensorFlow Lite Micro, in a child process.

    Args:
        path: A `.tflite` file of one input and one output, both float32.
        examples: `(n, *input shape)`, at least one.

    Raises:
        ExportError: It does not run there; the message says why, in the interpreter's words.
    """
    with tempfile.TemporaryDirectory(prefix="kerasnas-") as directory:
        files = Path(directory)
        np.save(files / "examples.npy", examples)
        try:
            run_module(
                "kerasnas.export.micro.runtime",
                {"path": str(path.absolute()), "directory": directory},
                what="running the file in TensorFlow Lite Micro",
                time_limit=_TIME_LIMIT,
                memory_limit=_MEMORY_LIMIT,
            )
        except ChildDied as death:
            raise ExportError(f"it ends the interpreter's process. {death}") from None
        used = json.loads((files / "used.json").read_text(encoding="utf-8"))
        scores: Floats = np.load(files / "scores.npy")
    return MicroRun(scores, used["arena"], used["head"], used["tail"])


def main(request: Path, error: Path) -> int:
    """Run the file that `request` names: 0, or `REFUSED` when the file `error` says why not.

    Args:
        request: JSON of `path` and of `directory`, which has `examples.npy`, and gets `scores.npy`
            and `used.json`.
        error: Text file.
    """
    todo = json.loads(request.read_text(encoding="utf-8"))
    content, files = Path(todo["path"]).read_bytes(), Path(todo["directory"])
    examples = np.load(files / "examples.npy")
    with tempfile.TemporaryFile() as log:
        try:
            with _said(log):
                interpreter = _start(content, _ROOM)
                scores = [_run(interpreter, example) for example in examples]
                interpreter.print_allocations()
        except (RuntimeError, ValueError) as failure:
            lines = [*_lines(log), str(failure)][-_REASONS:]
            error.write_text("; ".join(lines), encoding="utf-8")
            return REFUSED
        used = {name: int(size) for name, size in _USED.findall("\n".join(_lines(log)))}
        with _said(log):
            used["arena"] = _least(content, examples[0], used["total"])
    np.save(files / "scores.npy", np.stack(scores).astype(np.float32))
    (files / "used.json").write_text(json.dumps(used), encoding="utf-8")
    return 0


def _start(content: bytes, arena: int) -> Any:
    from tflite_micro import runtime

    return runtime.Interpreter.from_bytes(content, arena_size=arena)


def _run(interpreter: Any, example: Floats) -> Any:
    interpreter.set_input(example.reshape(interpreter.get_input_details(0)["shape"]), 0)
    interpreter.invoke()
    return interpreter.get_output(0)[0].copy()


def _least(content: bytes, example: Floats, about: int) -> int:
    """Return the least arena in which a file runs, which is about so many bytes."""
    high = -(-about // _STEP)  # in steps
    while not _runs_in(content, example, high * _STEP):
        high += max(high // 16, 1)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if _runs_in(content, example, middle * _STEP):
            high = middle
        else:
            low = middle
    return high * _STEP


def _runs_in(content: bytes, example: Floats, arena: int) -> bool:
    try:
        _run(_start(content, arena), example)
    except RuntimeError:
        return False
    return True


@contextmanager
def _said(log: Any) -> Iterator[None]:
    """Keep in a file what native code writes to standard error meanwhile."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        os.dup2(log.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _lines(log: Any) -> list[str]:
    log.seek(0)
    return [line.strip() for line in log.read().decode(errors="replace").splitlines() if line]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
