"""`winners.json`: the candidates that were trained again, and the one that is exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from kerasnas.runs.record import Entry, Record


@dataclass(frozen=True, eq=False)
class WinnerEntry(Entry):
    """What one rule chose.

    Attributes:
        trial: Number of the trial.
        directory: Of the final training, relative to the run.
        rule: Why it was chosen, in words: `lowest validation loss`.
        by: The score that the rule goes by; None for one of several objectives.
    """

    trial: int
    directory: str
    rule: str
    by: str | None

    def __post_init__(self) -> None:
        path = PurePosixPath(self.directory)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"directory {self.directory!r} is not in the run")


@dataclass(frozen=True)
class Winner:
    """A trial that was trained again.

    Attributes:
        trial: Its number.
        directory: Of the final training, relative to the run.
        names: Of the rules that it won by.
        rule: The first of these rules in words; of the chosen winner the one it was chosen by.
        by: The score that `rule` goes by; None for one of several objectives.
        chosen: Whether it is exported.
    """

    trial: int
    directory: str
    names: tuple[str, ...]
    rule: str
    by: str | None
    chosen: bool


@dataclass(frozen=True, eq=False)
class Winners(Record):
    """`winners.json`.

    Attributes:
        winners: What each rule chose, by the rule's name.
        chosen: The name whose winner is exported.

    Raises:
        ValueError: There is no winner of the name `chosen`.
    """

    winners: Mapping[str, WinnerEntry]
    chosen: str

    def __post_init__(self) -> None:
        if self.chosen not in self.winners:
            raise ValueError(
                f"field chosen is {self.chosen!r}, and the winners are {', '.join(self.winners)}"
            )

    @property
    def exported(self) -> WinnerEntry:
        """The winner that is exported."""
        return self.winners[self.chosen]

    def trained(self) -> tuple[Winner, ...]:
        """Return every trial that was trained again, once; the chosen one comes first."""
        names: dict[tuple[int, str], list[str]] = {}
        for name, entry in self.winners.items():
            names.setdefault((entry.trial, entry.directory), []).append(name)
        found = []
        for (trial, directory), by in names.items():
            chosen = self.chosen in by
            entry = self.winners[self.chosen if chosen else by[0]]
            found.append(Winner(trial, directory, tuple(by), entry.rule, entry.by, chosen))
        return tuple(sorted(found, key=lambda winner: not winner.chosen))
