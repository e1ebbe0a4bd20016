"""Commands as people type them, run in this process."""

from pathlib import Path

from typer.testing import CliRunner

from kerasnas.cli import app


def call(*arguments: str | Path, code: int = 2) -> str:
    """Return what a command prints, on one line: it ends with `code`, and without a traceback."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def refused(*arguments: str | Path) -> str:
    """Return what a command prints that refuses its input, in one message."""
    said = call(*arguments)
    assert said.count("error:") == 1, said
    return said
