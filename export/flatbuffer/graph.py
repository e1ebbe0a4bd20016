"""Writing the graphs of a `.tflite` file by hand, with the schema's own Python classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .pack import SharingBuilder

_EMPTY_BUFFER = 0
_RUNTIME = b"min_runtime_version"
_CONVERSION = b"CONVERSION_METADATA"  # how the converter was called, some 100 bytes


class Scale(NamedTuple):
    """How integers stand for numbers: `(integer - zero) * step`."""

    step: float
    zero: int = 0


class TfliteTensor(NamedTuple):
    """A tensor of one graph: its place there, shape, type by NumPy's name, scale of integers."""

    place: int
    shape: tuple[int, ...]
    kind: str
    scale: Scale | None = None


class TfliteFile:
    """A file under construction: new, or one that the converter wrote.

    Attributes:
        model: All of it, as the schema's mutable classes.
        main: The graph that the runtime runs.
    """

    def __init__(self, content: bytes | None = None) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema: Any = schema
        if content is None:
            self.model: Any = schema.ModelT()
            self.model.version = 3
            self.model.operatorCodes, self.model.metadata = [], []
            self.model.buffers = [schema.BufferT()]
            self.model.subgraphs = []
            self.graph()
        else:
            self.model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
        self._buffers: dict[bytes, int] = {}
        self.main = TfliteGraph(self, self.model.subgraphs[0])

    @property
    def graphs(self) -> list[TfliteGraph]:
        """The main graph, then those of loops."""
        return [self.main, *(TfliteGraph(self, graph) for graph in self.model.subgraphs[1:])]

    def graph(self) -> TfliteGraph:
        """Add a graph, for a loop."""
        added = self.schema.SubGraphT()
        added.tensors, added.operators, added.inputs, added.outputs = [], [], [], []
        self.model.subgraphs.append(added)
        return TfliteGraph(self, added)

    def buffer(self, data: bytes) -> int:
        """Return the index of the buffer that holds `data`; equal data are held once."""
        if data not in self._buffers:
            added = self.schema.BufferT()
            added.data = np.frombuffer(data, np.uint8)
            self._buffers[data] = len(self.model.buffers)
            self.model.buffers.append(added)
        return self._buffers[data]

    def operator_code(self, name: str, version: int) -> int:
        """Return the index of an operator of some version."""
        number = getattr(self.schema.BuiltinOperator, name)
        for index, code in enumerate(self.model.operatorCodes):
            if (builtin_code(code), code.version) == (number, version):
                return index
        added = self.schema.OperatorCodeT()
        added.builtinCode, added.version = number, version
        added.deprecatedBuiltinCode = min(number, 127)  # for readers of the old, narrow field
        self.model.operatorCodes.append(added)
        return len(self.model.operatorCodes) - 1

    def require_runtime(self, version: tuple[int, ...]) -> None:
        """Let the file say that it needs this runtime, unless it already says a newer one."""
        entry = next((e for e in self.model.metadata or () if e.name == _RUNTIME), None)
        if entry is None:
            entry = self.schema.MetadataT()
            entry.name = _RUNTIME
            self.model.metadata = [*(self.model.metadata or ()), entry]
        else:
            text = bytes(bytearray(self.model.buffers[entry.buffer].data)).rstrip(b"\0").decode()
            version = max(version, tuple(int(part) for part in text.split(".")))
        text = ".".join(map(str, version))
        entry.buffer = self.buffer(text.encode().ljust(16, b"\0"))

    def content(self) -> bytes:
        """Return the bytes: operators in order of computation, and nothing that is unused."""
        self.main.sort()
        for graph in self.model.subgraphs:
            _drop_unused_tensors(graph)
            _drop_unread(graph, graph is self.main.t)
        self.model.signatureDefs = self.model.description = None
        self.model.metadata = [e for e in self.model.metadata or () if e.name != _CONVERSION]
        _drop_unused_buffers(self.model)
        builder = SharingBuilder()
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


