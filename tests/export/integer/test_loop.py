"""Loops of integers against Keras' layers in float, cell by cell."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kerasnas.export.flatbuffer.graph import Scale, TfliteFile
from kerasnas.export.integer.loop import write_loop
from kerasnas.export.integer.writer import int8_scale
from kerasnas.export.keras_model.recurrent import Cell, Range, cells, trace

KINDS = ("gru", "gru_reset_before", "lstm")


def _layer(kind: str, units: int, **changes: Any) -> Any:
    from keras import layers

    if kind == "lstm":
        return layers.LSTM(units, **changes)
    return layers.GRU(units, reset_after=kind == "gru", **changes)


def _build(layer: Any, channels: int, rng: np.random.Generator) -> None:
    layer.build((None, None, channels))
    for weight in layer.weights:
        weight.assign(rng.normal(0, 1 / np.sqrt(weight.shape[0]), weight.shape))


def _run(
    cell: Cell,
    x: np.ndarray,
    first: tuple[np.ndarray, ...] = (),
    mask: np.ndarray | None = None,
    which: int | None = None,
) -> tuple[np.ndarray, float]:
    """A loop's outputs, calibrated on the examples themselves, and their step.

    `first` are states `(units,)`, `mask` is `(frames,)`, all the same for every example; `which`
    of the last states is the output, if one is.
    """
    from ai_edge_litert.interpreter import Interpreter

    repeated = tuple(np.tile(state, (len(x), 1)).astype(np.float32) for state in first)
    found = trace(cell, x, repeated, None if mask is None else np.tile(mask, (len(x), 1)))
    file = TfliteFile()
    starts = []
    for state in first:
        step = int8_scale(Range.of(state))
        integers = np.clip(np.round(state / step.step) + step.zero, -128, 127).astype(np.int8)
        starts.append(file.main.constant(integers[None], step))
    kept = None
    if mask is not None:
        kept = file.main.constant((255 * mask - 128).astype(np.int8)[None], Scale(1 / 255, -128))
    scale = int8_scale(Range.of(x))
    inputs = file.main.tensor((1, *x.shape[1:]), "int8", scale)
    scale_ = int8_scale(found.ranges["output"])
    written = write_loop(file, cell, inputs, found.ranges, scale_, starts, kept)
    output = written.output if which is None else written.states[which]
    file.main.t.inputs, file.main.t.outputs = [inputs.place], [output.place]
    interpreter = Interpreter(model_content=file.content(), num_threads=1)
    interpreter.allocate_tensors()
    (source,), (sink,) = interpreter.get_input_details(), interpreter.get_output_details()
    results = []
    for example in np.clip(np.round(x / scale.step) + scale.zero, -128, 127).astype(np.int8):
        interpreter.set_tensor(source["index"], example[None])
        interpreter.invoke()
        results.append(interpreter.get_tensor(sink["index"])[0].astype(np.float64))
    step, zero = sink["quantization"]
    return (np.array(results) - zero) * step, step


def _tolerance(cell: Cell, x: np.ndarray) -> float:
    """Root mean square error that rounding to int8 explains.

    A number rounded to steps s is off by s / sqrt(12) in the mean square. In front of the gates
    there are such errors of the two products themselves, of the input and the state that are
    multiplied (times the norm of a column of the kernel), and of the kernels (times the norm of
    what they multiply). A gate passes on at most what it gets, and the state is a mean over steps;
    what comes back through the recurrent kernel at most doubles it. The output is rounded, too.
    """
    ranges = trace(cell, x).ranges

    def rounding(range_: Range) -> float:
        return (range_.high - range_.low) / 255 / np.sqrt(12)

    def column(kernel: np.ndarray) -> float:
        return float(np.sqrt((kernel**2).sum(axis=0).mean()))

    output = rounding(ranges["output"])
    parts = [
        rounding(ranges["inputs"]),
        rounding(ranges["states"]),
        rounding(Range.of(x)) * column(cell.kernel),
        output * column(cell.recurrent_kernel),
        np.abs(cell.kernel).max() / 127 / np.sqrt(12) * np.sqrt(cell.kernel.shape[0] * x.var()),
        np.abs(cell.recurrent_kernel).max() / 127 / np.sqrt(12) * np.sqrt(cell.units / 3),
    ]
    return float(2 * np.linalg.norm(parts) + output)


@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_computes_what_the_layer_does(kind: str, backward: bool, sequences: bool, seed: int):
    _compare_with_layer(kind, backward, sequences, seed)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
def test_many_loops_compute_what_the_layer_does(kind: str, seed: int):
    for step in range(40):
        _compare_with_layer(kind, bool(step & 1), bool(step & 2), seed + step)


def _compare_with_layer(kind: str, backward: bool, sequences: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames, units, channels = (int(rng.integers(2, high)) for high in (80, 48, 40))
    layer = _layer(kind, units, return_sequences=sequences, go_backwards=backward)
    _build(layer, channels, rng)
    x = rng.normal(size=(8, frames, channels)).astype(np.float32)
    expected = layer(x).numpy()
    (cell,) = cells(layer) or ()
    np.testing.assert_allclose(trace(cell, x).output, expected, atol=1e-5)
    outputs, step = _run(cell, x)
    error = float(np.sqrt(np.mean((outputs - expected) ** 2)))
    assert error < _tolerance(cell, x), (seed, error, step)
    assert np.std(expected) > 5 * error, "there is something to get wrong"


@pytest.mark.parametrize("kind", KINDS)
def test_one_frame_meets_a_state_of_zeros(kind: str):
    rng = np.random.default_rng(4)
    layer = _layer(kind, 8)
    _build(layer, 6, rng)
    x = rng.normal(size=(8, 1, 6)).astype(np.float32)
    for weights in (layer.get_weights(), [np.zeros_like(w) for w in layer.get_weights()]):
        layer.set_weights(weights)
        (cell,) = cells(layer) or ()
        outputs, _ = _run(cell, x)
        np.testing.assert_allclose(outputs, layer(x).numpy(), atol=_tolerance(cell, x) + 0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_both_directions_are_aligned(kind: str):
    from keras import layers

    rng = np.random.default_rng(5)
    both = layers.Bidirectional(_layer(kind, 6, return_sequences=True))
    both.build((None, 9, 4))
    x = rng.normal(size=(4, 9, 4)).astype(np.float32)
    expected = both(x).numpy()
    outputs = [_run(cell, x)[0] for cell in cells(both) or ()]
    np.testing.assert_allclose(np.concatenate(outputs, axis=-1), expected, atol=0.06)


def test_a_slow_state_is_kept_for_many_frames():
    """An update gate of 0.998 moves the state by less than half an int8 step a frame."""
    rng = np.random.default_rng(2)
    layer = _layer("gru", 8, return_sequences=True)
    _build(layer, 4, rng)
    (cell,) = cells(layer) or ()
    bias = cell.bias.copy()
    bias[:8] = 6
    kernel, recurrent_kernel = cell.kernel.copy(), cell.recurrent_kernel * 0.3
    kernel[:, :8] = recurrent_kernel[:, :8] = 0
    cell = replace(
        cell,
        kernel=kernel,
        recurrent_kernel=recurrent_kernel,
        bias=bias,
        recurrent_bias=np.zeros_like(bias),
    )
    x = (rng.normal(size=(4, 1, 4)) * np.ones((1, 600, 1))).astype(np.float32)
    expected = trace(cell, x).output
    outputs, step = _run(cell, x)
    moves = np.abs(np.diff(expected[:, 50:], axis=1))
    assert moves.max() < step / 2
    assert np.abs(expected[:, -1] - expected[:, 50]).max() > 20 * step
    assert np.abs(outputs - expected).max() < 4 * step


def _other(title: str, **changes: Any) -> tuple[Any, Cell, np.ndarray]:
    """A layer that differs from the usual ones, its cell, and examples."""
    from keras import layers

    rng = np.random.default_rng(7)
    layer = getattr(layers, title)(8, **changes)
    _build(layer, 6, rng)
    layer.cell.recurrent_kernel.assign(0.6 * layer.cell.recurrent_kernel)
    (cell,) = cells(layer) or ()
    return layer, cell, rng.normal(size=(8, 20, 6)).astype(np.float32)


def _assert_close(outputs: np.ndarray, expected: np.ndarray, share: float = 0.02) -> None:
    """By root mean square, as a share of the range that the numbers have."""
    error = float(np.sqrt(np.mean((outputs - expected) ** 2)))
    assert error < share * np.ptp(expected)
    assert np.std(expected) > 5 * error, "there is something to get wrong"


@pytest.mark.parametrize(
    ("title", "changes"),
    [
        ("SimpleRNN", {}),
        ("SimpleRNN", {"activation": "relu", "return_sequences": True}),
        ("GRU", {"recurrent_activation": "hard_sigmoid", "return_sequences": True}),
        ("GRU", {"activation": "relu", "reset_after": False}),
        ("GRU", {"activation": "sigmoid", "go_backwards": True}),
        ("LSTM", {"recurrent_activation": "hard_sigmoid", "activation": "relu"}),
        ("LSTM", {"activation": "sigmoid", "return_sequences": True}),
    ],
)
def test_cells_of_other_activations(title: str, changes: dict[str, Any]):
    layer, cell, x = _other(title, **changes)
    expected = layer(x).numpy()
    np.testing.assert_allclose(trace(cell, x).output, expected, atol=1e-4)
    _assert_close(_run(cell, x)[0], expected)


@pytest.mark.parametrize("title", ["GRU", "LSTM", "SimpleRNN"])
def test_first_states_go_in_and_last_states_come_out(title: str):
    layer, cell, x = _other(title, return_state=True, return_sequences=True)
    rng = np.random.default_rng(8)
    first = tuple(rng.uniform(-1.5, 1.5, 8).astype(np.float32) for _ in range(cell.carries))
    given = [np.tile(state, (len(x), 1)) for state in first]
    expected = [value.numpy() for value in layer(x[:, :5], initial_state=given)]
    _assert_close(_run(cell, x[:, :5], first)[0], expected[0])
    for which, state in enumerate(expected[1:]):
        _assert_close(_run(cell, x[:, :5], first, which=which)[0], state)


@pytest.mark.parametrize("title", ["GRU", "LSTM", "SimpleRNN"])
@pytest.mark.parametrize("backward", [False, True])
def test_frames_that_a_mask_leaves_out_change_nothing(title: str, backward: bool):
    changes = {"go_backwards": backward, "zero_output_for_mask": backward}
    layer, cell, x = _other(title, return_sequences=True, **changes)
    mask = np.ones(20)
    mask[[0, 3, 4, 11, 18, 19]] = 0
    expected = layer(x, mask=np.tile(mask, (8, 1)).astype(bool)).numpy()
    np.testing.assert_allclose(
        trace(cell, x, (), np.tile(mask, (8, 1))).output, expected, atol=1e-5
    )
    _assert_close(_run(cell, x, mask=mask)[0], expected)


@pytest.mark.parametrize("title", ["GRU", "LSTM", "SimpleRNN"])
@pytest.mark.parametrize("sequences", [True, False])
def test_a_mask_and_first_states_go_together(title: str, sequences: bool):
    layer, cell, x = _other(title, return_sequences=sequences, return_state=True)
    rng = np.random.default_rng(9)
    first = tuple(rng.uniform(-1, 1, 8).astype(np.float32) for _ in range(cell.carries))
    given = [np.tile(state, (len(x), 1)) for state in first]
    mask = np.ones(20)
    mask[[0, 1, 6, 19]] = 0  # zeros come out of the first two, and not the first state
    kept = np.tile(mask, (len(x), 1))
    expected = [v.numpy() for v in layer(x, initial_state=given, mask=kept.astype(bool))]
    found = trace(cell, x, tuple(given), kept)
    np.testing.assert_allclose(found.output, expected[0], atol=1e-5)
    _assert_close(_run(cell, x, first, mask)[0], expected[0])
    for which, state in enumerate(expected[1:]):
        _assert_close(_run(cell, x, first, mask, which)[0], state)
    nothing = np.zeros(20)
    assert not _run(cell, x, first, nothing)[0].any()
    _assert_close(_run(cell, x, first, nothing, 0)[0], given[0])


def test_what_has_no_loop_has_no_cells():
    from keras import layers

    for layer in (
        layers.GRU(3, activation="elu"),
        layers.LSTM(3, recurrent_activation="hard_silu"),
        layers.GRU(3, stateful=True),
        layers.GRU(3, zero_output_for_mask=True),
        layers.RNN(layers.GRUCell(3)),
        layers.Bidirectional(layers.RNN(layers.GRUCell(3))),
    ):
        assert cells(layer) is None
