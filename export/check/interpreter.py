"""Running exported files, and the Keras models they were made from, in the same way."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..errors import ExportError
from ..flatbuffer.delegation import read_delegation
from ..flatbuffer.facts import looks_like_tflite, read_facts
from ..keras_model.model_file import check_model, load_keras
from ..keras_model.step import STATE_NAME
from ..process.child import REFUSED, ChildDied, run_module
from ..process.quiet import quiet

_PROBE_SECONDS = 120
_PROBE_BYTES = 4_000_000_000
_UNTIMED_RUNS = 5
_KERAS_BATCH = 32


class Predictor(Protocol):
    """A model file that is ready to run."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        ...

    @property
    def outputs(self) -> int:
        """Number of scores."""
        ...

    def predict(self, x: Floats) -> Floats:
        """Scores `(n, outputs)` of examples `(n, *input_shape)`."""
        ...


@dataclass(frozen=True)
class TfliteNetwork:
    """A `.tflite` file in LiteRT, one example at a time, on one thread by default.

    Of a file that takes waveforms, an example is `(samples,)`. With `resets`, states that a file
    keeps from one run to the next (see `convert.fused`) begin anew with every example.
    """

    path: Path
    interpreter: Any
    input_shape: tuple[int, ...]
    outputs: int
    resets: bool = True

    def predict(self, x: Floats) -> Floats:
        """Scores `(n, outputs)` of examples `(n, *input_shape)`."""
        _check_shape(self.path, x, self.input_shape)
        scores = np.empty((len(x), self.outputs), np.float32)
        (source,) = self.interpreter.get_input_details()
        (sink,) = self.interpreter.get_output_details()
        for row, example in zip(scores, x, strict=True):
            values = example.reshape(source["shape"])
            if self.resets:
                self.interpreter.reset_all_variables()
            self.interpreter.set_tensor(source["index"], _to_type(values, source))
            self.interpreter.invoke()
            row[:] = _to_float(self.interpreter.get_tensor(sink["index"])[0], sink)
        return scores


@dataclass(frozen=True)
class StepNetwork:
    """A `.tflite` file of one frame, with its states; see `kerasnas.export.keras_model.step`."""

    path: Path
    interpreter: Any
    frame_shape: tuple[int, ...]
    outputs: int

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example; -1, as it may have any number of frames."""
        return (-1, *self.frame_shape)

    def predict(self, x: Floats) -> Floats:
        """Scores `(n, outputs)` after the last frame of examples `(n, frames, *frame_shape)`."""
        if x.shape[2:] != self.frame_shape:
            raise ExportError(
                f"{self.path} takes frames of {self.frame_shape}, not {x.shape[2:]}: use the front "
                "end it was trained with"
            )
        frame, *states = self.interpreter.get_input_details()
        sink, *results = self.interpreter.get_output_details()
        scores = np.zeros((len(x), self.outputs), np.float32)
        for row, example in zip(scores, x, strict=True):
            before = [np.zeros(state["shape"], state["dtype"]) for state in states]
            for values in example:
                self.interpreter.set_tensor(frame["index"], values[None, None])
                for state, value in zip(states, before, strict=True):
                    self.interpreter.set_tensor(state["index"], value)
                self.interpreter.invoke()
                before = [self.interpreter.get_tensor(result["index"]) for result in results]
            row[:] = self.interpreter.get_tensor(sink["index"])[0]
        return scores


@dataclass(frozen=True)
class KerasNetwork:
    """A `.keras` file."""

    path: Path
    model: Any

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return tuple(self.model.inputs[0].shape[1:])

    @property
    def outputs(self) -> int:
        """Number of scores."""
        return int(self.model.outputs[0].shape[-1])

    def predict(self, x: Floats) -> Floats:
        """Scores `(n, outputs)` of examples `(n, *input_shape)`."""
        _check_shape(self.path, x, self.input_shape)
        with quiet():  # of several models TensorFlow warns that each has its own function
            scores = self.model.predict(x, batch_size=_KERAS_BATCH, verbose=0)
        return np.asarray(scores, np.float32)


def load(path: str | Path, threads: int = 1) -> TfliteNetwork | StepNetwork | KerasNetwork:
    """Open a `.tflite` or `.keras` file.

    A `.tflite` file is first run once in a child process, since a damaged one can end the process
    that runs it.

    Args:
        path: The file.
        threads: For `.tflite`.

    Raises:
        ExportError: The file is missing or damaged, or does not have one input and one output of
            known shapes.
    """
    path = Path(path)
    if path.suffix == ".keras":
        model = load_keras(path)
        check_model(model, str(path))
        return KerasNetwork(path, model)
    interpreter = open_tflite(path, threads)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) > 1 and all(details["name"].startswith(STATE_NAME) for details in inputs[1:]):
        frame = tuple(int(size) for size in inputs[0]["shape"][2:])
        return StepNetwork(path, interpreter, frame, int(outputs[0]["shape"][1]))
    if len(inputs) != 1 or len(outputs) != 1 or len(outputs[0]["shape"]) != 2:
        raise ExportError(
            f"{path} has {len(inputs)} inputs and {len(outputs)} outputs: one input and one "
            "output of shape (1, classes) are needed"
        )
    for details in (*inputs, *outputs):
        if details["dtype"] not in (np.float32, np.int8, np.uint8):
            raise ExportError(f"{path} has a tensor of {details['dtype'].__name__} at its ends")
    sizes = tuple(int(size) for size in inputs[0]["shape"])
    shape = sizes if len(sizes) == 1 else sizes[1:]  # a waveform has no batch before it
    return TfliteNetwork(path, interpreter, shape, int(outputs[0]["shape"][1]))


def open_tflite(path: Path, threads: int = 1) -> Any:
    """LiteRT's interpreter of a file of any inputs and outputs, its tensors allocated.

    Args:
        path: The file; it is first run once in a child process, as `load` says.
        threads: That it computes with.

    Raises:
        ExportError: The file is missing or damaged.
    """
    if not path.is_file():
        wrong = "is no file" if path.exists() else "does not exist"
        raise ExportError(f"{path} {wrong}: give a .tflite file")
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
        interpreter.set_tensor(details["index"], _to_type(zeros, details))
    interpreter.invoke()


def latency(interpreter: Any, runs: int) -> tuple[float, float]:
    """Median and 95th percentile of the milliseconds of a run, the copy of the input apart.

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


def is_stateless(network: Predictor, first: Floats, other: Floats) -> bool:
    """Whether an example's scores are the same bits after another example, without a reset."""
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


def _check_shape(path: Path, x: Floats, shape: tuple[int, ...]) -> None:
    if x.shape[1:] != shape:
        raise ExportError(
            f"{path} takes examples of {shape}, not {x.shape[1:]}: use the front end it was "
            "trained with"
        )


def _to_type(x: Floats, details: Any) -> NDArray[Any]:
    kind = details["dtype"]
    scale, zero = details["quantization"]
    if not scale:
        return np.asarray(x, kind)
    limits = np.iinfo(kind)
    return np.clip(np.round(x / scale) + zero, limits.min, limits.max).astype(kind)


def _to_float(x: NDArray[Any], details: Any) -> Floats:
    if details["dtype"] is np.float32:
        return x
    scale, zero = details["quantization"]
    return ((x.astype(np.float32) - zero) * scale).astype(np.float32)


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
