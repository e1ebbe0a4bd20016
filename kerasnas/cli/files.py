"""Commands on the files of one network: export, score, tag, time and look into them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from kerasnas.cli.application import OUT, PROGRESS, Cache, Data, command, show_headline
from kerasnas.export.forms import Lowering, OnFail, Target


@command
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
        OnFail | None,
        typer.Option(help="What a failed check does."),
    ] = None,
    recurrent: Annotated[
        Lowering | None,
        typer.Option(
            help="How recurrent layers compute; files of fused_lstm keep their state and must be "
            "reset before each clip."
        ),
    ] = None,
    target: Annotated[
        Target | None,
        typer.Option(
            help="tflm: the int8 file must run in TensorFlow Lite Micro, and is written as C++ "
            "sources, too."
        ),
    ] = None,
    int4: Annotated[
        bool | None,
        typer.Option(
            "--int4/--no-int4", help="Try the int8 file with kernels of 4 bits first: smaller."
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
    clusters: Annotated[
        int | None,
        typer.Option(
            min=2, help="Most different weights of a kernel, with fine-tuning on training clips."
        ),
    ] = None,
    cache: Cache = None,
) -> object:
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
        target=target,
        int4=int4,
        waveform=waveform,
        sparsity=sparsity,
        qat=qat,
        clusters=clusters,
        cache=cache,
        console=PROGRESS,
    )
    OUT.print("\n".join(result.lines()), markup=False)
    show_headline(result.headline(), str(result.directory), not result.failed)
    return result


@command
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
) -> object:
    """Score a model file on clips of a data set."""
    from kerasnas.flow.commands.evaluate import evaluate

    evaluated = evaluate(model, experiment=experiment, data=data, part=clips, cache=cache)
    OUT.print(evaluated.table())
    if evaluated.to_beat is not None:
        OUT.print(evaluated.to_beat, markup=False)
    OUT.print(evaluated.class_table(OUT.width))
    return evaluated


@command
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
        typer.Option(
            help="Seconds between the starts of two clips; default: what decisions were tuned for, "
            "or the clip length."
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Score below which a clip is unknown; replaces thresholds of the export."
        ),
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="File for all scores, as CSV.")] = None,
) -> object:
    """Tag recordings of any length; longer ones get a line for every clip, or for every event."""
    from kerasnas.flow.commands.predict import predict_files, write_rows

    found = []
    try:
        for prediction in predict_files(model, recordings, hop, threshold):
            found.append(prediction)
            told = prediction.events is None
            OUT.print(prediction.table(top) if told else prediction.event_table())
    finally:  # also where one of them could not be read
        if found:
            write_rows(found, csv)
    return found


@command
def listen(
    model: Annotated[Path, typer.Argument(help="A .tflite file.", show_default=False)],
    recording: Annotated[
        Path | None, typer.Option(help="Recording to hear instead of the microphone.")
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Hear the recording as fast as it can be.")
    ] = False,
    hop: Annotated[
        float | None,
        typer.Option(
            help="Seconds between two clips; default: that of postprocessing.json, or a quarter of "
            "a clip."
        ),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Score that begins an event, for every class.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Number of a microphone, or a part of its name.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Number of classes to show.")] = 3,
    every: Annotated[
        float, typer.Option(min=0, help="Seconds between two lines of scores; 0: all of them.")
    ] = 1.0,
) -> object:
    """Listen until the recording ends, or until Ctrl-C: scores, events, latency and load."""
    from kerasnas.flow.commands.live.display import print_heard
    from kerasnas.flow.commands.live.listen import Listener, source_of

    listener = Listener(model, hop, threshold)
    number = int(device) if device is not None and device.isdecimal() else device
    return print_heard(listener, source_of(listener, recording, fast, number), OUT, top, every)


@command
def benchmark(
    files: Annotated[list[Path], typer.Argument(help=".tflite files.", show_default=False)],
    float32: Annotated[
        Path | None,
        typer.Option(help="The same network in float32, .keras or .tflite, to compare."),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Timed runs of a file.")] = 100,
) -> object:
    """Time exported files on this machine, and plan the memory that they need."""
    from kerasnas.flow.commands.benchmark import benchmark

    timed = benchmark(files, float32, runs)
    OUT.print(timed.table(OUT.width))
    return timed


@command
def inspect(
    file: Annotated[
        Path,
        typer.Argument(
            help="A .tflite or .keras file; or a folder of recordings, or an experiment file.",
            show_default=False,
        ),
    ],
    recordings: Annotated[
        list[Path] | None,
        typer.Argument(help="Recordings to compare front ends on.", show_default=False),
    ] = None,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Frames of an input of unknown length.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Page on a folder's recordings; default: data.html."),
    ] = None,
    audio: Annotated[
        bool | None,
        typer.Option("--audio/--no-audio", help="Whether the page holds sound of the recordings."),
    ] = None,
    pretrained: Annotated[
        Path | None,
        typer.Option(help="A .tflite file by whose answers recordings are compared on the map."),
    ] = None,
) -> object:
    """Show what a pretrained network holds, or what recordings are like (data.html)."""
    if file.is_dir() or file.suffix in (".yaml", ".yml"):
        from kerasnas.flow.commands.looking.data import inspect_data

        looked = inspect_data(file, output, audio=audio, pretrained=pretrained, console=PROGRESS)
        for name, text in looked.facts().items():
            OUT.print(f"{name}: {text}", markup=False)
        return looked
    from kerasnas.flow.commands.inspect import print_inspection

    return print_inspection(file, OUT, recordings or (), frames)
