"""TFLearn's `data_utils`: what its scripts prepare their data with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Side = Literal["pre", "post"]


def to_categorical(y: ArrayLike, nb_classes: int | None = None) -> NDArray[np.float64]:
    """Class indices `(clips,)` as one-hot rows `(clips, nb_classes)`; None: as many as exist."""
    indices = np.asarray(y, np.int64).reshape(-1)
    return np.eye(int(indices.max()) + 1 if nb_classes is None else nb_classes)[indices]


def pad_sequences(
    sequences: Sequence[ArrayLike],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: Side = "post",
    truncating: Side = "post",
    value: float = 0.0,
) -> NDArray[Any]:
    """Sequences as one array of `maxlen` frames, by default filled up and cut at the end.

    Args:
        sequences: Each `(frames, ...)`.
        maxlen: Number of frames; the longest sequence's by default.
        dtype: Of the result: integers by default; embeddings need `float32`.
        padding: Where frames are added.
        truncating: Where frames are taken away.
        value: Of added frames.
    """
    import keras

    return np.asarray(
        keras.utils.pad_sequences(sequences, maxlen, dtype, padding, truncating, value)
    )
