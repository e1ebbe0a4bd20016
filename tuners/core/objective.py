"""What a search optimises: metrics, each with the direction in which it gets better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .errors import SearchError
from .pareto import Direction


class Objective(NamedTuple):
    """A metric and its direction. One named `cost` that is not reported is the window's cost."""

    name: str
    direction: Direction


def objectives_from(pairs: Sequence[tuple[str, str]]) -> tuple[Objective, ...]:
    """Objectives from names and directions.

    Raises:
        SearchError: There are none, two of one name, or a direction that is not `min` or `max`.
    """
    made = []
    for name, direction in pairs:
        if direction == "min":
            made.append(Objective(str(name), "min"))
        elif direction == "max":
            made.append(Objective(str(name), "max"))
        else:
            raise SearchError(f"objective {name!r} has direction {direction!r}: give min or max")
    if not made or len({objective.name for objective in made}) < len(made):
        raise SearchError(f"objectives must be one or more different names, not {pairs!r}")
    return tuple(made)
