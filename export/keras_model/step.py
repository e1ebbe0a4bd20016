"""The `step` form: some frames in, scores out, what was before them being ends of the file.

For sound that does not end: the application feeds frames as they come, as many at a time as the
strides of the network leave one of (one where there are no strides), and hands the states that come
out back in with the next ones; zeros begin anew. States are those of recurrent layers, the frames
that a causal convolution has to see again, and what a mean or maximum over a clip's frames is taken
over. After the last frame of a clip the scores are those of the whole network. From then on, a mean
or maximum is that of the last frames, as many as a clip has; before, what is missing is zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arrays import Floats
from ..errors import ExportError
from .frames import Frames, LongerStep, places, window_of
from .private import call_again

STATE_NAME = "state"
_MOST_CALIBRATION = 400  # steps with their states

_BY_ELEMENT = frozenset(
    {"Activation", "ActivityRegularization", "Add", "AlphaDropout", "Average", "Dropout", "ELU"}
    | {"GaussianDropout", "GaussianNoise", "Identity", "LeakyReLU", "Maximum", "Minimum"}
    | {"Multiply", "Normalization", "ReLU", "Rescaling", "SpatialDropout1D", "SpatialDropout2D"}
    | {"Subtract"}
)
_OVER_CLIPS = frozenset(
    f"Global{kind}Pooling{rank}" for kind in ("Average", "Max") for rank in ("1D", "2D")
)


@dataclass
class _Stepper:
    """Calls a network's layers again, on the frames of one step and the states before them."""

    states: list[Any] = field(default_factory=list)
    next_states: list[Any] = field(default_factory=list)
    # Of tensors, by their ids; None for those of a whole clip.
    frames: dict[int, Frames | None] = field(default_factory=dict)

    def run(self, network: Any, inputs: Any) -> Any:
        return call_again(network, inputs, self._call)

    def _call(self, layer: Any, *arguments: Any, **keywords: Any) -> Any:
        import keras

        if isinstance(layer, keras.Model):
            return self.run(layer, arguments[0])
        inputs = [x for x in keras.tree.flatten(arguments) if id(x) in self.frames]
        found = {self.frames[id(x)] for x in inputs}
        if not found:  # of no frames at all
            return layer(*arguments, **keywords)
        if len(found) > 1:
            why = "a whole clip's" if None in found else "others of another length or place"
            raise ExportError(f"the layer {layer.name!r} joins frames with {why}")
        [frames] = found
        after: Frames | None
        if frames is None:
            output, after = layer(*arguments, **keywords), None
        elif isinstance(layer, keras.layers.RNN) and len(inputs) == 1:
            output, after = self._recurrent(layer, inputs[0], frames, **keywords)
        elif type(layer).__name__ in _OVER_CLIPS:
            output, after = self._over_clip(layer, inputs[0], frames), None
        elif type(layer).__name__ in ("ZeroPadding1D", "ZeroPadding2D"):
            output, after = self._padded(layer, inputs[0], frames)
        elif (window := window_of(layer)) is not None:
            x = inputs[0]
            if window.own and not frames.before:
                x, frames = self._with_earlier(x, frames, window.own)
                layer = _copied(layer, layer.input.shape, padding="valid")
            after = places(layer.name, window, frames)
            output = layer(x[:, -frames.before :] if frames.before < 0 else x)
        else:
            output, after = self._by_frame(layer, frames, *arguments, **keywords)
        self.frames |= {id(tensor): after for tensor in keras.tree.flatten(output)}
        return output

    def _by_frame(
        self, layer: Any, frames: Frames, *arguments: Any, **keywords: Any
    ) -> tuple[Any, Frames]:
        import keras

        title = type(layer).__name__
        if title == "Reshape" and not frames.before:
            target = tuple(layer.target_shape)
            if target[0] == frames.clip:
                return keras.layers.Reshape((frames.step, *target[1:]))(arguments[0]), frames
        if title == "GetItem" and isinstance(arguments[1], tuple | list) and len(arguments[1]) == 2:
            first, second = arguments[1]  # a list in a model that was read from a file
            if first is Ellipsis:  # some channels
                return layer(*arguments), frames
            if first == slice(None) and second.stop == frames.clip and not frames.before:
                # The first ones are left out where a convolution with a longer stride reads them.
                return arguments[0], frames._replace(before=-(second.start or 0))
        rank = len(keras.tree.flatten(arguments)[0].shape)
        last = {"axis": (-1, rank - 1)}
        allowed = (
            title in _BY_ELEMENT
            or (title == "Dense" and rank > 2)
            or (title == "Concatenate" and layer.axis in last["axis"])
            or (title == "BatchNormalization" and layer.axis in last["axis"])
            or (title == "Softmax" and layer.axis in last["axis"])
            or (title == "LayerNormalization" and _axes(layer) <= {-1, rank - 1})
            or title == "TimeDistributed"
        )
        if not allowed:
            raise ExportError(
                f"the layer {layer.name!r} ({title}) needs more than one frame, or is not known to "
                "do with one: the step form takes networks of layers that act frame by frame, "
                "convolutions and poolings that do not look ahead, and recurrent layers, with the "
                "last output, or a mean or maximum over frames, at the end"
            )
        return layer(*arguments, **keywords), frames

    def _state(self, shape: tuple[int, ...]) -> Any:
        """Return a new input for what was before."""
        import keras

        self.states.append(keras.Input(shape, name=f"{STATE_NAME}{len(self.states)}"))
        return self.states[-1]

    def _with_earlier(self, x: Any, frames: Frames, count: int) -> tuple[Any, Frames]:
        """Put the frames of earlier steps, zeros at first, before those of this one."""
        import keras

        state = self._state((count, *x.shape[2:]))
        joined = keras.layers.Concatenate(axis=1)([state, x])
        self.next_states.append(joined[:, frames.step :])
        return joined, frames._replace(before=count)

    def _padded(self, layer: Any, x: Any, frames: Frames) -> tuple[Any, Frames]:
        import keras

        flat = type(layer).__name__ == "ZeroPadding1D"
        (before, behind), *sides = [layer.padding] if flat else layer.padding
        if behind or (before and frames.before):
            raise ExportError(
                f"the layer {layer.name!r} pads {behind} frames behind the last one, and "
                f"{frames.before + before} before the first: the step form takes networks that are "
                "padded once, before their frames alone, as model.causal does"
            )
        if before:
            x, frames = self._with_earlier(x, frames, before)
        if any(map(any, sides)):
            x = keras.layers.ZeroPadding2D(((0, 0), *sides))(x)
        return x, frames

    def _over_clip(self, layer: Any, x: Any, frames: Frames) -> Any:
        """Take a mean or maximum over the last frames, as many as a clip has."""
        import keras

        title, (clip, step, before) = type(layer).__name__, frames
        if before or clip % step:
            raise ExportError(
                f"the layer {layer.name!r} is over {clip} frames, which are no whole steps of "
                f"{step} without padding: strides beside it must not be longer"
            )
        over = keras.ops.mean if "Average" in title else keras.ops.max
        if title.endswith("2D"):
            x = over(x, axis=2)
        if clip > step:
            x, _ = self._with_earlier(x, frames, clip - step)
        return over(x, axis=1) if not layer.keepdims else _kept(over(x, axis=1), title)

    def _recurrent(
        self, layer: Any, x: Any, frames: Frames, **keywords: Any
    ) -> tuple[Any, Frames | None]:
        import keras

        sizes = layer.state_size
        plain = not (layer.go_backwards or layer.stateful or layer.return_state)
        given = (keywords.get("mask"), keywords.get("initial_state"))
        if not plain or any(value is not None for value in given) or frames.before:
            raise ExportError(
                f"the recurrent layer {layer.name!r} cannot go step by step: it must read frames "
                "forwards, without padding, masks, initial states and returned states"
            )
        carried = [self._state((n,)) for n in ([sizes] if isinstance(sizes, int) else sizes)]
        # All cells of a kind have one name, and a model takes a name once.
        cell = _copied(layer.cell, (None, *x.shape[2:]), name=f"{layer.name}.cell")
        outputs = []
        for index in range(frames.step):
            alone = keras.layers.Reshape(tuple(x.shape[2:]))
            frame = alone(x) if frames.step == 1 else x[:, index]
            output, after = cell(frame, carried)
            carried = list(after) if isinstance(after, list | tuple) else [after]
            outputs.append(output)
        self.next_states += carried
        if not layer.return_sequences:
            return outputs[-1], None
        rows = [keras.layers.Reshape((1, *output.shape[1:]))(output) for output in outputs]
        return (rows[0] if len(rows) == 1 else keras.layers.Concatenate(axis=1)(rows)), frames


