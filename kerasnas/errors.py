"""Errors that a user can act on."""


class KerasnasError(Exception):
    """Input that cannot be used: the message names what was received, where, and the remedy.

    The command line prints the message without a traceback and ends with exit code 2.
    """
