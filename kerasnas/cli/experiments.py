"""Commands that work in a run directory: begin one, search, train, and see what came of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from kerasnas.cli.application import (
    ERR,
    OUT,
    PROGRESS,
    Cache,
    Cluster,
    Data,
    Run,
    command,
    show_headline,
)
from kerasnas.errors import KerasnasError
from kerasnas.export.forms import Precision


@command
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
) -> object:
    """Look into a folder of recordings and write a starter experiment for it."""
    from kerasnas.flow.commands.init import init

    said = init(folder, output, budget, space, oracle, supernet, pretrained)
    OUT.print(said, markup=False)
    return {"experiment": output or "experiment.yaml", "said": said.splitlines()}


@command
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
) -> object:
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
        "console": PROGRESS,
    }
    if oracle is not None:
        if architecture is not None or skip_corrupt:
            raise KerasnasError(
                "--oracle compares with a search of the space that has been run: leave "
                "--architecture and --skip-corrupt out"
            )
        randomly = search_randomly(experiment, **given)
        OUT.print(randomly.summary(), markup=False)
        return randomly
    result = search(experiment, **given, architecture=architecture, skip_corrupt=skip_corrupt)
    OUT.print(result.summary(), markup=False)
    show_headline(result.headline(), result.run.name, result.good)
    return result


def _seconds(text: str | None) -> float | None:
    """Seconds in `90s`, `30m`, `2h` or `1h30m`."""
    if text is None:
        return None
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text)
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    if not (total := 3600.0 * hours + 60 * minutes + seconds):
        raise KerasnasError(f"--time-budget {text!r}: write it as 90s, 30m, 2h or 1h30m")
    return total


@command
def train(
    source: Annotated[Path, typer.Argument(help="Experiment file, or run directory of a search.")],
    architecture: Annotated[
        str | None,
        typer.Option(
            help="Named reference of the space, or run directory whose winner to take (RUN, "
            "RUN:NAME)."
        ),
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
) -> object:
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
        "console": PROGRESS,
    }
    if ensemble:
        if folds is not None or seeds != 1:
            raise KerasnasError("--ensemble takes every fold once: leave --folds and --seeds out")
        together = train_ensemble(source, **given)
        OUT.print(together.table())
        return together
    trained = train(source, **given, folds=folds, seeds=seeds)
    if problems := trained.problems():
        OUT.print(problems, markup=False)
    OUT.print(trained.table())
    if trained.caveat is not None:
        OUT.print(f"note: {trained.caveat}.", markup=False)
    show_headline(trained.headline(), trained.label, not trained.problems())
    return trained


@command
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
) -> object:
    """Show a run's trials: values, objectives, cost, status, and why one failed."""
    from kerasnas.flow.commands.trials import (
        all_rows,
        details,
        in_words,
        print_table,
        repair_journal,
    )

    said = repair_journal(run) if repair else None
    if said is not None:
        OUT.print(said, markup=False)
    repaired = {} if said is None else {"repaired": said}
    if trial is None:
        print_table(run, OUT)
        return {**repaired, "trials": all_rows(run)}
    found = details(run, trial)
    OUT.print(in_words(found), markup=False)
    return {**repaired, "trial": found}


@command
def report(run: Run) -> object:
    """Write report.html from what a run directory holds."""
    from kerasnas.report import write
    from kerasnas.runs.damage import damaged

    page, faults = write(run), list(damaged(run))
    OUT.print(str(page), markup=False)
    for fault in faults:
        ERR.print(f"warning: {fault}", markup=False)
    return {"report": page, "warnings": faults}


@command
def package(
    run: Run,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to make; default: package/ in the run."),
    ] = None,
) -> object:
    """Put the exported files into one folder with card, labels, samples and checksums."""
    from kerasnas.flow.commands.sharing.package import package_run

    made = package_run(run, output)
    for name, text in made.facts().items():
        OUT.print(f"{name}: {text}", markup=False)
    return made


@command
def compare(
    first: Run,
    second: Annotated[Path, typer.Argument(help="Another run directory.", show_default=False)],
    metric: Annotated[
        str | None,
        typer.Option(help="Score; default: accuracy, or mean_average_precision of taggers."),
    ] = None,
    precision: Annotated[Precision, typer.Option(help="Form of the networks.")] = "float32",
) -> object:
    """Compare the chosen networks of two runs on the same test clips."""
    from kerasnas.flow.commands.compare import compare

    compared = compare(first, second, metric, precision)
    for name, text in compared.facts().items():
        OUT.print(f"{name}: {text}", markup=False)
    return compared


@command
def table(
    source: Annotated[Path, typer.Argument(help="Experiment file, or run directory of a search.")],
    architecture: Annotated[
        list[str] | None,
        typer.Option(
            help="Named reference, or RUN or RUN:NAME for a winner of a search; any number."
        ),
    ] = None,
    folds: Annotated[
        str | None,
        typer.Option(help="Also test on each of these folds in turn: `all`, or names with commas."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each network.")] = 1,
    data: Data = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Where results go; default: the run directory, or runs/NAME."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of trainings at a time.")
    ] = None,
    cache: Cache = None,
    cluster: Cluster = None,
) -> object:
    """Train networks alike, and write one table of their costs, bytes and scores."""
    from kerasnas.flow.commands.table import table

    found = table(
        source,
        architecture or (),
        folds=folds,
        seeds=seeds,
        data=data,
        run=run,
        workers=workers,
        cache=cache,
        cluster=cluster,
        console=PROGRESS,
    )
    for shown in found.tables():
        OUT.print(shown)
    OUT.print(f"Table: {found.csv}\nReport: {found.report}", markup=False)
    return found
