"""TensorFlow's `SequenceExample` messages of embeddings, without TensorFlow.

Only what AudioSet's shards hold: in the context `video_id` (bytes), `start_time_seconds` and
`end_time_seconds` (float), `labels` (int64); in the feature lists `audio_embedding`, one value of
bytes a frame. Anything else in a message is passed over.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

_PACKAGE = "kerasnas"
_FIELD = descriptor_pb2.FieldDescriptorProto


@dataclass(frozen=True)
class Embedded:
    """A clip of a shard.

    Attributes:
        video: Where it was cut from; clips of one video belong together.
        start: Where it begins in the video, seconds; None when that is not said.
        labels: Numbers of its classes.
        embedding: uint8 `(frames, values)`.
    """

    video: str
    start: float | None
    labels: tuple[int, ...]
    embedding: NDArray[np.uint8]


def parse(data: bytes) -> Embedded:
    """Take a message apart.

    Raises:
        ValueError: It is no such message, or a part of it is missing; says what is wrong.
    """
    try:
        example = _message("SequenceExample").FromString(data)
    except DecodeError:
        raise ValueError("it is no SequenceExample") from None
    context = example.context.feature
    names = context["video_id"].bytes_list.value
    if len(names) != 1:
        raise ValueError("it has no video_id")
    features = example.feature_lists.feature_list["audio_embedding"].feature
    if not features:
        raise ValueError("it has no audio_embedding")
    try:
        frames = [value for frame in features for (value,) in (frame.bytes_list.value,)]
    except ValueError:  # another number of values than one
        frames = [b""]
    sizes = set(map(len, frames))
    if len(sizes) > 1 or 0 in sizes:
        raise ValueError("its audio_embedding is not one value of as many bytes a frame")
    starts = context["start_time_seconds"].float_list.value
    try:
        video = names[0].decode()
    except UnicodeDecodeError:
        raise ValueError("its video_id is no text") from None
    codes = np.frombuffer(b"".join(frames), np.uint8)
    return Embedded(
        video,
        float(starts[0]) if starts else None,
        tuple(context["labels"].int64_list.value),
        codes.reshape(len(frames), -1),
    )


def serialize(clip: Embedded) -> bytes:
    """Return the message that `parse` takes apart; it ends a second a frame after its start."""
    example = _message("SequenceExample")()
    context = example.context.feature
    context["video_id"].bytes_list.value.append(clip.video.encode())
    if clip.start is not None:
        context["start_time_seconds"].float_list.value.append(clip.start)
        end = clip.start + len(clip.embedding)
        context["end_time_seconds"].float_list.value.append(end)
    context["labels"].int64_list.value.extend(clip.labels)
    frames = example.feature_lists.feature_list["audio_embedding"].feature
    for frame in clip.embedding:
        frames.add().bytes_list.value.append(frame.astype(np.uint8).tobytes())
    data: bytes = example.SerializeToString(deterministic=True)
    return data


@lru_cache
def _message(name: str) -> Any:
    """Return a message class; fields are numbered as in TensorFlow's `example.proto`."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(_file().SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="sequence_example.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, kind in (
        ("BytesList", _FIELD.TYPE_BYTES),
        ("FloatList", _FIELD.TYPE_FLOAT),
        ("Int64List", _FIELD.TYPE_INT64),
    ):
        _add(file.message_type.add(name=name), 1, "value", kind, repeated=True)
    feature = file.message_type.add(name="Feature")
    for number, name in enumerate(("BytesList", "FloatList", "Int64List"), 1):
        _add(feature, number, name.replace("List", "_list").lower(), name)
    _map(file.message_type.add(name="Features"), "feature", "Feature")
    feature_list = file.message_type.add(name="FeatureList")
    _add(feature_list, 1, "feature", "Feature", repeated=True)
    _map(file.message_type.add(name="FeatureLists"), "feature_list", "FeatureList")
    example = file.message_type.add(name="SequenceExample")
    _add(example, 1, "context", "Features")
    _add(example, 2, "feature_lists", "FeatureLists")
    return file


def _map(message: Any, field: str, value: str) -> None:
    """Add a field that is a map from names to messages."""
    entry = message.nested_type.add(name="Entry")
    entry.options.map_entry = True
    _add(entry, 1, "key", _FIELD.TYPE_STRING)
    _add(entry, 2, "value", value)
    _add(message, 1, field, f"{message.name}.Entry", repeated=True)


def _add(message: Any, number: int, name: str, kind: Any, repeated: bool = False) -> None:
    """Add a field of a scalar kind, or of the message of that name."""
    scalar = not isinstance(kind, str)
    message.field.add(
        name=name,
        number=number,
        label=_FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL,
        type=kind if scalar else _FIELD.TYPE_MESSAGE,
        type_name=None if scalar else f".{_PACKAGE}.{kind}",
    )
