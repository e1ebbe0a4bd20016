"""Networks with recurrent layers or attention over frames, in integers throughout.

The network is cut where `TFLiteConverter` fails or is too coarse: what such a layer reads becomes
an output, what it gives an input. The converter makes integers of the rest, and the layers are
written into the cuts by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Floats
from ..errors import ExportError
from ..flatbuffer.graph import Scale, TfliteFile, TfliteTensor
from ..integer.loop import write_loop
from ..integer.operators import with_integer_operators
from ..integer.weights import with_float16_weights
from ..integer.wide import compute, write_wide
from ..integer.writer import IntegerWriter, int8_scale
from ..keras_model.recurrent import Cell, Range, trace
from .cuts import Cut, Cutter
from .stock import Converted, convert_stock

if TYPE_CHECKING:
    import keras


def convert_integers(
    model: keras.Model, calibration: Floats, loops: bool, floats: int = 0
) -> Converted:
    """Return a full-integer `.tflite` file of a network, with float32 at both ends.

    Args:
        model: Functional or sequential, one input and one output.
        calibration: `(examples, *input shape)`.
        loops: Whether recurrent layers are written as loops; the converter dies of those that it
            gets.
        floats: How many operators are left in float, by `convert.mixed`, their weights in float16.

    Raises:
        ExportError: A recurrent layer has no loop of integers, or the converter refuses the rest.
    """
    import keras

    features = keras.Input(model.inputs[0].shape[1:])
    cutter = Cutter(loops)
    result = cutter.run(keras.Model(model.inputs[0], model.outputs[0]), features)
    if not cutter.cuts:
        file, stock_bytes = _integers_of(model, (calibration,), floats)
        return Converted(file.content(), None if floats else stock_bytes)
    return Converted(_Joint(features, result, cutter.cuts, calibration, floats).content(), None)


def _integers_of(
    model: keras.Model, calibration: Sequence[Floats], floats: int
) -> tuple[TfliteFile, int]:
    """Return what the converter makes of a network without loops, and the bytes of its file."""
    stock = convert_stock(model, "mixed" if floats else "full_int8", calibration, floats)
    file = TfliteFile(stock)
    with_integer_operators(file)
    if floats:
        with_float16_weights(file)
    return file, len(stock)


class _Joint:
    """The converted rest of a network, and what is written into its cuts."""

    def __init__(
        self, features: Any, result: Any, cuts: list[Cut], calibration: Floats, floats: int
    ) -> None:
        self._cuts = cuts
        self._count = floats
        self._values = {id(features): calibration}
        self._ranges: list[dict[str, Range]] = []
        inputs = [features]
        for cut in cuts:
            for tensor in cut.inputs:
                if id(tensor) not in self._values:
                    self._values[id(tensor)] = self._predict(inputs, tensor)
            self._evaluate(cut)
            inputs += cut.outputs
        self._given = {id(tensor): index for index, tensor in enumerate(inputs)}
        self._result = result
        wanted = {id(result): result}
        wanted |= {id(tensor): tensor for cut in cuts for tensor in cut.inputs}
        rest = [tensor for key, tensor in wanted.items() if key not in self._given]
        self._made = {id(tensor): index for index, tensor in enumerate(rest)}
        self._file = self._convert(inputs, rest)
        self._inputs = [int(index) for index in self._file.main.t.inputs]
        self._outputs = [int(index) for index in self._file.main.t.outputs]
        self._written: dict[int, TfliteTensor] = {}  # by the input of the rest that it stands for

    def _evaluate(self, cut: Cut) -> None:
        """Return what is cut out, in float on the calibration examples."""
        values = [self._values[id(tensor)] for tensor in cut.inputs]
        outputs: tuple[Floats, ...]
        if isinstance(cut.part, Cell):
            mask = values.pop() if cut.masked else None
            found = trace(cut.part, values[0], tuple(values[1:]), mask)
            outputs, ranges = (found.output, *found.last), found.ranges
        else:
            outputs = (compute(cut.part, values),)
            ranges = {"output": Range.of(outputs[0])}
        for tensor, output in zip(cut.outputs, outputs, strict=False):
            self._values[id(tensor)] = output
        self._ranges.append(ranges)

    def _predict(self, inputs: list[Any], output: Any) -> Floats:
        import keras

        model = keras.Model(inputs, output)
        model.jit_compile = False  # XLA would compile for longer than this takes
        values = [self._values[id(tensor)] for tensor in inputs]
        return np.asarray(model.predict(values, batch_size=8, verbose=0), np.float32)

    def _convert(self, inputs: list[Any], outputs: list[Any]) -> TfliteFile:
        import keras

        if outputs:
            values = [self._values[id(tensor)] for tensor in inputs]
            return _integers_of(keras.Model(inputs, outputs), values, self._count)[0]
        file = TfliteFile()
        tensors = [file.main.tensor((1, *tensor.shape[1:]), "float32") for tensor in inputs]
        file.main.t.inputs = [tensor.place for tensor in tensors]
        return file

    def content(self) -> bytes:
        """Return the bytes of the joined file."""
        main = self._file.main
        for cut, ranges in zip(self._cuts, self._ranges, strict=True):
            inputs = [self._integers(tensor) for tensor in cut.inputs]
            places = [self._given[id(tensor)] for tensor in cut.outputs]
            outputs: tuple[TfliteTensor, ...]
            if isinstance(cut.part, Cell):
                mask = self._narrow(inputs.pop(), cut.inputs[-1]) if cut.masked else None
                x = self._narrow(inputs[0], cut.inputs[0])
                scale = self._scale(places[0]) or int8_scale(ranges["output"])
                written = write_loop(self._file, cut.part, x, ranges, scale, inputs[1:], mask)
                outputs = (written.output, *written.states)
            else:
                outputs = (write_wide(self._file, cut.part, inputs, ranges["output"]),)
            for index, output in zip(places, outputs, strict=False):
                self._feed(index, output)
        result = self._place(self._result)
        if result in self._written:
            result = self._floats(self._written[result]).place
        main.t.inputs, main.t.outputs = self._inputs[:1], [result]
        main.sort()
        if any(main.consumers(place) for place in self._inputs[1:]):
            raise ExportError("what the converter made has a part that could not be joined")
        return self._file.content()

    def _narrow(self, tensor: TfliteTensor, x: Any) -> TfliteTensor:
        """Return what stands for a symbolic tensor in int8."""
        if tensor.kind == "int8":
            return tensor
        scale = int8_scale(Range.of(self._values[id(x)]))
        return IntegerWriter(self._file.main).narrow(tensor, scale)

    def _place(self, x: Any) -> int:
        """Return where the converter put a symbolic tensor."""
        if id(x) in self._made:
            return self._outputs[self._made[id(x)]]
        return self._inputs[self._given[id(x)]]

    def _floats(self, source: TfliteTensor) -> TfliteTensor:
        main = self._file.main
        output = main.tensor(source.shape, "float32")
        version = 2 if source.kind == "int8" else 3
        main.operator("DEQUANTIZE", version, (source,), (output,))
        return output

    def _integers(self, x: Any) -> TfliteTensor:
        """Return what a part reads, in int8 or int16."""
        main, place = self._file.main, self._place(x)
        if place in self._written:  # also where nothing but a dropout was in between
            return self._written[place]
        producer = main.producer(place)
        if producer is not None and main.name_of(producer) == "DEQUANTIZE":
            return main.existing(int(producer.inputs[0]))
        for consumer in main.consumers(place):
            if main.name_of(consumer) == "QUANTIZE":
                return main.existing(int(consumer.outputs[0]))
        source = main.existing(place)
        output = main.tensor(source.shape, "int8", int8_scale(Range.of(self._values[id(x)])))
        main.operator("QUANTIZE", 1, (source,), (output,))
        return output

    def _scale(self, index: int) -> Scale | None:
        """Return the scale in which the converted rest wants input `index`; None for any."""
        main = self._file.main
        for consumer in main.consumers(self._inputs[index]):
            if main.name_of(consumer) == "QUANTIZE":
                return main.existing(int(consumer.outputs[0])).scale
        return None

    def _feed(self, index: int, output: TfliteTensor) -> None:
        """Let what reads input `index` of the converted rest read `output`."""
        main = self._file.main
        self._written[self._inputs[index]] = output
        for consumer in main.consumers(self._inputs[index]):
            if main.name_of(consumer) != "QUANTIZE":
                _replace(consumer, self._inputs[index], self._floats(output).place)
            elif main.existing(int(consumer.outputs[0]))[2:] == output[2:]:  # type and scale
                for reader in main.consumers(int(consumer.outputs[0])):
                    _replace(reader, int(consumer.outputs[0]), output.place)
            else:
                _replace(consumer, self._inputs[index], output.place)


def _replace(operator: Any, old: int, new: int) -> None:
    operator.inputs = [new if int(index) == old else int(index) for index in operator.inputs]
