"""What commands return: one line in a console, a table in a notebook, JSON for programs."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from kerasnas.report.html.elements import table


class Result(ABC):
    """A result that shows itself by its main facts. Dataclasses of it take `repr=False`."""

    @abstractmethod
    def facts(self) -> dict[str, str]:
        """Return what matters most, as text, by name."""

    def data(self) -> Any:
        """Return all of it for `--json`, as `plain` takes it: by default every field by name."""
        assert dataclasses.is_dataclass(self)
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def __repr__(self) -> str:
        told = ", ".join(f"{name}: {text}" for name, text in self.facts().items())
        return f"{type(self).__name__}({told})"

    def _repr_html_(self) -> str:
        """Return the facts as a table, which notebooks show."""
        return table(type(self).__name__, ("", ""), list(self.facts().items()), text_columns=(0, 1))


def plain(value: Any) -> Any:
    """Return a value as JSON has it: numbers that are none as null, paths and the rest as text."""
    if isinstance(value, Result):
        return plain(value.data())
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if hasattr(value, "tolist"):  # arrays and scalars of NumPy
        return plain(value.tolist())
    if hasattr(value, "to_json"):
        return plain(value.to_json())
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        return {field.name: plain(getattr(value, field.name)) for field in fields}
    return str(value)