def _axes(layer: Any) -> set[int]:
    return {layer.axis} if isinstance(layer.axis, int) else set(layer.axis)


def _kept(x: Any, title: str) -> Any:
    """Return a vector with the axes that were pooled, of length 1."""
    import keras

    return keras.layers.Reshape(((1, 1) if title.endswith("2D") else (1,)) + x.shape[1:])(x)


def _copied(layer: Any, shape: tuple[int | None, ...], **changes: Any) -> Any:
    """Return a layer of the same weights, other settings, and an input of some shape."""
    copy = type(layer).from_config({**layer.get_config(), **changes})
    copy.build(shape)
    copy.set_weights(layer.get_weights())
    return copy


def stepwise(model: Any) -> Any:
    """Return a network of the frames of one step and states, with the weights of one of frames.

    Args:
        model: Functional or sequential; its input `(frames, ...)`, its output `(classes,)`.

    Returns:
        A model of the inputs `(frames of a step, ...)` and the states, in order of computation; its
        outputs are the scores and the next states. A step has as many frames as the product of the
        strides and poolings along frames; a clip's last frames that make no whole step count
        nowhere, in the whole network either.

    Raises:
        ExportError: A layer looks ahead, or nothing goes from step to step; the message names it.
    """
    import keras

    clip, *rest = model.inputs[0].shape[1:]
    step = 1
    while True:
        if step > clip:
            raise ExportError(f"a step would have {step} frames, more than a clip, {clip}")
        frames, stepper = keras.Input((step, *rest), name="features"), _Stepper()
        stepper.frames[id(frames)] = Frames(clip, step)
        try:
            scores = stepper.run(keras.Model(model.inputs[0], model.outputs[0]), frames)
            break
        except LongerStep as longer:
            step *= longer.factor
    if not stepper.states:
        raise ExportError("nothing goes from frame to frame: there is nothing to go step by step")
    if stepper.frames[id(scores)] is not None:
        raise ExportError("the network gives scores of frames: the step form takes one for a clip")
    return keras.Model([frames, *stepper.states], [scores, *stepper.next_states])


def step_calibration(step: Any, calibration: Floats) -> list[Floats]:
    """Return inputs of a network of one step while it hears clips.

    Args:
        step: From `stepwise`.
        calibration: `(examples, frames, ...)`.

    Returns:
        For each input, `(n, *its shape)`: frames and the states before them, evenly chosen.
    """
    states = [np.zeros((len(calibration), *s.shape[1:]), np.float32) for s in step.inputs[1:]]
    length = step.inputs[0].shape[1]
    seen: list[list[Floats]] = []
    for end in range(length, calibration.shape[1] + 1, length):
        inputs = [calibration[:, end - length : end], *states]
        seen.append(inputs)
        _, *states = (np.asarray(value) for value in step(inputs, training=False))
    stacked = [np.concatenate(values) for values in zip(*seen, strict=True)]
    chosen = np.linspace(0, len(stacked[0]) - 1, min(_MOST_CALIBRATION, len(stacked[0])))
    return [values[chosen.astype(int)] for values in stacked]
