"""Errors that a user can act on."""


class KerasnasError(Exception):
    """Input that cannot be used: the message names what was received, where, and the remedy.

    The command line prints the message without a traceback and ends with exit code 2.
    """


class DamagedError(KerasnasError):
    """A file does not hold what was written.

    Attributes:
        fault: What is wrong, with the file's path; the message adds the remedy.
    """

    def __init__(self, fault: str, remedy: str) -> None:
        super().__init__(f"{fault}: {remedy}")
        self.fault = fault


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 trial`, `2 trials`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
