"""The command line: it parses, calls and prints; everything else is done elsewhere.

Heavy imports happen inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

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
_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)
_state = {"debug": False}

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
        _out.print(f"kerasnas {__version__}")
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


def _command(function: Callable[..., None]) -> Callable[..., None]:
    """Register a command whose errors become one message and an exit code.

    2 for input that cannot be used, 1 for a check that failed, 130 for an interruption.
    """

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> None:
        from kerasnas.export.errors import CheckFailed, ExportError
        from kerasnas.tuners.core.errors import TunerError

        try:
            function(*args, **kwargs)
        except CheckFailed as error:
            _fail(error, 1)
        except (KerasnasError, ExportError, TunerError) as error:
            _fail(error, 2)
        except KeyboardInterrupt:
            _err.print("\n[bold]Interrupted.[/]", end=" ")
            if function.__name__ in ("search", "train"):
                words = [word for word in sys.argv[1:] if word != "--overwrite"]
                _err.print("To resume, run:", shlex.join(["kerasnas", *words]), markup=False)
            raise typer.Exit(130) from None

    return app.command()(guarded)


def _fail(error: Exception, code: int) -> None:
    if _state["debug"]:
        raise error
    _err.print("[bold red]error:[/]", end=" ")
    _err.print(str(error), markup=False)
    raise typer.Exit(code)


def _seconds(text: str | None) -> float | None:
    """Seconds in `90s`, `30m`, `2h` or `1h30m`."""
    if text is None:
        return None
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text)
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    if not (total := 3600.0 * hours + 60 * minutes + seconds):
        raise KerasnasError(f"--time-budget {text!r}: write it as 90s, 30m, 2h or 1h30m")
    return total


@_command
def search(
    experiment: Annotated[Path, typer.Argument(help="Experiment file.", show_default=False)],
    data: Data = None,
    run: Annotated[
        Path | None, typer.Option(help="Run directory; default: runs/NAME of the experiment.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of trials at a time; default: as many as there are cores for."
        ),
    ] = None,
    max_trials: Annotated[
        int | None, typer.Option(min=1, help="Number of candidates; overrides search.trials.")
    ] = None,
    time_budget: Annotated[
        str | None, typer.Option(help="No trial starts after this time: 90s, 30m, 2h.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Delete what the run directory holds.")
    ] = False,
    cache: Cache = None,
    cluster: Cluster = None,
    architecture: Annotated[
        str | None,
        typer.Option(
            help="Keep this network (a reference, or a run directory) and search only search.tune."
        ),
    ] = None,
    skip_corrupt: Annotated[
        bool, typer.Option("--skip-corrupt", help="Leave damaged records out, and count them.")
    ] = False,
    oracle: Annotated[
        Literal["random"] | None,
        typer.Option(
            help="Only score as many candidates of random search, to compare the search with."
        ),
    ] = None,
) -> None:
    """Search, train the winners, export and report. Run the command again to resume."""
    from kerasnas.flow.commands.random_search import search_randomly
    from kerasnas.flow.commands.search import search

    given: dict[str, Any] = {
        "data": data,
        "run": run,
        "workers": workers,
        "max_trials": max_trials,
        "seconds": _seconds(time_budget),
        "overwrite": overwrite,
        "cache": cache,
        "cluster": cluster,
        "console": _out,
    }
    if oracle is not None:
        if architecture is not None or skip_corrupt:
            raise KerasnasError(
                "--oracle compares with a search of the space that has been run: leave "
                "--architecture and --skip-corrupt out"
            )
        _out.print(search_randomly(experiment, **given).summary(), markup=False)
        return
    result = search(experiment, **given, architecture=architecture, skip_corrupt=skip_corrupt)
    _out.print(result.summary(), markup=False)
    if result.exported.failed:
        raise typer.Exit(1)


@_command
def train(
    source: Annotated[Path, typer.Argument(help="Experiment file, or run directory of a search.")],
    architecture: Annotated[
        str | None,
        typer.Option(help="Named reference of the space, or run directory whose winner to take."),
    ] = None,
    folds: Annotated[
        str | None, typer.Option(help="`all`, or names of folds with commas: cross-validation.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings a fold.")] = 1,
    ensemble: Annotated[
        bool,
        typer.Option(
            "--ensemble", help="Train without each fold in turn; score all together on test clips."
        ),
    ] = False,
    data: Data = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Where results go; default: the run directory, or runs/NAME."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of trainings at a time; default: as many as there are cores for."
        ),
    ] = None,
    cache: Cache = None,
    cluster: Cluster = None,
) -> None:
    """Train one architecture with the final recipe, export it, and score all three precisions."""
    from kerasnas.flow.commands.ensemble import ensemble as train_ensemble
    from kerasnas.flow.commands.train import train

    given: dict[str, Any] = {
        "architecture": architecture,
        "data": data,
        "run": run,
        "workers": workers,
        "cache": cache,
        "cluster": cluster,
        "console": _out,
    }
    if ensemble:
        if folds is not None or seeds != 1:
            raise KerasnasError("--ensemble takes every fold once: leave --folds and --seeds out")
        _out.print(train_ensemble(source, **given).table())
        return
    _out.print(train(source, **given, folds=folds, seeds=seeds).table())


@_command
def evaluate(
    model: Annotated[Path, typer.Argument(help="A .keras or .tflite file.", show_default=False)],
    experiment: Annotated[
        Path | None, typer.Option(help="Experiment; default: that of the file's run directory.")
    ] = None,
    data: Data = None,
    clips: Annotated[
        Literal["test", "validation", "train", "all"], typer.Option(help="Which clips.")
    ] = "test",
    cache: Cache = None,
) -> None:
    """Score a model file on clips of a data set."""
    from kerasnas.flow.commands.evaluate import evaluate

    evaluated = evaluate(model, experiment=experiment, data=data, part=clips, cache=cache)
    _out.print(evaluated.table())
    _out.print(evaluated.class_table(_out.width))


@_command
def export(
    model: Annotated[
        Path, typer.Argument(help="Run directory, or a .keras file.", show_default=False)
    ],
    experiment: Annotated[
        Path | None, typer.Option(help="Experiment; default: that of the run directory.")
    ] = None,
    data: Data = None,
    output: Annotated[Path | None, typer.Option(help="Default: export/ in the run.")] = None,
    budget: Annotated[int | None, typer.Option(min=1, help="Bytes a file may have.")] = None,
    on_fail: Annotated[
        Literal["next-form", "error", "report"] | None,
        typer.Option(help="What a failed check does."),
    ] = None,
    recurrent: Annotated[
        Literal["auto", "int8_loop", "while", "unroll", "step", "fused_lstm"] | None,
        typer.Option(
            help="How recurrent layers compute; files of fused_lstm keep their state and must be "
            "reset before each clip."
        ),
    ] = None,
    waveform: Annotated[
        bool | None,
        typer.Option(
            "--waveform/--no-waveform", help="Also write files that take the waveform (MediaPipe)."
        ),
    ] = None,
    sparsity: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=0.99,
            help="Share of weights to make zero, with fine-tuning on training clips.",
        ),
    ] = None,
    qat: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs of quantisation-aware fine-tuning on training clips."),
    ] = None,
    cache: Cache = None,
) -> None:
    """Write float16 and int8 TFLite files and check them."""
    from kerasnas.flow.commands.export import export_run

    result = export_run(
        model,
        experiment=experiment,
        data=data,
        output=output,
        budget=budget,
        on_fail=on_fail,
        recurrent=recurrent,
        waveform=waveform,
        sparsity=sparsity,
        qat=qat,
        cache=cache,
        console=_out,
    )
    _out.print("\n".join(result.lines()), markup=False)
    if result.failed:
        raise typer.Exit(1)


@_command
def predict(
    model: Annotated[Path, typer.Argument(help="A .tflite file.", show_default=False)],
    recordings: Annotated[
        list[Path],
        typer.Argument(
            help="Recordings, directories of them, or patterns in quotes.", show_default=False
        ),
    ],
    top: Annotated[int, typer.Option(min=1, help="Number of classes to show.")] = 3,
    hop: Annotated[
        float | None,
        typer.Option(help="Seconds between the starts of two clips; default: the clip length."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Score below which a clip is unknown; replaces thresholds of the export."
        ),
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="File for all scores, as CSV.")] = None,
    json: Annotated[Path | None, typer.Option(help="File for all scores, as JSON.")] = None,
) -> None:
    """Tag recordings of any length; longer ones get a line for every clip, with its time."""
    from kerasnas.flow.commands.predict import predict_files, write_rows

    found = []
    try:
        for prediction in predict_files(model, recordings, hop, threshold):
            found.append(prediction)
            _out.print(prediction.table(top))
    finally:  # also where one of them could not be read
        if found:
            write_rows(found, csv, json)


@_command
def compare(
    first: Run,
    second: Annotated[Path, typer.Argument(help="Another run directory.", show_default=False)],
    metric: Annotated[
        str | None,
        typer.Option(help="Score; default: accuracy, or mean_average_precision of taggers."),
    ] = None,
    precision: Annotated[
        Literal["float32", "float16", "int8"], typer.Option(help="Form of the networks.")
    ] = "float32",
) -> None:
    """Compare the chosen networks of two runs on the same test clips."""
    from kerasnas.flow.commands.compare import compare

    for name, text in compare(first, second, metric, precision).facts().items():
        _out.print(f"{name}: {text}", markup=False)


@_command
def inspect(
    file: Annotated[Path, typer.Argument(help="A .tflite or .keras file.", show_default=False)],
    recordings: Annotated[
        list[Path] | None,
        typer.Argument(help="Recordings to compare front ends on.", show_default=False),
    ] = None,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Frames of an input of unknown length.")
    ] = None,
) -> None:
    """Show what a pretrained network holds: its front end, and the cost of each cut."""
    from kerasnas.flow.commands.inspect import print_inspection

    print_inspection(file, _out, recordings or (), frames)


@_command
def benchmark(
    files: Annotated[list[Path], typer.Argument(help=".tflite files.", show_default=False)],
    float32: Annotated[
        Path | None,
        typer.Option(help="The same network in float32, .keras or .tflite, to compare."),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Timed runs of a file.")] = 100,
    json: Annotated[Path | None, typer.Option(help="File for the figures, as JSON.")] = None,
) -> None:
    """Time exported files on this machine, and plan the memory that they need."""
    from kerasnas.flow.commands.benchmark import benchmark

    _out.print(benchmark(files, float32, runs, json).table(_out.width))


@_command
def report(run: Run) -> None:
    """Write report.html from what a run directory holds."""
    from kerasnas.report import write

    _out.print(str(write(run)), markup=False)


@_command
def trials(
    run: Run,
    trial: Annotated[
        int | None, typer.Option(min=0, help="Show all of this one, with its traceback.")
    ] = None,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="Cut a damaged journal before its first bad line, and keep a copy."
        ),
    ] = False,
) -> None:
    """Show a run's trials: values, objectives, cost, status, and why one failed."""
    from kerasnas.flow.stages.trials import details, repair_journal, table
    from kerasnas.flow.task.tables import UNLIMITED

    if repair:
        _out.print(repair_journal(run), markup=False)
    if trial is not None:
        _out.print(details(run, trial), markup=False)
    elif _out.is_terminal:
        _out.print(table(run, _out.width))
    else:  # a file, or a program: nothing is folded
        Console(file=_out.file, highlight=False, width=UNLIMITED).print(table(run))


@_command
def init(
    folder: Annotated[Path, typer.Argument(help="Your recordings.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write; default: experiment.yaml."),
    ] = None,
    budget: Annotated[int, typer.Option(min=1, help="Bytes the TFLite file may have.")] = 500_000,
    space: Annotated[str, typer.Option(help="Search space.")] = "wu_lee",
    oracle: Annotated[
        str | None, typer.Option(help="Oracle; default: nsga2 with --supernet, else random search.")
    ] = None,
    supernet: Annotated[
        bool, typer.Option("--supernet", help="Score candidates by weights of a supernet.")
    ] = False,
    pretrained: Annotated[
        Path | None,
        typer.Option(help="A .tflite file that candidates begin with, beside some from scratch."),
    ] = None,
) -> None:
    """Look into a folder of recordings and write a starter experiment for it."""
    from kerasnas.flow.commands.init import init

    _out.print(init(folder, output, budget, space, oracle, supernet, pretrained), markup=False)


def main() -> None:
    """Entry point of the `kerasnas` command."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end as by Ctrl-C, and tidy up
    app()
