"""The genes of a search space: an ordered table of decisions, as plain data.

The table is read from the configuration of a `keras_tuner.HyperParameters`, without importing
KerasTuner. Deviations from KerasTuner 1.4.8: a `Float` with a step reaches its maximum where
rounding would lose it (0 to 1 in steps of 0.2 has six values here, five there), and parents always
come before their children, whatever order KerasTuner hands out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from .errors import SearchError
from .plain import excerpt, plain

Value = int | float | str | bool
Values = Mapping[str, Value]
Key = tuple[tuple[str, Value], ...]
Chromosome = Sequence[Value | None]
"""One entry for every gene of a table; None for a gene that is not active."""


@dataclass(frozen=True)
class Condition:
    """The gene `parent` has one of `values`."""

    parent: str
    values: tuple[Value, ...]

    def holds(self, values: Values) -> bool:
        """Whether it holds for `values`, in which inactive genes are missing."""
        return self.parent in values and values[self.parent] in self.values


@dataclass(frozen=True)
class Gene:
    """One decision.

    Attributes:
        name: Unique among genes with the same conditions.
        conditions: All must hold for the gene to be active.
        values: Its allowed values, equally probable; empty for a gene that is a `span`.
        span: `(low, high, sampling)` of a continuous gene, both ends included; `sampling` is
            `linear`, `log` or `reverse_log`.
        integer: A `span` that is rounded down to integers.
        config: The `{"class_name": ..., "config": ...}` that KerasTuner describes it with;
            empty for a gene made here.
    """

    name: str
    conditions: tuple[Condition, ...] = ()
    values: Sequence[Value] = ()
    span: tuple[float, float, str] | None = None
    integer: bool = False
    config: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.config:  # KerasTuner's long ranges stay short
            object.__setattr__(self, "values", tuple(self.values))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Gene:
        """From KerasTuner's `{"class_name": ..., "config": {...}}`.

        Raises:
            SearchError: The kind of hyperparameter is not known.
        """
        kind, fields = config["class_name"], config["config"]
        values: Sequence[Value] = ()
        span: tuple[float, float, str] | None = None
        if kind == "Choice":
            values = tuple(fields["values"])
        elif kind == "Boolean":
            values = (False, True)
        elif kind == "Fixed":
            values = (fields["value"],)
        elif kind in ("Int", "Float") and fields.get("step"):
            values = _stepped(kind == "Int", fields)
        elif kind in ("Int", "Float"):
            span = (fields["min_value"], fields["max_value"], fields.get("sampling") or "linear")
        else:
            raise SearchError(
                f"hyperparameter {fields.get('name')!r} is of the unknown kind {kind!r}: "
                "use Choice, Boolean, Int, Float or Fixed"
            )
        conditions = tuple(
            Condition(item["config"]["name"], tuple(item["config"]["values"]))
            for item in fields.get("conditions") or ()
        )
        return cls(fields["name"], conditions, values, span, kind == "Int" and not values, config)

    def to_config(self) -> Mapping[str, Any]:
        """Return what `from_config` makes an equal gene of."""
        if self.config:
            return self.config
        fields: dict[str, Any] = {
            "name": self.name,
            "conditions": [
                {"class_name": "Parent", "config": {"name": c.parent, "values": list(c.values)}}
                for c in self.conditions
            ],
        }
        if self.span is None:
            return {"class_name": "Choice", "config": fields | {"values": list(self.values)}}
        low, high, sampling = self.span
        fields |= {"min_value": low, "max_value": high, "sampling": sampling}
        return {"class_name": "Int" if self.integer else "Float", "config": fields}

    @property
    def varies(self) -> bool:
        """Whether it has more than one value."""
        if self.span is not None:
            return self.span[0] < self.span[1]
        return any(value != self.values[0] for value in self.values)

    def active(self, values: Values) -> bool:
        """Whether all its conditions hold for the values of the genes before it."""
        return all(condition.holds(values) for condition in self.conditions)

    def value(self, position: float) -> Value:
        """Return the value at `position` in [0, 1) of the cumulative probability."""
        if self.span is None:
            return self.values[int(position * len(self.values))]
        low, high, sampling = self.span
        top = high + 1 if self.integer else high
        if sampling == "linear":
            value = low + position * (top - low)
        elif sampling == "log":
            value = low * math.pow(top / low, position)
        else:
            value = top + low - low * math.pow(top / low, 1 - position)
        return min(int(value), int(high)) if self.integer else min(value, high)

    def options(self) -> Sequence[Value]:
        """Its allowed values, for an oracle that needs them to be finitely many.

        Raises:
            SearchError: It is continuous.
        """
        if self.span is None:
            return self.values
        if self.integer:
            return range(int(self.span[0]), int(self.span[1]) + 1)
        raise SearchError(
            f"gene {self.name!r} is continuous, {self.describe()}, and this oracle needs finitely "
            "many values: declare it with a step, or as a Choice"
        )

    def checked(self, value: object) -> Value:
        """Return the allowed value that equals `value`; 1 may stand for 1.0, but not for True.

        Raises:
            SearchError: There is none.
        """
        given, value = value, plain(value)
        if self.span is None:
            for option in self.values:
                if option == value and isinstance(option, bool) == isinstance(value, bool):
                    return option
        elif isinstance(value, int if self.integer else (int, float)):
            low, high, _ = self.span
            if low <= value <= high and not isinstance(value, bool):
                return value if self.integer else float(value)
        raise SearchError(
            f"gene {self.name!r} cannot be {excerpt(given)}: give one of {self.describe()}"
        )

    def describe(self) -> str:
        """Its allowed values, in words short enough for a message."""
        if self.span is not None:
            return f"{self.span[0]} to {self.span[1]}"
        if len(self.values) > 12:
            return f"{self.values[0]!r}, {self.values[1]!r}, ... {self.values[-1]!r}"
        return ", ".join(repr(value) for value in self.values)


def _stepped(integer: bool, fields: Mapping[str, Any]) -> Sequence[Value]:
    low, high, step = fields["min_value"], fields["max_value"], fields["step"]
    sampling = fields.get("sampling") or "linear"
    if sampling == "linear":
        if integer:
            return range(low, high + 1, step)
        count = math.floor((high - low) / step + 1e-8) + 1
        return tuple(min(low + index * step, high) for index in range(count))
    count = math.floor(math.log(high / low, step) + 1e-8) + 1
    steps = [low * step**index for index in range(count)]
    if sampling == "reverse_log":
        steps = [high + low - value for value in steps]
    return tuple(int(value) if integer else float(value) for value in steps)


class Genes(Sequence[Gene]):
    """The ordered, immutable table of a space's genes, parents before their children."""

    def __init__(self, genes: Iterable[Gene]) -> None:
        self._genes = _parents_first(list(genes))

    @classmethod
    def from_hyperparameters(cls, hyperparameters: Any) -> Genes:
        """From a `keras_tuner.HyperParameters` on which the space has been declared."""
        return cls.from_config(hyperparameters.get_config()["space"])

    @classmethod
    def from_config(cls, config: Iterable[Mapping[str, Any]]) -> Genes:
        """From the plain data that `config` gives (KerasTuner's own form)."""
        return cls(Gene.from_config(item) for item in config)

    def config(self) -> list[Mapping[str, Any]]:
        """Plain data, from which `from_config` makes an equal table."""
        return [gene.to_config() for gene in self._genes]

    def __repr__(self) -> str:
        names = dict.fromkeys(gene.name for gene in self._genes)
        return f"<Genes: {len(self)} ({', '.join(names)})>" if names else "<Genes: none>"

    def __len__(self) -> int:
        return len(self._genes)

    @overload
    def __getitem__(self, index: int) -> Gene: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Gene, ...]: ...

    def __getitem__(self, index: int | slice) -> Gene | tuple[Gene, ...]:
        return self._genes[index]

    def __iter__(self) -> Iterator[Gene]:
        return iter(self._genes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Genes) and self._genes == other._genes

    def __hash__(self) -> int:
        return hash(tuple(gene.name for gene in self._genes))

    def extended(self, genes: Iterable[Gene]) -> Genes:
        """Return this table with those of `genes` that it lacks behind it; nothing here moves."""
        known = {(gene.name, gene.conditions) for gene in self._genes}
        new = [gene for gene in genes if (gene.name, gene.conditions) not in known]
        if not new:
            return self
        table = Genes(())
        table._genes = self._genes + _parents_first(new)
        return table

    def decode(
        self, positions: Sequence[float], chromosome: Chromosome | None = None
    ) -> dict[str, Value]:
        """Values of the active genes from one position in [0, 1) for every gene of the table.

        An inactive gene has a position and no value. Of several active genes of one name the
        first counts, as in KerasTuner.

        Args:
            positions: One a gene.
            chromosome: Values that go before the positions'; None where there is none.
        """
        values: dict[str, Value] = {}
        for index, gene in enumerate(self._genes):
            if gene.name not in values and gene.active(values):
                given = None if chromosome is None else chromosome[index]
                values[gene.name] = gene.value(positions[index]) if given is None else given
        return values

    def chromosome(self, values: Values) -> list[Value | None]:
        """One entry for every gene of the table: its value, or None where it has none.

        `decode` gives the values back. Values of no gene of this table are left out.
        """
        placed: dict[str, Value] = {}
        entries: list[Value | None] = [None] * len(self._genes)
        for index, gene in enumerate(self._genes):
            if gene.name in values and gene.name not in placed and gene.active(placed):
                placed[gene.name] = entries[index] = values[gene.name]
        return entries

    def check(self, values: Values) -> dict[str, Value]:
        """Return the values of the active genes, in the table's order.

        Raises:
            SearchError: A value is missing, not allowed, or of no active gene.
        """
        checked: dict[str, Value] = {}
        for gene in self._genes:
            if gene.name in checked or not gene.active(checked):
                continue
            if gene.name not in values:
                raise SearchError(f"no value for gene {gene.name!r}: give one of {gene.describe()}")
            checked[gene.name] = gene.checked(values[gene.name])
        extra = [name for name in values if name not in checked]
        if extra:
            raise SearchError(
                f"{extra[0]!r} is no active gene of this space: leave it out; "
                f"the active genes are {', '.join(checked)}"
            )
        return checked


def key(values: Values) -> Key:
    """Return the canonical form in which the values of active genes are compared."""
    return tuple(sorted(values.items()))


def _parents_first(genes: list[Gene]) -> tuple[Gene, ...]:
    """In the given order, but no gene before one that its conditions name."""
    names = {gene.name for gene in genes}
    placed: list[Gene] = []
    done: set[str] = set()
    while genes:
        for gene in genes:
            if all(c.parent in done or c.parent not in names for c in gene.conditions):
                break
        else:
            cycle = ", ".join(gene.name for gene in genes)
            raise SearchError(f"the conditions of these genes form a circle: {cycle}")
        placed.append(gene)
        done.add(gene.name)
        genes = [other for other in genes if other is not gene]
    return tuple(placed)
