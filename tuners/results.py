"""What a search has found so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path

from .core.errors import JournalError, SearchError, counted
from .core.history import History, fold
from .core.identity import objectives_in
from .core.objective import Objective
from .core.ranking import dominated_volume, pareto_front, ranking
from .core.storage.chain import parse
from .core.storage.journal import JOURNAL
from .core.trial import Trial


class Results:
    """Trials, and which of them are best.

    Attributes:
        history: All that has happened.
    """

    def __init__(self, history: History) -> None:
        self.history = history

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._summary()}>"

    def _repr_html_(self) -> str:
        """Return the Pareto front as a table, which notebooks show."""
        names = [name for name, _ in self.objectives]
        rows = [
            (
                trial.id,
                *(f"{trial.metrics[name]:.6g}" for name in names),
                ", ".join(f"{name}={value}" for name, value in trial.values.items()),
            )
            for trial in self.pareto_front()
        ]
        lines = "".join(
            f"<tr>{''.join(f'<{cell}>{escape(text)}</{cell}>' for text in row)}</tr>"
            for cell, row in (("th", ("trial", *names, "values")), *(("td", row) for row in rows))
        )
        caption = f"Pareto front: {self._summary()}"
        return f"<table><caption>{escape(caption)}</caption>{lines}</table>"

    def _summary(self) -> str:
        """Return how many trials there are, and the best by the first objective."""
        states = Counter(trial.status for trial in self.trials)
        text = counted(len(self.trials), "trial")
        if states:
            text += f" ({', '.join(f'{count} {state}' for state, count in states.items())})"
        if (best := self.best()) is not None:
            name = self.objectives[0][0]
            text += f", best {name} {best.metrics[name]:.6g} in trial {best.id}"
        return text

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is optimised."""
        return self.history.objectives

    @classmethod
    def read(cls, directory: Path | str) -> Results:
        """Return those of the search in a directory, without opening it: it may be under way.

        Raises:
            JournalError: There is none, or it cannot be read.
        """
        path = Path(directory) / JOURNAL
        try:
            found = parse(path.read_bytes(), path)
        except OSError as error:
            raise JournalError(f"no search can be read at {path}: {error.strerror}") from error
        if found.header is None:
            raise JournalError(f"no search can be read at {path}: nothing was written yet")
        return cls(fold(found.events, History(objectives_in(found.header, path)), path))

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials in the order of suggestion."""
        return tuple(self.history.trials.values())

    @property
    def rejected(self) -> int:
        """Candidates that the window refused, over all trials."""
        return self.history.rejected

    def trial(self, id: str) -> Trial:
        """Return the trial of this id.

        Raises:
            SearchError: There is none.
        """
        try:
            return self.history.trials[id]
        except KeyError:
            count = len(self.history.trials)
            raise SearchError(f"no trial {id!r}: there are {count}, from '0000'") from None

    def ranking(self, objective: str | None = None) -> list[Trial]:
        """Completed trials, the best in one objective (default: the first) first."""
        return ranking(self.trials, self.objectives, objective)

    def best(self, objective: str | None = None) -> Trial | None:
        """Return the first of the ranking; None while no trial is completed."""
        ranked = self.ranking(objective)
        return ranked[0] if ranked else None

    def pareto_front(self) -> tuple[Trial, ...]:
        """Completed trials that no other dominates, in the order of suggestion."""
        return pareto_front(self.trials, self.objectives)

    def hypervolume(self, reference: Sequence[float]) -> float:
        """Return the volume that completed trials dominate, up to each objective's worst value."""
        return dominated_volume(self.trials, self.objectives, reference)
