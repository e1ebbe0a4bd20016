"""The `step` form: one frame in, scores out, the states of recurrent layers being ends of the file.

For sound that does not end: the application feeds one frame at a time, and hands the states that
come out back in with the next one; zeros begin anew. After the last frame of a clip the scores are
those of the whole network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arrays import Floats
from ..errors import ExportError
from .private import call_again

STATE_NAME = "state"
_MOST_CALIBRATION = 400  # frames with their states

_BY_ELEMENT = frozenset(
    {"Activation", "ActivityRegularization", "Add", "AlphaDropout", "Average", "Dropout", "ELU"}
    | {"GaussianDropout", "GaussianNoise", "Identity", "LeakyReLU", "Maximum", "Minimum"}
    | {"Multiply", "Normalization", "ReLU", "Rescaling", "SpatialDropout1D", "SpatialDropout2D"}
    | {"Subtract"}
)
_BY_WINDOW = {  # what says how many frames a layer looks at
    "AveragePooling1D": ("pool_size", "strides"),
    "AveragePooling2D": ("pool_size", "strides"),
    "Conv1D": ("kernel_size", "strides"),
    "Conv2D": ("kernel_size", "strides"),
    "DepthwiseConv1D": ("kernel_size", "strides"),
    "DepthwiseConv2D": ("kernel_size", "strides"),
    "MaxPooling1D": ("pool_size", "strides"),
    "MaxPooling2D": ("pool_size", "strides"),
    "SeparableConv1D": ("kernel_size", "strides"),
    "SeparableConv2D": ("kernel_size", "strides"),
}


@dataclass
class _Stepper:
    """Calls a network's layers again, on one frame and the states before it."""

    frames: int
    states: list[Any] = field(default_factory=list)
    next_states: list[Any] = field(default_factory=list)
    without_frames: set[int] = field(default_factory=set)  # ids of tensors behind the last states

    def run(self, network: Any, inputs: Any) -> Any:
        return call_again(network, inputs, self._call)

    def _call(self, layer: Any, *arguments: Any, **keywords: Any) -> Any:
        import keras

        if isinstance(layer, keras.Model):
            return self.run(layer, arguments[0])
        inputs = keras.tree.flatten(arguments)
        if isinstance(layer, keras.layers.RNN) and len(inputs) == 1:
            return self._recurrent(layer, inputs[0], **keywords)
        vectors = [id(x) in self.without_frames for x in inputs]
        if any(vectors):
            if not all(vectors):
                raise ExportError(f"the layer {layer.name!r} joins frames with a whole clip's")
            output = layer(*arguments, **keywords)
            self.without_frames.update(id(tensor) for tensor in keras.tree.flatten(output))
            return output
        return self._one_frame(layer, *arguments, **keywords)

    def _one_frame(self, layer: Any, *arguments: Any, **keywords: Any) -> Any:
        import keras

        title = type(layer).__name__
        if title == "Reshape":
            target = tuple(layer.target_shape)
            if target[0] == self.frames:
                return keras.layers.Reshape((1, *target[1:]))(arguments[0])
        rank = len(keras.tree.flatten(arguments)[0].shape)
        last = {"axis": (-1, rank - 1)}
        allowed = (
            title in _BY_ELEMENT
            or (title == "Dense" and rank > 2)
            or (title == "Concatenate" and layer.axis in last["axis"])
            or (title == "BatchNormalization" and layer.axis in last["axis"])
            or (title == "Softmax" and layer.axis in last["axis"])
            or (title == "LayerNormalization" and _axes(layer) <= {-1, rank - 1})
            or (title in _BY_WINDOW and _sees_one_frame(layer, _BY_WINDOW[title]))
            or title == "TimeDistributed"
        )
        if not allowed:
            raise ExportError(
                f"the layer {layer.name!r} ({title}) needs more than one frame, or is not known to "
                "do with one: the step form takes networks of layers that act frame by frame, and "
                "recurrent ones, of which the last gives its last output"
            )
        return layer(*arguments, **keywords)

    def _recurrent(self, layer: Any, x: Any, **keywords: Any) -> Any:
        import keras

        sizes = layer.state_size
        plain = not (layer.go_backwards or layer.stateful or layer.return_state)
        given = (keywords.get("mask"), keywords.get("initial_state"))
        if not plain or any(value is not None for value in given):
            raise ExportError(
                f"the recurrent layer {layer.name!r} cannot go step by step: it must read frames "
                "forwards, without masks, initial states and returned states"
            )
        before = []
        for size in [sizes] if isinstance(sizes, int) else list(sizes):
            name = f"{STATE_NAME}{len(self.states)}"
            before.append(keras.Input((size,), name=name))
            self.states.append(before[-1])
        frame = keras.layers.Reshape(tuple(x.shape[2:]))(x)
        output, after = layer.cell(frame, before)
        self.next_states += list(after) if isinstance(after, list | tuple) else [after]
        if layer.return_sequences:
            return keras.layers.Reshape((1, *output.shape[1:]))(output)
        self.without_frames.add(id(output))
        return output


def _axes(layer: Any) -> set[int]:
    return {layer.axis} if isinstance(layer.axis, int) else set(layer.axis)


def _sees_one_frame(layer: Any, names: Sequence[str]) -> bool:
    return all(np.atleast_1d(getattr(layer, name))[0] == 1 for name in names)


def stepwise(model: Any) -> Any:
    """Return a network of one frame and states that shares the weights of a network of frames.

    Args:
        model: Functional or sequential; its input `(frames, ...)`, its output `(classes,)`.

    Returns:
        A model of the inputs `(1, ...)` and the states, `(units,)` each, in order of computation;
        its outputs are the scores and the next states.

    Raises:
        ExportError: A layer looks at several frames, or there is no recurrent layer; the message
            names it.
    """
    import keras

    frames, *rest = model.inputs[0].shape[1:]
    frame = keras.Input((1, *rest), name="features")
    stepper = _Stepper(frames)
    scores = stepper.run(keras.Model(model.inputs[0], model.outputs[0]), frame)
    if not stepper.states:
        raise ExportError("there is no recurrent layer: nothing to go step by step for")
    return keras.Model([frame, *stepper.states], [scores, *stepper.next_states])


def step_calibration(step: Any, calibration: Floats) -> list[Floats]:
    """Return inputs of a network of one frame while it hears clips.

    Args:
        step: From `stepwise`.
        calibration: `(examples, frames, ...)`.

    Returns:
        For each input, `(n, *its shape)`: frames and the states before them, evenly chosen.
    """
    states = [np.zeros((len(calibration), *s.shape[1:]), np.float32) for s in step.inputs[1:]]
    seen: list[list[Floats]] = []
    for index in range(calibration.shape[1]):
        inputs = [calibration[:, index : index + 1], *states]
        seen.append(inputs)
        _, *states = (np.asarray(value) for value in step(inputs, training=False))
    stacked = [np.concatenate(values) for values in zip(*seen, strict=True)]
    chosen = np.linspace(0, len(stacked[0]) - 1, min(_MOST_CALIBRATION, len(stacked[0])))
    return [values[chosen.astype(int)] for values in stacked]
