"""The exported files and what was checked on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kerasnas.report.html.elements import Markup, Node, badge, join, note, paragraph, table, tag
from kerasnas.report.html.formats import count, form, milliseconds, percent
from kerasnas.report.run import Run, part, understanding


@dataclass(frozen=True)
class File:
    """One exported file; see `kerasnas.export` for what the figures mean."""

    name: str
    form: str
    bytes: int
    budget: int
    predicted_bytes: int | None
    stock_bytes: int | None
    delegated: float
    delegation_estimated: bool
    operators: Mapping[str, Any]
    float_operators: Mapping[str, Any]
    minimum_runtime: str | None
    largest_difference: float | None
    agreement: float
    accuracy: float
    latency_median: float
    latency_p95: float


@dataclass(frozen=True)
class Whole:
    """One exported file that takes the waveform: a front end and a classifier."""

    name: str
    bytes: int
    front_end_bytes: int
    classifier_bytes: int
    agreement: float
    accuracy: float
    latency_median: float
    mediapipe: bool


@dataclass(frozen=True)
class Check:
    """One check of one file."""

    name: str
    file: str
    verdict: str
    message: str

    @property
    def passed(self) -> bool | None:
        """None where the clips do not suffice to tell."""
        return {"passed": True, "not proven": None}.get(self.verdict, False)


@dataclass(frozen=True)
class Export:
    """What `export.json` holds."""

    files: tuple[File, ...]
    wholes: tuple[Whole, ...]
    checks: tuple[Check, ...]
    keras_accuracy: float
    clips: int
    calibration_clips: int
    multi_label: bool
    machine: str
    versions: Mapping[str, str]


def read_export(run: Run) -> Export:
    """Read `export/export.json`.

    Raises:
        MissingError: There is none, or it is damaged.
    """
    data = part(run, "export/export.json", "The chosen network has not been exported yet.")
    with understanding("export/export.json"):
        return Export(
            tuple(_file(entry) for entry in data["files"].values()),
            tuple(
                _whole(entry["waveform"]) for entry in data["files"].values() if "waveform" in entry
            ),
            tuple(
                Check(str(c["name"]), str(c["file"]), str(c["verdict"]), str(c["message"]))
                for c in data["checks"]
            ),
            float(data["accuracy"]["keras"]),
            int(data["clips"]["test"]),
            int(data["clips"]["calibration"]),
            data["task"] == "multi_label",
            str(data["machine"]),
            {str(name): str(version) for name, version in data["versions"].items()},
        )


def section(run: Run) -> Markup:
    """Figures of each file side by side, and every check with its verdict."""
    export = read_export(run)
    share = "share of right decisions" if export.multi_label else "accuracy"
    rows: list[list[Node]] = [
        ["bytes", *(count(file.bytes) for file in export.files)],
        ["budget", *(count(file.budget) for file in export.files)],
        ["predicted bytes", *(_predicted(file) for file in export.files)],
        ["bytes of the stock converter's file", *(_stock(file) for file in export.files)],
        ["form", *(file.form for file in export.files)],
        [share, *(percent(file.accuracy) for file in export.files)],
        ["agreement with Keras", *(percent(file.agreement) for file in export.files)],
        ["largest difference of a score", *(_difference(f) for f in export.files)],
        ["latency, median", *(milliseconds(file.latency_median) for file in export.files)],
        ["latency, 95th percentile", *(milliseconds(file.latency_p95) for file in export.files)],
        [
            "minimum TensorFlow Lite runtime",
            *(file.minimum_runtime or "not stated" for file in export.files),
        ],
        ["operators that XNNPACK takes", *(_delegated(file) for file in export.files)],
        ["operators", *(_operators(file.operators) for file in export.files)],
        ["operators in float", *(_operators(file.float_operators) for file in export.files)],
    ]
    versions = ", ".join(f"{name} {version}" for name, version in export.versions.items())
    return join(
        [
            verdict(export.checks),
            table("Measured on the files", ["", *(file.name for file in export.files)], rows),
            note(
                f"{share.capitalize()} and agreement on {export.clips} clips on which nobody "
                f"trained or calibrated (Keras model: {percent(export.keras_accuracy)}); integer "
                f"ranges from {export.calibration_clips} training clips. Latency of one segment on "
                f"one thread of the machine that exported ({export.machine}), not of a phone. "
                f"{versions}."
            ),
            _waveform(export),
            table(
                "Checks",
                ["check", "verdict", "file", "finding"],
                [
                    [
                        check.name,
                        badge(check.passed, check.verdict),
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
    if not export.wholes:
        return None
    rows: list[list[Node]] = [
        ["bytes", *(count(whole.bytes) for whole in export.wholes)],
        ["of them front end", *(count(whole.front_end_bytes) for whole in export.wholes)],
        ["of them classifier", *(count(whole.classifier_bytes) for whole in export.wholes)],
        ["accuracy", *(percent(whole.accuracy) for whole in export.wholes)],
        ["agreement with Keras", *(percent(whole.agreement) for whole in export.wholes)],
        ["latency of a clip, median", *(milliseconds(w.latency_median) for w in export.wholes)],
        ["MediaPipe takes it", *("yes" if w.mediapipe else "no" for w in export.wholes)],
    ]
    names = (whole.name for whole in export.wholes)
    return table("Files that take the waveform", ["", *names], rows)


def _whole(entry: Mapping[str, Any]) -> Whole:
    return Whole(
        name=str(entry["file"]),
        bytes=int(entry["bytes"]),
        front_end_bytes=int(entry["front_end_bytes"]),
        classifier_bytes=int(entry["classifier_bytes"]),
        agreement=float(entry["agreement"]),
        accuracy=float(entry["accuracy"]),
        latency_median=float(entry["latency_ms"]["median"]),
        mediapipe=bool(entry["mediapipe"]),
    )


def _file(entry: Mapping[str, Any]) -> File:
    predicted, runtime = entry["predicted_bytes"], entry["minimum_runtime"]
    difference, stock = entry["largest_difference"], entry["stock_bytes"]
    return File(
        name=str(entry["file"]),
        form=form(entry),
        bytes=int(entry["bytes"]),
        budget=int(entry["budget"]),
        predicted_bytes=None if predicted is None else int(predicted),
        stock_bytes=None if stock is None else int(stock),
        delegated=float(entry["delegated"]["share"]),
        delegation_estimated=bool(entry["delegated"]["estimated"]),
        operators=dict(entry["operators"]),
        float_operators=dict(entry["float_operators"]),
        minimum_runtime=None if runtime is None else str(runtime),
        largest_difference=None if difference is None else float(difference),
        agreement=float(entry["agreement"]),
        accuracy=float(entry["accuracy"]),
        latency_median=float(entry["latency_ms"]["median"]),
        latency_p95=float(entry["latency_ms"]["p95"]),
    )


def verdict(checks: tuple[Check, ...]) -> Markup:
    """One line on all checks together."""
    failed = [check for check in checks if check.passed is False]
    unproven = [check for check in checks if check.passed is None]
    if not failed and not unproven:
        return paragraph(badge(True, f"All {len(checks)} checks of the files passed."))
    reasons = "; ".join(check.message for check in failed or unproven)
    counted = f"{len(failed or unproven)} of {len(checks)} checks"
    said = badge(False, f"{counted} failed") if failed else badge(None, f"{counted} not proven")
    return paragraph(said, f": {reasons}.")


def _difference(file: File) -> str:
    difference = file.largest_difference
    return "not finite" if difference is None else f"{difference:.4f}"


def _predicted(file: File) -> str:
    if file.predicted_bytes is None:
        return "–"
    error = file.predicted_bytes / file.bytes - 1
    sign = "+" if error > 0 else ""
    return f"{count(file.predicted_bytes)} ({sign}{percent(error)})"


def _stock(file: File) -> str:
    if file.stock_bytes is None:
        return "–"
    return f"{count(file.stock_bytes)} ({percent(file.bytes / file.stock_bytes - 1)})"


def _delegated(file: File) -> str:
    return percent(file.delegated) + (" (estimated)" if file.delegation_estimated else "")


def _operators(operators: Mapping[str, Any]) -> Node:
    """One a line; names may carry the operator's version behind a colon."""
    lines: list[Node] = []
    for name, number in operators.items():
        operator, colon, version = name.partition(":")
        lines += [f"{number} {operator}{' version ' if colon else ''}{version}", tag("br")]
    return join(lines[:-1]) or "none"
