"""The command line: it parses, calls and prints; everything else is done elsewhere.

Heavy imports happen inside the commands, so that `--help` answers at once.
"""

import signal
import sys
from io import TextIOWrapper

from kerasnas.cli import experiments, files, streams  # whose commands register themselves
from kerasnas.cli.application import app

__all__ = ["app", "experiments", "files", "main", "streams"]


def main() -> None:
    """Entry point of the `kerasnas` command."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end as by Ctrl-C, and tidy up
    if isinstance(sys.stdout, TextIOWrapper):  # names of files may be no text
        sys.stdout.reconfigure(errors="backslashreplace")
    app()
