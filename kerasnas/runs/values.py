"""Types of a record's fields: figures that may be unknown, and arrays.

In memory an unknown figure is None or NaN, in the file it is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import GetCoreSchemaHandler, PlainSerializer
from pydantic_core import CoreSchema, core_schema


def known(value: float | None) -> float | None:
    """Return a figure, or None where it is not finite."""
    return value if value is not None and isfinite(value) else None


@dataclass(frozen=True)
class _Array:
    """Nested lists in the file, an array in memory.

    Attributes:
        dtype: Of the array.
        lists: The type of the nested lists.
    """

    dtype: type[np.generic]
    lists: Any

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            self._array,
            handler.generate_schema(self.lists),
            serialization=core_schema.plain_serializer_function_ser_schema(_nested),
        )

    def _array(self, lists: list[Any]) -> NDArray[Any]:
        try:
            return np.array(lists, self.dtype)
        except OverflowError as error:
            raise ValueError(str(error)) from None


def _nested(array: NDArray[Any]) -> list[Any]:
    nested = array
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        nested = array.astype(object)
        nested[~np.isfinite(array)] = None
    lists: list[Any] = nested.tolist()
    return lists


Json = Mapping[str, Any]
"""Whatever else JSON can say, by name."""

Figure = Annotated[int | float | None, PlainSerializer(known)]
"""A number; None or NaN where there is none."""

Figures = Mapping[str, Figure]
"""Numbers by name."""

Counts = Annotated[NDArray[np.int64], _Array(np.int64, list[list[int]])]
"""Whole numbers, two-dimensional."""

Matrix = Annotated[NDArray[np.float64], _Array(np.float64, list[list[float]])]
"""Numbers, all of them known, two-dimensional."""

Column = Annotated[NDArray[np.float64], _Array(np.float64, list[float | None])]
"""Numbers, one-dimensional; NaN where there is none."""
