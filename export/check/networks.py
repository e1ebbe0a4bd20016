"""Model files that are ready to run, all in the same way: LiteRT's and Keras's."""

from __future__ import annotations

from collections.abc import Sequence
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
    """A `.tflite` file of one step, with its states; see `kerasnas.export.keras_model.step`.

    Attributes:
        path: Where it is.
        interpreter: LiteRT's.
        frame_shape: Of one frame.
        outputs: Number of scores.
        frames: Of one step.
    """

    path: Path
    interpreter: Any
    frame_shape: tuple[int, ...]
    outputs: int
    frames: int = 1

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the scores of one example."""
        return (self.outputs,)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example; -1, as it may have any number of frames."""
        return (-1, *self.frame_shape)

    def predict(self, x: Floats) -> Floats:
        """Return scores `(n, outputs)` after the last whole step of `(n, frames, *frame_shape)`."""
        if x.shape[2:] != self.frame_shape or x.shape[1] < self.frames:
            raise ExportError(
                f"{self.path} takes frames of {self.frame_shape}, {self.frames} at a time, not "
                f"{x.shape[1]} of {x.shape[2:]}: use the front end it was trained with"
            )
        scores = np.zeros((len(x), self.outputs), np.float32)
        for row, example in zip(scores, x, strict=True):
            states = self.begin()
            for end in range(self.frames, len(example) + 1, self.frames):
                row[:], states = self.step(example[end - self.frames : end], states)
        return scores

    def begin(self) -> list[Floats]:
        """Return the states before the first step."""
        _, *states = self.interpreter.get_input_details()
        return [np.zeros(state["shape"], state["dtype"]) for state in states]

    def step(self, x: Floats, states: Sequence[Floats]) -> tuple[Floats, list[Floats]]:
        """Return scores `(outputs,)` after one step, and the states for the next one.

        Args:
            x: Its frames, `(frames, *frame_shape)`.
            states: From the step before, or from `begin`.
        """
        frame, *inputs = self.interpreter.get_input_details()
        sink, *results = self.interpreter.get_output_details()
        self.interpreter.set_tensor(frame["index"], x[None])
        for details, value in zip(inputs, states, strict=True):
            self.interpreter.set_tensor(details["index"], value)
        self.interpreter.invoke()
        after = [self.interpreter.get_tensor(result["index"]) for result in results]
        return self.interpreter.get_tensor(sink["index"])[0], after


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
