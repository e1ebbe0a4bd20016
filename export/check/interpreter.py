"""Opening model files, and running exported ones."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Floats
from ..errors import ExportError, counted
from ..files import verify
from ..flatbuffer.delegation import read_delegation
from ..flatbuffer.facts import looks_like_tflite, read_facts
from ..keras_model.custom import CustomCode
from ..keras_model.model_file import check_model, load_keras
from ..keras_model.step import STATE_NAME
from ..process.child import REFUSED, ChildDied, run_module
from ..process.quiet import quiet
from .networks import KerasNetwork, Scorer, StepNetwork, TfliteNetwork, to_type

_PROBE_SECONDS = 120
_PROBE_BYTES = 4_000_000_000
_UNTIMED_RUNS = 5


def load(
    path: str | os.PathLike[str], threads: int = 1
) -> TfliteNetwork | StepNetwork | KerasNetwork:
    """Open a `.tflite` or `.keras` file; an exported one is first held against its `export.json`.

    A `.tflite` file is first run once in a child process, since a damaged one can end the process
    that runs it.

    Args:
        path: The file.
        threads: For `.tflite`.

    Raises:
        ExportError: The file is missing or damaged, is not the one that `export.json` beside it
            tells of, or does not have one input and one output of known shapes.
    """
    path = Path(path)
    if path.suffix == ".keras":
        return open_keras(path)
    interpreter = open_tflite(path, threads)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) > 1 and all(details["name"].startswith(STATE_NAME) for details in inputs[1:]):
        frame = tuple(int(size) for size in inputs[0]["shape"][2:])
        steps = int(inputs[0]["shape"][1])
        return StepNetwork(path, interpreter, frame, int(outputs[0]["shape"][1]), steps)
    if len(inputs) != 1 or len(outputs) != 1 or len(outputs[0]["shape"]) not in (2, 3):
        raise ExportError(
            f"{path} has {counted(len(inputs), 'input')} and {counted(len(outputs), 'output')}: "
            "one input and one output of shape (1, classes) or (1, frames, classes) are needed"
        )
    for details in (*inputs, *outputs):
        if details["dtype"] not in (np.float32, np.int8, np.uint8):
            raise ExportError(f"{path} has a tensor of {details['dtype'].__name__} at its ends")
    sizes = tuple(int(size) for size in inputs[0]["shape"])
    shape = sizes if len(sizes) == 1 else sizes[1:]  # a waveform has no batch before it
    output_shape = tuple(int(size) for size in outputs[0]["shape"][1:])
    return TfliteNetwork(path, interpreter, shape, output_shape)


def open_keras(
    path: Path, name: str | None = None, custom: CustomCode | None = None
) -> KerasNetwork:
    """Open a `.keras` file of one input and one output.

    Args:
        path: The file.
        name: What to call it in messages; its path by default.
        custom: Code of layers and functions that are not Keras's own; what is registered here
            need not be among it.

    Raises:
        ExportError: As from `load`.
    """
    name = name or str(path)
    if path.is_file():
        verify(path)
    custom = custom or CustomCode()
    model = load_keras(path, name, custom)
    check_model(model, name)
    return KerasNetwork(path, model, name, custom.with_registered(path))


def open_tflite(path: Path, threads: int = 1) -> Any:
    """Return LiteRT's interpreter of a file of any inputs and outputs, its tensors allocated.

    Args:
        path: The file; it is first run once in a child process, as `load` says.
        threads: That it computes with.

    Raises:
        ExportError: The file is missing or damaged, or not the one that `export.json` beside it
            tells of.
    """
    if not path.is_file():
        wrong = "is no file" if path.exists() else "does not exist"
        raise ExportError(f"{path} {wrong}: give a .tflite file")
    verify(path)
    if not looks_like_tflite(path):
        raise ExportError(
            f"{path} is damaged, or no .tflite file: its bytes 4 to 7 should read TFL3; export it "
            "again"
        )
    try:
        run_module(
            "kerasnas.export.check.interpreter",
            {"path": str(path.absolute())},
            what=f"opening {path}",
            time_limit=_PROBE_SECONDS,
            memory_limit=_PROBE_BYTES,
        )
    except ChildDied as death:
        raise ExportError(
            f"{path} is damaged, and kills the runtime: export it again. {death}"
        ) from None
    with quiet():
        return _open(path, threads)


def run_on_zeros(interpreter: Any) -> None:
    """Fill the inputs of an interpreter with what stands for zero, and run it."""
    for details in interpreter.get_input_details():
        zeros = np.zeros(details["shape"], np.float32)
        interpreter.set_tensor(details["index"], to_type(zeros, details))
    interpreter.invoke()


def latency(interpreter: Any, runs: int) -> tuple[float, float]:
    """Return the median and 95th percentile of a run's milliseconds, the copy of the input apart.

    States that a file keeps are reset before each, which counts: applications have to do it, too.
    """
    for _ in range(_UNTIMED_RUNS):
        run_on_zeros(interpreter)
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        interpreter.reset_all_variables()
        interpreter.invoke()
        seconds.append(time.perf_counter() - start)
    median, high = np.percentile(seconds, (50, 95)) * 1000
    return float(median), float(high)


def is_stateless(network: Scorer, first: Floats, other: Floats) -> bool:
    """Return whether an example's scores are the same bits after another, without a reset."""
    if isinstance(network, TfliteNetwork):
        network = replace(network, resets=False)
    before, _, after = network.predict(np.stack([first, other[::-1], first]))
    return np.array_equal(before, after, equal_nan=True)


def _open(path: Path, threads: int) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_path=str(path), num_threads=threads)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ExportError(f"{path} is damaged ({reason}): export it again") from None
    return interpreter


def main(request: Path, error: Path) -> int:
    """Run the file that `request` names once, and read it: the child's side of `load`."""
    path = Path(json.loads(request.read_text(encoding="utf-8"))["path"])
    try:
        interpreter = _open(path, 1)
        run_on_zeros(interpreter)
        interpreter.get_output_details()
        read_facts(path)
        read_delegation(interpreter, path.read_bytes())
    except ExportError as refusal:
        error.write_text(str(refusal), encoding="utf-8")
        return REFUSED
    except Exception as damage:  # readers raise what the damaged part happens to raise
        reason = str(damage).strip().splitlines() or [type(damage).__name__]
        error.write_text(f"{path} is damaged ({reason[0]}): export it again", encoding="utf-8")
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
