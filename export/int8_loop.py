"""GRU and LSTM cells as loops of integers in a `.tflite` file.

TFLiteConverter has no full-integer loop: it dies of it. Here a loop is written by hand, from
built-in operators: the input's product with all frames is one FULLY_CONNECTED in front of it; a
WHILE then takes the frames in turn. Products are int8 by int8, with int8 results, as everywhere in
an integer file. Gates and states are int16: a state that is kept for many frames would lose in
int8 what each frame adds, as soon as that is less than half a step.

An int8 tensor becomes int16 with 1/128 of its step, which loses nothing. Sums in front of sigmoid
and tanh saturate at 16, where both are flat to 1e-6.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kerasnas.export.recurrent import Cell, Range
from kerasnas.export.tflite_graph import Graph, Scale, Tensor, TfliteFile

_UNIT = Scale(1 / 32768)  # what LOGISTIC and TANH give in int16
_TWICE = Scale(2 / 32768)
_SUM = Scale(16 / 32768)
_FINER = 128
_MEMORY_MARGIN = 2  # of an LSTM's cell state, over what calibration saw: int16 has room for it
_RUNTIME = (2, 4, 0)  # SUB and ADD of int16
_RUNTIME_SEQUENCES = (2, 9, 0)  # DYNAMIC_UPDATE_SLICE


def int8_scale(range_: Range) -> Scale:
    """The scale of int8 that covers a range."""
    step = max(range_.high - range_.low, 1e-6) / 255
    return Scale(step, round(-128 - range_.low / step))


def write_loop(
    file: TfliteFile,
    cell: Cell,
    x: Tensor,
    ranges: dict[str, Range],
    scale: Scale,
) -> Tensor:
    """Write a cell's loop into the main graph.

    Args:
        file: What is written to.
        cell: The cell.
        x: Its input, int8 `(1, frames, channels)`.
        ranges: Of the cell's inner tensors, by `kerasnas.export.recurrent.trace`.
        scale: Of the int8 output, which is also what the next step multiplies.

    Returns:
        The output, int8 `(1, frames, units)` or `(1, units)`.
    """
    main = _Writer(file.main)
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
    file.require_runtime(_RUNTIME_SEQUENCES if cell.sequences else _RUNTIME)
    if not cell.sequences:
        return ends[2]
    return main.reshape(ends[4], (1, frames, units))


def _carried(cell: Cell, ranges: dict[str, Range]) -> Scale:
    """The scale of what a cell keeps in int16: a GRU's state, an LSTM's cell state."""
    if cell.kind == "gru":
        return _UNIT
    most = max(abs(bound) for bound in ranges["memory"])
    return Scale(_MEMORY_MARGIN * max(most, 1e-3) / 32768)


def _condition(graph: Graph, starts: Sequence[Tensor], frames: int) -> None:
    """Go on while the counter is below the number of frames."""
    writer = _Writer(graph)
    counter, *_ = writer.arguments(starts)
    limit = graph.constant(np.array([frames], np.int32))
    answer = graph.tensor((1,), "bool")
    graph.operator("LESS", 1, (counter, limit), (answer,), graph.file.schema.LessOptionsT())
    graph.t.outputs = [answer.place]


def _body(
    graph: Graph, cell: Cell, starts: Sequence[Tensor], ranges: dict[str, Range], frames: int
) -> None:
    """One frame: its row of the input's product, the state's product, gates, the new state."""
    body = _Writer(graph)
    counter, inputs, narrow, carried, *outputs = body.arguments(starts)
    one = graph.constant(np.ones(1, np.int32))
    frame = counter
    if cell.backward:
        frame = body.binary("SUB", graph.constant(np.array([frames - 1], np.int32)), counter, None)
    row = body.gather(inputs, frame)
    step = _lstm if cell.kind == "lstm" else _gru
    carried, narrow = step(body, cell, row, narrow, carried, ranges)
    results = [body.binary("ADD", counter, one, None), inputs, narrow, carried]
    if cell.sequences:
        place = frame if cell.aligned else counter
        results.append(body.write_row(outputs[0], narrow, place))
    graph.t.outputs = [result.place for result in results]


def _gru(
    body: _Writer,
    cell: Cell,
    row: Tensor,
    narrow: Tensor,
    state: Tensor,
    ranges: dict[str, Range],
) -> tuple[Tensor, Tensor]:
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
        kept = body.narrow(body.binary("MUL", reset, state, _UNIT), narrow.scale)
        inner = body.dense(kept, kernel[:, 2 * units :], None, ranges["candidates"], 1)
        inner = body.widen(inner)
    candidate = body.unary("TANH", body.binary("ADD", inputs[2], inner, _SUM))
    # candidate + update * (state - candidate) needs one product less than Keras' two.
    change = body.binary("MUL", update, body.binary("SUB", state, candidate, _TWICE), _TWICE)
    state = body.binary("ADD", candidate, change, _UNIT)
    return state, body.narrow(state, narrow.scale)


def _lstm(
    body: _Writer,
    cell: Cell,
    row: Tensor,
    narrow: Tensor,
    memory: Tensor,
    ranges: dict[str, Range],
) -> tuple[Tensor, Tensor]:
    """Keras' LSTM: the new cell state in int16, the new state in int8."""
    products = body.dense(narrow, cell.recurrent_kernel, None, ranges["states"], 1)
    gates = body.split(body.binary("ADD", row, body.widen(products), _SUM), 4)
    let_in, forget, output = (body.unary("LOGISTIC", gates[index]) for index in (0, 1, 3))
    added = body.binary("MUL", let_in, body.unary("TANH", gates[2]), _UNIT)
    kept = body.binary("MUL", forget, memory, memory.scale)
    memory = body.binary("ADD", kept, added, memory.scale)
    state = body.binary("MUL", output, body.unary("TANH", memory), _UNIT)
    return memory, body.narrow(state, narrow.scale)


