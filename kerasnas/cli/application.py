"""The application of the command line: its screen, what its errors become, and shared options."""

from __future__ import annotations

import functools
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from kerasnas import __version__
from kerasnas.errors import KerasnasError

app = typer.Typer(
    help="Search for audio networks that fit a phone, and export them as proven TFLite files.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
OUT = Console(highlight=False, soft_wrap=True)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)
_state = {"debug": False}

RESUMED = ("search", "train", "table")
"""Commands that go on where they were interrupted, when they are run again."""

Data = Annotated[
    Path | None,
    typer.Option("--data", help="Directory of the data set; overrides KERASNAS_DATA."),
]
Run = Annotated[Path, typer.Argument(help="Run directory of a search.", show_default=False)]
Cache = Annotated[
    Path | None, typer.Option(help="Directory for features; overrides KERASNAS_CACHE.")
]

Cluster = Annotated[
    str | None,
    typer.Option(help="Run trials on a Ray cluster: auto, or HOST:PORT (docs/cluster.md)."),
]


def _version(value: bool) -> None:
    if value:
        OUT.print(f"kerasnas {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    _state["debug"] = debug
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Register a command whose errors become one message and an exit code.

    2 for input that cannot be used, 1 for a check that failed, 130 for an interruption.
    """

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> None:
        from kerasnas.export.errors import CheckFailed, ExportError
        from kerasnas.tuners.core.errors import LostError, TunerError

        try:
            function(*args, **kwargs)
        except CheckFailed as error:
            _fail(error, 1)
        except LostError as error:
            _fail(error, 2, function.__name__)
        except (KerasnasError, ExportError, TunerError) as error:
            _fail(error, 2)
        except KeyboardInterrupt:
            ERR.print("\n[bold]Interrupted.[/]", end=" ")
            _say_how_to_resume(function.__name__)
            raise typer.Exit(130) from None

    return app.command()(guarded)


def _say_how_to_resume(name: str) -> None:
    if name in RESUMED:
        words = [word for word in sys.argv[1:] if word != "--overwrite"]
        ERR.print("To resume, run:", shlex.join(["kerasnas", *words]), markup=False)


def _fail(error: Exception, code: int, resumed: str = "") -> None:
    if _state["debug"]:
        raise error
    ERR.print("[bold red]error:[/]", end=" ")
    ERR.print(str(error), markup=False)
    _say_how_to_resume(resumed)
    raise typer.Exit(code)
