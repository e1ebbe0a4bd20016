"""Errors of oracles and runners that a user can act on."""


class TunerError(Exception):
    """The message names what was received, where, and the remedy."""


class SearchError(TunerError):
    """A search that cannot go on: impossible size window, wrong values, too many failures."""


class FailuresError(SearchError, RuntimeError):
    """Too many trials have failed one after another; KerasTuner's own error is a RuntimeError."""


class LostError(TunerError):
    """What a search runs on is gone, through no fault of its own: the same search can go on."""


class JournalError(TunerError):
    """A journal that cannot be read or written: damaged, foreign, in use, disk full."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 trial`, `2 trials`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
