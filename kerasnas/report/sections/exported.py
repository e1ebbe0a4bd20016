"""The exported files and what was checked on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kerasnas.report.html.elements import Markup, Node, badge, join, note, paragraph, table, tag
from kerasnas.report.html.formats import computing, count, counted, milliseconds, percent
from kerasnas.report.reading import required
from kerasnas.report.sections.quality import tick
from kerasnas.runs.records import CheckEntry, Export, FileEntry
from kerasnas.runs.run import Run


def read_export(run: Run) -> Export:
    """Return what `export/export.json` holds.

    Raises:
        MissingError: There is none, or it is damaged.
    """
    absence = "The chosen network has not been exported yet."
    return required(run, Export, run.paths.export.report, absence)


def section(run: Run) -> Markup:
    """Figures of each file side by side, and every check with its verdict."""
    export = read_export(run)
    share = "share of right decisions" if export.multi_label else "accuracy"
    files = tuple(export.files.values())
    rows: list[list[Node]] = [
        ["bytes", *(count(file.bytes) for file in files)],
        ["budget", *(count(file.budget) for file in files)],
        ["predicted bytes", *(_predicted(file) for file in files)],
        ["bytes of the stock converter's file", *(_stock(file) for file in files)],
        ["form", *(computing(f.form, f.recurrent, f.keeps_state) for f in files)],
        [share, *(percent(file.accuracy) for file in files)],
        ["agreement with Keras", *(percent(file.agreement) for file in files)],
        ["largest difference of a score", *(_difference(f) for f in files)],
        ["latency, median", *(milliseconds(file.latency_ms.median) for file in files)],
        ["latency, 95th percentile", *(milliseconds(file.latency_ms.p95) for file in files)],
        [
            "minimum TensorFlow Lite runtime",
            *(file.minimum_runtime or "not stated" for file in files),
        ],
        ["operators that XNNPACK takes", *(_delegated(file) for file in files)],
        ["operators", *(_operators(file.operators) for file in files)],
        ["operators in float", *(_operators(file.float_operators) for file in files)],
    ]
    versions = ", ".join(f"{name} {version}" for name, version in export.versions.items())
    return join(
        [
            verdict(run, export.checks),
            table("Measured on the files", ["", *(file.file for file in files)], rows),
            note(
                f"{share.capitalize()} and agreement on "
                f"{counted(export.clips.test, 'clip')} on which nobody trained or calibrated "
                f"(Keras model: {percent(export.accuracy.get('keras'))}); integer ranges from "
                f"{counted(export.clips.calibration, 'training clip')}. Latency of one segment on "
                f"one thread of the machine that exported ({export.machine}), not of a phone. "
                f"{versions}."
            ),
            *(note(file.larger) for file in files if file.larger is not None),
            *(note(f"{file.file}: {file.slow}.") for file in files if file.slow is not None),
            _micro(files),
            _waveform(export),
            *(_layers(file) for file in files if file.layers),
            table(
                "Checks",
                ["check", "verdict", "file", "finding"],
                [
                    [
                        check.name,
                        tick(run, check.passed, check.verdict),
                        check.file,
                        check.message,
                    ]
                    for check in export.checks
                ],
                text_columns=(0, 1, 2, 3),
            ),
        ]
    )


def _waveform(export: Export) -> Node:
    """Files that take the waveform, their two parts apart; nothing where there are none."""
    wholes = export.waveforms
    if not wholes:
        return None
    rows: list[list[Node]] = [
        ["bytes", *(count(whole.bytes) for whole in wholes)],
        ["of them front end", *(count(whole.front_end_bytes) for whole in wholes)],
        ["of them classifier", *(count(whole.classifier_bytes) for whole in wholes)],
        ["accuracy", *(percent(whole.accuracy) for whole in wholes)],
        ["agreement with Keras", *(percent(whole.agreement) for whole in wholes)],
        ["latency of a clip, median", *(milliseconds(w.latency_ms.median) for w in wholes)],
        ["MediaPipe takes it", *("yes" if w.mediapipe else "no" for w in wholes)],
    ]
    names = (whole.file for whole in wholes)
    return table("Files that take the waveform", ["", *names], rows)


def _micro(files: Sequence[FileEntry]) -> Node:
    """Integer files in TensorFlow Lite Micro; nothing where none was to run there."""
    entries = [file.micro for file in files if file.micro is not None]
    if not entries:
        return None
    rows: list[list[Node]] = [
        ["arena, bytes", *(count(entry.arena_bytes) for entry in entries)],
        ["of them shared by tensors", *(count(entry.tensor_bytes) for entry in entries)],
        ["of them lasting", *(count(entry.lasting_bytes) for entry in entries)],
        [
            "steps that scores are off LiteRT's, mean and most",
            *(f"{entry.steps['mean']:.2f}, {entry.steps['most']:.0f}" for entry in entries),
        ],
        ["operators", *(", ".join(entry.operators) for entry in entries)],
    ]
    return table("On microcontrollers", ["", *(entry.file for entry in entries)], rows)


def _layers(file: FileEntry) -> Markup:
    """Return what each layer costs in a file."""
    return table(
        f"Layers of {file.file}",
        ["layer", "operator", "bytes", "multiply-accumulates", "error", "added", "delegate"],
        [
            [
                row.layer,
                row.operator,
                count(row.bytes),
                count(row.macs),
                percent(row.error),
                percent(row.added),
                row.delegate or "–",
            ]
            for row in file.layers
        ],
        text_columns=(0, 1, 6),
    )


def verdict(run: Run, checks: Sequence[CheckEntry]) -> Markup:
    """One line on all checks together."""
    failed = [check for check in checks if check.passed is False]
    unproven = [check for check in checks if check.passed is None]
    if not failed and not unproven:
        return paragraph(tick(run, True, f"All {len(checks)} checks of the files passed."))
    reasons = "; ".join(check.message for check in failed or unproven)
    share = f"{len(failed or unproven)} of {len(checks)} checks"
    said = badge(False, f"{share} failed") if failed else badge(None, f"{share} not proven")
    return paragraph(said, f": {reasons}.")


def _difference(file: FileEntry) -> str:
    difference = file.largest_difference
    return "not finite" if difference is None else f"{difference:.4f}"


def _predicted(file: FileEntry) -> str:
    if file.predicted_bytes is None:
        return "–"
    error = file.predicted_bytes / file.bytes - 1
    sign = "+" if error > 0 else ""
    return f"{count(file.predicted_bytes)} ({sign}{percent(error)})"


def _stock(file: FileEntry) -> str:
    if file.stock_bytes is None:
        return "–"
    return f"{count(file.stock_bytes)} ({percent(file.bytes / file.stock_bytes - 1)})"


def _delegated(file: FileEntry) -> str:
    return percent(file.delegated.share) + (" (estimated)" if file.delegated.estimated else "")


def _operators(operators: Mapping[str, int]) -> Node:
    """One a line; names may carry the operator's version behind a colon."""
    lines: list[Node] = []
    for name, number in operators.items():
        operator, colon, version = name.partition(":")
        lines += [f"{number} {operator}{' version ' if colon else ''}{version}", tag("br")]
    return join(lines[:-1]) or "none"
