"""Embeddings as features: stored ones, and those that a model file makes of recordings."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kerasnas.features.settings import Pad, Trim


class _Frames(BaseModel):
    """Frames of embeddings; nothing is cut into segments."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    frames: int = Field(10, ge=1, description="Embeddings of a clip: AudioSet's are a second each.")
    values: int = Field(128, ge=1, description="Values of an embedding.")

    @property
    def segments(self) -> int:
        """Segments of a clip."""
        return 1

    @property
    def input_shape(self) -> tuple[int, int]:
        """What a network sees, `(frames, values)`."""
        return (self.frames, self.values)


class StoredEmbedding(_Frames):
    """Embeddings of a data set that holds them as bytes (dataset: audioset).

    Clips of fewer frames are filled up with zeros at the end, longer ones lose their end.
    """

    kind: Literal["stored_embedding"] = Field("stored_embedding", description="The front end.")
    dequantize: Literal["unit", "youtube8m", "symmetric"] = Field(
        "unit",
        description="Of a byte x: unit: x / 255 (Li); youtube8m: x * 4 / 255 + 4 / 512 - 2; "
        "symmetric: (x - 128) / 128.",
    )
    storage: Literal["float32", "float16"] = Field(
        "float32", description="Number format of the cached arrays."
    )


class Embedding(_Frames):
    """Embeddings of recordings, by a `.tflite` file that takes a waveform.

    The file's input is float32 of one axis, or of two of which the first is 1: a window of a fixed
    length, or of any length, which is then given the whole clip.
    """

    kind: Literal["embedding"] = Field("embedding", description="The front end.")
    model: Path = Field(description="The file; its content is part of the cache's key.")
    output: int = Field(
        0, ge=0, description="Which output of the file holds the embeddings, from 0."
    )
    sample_rate: int = Field(
        16000, ge=1000, le=384000, description="Samples per second that the file takes, Hz."
    )
    seconds: float = Field(
        10.0, gt=0, le=600, description="Length of a clip: longer ones lose their end."
    )
    trim: Trim = None
    pad: Pad = "zeros"
    hop_seconds: float | None = Field(
        None,
        gt=0,
        description="Time between windows of a fixed length; null is that length. What is left "
        "after the last whole window is left out.",
    )
    storage: Literal["float32", "float16"] = Field(
        "float32", description="Number format of the cached arrays."
    )

    @model_validator(mode="after")
    def _is_a_file_name(self) -> Self:
        if self.model.suffix != ".tflite":
            raise ValueError(f"model: {self.model} is no .tflite file")
        return self

    @property
    def samples(self) -> int:
        """Samples of a clip."""
        return round(self.seconds * self.sample_rate)

    @property
    def file_channels(self) -> int:
        """Channels that are read from a file: the mean of all."""
        return 1
