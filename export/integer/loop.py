"""GRU, LSTM and SimpleRNN cells as loops of integers in a `.tflite` file.

TFLiteConverter has no full-integer loop: it dies of it. Here a loop is written by hand, from
built-in operators: the input's product with all frames is one FULLY_CONNECTED in front of it; a
WHILE then takes the frames in turn. Products are int8 by int8, with int8 results, as everywhere in
an integer file. Gates and states are int16: a state that is kept for many frames would lose in
int8 what each frame adds, as soon as that is less than half a step.

Sums in front of sigmoid and tanh saturate at 16, where both are flat to 1e-6. A hard sigmoid is a
product with a sixth, whose result is cut off at 0 by its activation and at 1 by int16; the 3 that
is added before is a part of the bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..flatbuffer.graph import Scale, TfliteFile, TfliteGraph, TfliteTensor
from ..keras_model.recurrent import Cell, Range
from .writer import RUNTIME, RUNTIME_WRITE_ROW, UNIT, IntegerWriter

_MOST_SUM = 16
_MARGIN = 2  # over what calibration saw of what has no bound: int16 has room for it
_GATES = {"gru": (0, 1), "lstm": (0, 1, 3), "rnn": ()}  # places of gates among a cell's products


class Written(NamedTuple):
    """What a loop gives.

    Attributes:
        output: int8 `(1, frames, units)` or `(1, units)`.
        states: The last states, `(1, units)` each: int8, and an LSTM's cell state, int16.
    """

    output: TfliteTensor
    states: tuple[TfliteTensor, ...]


class _Scales(NamedTuple):
    """Of int16 tensors in a loop.

    Attributes:
        sums: In front of activations.
        values: Of candidates, and of a GRU's and a SimpleRNN's state.
        carried: What goes from step to step: such a state, or an LSTM's cell state.
    """

    sums: Scale
    values: Scale
    carried: Scale


def write_loop(
    file: TfliteFile,
    cell: Cell,
    x: TfliteTensor,
    ranges: dict[str, Range],
    scale: Scale,
    first: Sequence[TfliteTensor] = (),
    mask: TfliteTensor | None = None,
) -> Written:
    """Write a cell's loop into the main graph.

    Args:
        file: What is written to.
        cell: The cell.
        x: Its input, int8 `(1, frames, channels)`.
        ranges: Of the cell's inner tensors, by `kerasnas.export.keras_model.recurrent.trace`.
        scale: Of the int8 output, which is also what the next step multiplies.
        first: First states, `(1, units)` each, in int8 or int16; zeros by default.
        mask: int8 `(1, frames)` of the numbers 0, for frames that leave the state as it is, and 1.
    """
    main = IntegerWriter(file.main)
    frames, units = x.shape[1], cell.units
    cell, ranges = _with_shifted_gates(cell, ranges)
    scales = _scales(cell, ranges)
    starts = [
        main.graph.constant(np.zeros(1, np.int32)),
        main.dense(x, cell.kernel, cell.bias, ranges["inputs"], frames),
        *_first(main, units, scale, scales.carried, first),
    ]
    if mask is not None:
        starts.append(main.reshape(mask, (frames, 1)))
    begun = mask is not None and bool(first) and not cell.zeros
    if mask is not None and begun:
        nothing = np.full((1, 1), mask.scale.zero if mask.scale else 0, np.int8)
        starts.append(main.graph.constant(nothing, mask.scale))
    if cell.sequences:
        starts.append(main.fill((frames, units), scale))
    condition, body = file.graph(), file.graph()
    _condition(condition, starts, frames)
    _body(body, cell, starts, ranges, scales, frames, mask is not None, begun)
    options = file.schema.WhileOptionsT()
    options.condSubgraphIndex = file.model.subgraphs.index(condition.t)
    options.bodySubgraphIndex = file.model.subgraphs.index(body.t)
    ends = [main.graph.tensor(start.shape, start.kind, start.scale) for start in starts]
    main.graph.operator("WHILE", 1, starts, ends, options)
    file.require_runtime(RUNTIME_WRITE_ROW if cell.sequences else RUNTIME)
    output = main.reshape(ends[-1], (1, frames, units)) if cell.sequences else ends[2]
    if begun and not cell.sequences:
        output = _shown(main, main.widen(ends[-1]), main.widen(ends[2]), scale)
    return Written(output, (ends[2], ends[3])[: cell.carries])


def _with_shifted_gates(cell: Cell, ranges: dict[str, Range]) -> tuple[Cell, dict[str, Range]]:
    """Return a cell of hard sigmoids with 3 added to the bias of every gate."""
    if cell.gate != "hard_sigmoid":
        return cell, ranges
    bias = cell.bias.copy().reshape(-1, cell.units)
    bias[list(_GATES[cell.kind])] += 3
    low, high = ranges["inputs"]
    return replace(cell, bias=bias.reshape(-1)), ranges | {"inputs": Range(low, high + 3)}


def _scales(cell: Cell, ranges: dict[str, Range]) -> _Scales:
    bounded = cell.activation != "relu"
    sums = _MOST_SUM if bounded else max(_MOST_SUM, _MARGIN * ranges["sums"].most)
    seen = max(ranges["candidates"].most, ranges["output"].most, 1e-3)
    values = UNIT if bounded else Scale(_MARGIN * seen / 32768)
    if bounded and cell.kind != "lstm" and ranges["output"].most > 1:  # by a first state alone
        values = Scale(_MARGIN * ranges["output"].most / 32768)
    carried = values
    if cell.kind == "lstm":
        carried = Scale(_MARGIN * max(ranges["memory"].most, 1e-3) / 32768)
    return _Scales(Scale(sums / 32768), values, carried)


def _first(
    main: IntegerWriter, units: int, scale: Scale, carried: Scale, first: Sequence[TfliteTensor]
) -> list[TfliteTensor]:
    """Return the first state as it is multiplied, in int8, and what is carried, in int16."""
    if not first:
        return [
            main.graph.constant(np.full((1, units), scale.zero, np.int8), scale),
            main.graph.constant(np.zeros((1, units), np.int16), carried),
        ]
    return [main.narrow(first[0], scale), main.rescale(first[-1], carried)]


def _condition(graph: TfliteGraph, starts: Sequence[TfliteTensor], frames: int) -> None:
    """Go on while the counter is below the number of frames."""
    writer = IntegerWriter(graph)
    counter, *_ = writer.arguments(starts)
    limit = graph.constant(np.array([frames], np.int32))
    answer = graph.tensor((1,), "bool")
    graph.operator("LESS", 1, (counter, limit), (answer,), graph.file.schema.LessOptionsT())
    graph.t.outputs = [answer.place]


def _body(
    graph: TfliteGraph,
    cell: Cell,
    starts: Sequence[TfliteTensor],
    ranges: dict[str, Range],
    scales: _Scales,
    frames: int,
    masked: bool,
    begun: bool,
) -> None:
    """One frame: its row of the input's product, the state's product, gates, the new state.

    With `begun`, a number tells whether a frame has been read: before the first one that a mask
    leaves, Keras gives zeros, and not the first state.
    """
    body = IntegerWriter(graph)
    counter, inputs, narrow, carried, *rest = body.arguments(starts)
    frame = body.int32("SUB", frames - 1, counter) if cell.backward else counter
    row = body.widen(body.gather(inputs, frame))  # microcontrollers gather int8 alone
    step = {"gru": _gru, "lstm": _lstm, "rnn": _rnn}[cell.kind]
    new_carried, state = step(body, cell, row, narrow, carried, ranges, scales)
    if masked:
        read = body.gather(rest[0], frame)
        here = body.widen(read)
        before = body.widen(narrow) if cell.kind == "lstm" else carried
        state = _where(body, here, state, before)
        new_carried = _where(body, here, new_carried, carried) if cell.kind == "lstm" else state
    new_narrow = shown = body.narrow(state, narrow.scale)
    results = [body.int32("ADD", counter, 1), inputs, new_narrow, new_carried]
    if masked:
        results.append(rest[0])
    if begun:
        read = body.write("MAXIMUM", (rest[1], read), (1, 1), "int8", read.scale, version=2)
        results.append(read)
    if cell.sequences:
        if masked and (begun or cell.zeros):
            shown = _shown(body, body.widen(read) if begun else here, state, narrow.scale)
        place = frame if cell.aligned else counter
        results.append(body.write_row(rest[-1], shown, place))
    graph.t.outputs = [result.place for result in results]


def _shown(
    writer: IntegerWriter, here: TfliteTensor, state: TfliteTensor, scale: Scale | None
) -> TfliteTensor:
    """Return an int16 state in int8 where `here` is 1, and zeros where it is 0."""
    return writer.narrow(writer.binary("MUL", here, state, state.scale), scale)


def _where(
    body: IntegerWriter, here: TfliteTensor, new: TfliteTensor, old: TfliteTensor
) -> TfliteTensor:
    """Return `new` where `here` is 1, and `old` where it is 0, in the coarser of their scales."""
    assert new.scale is not None and old.scale is not None
    scale = max(new.scale, old.scale)  # a first state may be beyond what a cell gives
    twice = Scale(2 * scale.step)
    change = body.binary("MUL", here, body.binary("SUB", new, old, twice), twice)
    return body.binary("ADD", old, change, scale)


def _gru(
    body: IntegerWriter,
    cell: Cell,
    row: TfliteTensor,
    narrow: TfliteTensor,
    state: TfliteTensor,
    ranges: dict[str, Range],
    scales: _Scales,
) -> tuple[TfliteTensor, TfliteTensor]:
    """Keras' GRU: the new state, twice."""
    units, kernel = cell.units, cell.recurrent_kernel
    inputs = body.split(row, 3)
    if cell.recurrent_bias is not None:
        products = body.dense(narrow, kernel, cell.recurrent_bias, ranges["states"], 1)
        update, reset, inner = body.split(body.widen(products), 3)
    else:
        products = body.dense(narrow, kernel[:, : 2 * units], None, ranges["states"], 1)
        update, reset = body.split(body.widen(products), 2)
    update = _gate(body, cell, body.binary("ADD", inputs[0], update, scales.sums))
    reset = _gate(body, cell, body.binary("ADD", inputs[1], reset, scales.sums))
    if cell.recurrent_bias is not None:
        inner = body.binary("MUL", reset, inner, inner.scale)
    else:
        kept = body.narrow(body.binary("MUL", reset, state, state.scale), narrow.scale)
        inner = body.dense(kept, kernel[:, 2 * units :], None, ranges["products"], 1)
        inner = body.widen(inner)
    candidate = _activated_sum(body, cell, inputs[2], inner, scales)
    # candidate + update * (state - candidate) needs one product less than Keras' two.
    twice = Scale(2 * scales.values.step)
    change = body.binary("MUL", update, body.binary("SUB", state, candidate, twice), twice)
    state = body.binary("ADD", candidate, change, scales.values)
    return state, state


