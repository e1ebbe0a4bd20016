"""TFLearn's `data_utils`: what its scripts prepare their data with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kerasnas.errors import KerasnasError

Side = Literal["pre", "post"]


def to_categorical(y: ArrayLike, nb_classes: int | None = None) -> NDArray[np.float64]:
    """Classes `(clips,)` as one-hot rows `(clips, classes)`.

    Args:
        y: Indices below `nb_classes`; without it any values, names too.
        nb_classes: Number of columns; by default there is one for each value that occurs, in
            rising order.

    Raises:
        KerasnasError: An index is outside.
    """
    if nb_classes is None:
        return np.eye(len(np.unique(y)))[np.unique(y, return_inverse=True)[1].reshape(-1)]
    indices = np.asarray(y, np.int64).reshape(-1)
    if len(indices) and not 0 <= indices.min() <= indices.max() < nb_classes:
        raise KerasnasError(
            f"classes go from {indices.min()} to {indices.max()}, and nb_classes is {nb_classes}: "
            "give indices from 0, and as many classes as the highest index and one"
        )
    return np.eye(nb_classes)[indices]


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