class TfliteGraph:
    """One graph of a file.

    Attributes:
        t: It, in the schema's mutable class.
    """

    def __init__(self, file: TfliteFile, t: Any) -> None:
        self.file = file
        self.t = t

    def tensor(self, shape: Sequence[int], kind: str, scale: Scale | None = None) -> TfliteTensor:
        """Return a new tensor of a type by its NumPy name; integers without a scale are indices."""
        return self._add(shape, kind, scale, _EMPTY_BUFFER)

    def constant(self, values: NDArray[Any], scale: Scale | None = None) -> TfliteTensor:
        """Return a new constant, of the type that `values` have."""
        data = np.ascontiguousarray(values).tobytes()
        return self._add(values.shape, values.dtype.name, scale, self.file.buffer(data))

    def _add(
        self, shape: Sequence[int], kind: str, scale: Scale | None, buffer: int
    ) -> TfliteTensor:
        schema = self.file.schema
        added = schema.TensorT()
        added.shape, added.buffer = list(shape), buffer  # a name would be bytes that nobody reads
        added.type = getattr(schema.TensorType, kind.upper())
        if scale is not None:
            added.quantization = schema.QuantizationParametersT()
            added.quantization.scale = np.array([scale.step], np.float32)
            added.quantization.zeroPoint = np.array([scale.zero], np.int64)
        self.t.tensors.append(added)
        return TfliteTensor(len(self.t.tensors) - 1, tuple(shape), kind, scale)

    def existing(self, index: int) -> TfliteTensor:
        """Return a tensor that is there."""
        found = self.t.tensors[index]
        quantization = found.quantization
        scale = None
        if quantization is not None and quantization.scale is not None:
            scale = Scale(float(quantization.scale[0]), int(quantization.zeroPoint[0]))
        kinds = {v: k.lower() for k, v in vars(self.file.schema.TensorType).items()}
        return TfliteTensor(
            index, tuple(int(size) for size in found.shape), kinds[found.type], scale
        )

    def operator(
        self,
        name: str,
        version: int,
        inputs: Iterable[TfliteTensor],
        outputs: Iterable[TfliteTensor],
        options: Any = None,
    ) -> None:
        """Add an operator.

        Args:
            name: As in the schema, `FULLY_CONNECTED`.
            version: Oldest that has what is used of it.
            inputs: Tensors that it reads.
            outputs: Tensors that it writes.
            options: Its options, in the schema's class.
        """
        schema = self.file.schema
        added = schema.OperatorT()
        added.opcodeIndex = self.file.operator_code(name, version)
        added.inputs = [tensor.place for tensor in inputs]
        added.outputs = [tensor.place for tensor in outputs]
        if options is not None:
            title = type(options).__name__.removesuffix("T")
            added.builtinOptionsType = getattr(schema.BuiltinOptions, title)
            added.builtinOptions = options
        self.t.operators.append(added)

    def consumers(self, index: int) -> list[Any]:
        """Return operators that read a tensor."""
        return [operator for operator in self.t.operators if index in list(operator.inputs)]

    def producer(self, index: int) -> Any | None:
        """Return the operator that writes a tensor; None for inputs and constants."""
        for operator in self.t.operators:
            if index in list(operator.outputs):
                return operator
        return None

    def name_of(self, operator: Any) -> str:
        """Return an operator's name in the schema."""
        number = builtin_code(self.file.model.operatorCodes[operator.opcodeIndex])
        names = vars(self.file.schema.BuiltinOperator)
        return next(name for name, value in names.items() if value == number)

    def sort(self) -> None:
        """Put operators behind those whose outputs they read, else as they are; drop the unused."""
        producers = {int(i): op for op in self.t.operators for i in op.outputs}
        ordered: list[Any] = []
        done: set[int] = set()
        waiting = [int(index) for index in reversed(list(self.t.outputs))]
        while waiting:
            operator = producers.get(waiting[-1])
            if operator is None or id(operator) in done:
                waiting.pop()
                continue
            missing = [
                int(i)
                for i in operator.inputs
                if int(i) in producers and id(producers[int(i)]) not in done
            ]
            if missing:
                waiting += reversed(missing)
            else:
                done.add(id(operator))
                ordered.append(operator)
        self.t.operators = ordered


def builtin_code(code: Any) -> int:
    """Return an operator's number, from the wide field or the old one where it fits there."""
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def _drop_unused_tensors(graph: Any) -> None:
    used = {int(i) for i in (*graph.inputs, *graph.outputs)}
    for operator in graph.operators:
        used.update(int(i) for i in (*operator.inputs, *operator.outputs, *_scales(operator)))
    kept = [index for index in range(len(graph.tensors)) if index in used]
    moved = {old: new for new, old in enumerate(kept)} | {-1: -1}
    graph.tensors = [graph.tensors[index] for index in kept]
    graph.inputs = [moved[int(i)] for i in graph.inputs]
    graph.outputs = [moved[int(i)] for i in graph.outputs]
    for operator in graph.operators:
        operator.inputs = [moved[int(i)] for i in operator.inputs]
        operator.outputs = [moved[int(i)] for i in operator.outputs]
        operator.intermediates = [moved[i] for i in _scales(operator)] or None


def _scales(operator: Any) -> list[int]:
    """Tensors that only tell an operator the scales of its inner values; LSTMs have such."""
    return [] if operator.intermediates is None else [int(i) for i in operator.intermediates]


def _drop_unread(graph: Any, main: bool) -> None:
    """Drop what no runtime reads: names but those of inputs and outputs, and what calibration saw.

    Source: `lite/core/interpreter_builder.cc` of TensorFlow 2.21, which reads a tensor's scale and
    zero point, not its least and greatest value.
    """
    graph.name = None
    named = {int(i) for i in (*graph.inputs, *graph.outputs)} if main else set()
    for index, tensor in enumerate(graph.tensors):
        if index not in named:
            tensor.name = None
        if tensor.shapeSignature is not None and -1 not in list(tensor.shapeSignature):
            tensor.shapeSignature = None
        if tensor.quantization is None:
            continue
        tensor.quantization.min = tensor.quantization.max = None
        if tensor.quantization.scale is None:
            tensor.quantization = None


def _drop_unused_buffers(model: Any) -> None:
    holders = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    holders += model.metadata
    for holder in holders:
        data = model.buffers[holder.buffer].data
        if data is None or not len(data):
            holder.buffer = _EMPTY_BUFFER
    kept = sorted({_EMPTY_BUFFER} | {holder.buffer for holder in holders})
    moved = {old: new for new, old in enumerate(kept)}
    model.buffers = [model.buffers[index] for index in kept]
    for holder in holders:
        holder.buffer = moved[holder.buffer]
