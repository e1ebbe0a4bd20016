"""Commands on long recordings: choose decisions over time, and mine mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kerasnas.cli.application import OUT, PROGRESS, Cache, Data, Run, command
from kerasnas.export.forms import Format

Streams = Annotated[
    Path | None,
    typer.Option(help="Directory of long recordings with lists of events; overrides data.streams."),
]
Hop = Annotated[
    float | None,
    typer.Option(help="Seconds between two windows; default: a quarter of the network's clip."),
]
Precision = Annotated[Format | None, typer.Option(help="Which exported file; default: int8.")]


@command
def tune_decisions(
    run: Run,
    streams: Streams = None,
    false_alarms_per_hour: Annotated[
        float, typer.Option(min=0, help="False alarms that may be, in all classes together.")
    ] = 0.5,
    hop: Hop = None,
    precision: Precision = None,
) -> object:
    """Choose how scores become events on some streams, and measure it on others."""
    from kerasnas.flow.commands.streams.tune import tune_decisions

    tuned = tune_decisions(
        run,
        streams=streams,
        per_hour=false_alarms_per_hour,
        hop_seconds=hop,
        precision=precision,
        console=PROGRESS,
    )
    OUT.print(tuned.table(OUT.width))
    OUT.print(tuned.facts()["verdict"], markup=False)
    return tuned


@command
def mine(
    run: Run,
    streams: Streams = None,
    count: Annotated[int, typer.Option(min=1, help="Mistakes to show.")] = 20,
    hop: Hop = None,
    precision: Precision = None,
    accept: Annotated[
        Path | None,
        typer.Option(help="CSV of answers (id,answer): train again with what it accepts."),
    ] = None,
    data: Data = None,
    cache: Cache = None,
) -> object:
    """Show the mistakes on streams that the network is surest of, or train on those accepted."""
    if accept is not None:
        from kerasnas.flow.commands.streams.retrain import accept as train_again

        trained = train_again(
            run, accept, streams=streams, data=data, cache=cache, console=PROGRESS
        )
        OUT.print(trained.table())
        return trained
    from kerasnas.flow.commands.streams.mine import mine

    shown = mine(
        run, streams=streams, count=count, hop_seconds=hop, precision=precision, console=PROGRESS
    )
    OUT.print(shown.table())
    OUT.print(f"Listen and answer: {shown.page} (or fill in {shown.answers})", markup=False)
    return shown
