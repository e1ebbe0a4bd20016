"""What `search.limits` refuses: candidates that are never scored, and what to say of them."""

from __future__ import annotations

from math import inf

from kerasnas.blocks.architecture import Architecture
from kerasnas.errors import KerasnasError
from kerasnas.flow.task.task import Task
from kerasnas.models.space import Values
from kerasnas.tuners.core.genes import Key, key


class Sizes:
    """Bytes of candidates by the window's rule; infinite where `search.limits` allow less.

    Args:
        task: The task.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._limits = task.experiment.search.limits
        self._tried = 0
        self._refused = 0
        self._above: dict[str, list[int]] = {}  # by limit, the costs above it: number, least, most
        # A small space is proposed again and again until it is known to be exhausted.
        self._known: dict[Key, tuple[int, dict[str, int]]] = {}

    def __call__(self, values: Values) -> float:
        """Bytes of a candidate, or infinity; it counts as one that was tried."""
        self._tried += 1
        if (known := key(values)) not in self._known:
            architecture = self._task.architecture(values)
            size = architecture.size(self._task.experiment.search.window.rule)
            self._known[known] = size, self._broken(architecture)
        size, broken = self._known[known]
        if broken:
            self._refused += 1
            for name, cost in broken.items():
                count, least, most = self._above.get(name, (0, cost, cost))
                self._above[name] = [count + 1, min(least, cost), max(most, cost)]
            return inf
        return size

    def check(self, values: Values, what: str) -> None:
        """Refuse values that a user gave.

        Args:
            values: Of all genes.
            what: What to call them.

        Raises:
            KerasnasError: They break limits, which are named with what the values cost.
        """
        if broken := self._broken(self._task.architecture(values)):
            above = " and ".join(
                f"{name} {cost:,} (at most {self._limits[name]:,})" for name, cost in broken.items()
            )
            raise KerasnasError(
                f"{what} breaks search.limits with {above}: give another network, or raise the "
                "limits"
            )

    def explained(self, reason: str) -> str:
        """Return a reason why no candidate is left, with the part that the limits have in it."""
        if not self._refused:
            return reason
        limits = "; ".join(
            f"{name} at most {self._limits[name]:,}, and {count:,} had {least:,} to {most:,}"
            for name, (count, least, most) in self._above.items()
        )
        if self._refused < self._tried:
            return f"{reason} (search.limits refused {self._refused:,} of them: {limits})"
        return (
            f"search.limits refuses every candidate that was tried, {self._tried:,} in all: "
            f"{limits}. Raise the limits, or change the space"
        )

    def _broken(self, architecture: Architecture) -> dict[str, int]:
        """Return a candidate's costs that are above their limits, by name."""
        if not self._limits:
            return {}
        cost = architecture.cost().to_json()
        return {name: cost[name] for name, most in self._limits.items() if cost[name] > most}
