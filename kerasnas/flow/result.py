"""What commands return: one line in a console, a table in a notebook."""

from __future__ import annotations

from abc import ABC, abstractmethod

from kerasnas.report.html.elements import table


class Result(ABC):
    """A result that shows itself by its main facts. Dataclasses of it take `repr=False`."""

    @abstractmethod
    def facts(self) -> dict[str, str]:
        """Return what matters most, as text, by name."""

    def __repr__(self) -> str:
        told = ", ".join(f"{name}: {text}" for name, text in self.facts().items())
        return f"{type(self).__name__}({told})"

    def _repr_html_(self) -> str:
        """Return the facts as a table, which notebooks show."""
        return table(type(self).__name__, ("", ""), list(self.facts().items()), text_columns=(0, 1))
