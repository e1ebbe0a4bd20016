"""Model files that are ready to run, all in the same way: LiteRT's and Keras's."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..errors import ExportError
from ..keras_model.custom import CustomCode
from ..process.quiet import quiet

_KERAS_BATCH = 32


class Scorer(Protocol):
    """A model file that is ready to run."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        ...

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the scores of one example, `(classes,)` or `(frames, classes)`."""
        ...

    def predict(self, x: Floats) -> Floats:
        """Return scores `(n, *output_shape)` of examples `(n, *input_shape)`."""
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
    output_shape: tuple[int, ...]
    resets: bool = True

    @property
    def outputs(self) -> int:
        """Number of scores, of one frame where it gives those of frames."""
        return self.output_shape[-1]

    def predict(self, x: Floats) -> Floats:
        """Return scores `(n, *output_shape)` of examples `(n, *input_shape)`."""
        _check_shape(str(self.path), x, self.input_shape)
        scores = np.empty((len(x), *self.output_shape), np.float32)
        (source,) = self.interpreter.get_input_details()
        (sink,) = self.interpreter.get_output_details()
        for row, example in zip(scores, x, strict=True):
            values = example.reshape(source["shape"])
            if self.resets:
                self.interpreter.reset_all_variables()
            self.interpreter.set_tensor(source["index"], to_type(values, source))
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
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the scores of one example."""
        return (self.outputs,)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example; -1, as it may have any number of frames."""
        return (-1, *self.frame_shape)

    def predict(self, x: Floats) -> Floats:
        """Return scores `(n, outputs)` after the last frame of `(n, frames, *frame_shape)`."""
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
    """A `.keras` file.

    Attributes:
        path: Where it is.
        model: It, opened.
        name: What to call it in messages: its path, or what else its owner knows it by.
        custom: Code that it needs beside Keras's own, wherever it is opened.
    """

    path: Path
    model: Any
    name: str
    custom: CustomCode = field(default_factory=CustomCode)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return tuple(self.model.inputs[0].shape[1:])

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the scores of one example."""
        return tuple(self.model.outputs[0].shape[1:])

    @property
    def outputs(self) -> int:
        """Number of scores, of one frame where it gives those of frames."""
        return int(self.output_shape[-1])

    def predict(self, x: Floats) -> Floats:
        """Return scores `(n, *output_shape)` of examples `(n, *input_shape)`."""
        _check_shape(self.name, x, self.input_shape)
        with quiet():  # of several models TensorFlow warns that each has its own function
            scores = self.model.predict(x, batch_size=_KERAS_BATCH, verbose=0)
        return np.asarray(scores, np.float32)


def _check_shape(name: str, x: Floats, shape: tuple[int, ...]) -> None:
    if x.shape[1:] != shape:
        raise ExportError(
            f"{name} takes examples of {shape}, not {x.shape[1:]}: use the front end it was "
            "trained with"
        )


def to_type(x: Floats, details: Any) -> NDArray[Any]:
    """Return numbers in the type and scale of a tensor, given LiteRT's details of it."""
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