class _Writer:
    """Operators on integers, each returning its output."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._schema = graph.file.schema

    def arguments(self, like: Sequence[Tensor]) -> list[Tensor]:
        """The inputs of a loop's graph."""
        inputs = [self.graph.tensor(t.shape, t.kind, t.scale) for t in like]
        self.graph.t.inputs = [tensor.place for tensor in inputs]
        return inputs

    def dense(
        self,
        x: Tensor,
        kernel: NDArray[np.float32],
        bias: NDArray[np.float32] | None,
        result: Range,
        rows: int,
    ) -> Tensor:
        """`x @ kernel + bias`, int8 `(rows, outputs)`.

        The kernel has one step: runtimes before 2.17 compute dense layers with one a channel
        wrongly.
        """
        assert x.scale is not None
        step = max(float(np.abs(kernel).max()), 1e-8) / 127
        kernel_ = np.clip(np.round(kernel.T / step), -127, 127).astype(np.int8)
        inputs = [x, self.graph.constant(kernel_, Scale(step))]
        if bias is not None:
            both = step * x.scale.step
            rounded = np.clip(np.round(bias / both), -(2**31), 2**31 - 1).astype(np.int32)
            inputs.append(self.graph.constant(rounded, Scale(both)))
        else:
            inputs.append(Tensor(-1, (), "int32"))
        output = self.graph.tensor((rows, kernel.shape[1]), "int8", int8_scale(result))
        options = self._schema.FullyConnectedOptionsT()
        self.graph.operator("FULLY_CONNECTED", 4, inputs, (output,), options)
        return output

    def binary(self, name: str, x: Tensor, y: Tensor, scale: Scale | None) -> Tensor:
        """ADD, SUB or MUL of int16 tensors, or of int32 indices without a scale."""
        options = getattr(self._schema, f"{name.title()}OptionsT")()
        if name != "MUL":
            options.potScaleInt16 = False
        output = self.graph.tensor(x.shape, x.kind, scale)
        version = {"ADD": 3, "SUB": 5, "MUL": 4}[name] if scale else 1
        self.graph.operator(name, version, (x, y), (output,), options)
        return output

    def unary(self, name: str, x: Tensor) -> Tensor:
        """LOGISTIC or TANH in int16."""
        output = self.graph.tensor(x.shape, x.kind, _UNIT)
        self.graph.operator(name, 3, (x,), (output,))
        return output

    def widen(self, x: Tensor) -> Tensor:
        """int8 as int16, without loss."""
        assert x.scale is not None
        output = self.graph.tensor(x.shape, "int16", Scale(x.scale.step / _FINER))
        self._quantize(x, output, 2)
        return output

    def narrow(self, x: Tensor, scale: Scale | None) -> Tensor:
        """Anything as int8 of a scale."""
        output = self.graph.tensor(x.shape, "int8", scale)
        self._quantize(x, output, 1)
        return output

    def _quantize(self, x: Tensor, output: Tensor, version: int) -> None:
        options = self._schema.QuantizeOptionsT()
        self.graph.operator("QUANTIZE", version, (x,), (output,), options)

    def split(self, x: Tensor, parts: int) -> list[Tensor]:
        """int16 `(1, n)` in equal parts."""
        axis = self.graph.constant(np.array(1, np.int32))
        shape = (1, x.shape[1] // parts)
        outputs = [self.graph.tensor(shape, x.kind, x.scale) for _ in range(parts)]
        options = self._schema.SplitOptionsT()
        options.numSplits = parts
        self.graph.operator("SPLIT", 4, (axis, x), outputs, options)
        return outputs

    def gather(self, x: Tensor, row: Tensor) -> Tensor:
        """One row of int16 `(rows, n)`: `(1, n)`."""
        output = self.graph.tensor((1, x.shape[1]), x.kind, x.scale)
        options = self._schema.GatherOptionsT()
        self.graph.operator("GATHER", 4, (x, row), (output,), options)
        return output

    def write_row(self, x: Tensor, row: Tensor, place: Tensor) -> Tensor:
        """`x` with `row` at `place`."""
        zero = self.graph.constant(np.zeros(1, np.int32))
        corner = self.graph.tensor((2,), "int32")
        concatenation = self._schema.ConcatenationOptionsT()
        self.graph.operator("CONCATENATION", 1, (place, zero), (corner,), concatenation)
        output = self.graph.tensor(x.shape, x.kind, x.scale)
        options = self._schema.DynamicUpdateSliceOptionsT()
        self.graph.operator("DYNAMIC_UPDATE_SLICE", 1, (x, row, corner), (output,), options)
        return output

    def fill(self, shape: tuple[int, ...], scale: Scale) -> Tensor:
        """Zeros in int8, which are not held in the file."""
        zero = self.graph.constant(np.array(scale.zero, np.int8), scale)
        output = self.graph.tensor(shape, "int8", scale)
        dimensions = self.graph.constant(np.array(shape, np.int32))
        options = self._schema.FillOptionsT()
        self.graph.operator("FILL", 3, (dimensions, zero), (output,), options)
        return output

    def reshape(self, x: Tensor, shape: tuple[int, ...]) -> Tensor:
        """`x` in another shape."""
        target = self.graph.constant(np.array(shape, np.int32))
        output = self.graph.tensor(shape, x.kind, x.scale)
        options = self._schema.ReshapeOptionsT()
        self.graph.operator("RESHAPE", 1, (x, target), (output,), options)
        return output
