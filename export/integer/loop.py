"""GRU and LSTM cells as loops of integers in a `.tflite` file.

TFLiteConverter has no full-integer loop: it dies of it. Here a loop is written by hand, from
built-in operators: the input's product with all frames is one FULLY_CONNECTED in front of it; a
WHILE then takes the frames in turn. Products are int8 by int8, with int8 results, as everywhere in
an integer file. Gates and states are int16: a state that is kept for many frames would lose in
int8 what each frame adds, as soon as that is less than half a step.

Sums in front of sigmoid and tanh saturate at 16, where both are flat to 1e-6.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..flatbuffer.graph import Scale, TfliteFile, TfliteGraph, TfliteTensor
from ..keras_model.recurrent import Cell, Range
from .writer import RUNTIME, RUNTIME_WRITE_ROW, UNIT, IntegerWriter

_TWICE = Scale(2 / 32768)
_SUM = Scale(16 / 32768)
_MEMORY_MARGIN = 2  # of an LSTM's cell state, over what calibration saw: int16 has room for it


def write_loop(
    file: TfliteFile,
    cell: Cell,
    x: TfliteTensor,
    ranges: dict[str, Range],
    scale: Scale,
) -> TfliteTensor:
    """Write a cell's loop into the main graph.

    Args:
        file: What is written to.
        cell: The cell.
        x: Its input, int8 `(1, frames, channels)`.
        ranges: Of the cell's inner tensors, by `kerasnas.export.keras_model.recurrent.trace`.
        scale: Of the int8 output, which is also what the next step multiplies.

    Returns:
        The output, int8 `(1, frames, units)` or `(1, units)`.
    """
    main = IntegerWriter(file.main)
    frames, units = x.shape[1], cell.units
    inputs = main.dense(x, cell.kernel, cell.bias, ranges["inputs"], frames)
    state = np.full((1, units), scale.zero, np.int8)
    starts = [
        main.graph.constant(np.zeros(1, np.int32)),
        main.widen(inputs),
        main.graph.constant(state, scale),
        main.graph.constant(np.zeros((1, units), np.int16), _carried(cell, ranges)),
    ]
    if cell.sequences:
        starts.append(main.fill((frames, units), scale))
    condition, body = file.graph(), file.graph()
    _condition(condition, starts, frames)
    _body(body, cell, starts, ranges, frames)
    options = file.schema.WhileOptionsT()
    options.condSubgraphIndex = file.model.subgraphs.index(condition.t)
    options.bodySubgraphIndex = file.model.subgraphs.index(body.t)
    ends = [main.graph.tensor(start.shape, start.kind, start.scale) for start in starts]
    main.graph.operator("WHILE", 1, starts, ends, options)
    file.require_runtime(RUNTIME_WRITE_ROW if cell.sequences else RUNTIME)
    if not cell.sequences:
        return ends[2]
    return main.reshape(ends[4], (1, frames, units))


def _carried(cell: Cell, ranges: dict[str, Range]) -> Scale:
    """Return the scale of what a cell keeps in int16: a GRU's state, an LSTM's cell state."""
    if cell.kind == "gru":
        return UNIT
    most = max(abs(bound) for bound in ranges["memory"])
    return Scale(_MEMORY_MARGIN * max(most, 1e-3) / 32768)


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
    frames: int,
) -> None:
    """One frame: its row of the input's product, the state's product, gates, the new state."""
    body = IntegerWriter(graph)
    counter, inputs, narrow, carried, *outputs = body.arguments(starts)
    frame = body.int32("SUB", frames - 1, counter) if cell.backward else counter
    row = body.gather(inputs, frame)
    step = _lstm if cell.kind == "lstm" else _gru
    carried, narrow = step(body, cell, row, narrow, carried, ranges)
    results = [body.int32("ADD", counter, 1), inputs, narrow, carried]
    if cell.sequences:
        place = frame if cell.aligned else counter
        results.append(body.write_row(outputs[0], narrow, place))
    graph.t.outputs = [result.place for result in results]


def _gru(
    body: IntegerWriter,
    cell: Cell,
    row: TfliteTensor,
    narrow: TfliteTensor,
    state: TfliteTensor,
    ranges: dict[str, Range],
) -> tuple[TfliteTensor, TfliteTensor]:
    """Keras' GRU: the new state, in int16 and in int8."""
    units, kernel = cell.units, cell.recurrent_kernel
    inputs = body.split(row, 3)
    if cell.recurrent_bias is not None:
        products = body.dense(narrow, kernel, cell.recurrent_bias, ranges["states"], 1)
        update, reset, inner = body.split(body.widen(products), 3)
    else:
        products = body.dense(narrow, kernel[:, : 2 * units], None, ranges["states"], 1)
        update, reset = body.split(body.widen(products), 2)
    update = body.unary("LOGISTIC", body.binary("ADD", inputs[0], update, _SUM))
    reset = body.unary("LOGISTIC", body.binary("ADD", inputs[1], reset, _SUM))
    if cell.recurrent_bias is not None:
        inner = body.binary("MUL", reset, inner, inner.scale)
    else:
        kept = body.narrow(body.binary("MUL", reset, state, UNIT), narrow.scale)
        inner = body.dense(kept, kernel[:, 2 * units :], None, ranges["candidates"], 1)
        inner = body.widen(inner)
    candidate = body.unary("TANH", body.binary("ADD", inputs[2], inner, _SUM))
    # candidate + update * (state - candidate) needs one product less than Keras' two.
    change = body.binary("MUL", update, body.binary("SUB", state, candidate, _TWICE), _TWICE)
    state = body.binary("ADD", candidate, change, UNIT)
    return state, body.narrow(state, narrow.scale)


def _lstm(
    body: IntegerWriter,
    cell: Cell,
    row: TfliteTensor,
    narrow: TfliteTensor,
    memory: TfliteTensor,
    ranges: dict[str, Range],
) -> tuple[TfliteTensor, TfliteTensor]:
    """Keras' LSTM: the new cell state in int16, the new state in int8."""
    products = body.dense(narrow, cell.recurrent_kernel, None, ranges["states"], 1)
    gates = body.split(body.binary("ADD", row, body.widen(products), _SUM), 4)
    let_in, forget, output = (body.unary("LOGISTIC", gates[index]) for index in (0, 1, 3))
    added = body.binary("MUL", let_in, body.unary("TANH", gates[2]), UNIT)
    kept = body.binary("MUL", forget, memory, memory.scale)
    memory = body.binary("ADD", kept, added, memory.scale)
    state = body.binary("MUL", output, body.unary("TANH", memory), UNIT)
    return memory, body.narrow(state, narrow.scale)
