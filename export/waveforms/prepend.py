"""Files that take the waveform: a classifier's file with its front end written before it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from ..errors import ExportError
from ..flatbuffer.graph import TfliteFile, TfliteGraph, TfliteTensor
from ..flatbuffer.metadata import BUFFER, audio_metadata, with_labels
from .front_end import FrozenFrontEnd, WaveformFrontEnd, write_front_end
from .writer import FloatWriter

_INPUT = b"waveform"
_OUTPUT = b"scores"


def with_front_end(
    content: bytes,
    front: WaveformFrontEnd | FrozenFrontEnd,
    classes: Sequence[str],
    name: str = "kerasnas",
) -> bytes:
    """Return a `.tflite` file from waveforms to scores, of one from a segment's features to scores.

    The classifier's operators and constants are taken as they are; the front end computes in
    float32. Where a waveform has several segments the operators come once for each, all with the
    same constants, and the scores are the mean over the segments. Labels and the sample rate are in
    the file, as MediaPipe's AudioClassifier asks (see `kerasnas.export.flatbuffer.metadata`).

    Args:
        content: Of a file with one float32 input `(1, frames, bins, 1)` and one float32 output
            `(1, classes)`, as `export` writes them.
        front: What the features come from.
        classes: Labels of the scores, in order.
        name: Of the model, for people.

    Returns:
        A file with one float32 input `(samples,)` and one float32 output `(1, classes)`.

    Raises:
        ExportError: The file takes or gives something else.
    """
    file = TfliteFile(content)
    main = file.main
    features, scores = _ends(main)
    wanted = (1, front.segment_frames, front.values, 1)
    if features.shape != wanted or scores.shape != (1, len(classes)):
        raise ExportError(
            f"a front end that gives {wanted} and {len(classes)} labels were given for a network "
            f"from {features.shape} to {scores.shape}: give those that it was trained with"
        )
    operators = list(main.t.operators)
    ends = [(features, scores)]
    ends += [_copy(main, operators, features, scores) for _ in range(front.segments - 1)]
    waveform, segments = write_front_end(file, front)
    writer = FloatWriter(main)
    for segment, (source, _) in zip(segments, ends, strict=True):
        writer.reshape(segment, source.shape, source)
    if len(ends) > 1:
        scores = writer.mean(writer.concatenate([end for _, end in ends], axis=0), axis=0)
    main.t.inputs, main.t.outputs = [waveform.place], [scores.place]
    main.t.tensors[waveform.place].name = _INPUT
    main.t.tensors[scores.place].name = _OUTPUT
    entry = file.schema.MetadataT()
    entry.name, entry.buffer = BUFFER, file.buffer(audio_metadata(name, front.sample_rate))
    file.model.metadata = [*(file.model.metadata or ()), entry]
    return with_labels(file.content(), classes)


def _ends(main: TfliteGraph) -> tuple[TfliteTensor, TfliteTensor]:
    """Return what a classifier reads and what it gives."""
    places = [*main.t.inputs, *main.t.outputs]
    ends = [main.existing(int(place)) for place in places]
    if len(main.t.inputs) != 1 or len(ends) != 2 or {end.kind for end in ends} != {"float32"}:
        found = ", ".join(f"{end.kind} {end.shape}" for end in ends)
        raise ExportError(
            f"a front end needs a network from one float32 input to one float32 output, not one "
            f"with {len(main.t.inputs)} inputs and these ends: {found}"
        )
    return ends[0], ends[1]


def _copy(
    main: TfliteGraph, operators: Sequence[Any], features: TfliteTensor, scores: TfliteTensor
) -> tuple[TfliteTensor, TfliteTensor]:
    """Return operators once more, with the same constants: what they read and what they give."""
    moved: dict[int, int] = {-1: -1}

    def place(index: int) -> int:
        if index not in moved:
            tensor = main.t.tensors[index]
            data = main.file.model.buffers[tensor.buffer].data
            if data is not None and len(data):
                moved[index] = index
            else:
                moved[index] = len(main.t.tensors)
                main.t.tensors.append(copy.copy(tensor))
        return moved[index]

    def places(indices: Any) -> list[int]:
        return [place(int(index)) for index in indices]

    for operator in operators:
        again = copy.copy(operator)
        again.inputs, again.outputs = places(operator.inputs), places(operator.outputs)
        main.t.operators.append(again)
    source, sink = (end._replace(place=place(end.place)) for end in (features, scores))
    return source, sink
