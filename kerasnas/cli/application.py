"""The application of the command line: its screen, what its errors become, and shared options.

Every command has `--quiet` and `--json`: `command` adds them. A command prints what it does to
`PROGRESS` and what comes of it to `OUT`, and returns the latter, which `--json` prints instead.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
"""Where results are printed."""
PROGRESS = Console(highlight=False, soft_wrap=True)
"""Where it is said what is done, and how far it is."""
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

_SHARED = {
    "quiet": Annotated[
        bool, typer.Option("--quiet", "-q", help="Print results and errors, and no progress.")
    ],
    "as_json": Annotated[bool, typer.Option("--json", help="Print the result as JSON alone.")],
}


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


def command(function: Callable[..., Any]) -> Callable[..., None]:
    """Register a command, add `--quiet` and `--json`, and turn its errors into exit codes.

    2 for input that cannot be used, 1 for a check that failed, 130 for an interruption; each with
    one message. What a command returns may have `failed`, which ends with 1, too.
    """

    @functools.wraps(function)
    def guarded(*args: Any, quiet: bool = False, as_json: bool = False, **kwargs: Any) -> None:
        from kerasnas.export.errors import CheckFailed, ExportError
        from kerasnas.tuners.core.errors import LostError, TunerError

        try:
            with _silenced(progress=quiet or as_json, results=as_json):
                result = function(*args, **kwargs)
        except CheckFailed as error:
            _fail(error, 1, as_json)
        except LostError as error:
            _fail(error, 2, as_json, function.__name__)
        except (KerasnasError, ExportError, TunerError) as error:
            _fail(error, 2, as_json)
        except KeyboardInterrupt:
            ERR.print("\n[bold]Interrupted.[/]", end=" ")
            _say_how_to_resume(function.__name__)
            raise typer.Exit(130) from None
        else:
            if as_json:
                _print_json(result)
            if getattr(result, "failed", False):
                raise typer.Exit(1)

    ours = inspect.signature(function, eval_str=True)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for name, kind in _SHARED.items()
    ]
    guarded.__signature__ = ours.replace(  # type: ignore[attr-defined]
        parameters=[*ours.parameters.values(), *added]
    )
    guarded.__annotations__ = {**function.__annotations__, **_SHARED}
    return app.command()(guarded)


@contextmanager
def _silenced(progress: bool, results: bool) -> Iterator[None]:
    """Print no progress meanwhile, or no results either."""
    before = PROGRESS.quiet, OUT.quiet
    PROGRESS.quiet, OUT.quiet = progress or before[0], results or before[1]
    try:
        yield
    finally:
        PROGRESS.quiet, OUT.quiet = before


def _print_json(result: Any) -> None:
    """Print what a command returned, as JSON alone."""
    from kerasnas.flow.result import plain

    print(json.dumps(plain(result), indent=1, ensure_ascii=False, allow_nan=False))


def _say_how_to_resume(name: str) -> None:
    if name in RESUMED:
        words = [word for word in sys.argv[1:] if word != "--overwrite"]
        ERR.print("To resume, run:", shlex.join(["kerasnas", *words]), markup=False)


def _fail(error: Exception, code: int, as_json: bool, resumed: str = "") -> None:
    if _state["debug"]:
        raise error
    if as_json:
        _print_json({"error": str(error)})
    ERR.print("[bold red]error:[/]", end=" ")
    ERR.print(str(error), markup=False)
    _say_how_to_resume(resumed)
    raise typer.Exit(code)


def show_headline(headline: Mapping[str, str], title: str, good: bool) -> None:
    """Print the few numbers that matter: in a panel on a terminal, a line each elsewhere.

    Args:
        headline: The numbers, by what they are.
        title: What they are of.
        good: Whether nothing speaks against it.
    """
    if not OUT.is_terminal:
        for name, text in headline.items():
            OUT.print(f"{name}: {text}", markup=False)
        return
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 3))
    for _ in headline:
        grid.add_column(overflow="fold")
    grid.add_row(*(Text(text, style="bold") for text in headline.values()))
    grid.add_row(*(Text(name, style="dim") for name in headline))
    style = "green" if good else "red"
    panel = Panel(grid, title=Text(title), title_align="left", border_style=style, expand=False)
    OUT.print(panel, soft_wrap=False)