def _lstm(
    body: IntegerWriter,
    cell: Cell,
    row: TfliteTensor,
    narrow: TfliteTensor,
    memory: TfliteTensor,
    ranges: dict[str, Range],
    scales: _Scales,
) -> tuple[TfliteTensor, TfliteTensor]:
    """Keras' LSTM: the new cell state and the new state, in int16."""
    products = body.dense(narrow, cell.recurrent_kernel, None, ranges["states"], 1)
    gates = body.split(body.binary("ADD", row, body.widen(products), scales.sums), 4)
    let_in, forget, output = (_gate(body, cell, gates[index]) for index in _GATES["lstm"])
    if cell.activation == "relu":  # what is let in is at least 0, as the gate
        added = body.binary("MUL", let_in, gates[2], scales.values, relu=True)
    else:
        added = body.binary("MUL", let_in, body.unary(_NAMES[cell.activation], gates[2]), UNIT)
    kept = body.binary("MUL", forget, memory, memory.scale)
    memory = body.binary("ADD", kept, added, memory.scale)
    if cell.activation == "relu":
        return memory, body.binary("MUL", output, memory, scales.carried, relu=True)
    active = body.unary(_NAMES[cell.activation], memory)
    return memory, body.binary("MUL", output, active, UNIT)


def _rnn(
    body: IntegerWriter,
    cell: Cell,
    row: TfliteTensor,
    narrow: TfliteTensor,
    state: TfliteTensor,
    ranges: dict[str, Range],
    scales: _Scales,
) -> tuple[TfliteTensor, TfliteTensor]:
    """Keras' SimpleRNN: the new state, twice."""
    products = body.widen(body.dense(narrow, cell.recurrent_kernel, None, ranges["states"], 1))
    state = _activated_sum(body, cell, row, products, scales)
    if scales.carried != state.scale:  # of a first state beyond 1
        state = body.rescale(state, scales.carried)
    return state, state


_NAMES = {"sigmoid": "LOGISTIC", "tanh": "TANH"}


def _activated_sum(
    body: IntegerWriter, cell: Cell, x: TfliteTensor, y: TfliteTensor, scales: _Scales
) -> TfliteTensor:
    if cell.activation == "relu":
        return body.binary("ADD", x, y, scales.values, relu=True)
    return body.unary(_NAMES[cell.activation], body.binary("ADD", x, y, scales.sums))


def _gate(body: IntegerWriter, cell: Cell, x: TfliteTensor) -> TfliteTensor:
    if cell.gate == "sigmoid":
        return body.unary("LOGISTIC", x)
    sixth = body.graph.constant(np.array([32767], np.int16), Scale(1 / 6 / 32767))
    return body.binary("MUL", x, sixth, UNIT, relu=True)
