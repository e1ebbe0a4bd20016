"""Networks with recurrent layers in integers throughout.

The network is cut at its recurrent layers: what they read becomes an output, what they give an
input. `TFLiteConverter` makes integers of the rest, and the loops are written into the cuts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kerasnas.export.errors import ExportError
from kerasnas.export.int8_loop import int8_scale, write_loop
from kerasnas.export.recurrent import Cell, Range, Trace, cells, trace
from kerasnas.export.stock import convert_stock
from kerasnas.export.tflite_graph import Scale, Tensor, TfliteFile

if TYPE_CHECKING:
    import keras

Values = NDArray[np.float32]


class _Cut(NamedTuple):
    """A cell that was taken out; symbolic tensors of its input and in place of its output."""

    cell: Cell
    x: Any
    output: Any


@dataclass
class _Cutter:
    """Calls a network's layers again, with inputs in place of recurrent layers' outputs."""

    cuts: list[_Cut] = field(default_factory=list)

    def run(self, network: Any, inputs: Any) -> Any:
        network = getattr(network, "_functional", network)  # of a Sequential
        return network._run_through_graph(
            inputs, operation_fn=lambda layer: layer, call_fn=self._call
        )

    def _call(self, layer: Any, *arguments: Any, **keywords: Any) -> Any:
        import keras

        if isinstance(layer, keras.Model):
            return self.run(layer, arguments[0])
        if not isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional):
            return layer(*arguments, **keywords)
        found = cells(layer)
        x, *states = arguments
        given = [*states, getattr(x, "_keras_mask", None)]
        given += [keywords.get(name) for name in ("initial_state", "mask")]
        if found is None or any(value is not None for value in given):
            raise ExportError(
                f"the recurrent layer {layer.name!r} has no loop of integers: GRU and LSTM with "
                "tanh and sigmoid have, without masks, initial states and returned states"
            )
        results = [self._cut(cell, x) for cell in found]
        return results[0] if len(results) == 1 else _merge(layer.merge_mode, results)

    def _cut(self, cell: Cell, x: Any) -> Any:
        import keras

        shape = (x.shape[1], cell.units) if cell.sequences else (cell.units,)
        output = keras.Input(shape)
        self.cuts.append(_Cut(cell, x, output))
        return output


def _merge(mode: str | None, both: list[Any]) -> Any:
    from keras import layers

    merging = {
        "concat": layers.Concatenate,
        "sum": layers.Add,
        "mul": layers.Multiply,
        "ave": layers.Average,
    }
    return both if mode is None else merging[mode]()(both)


def convert_with_loops(model: keras.Model, calibration: Values) -> bytes:
    """A full-integer `.tflite` file of a network with recurrent layers, with float32 at both ends.

    Args:
        model: Functional or sequential, one input and one output.
        calibration: `(examples, *input shape)`.

    Raises:
        ExportError: A recurrent layer has no loop of integers, or the converter refuses the rest.
    """
    import keras

    features = keras.Input(model.inputs[0].shape[1:])
    cutter = _Cutter()
    whole = keras.Model(model.inputs[0], model.outputs[0])
    result = cutter.run(whole, features)
    joint = _Joint(features, result, cutter.cuts, calibration)
    return joint.content()


class _Joint:
    """The converted rest of a network, and the loops that are written into it."""

    def __init__(self, features: Any, result: Any, cuts: list[_Cut], calibration: Values) -> None:
        self._cuts = cuts
        self._values = {id(features): calibration}
        self._traces: list[Trace] = []
        inputs = [features, *(cut.output for cut in cuts)]
        self._given = {id(tensor): index for index, tensor in enumerate(inputs)}
        for index, cut in enumerate(cuts):
            if id(cut.x) not in self._values:
                self._values[id(cut.x)] = self._predict(inputs[: index + 1], cut.x)
            self._traces.append(trace(cut.cell, self._values[id(cut.x)]))
            self._values[id(cut.output)] = self._traces[-1].output
        self._result = result
        wanted = {id(tensor): tensor for tensor in (result, *(cut.x for cut in cuts))}
        rest = [tensor for key, tensor in wanted.items() if key not in self._given]
        self._made = {id(tensor): index for index, tensor in enumerate(rest)}
        self._file = self._convert(inputs, rest)
        self._inputs = [int(index) for index in self._file.main.t.inputs]
        self._outputs = [int(index) for index in self._file.main.t.outputs]

    def _predict(self, inputs: list[Any], output: Any) -> Values:
        import keras

        model = keras.Model(inputs, output)
        values = [self._values[id(tensor)] for tensor in inputs]
        return np.asarray(model.predict(values, batch_size=8, verbose=0), np.float32)

    def _convert(self, inputs: list[Any], outputs: list[Any]) -> TfliteFile:
        import keras

        if outputs:
            values = [self._values[id(tensor)] for tensor in inputs]
            return TfliteFile(convert_stock(keras.Model(inputs, outputs), "full_int8", values))
        file = TfliteFile()
        tensors = [file.main.tensor((1, *tensor.shape[1:]), "float32") for tensor in inputs]
        file.main.t.inputs = [tensor.place for tensor in tensors]
        return file

    def content(self) -> bytes:
        """The bytes of the joined file."""
        main = self._file.main
        loops: dict[int, Tensor] = {}
        for index, (cut, found) in enumerate(zip(self._cuts, self._traces, strict=True), 1):
            x = loops.get(id(cut.x)) or self._integers(cut.x)
            scale = self._scale(index) or int8_scale(found.ranges["output"])
            output = write_loop(self._file, cut.cell, x, found.ranges, scale)
            self._feed(index, output)
            loops[id(cut.output)] = output
        if id(self._result) in self._made:
            result = self._outputs[self._made[id(self._result)]]
        else:
            source = loops[id(self._result)]
            output = main.tensor(source.shape, "float32")
            main.operator("DEQUANTIZE", 2, (source,), (output,))
            result = output.place
        main.t.inputs, main.t.outputs = self._inputs[:1], [result]
        self._file.model.signatureDefs = None
        return self._file.content()

    def _integers(self, x: Any) -> Tensor:
        """What a cell reads, in int8."""
        main = self._file.main
        if id(x) in self._made:
            index = self._outputs[self._made[id(x)]]
            producer = main.producer(index)
            if producer is not None and main.name_of(producer) == "DEQUANTIZE":
                return main.existing(int(producer.inputs[0]))
        else:
            index = self._inputs[self._given[id(x)]]
            for consumer in main.consumers(index):
                if main.name_of(consumer) == "QUANTIZE":
                    return main.existing(int(consumer.outputs[0]))
        source = main.existing(index)
        output = main.tensor(source.shape, "int8", int8_scale(Range.of(self._values[id(x)])))
        main.operator("QUANTIZE", 1, (source,), (output,))
        return output

    def _scale(self, index: int) -> Scale | None:
        """The scale in which the converted rest wants input `index`; None if it does not care."""
        main = self._file.main
        for consumer in main.consumers(self._inputs[index]):
            if main.name_of(consumer) == "QUANTIZE":
                return main.existing(int(consumer.outputs[0])).scale
        return None

    def _feed(self, index: int, output: Tensor) -> None:
        """Let what reads input `index` of the converted rest read `output`."""
        main = self._file.main
        for consumer in main.consumers(self._inputs[index]):
            if main.name_of(consumer) != "QUANTIZE":
                source = main.tensor(output.shape, "float32")
                main.operator("DEQUANTIZE", 2, (output,), (source,))
                _replace(consumer, self._inputs[index], source.place)
            elif main.existing(int(consumer.outputs[0])).scale == output.scale:
                for reader in main.consumers(int(consumer.outputs[0])):
                    _replace(reader, int(consumer.outputs[0]), output.place)
            else:
                _replace(consumer, self._inputs[index], output.place)


def _replace(operator: Any, old: int, new: int) -> None:
    operator.inputs = [new if int(index) == old else int(index) for index in operator.inputs]
