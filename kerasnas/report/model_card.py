"""The card of an exported network: what it is, how good, and how to run it, as Markdown.

After Mitchell et al., "Model cards for model reporting", 2019: what the files cannot know (who may
be harmed, what the recordings do not cover) is asked of the reader, not made up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasnas.report.card_header import card_header
from kerasnas.report.how_to_run import how_to_run, in_mediapipe
from kerasnas.report.html.formats import (
    computing,
    count,
    counted,
    kilobytes,
    metric,
    millions,
    percent,
)
from kerasnas.report.reading import MissingError, chosen, optional, training_of
from kerasnas.report.sections import streams
from kerasnas.report.sections.exported import read_export
from kerasnas.report.sections.network import layers, per_second, read_architecture
from kerasnas.report.sections.quality import baseline_rows, findings
from kerasnas.report.sections.trunk import origin
from kerasnas.report.statistics import wilson
from kerasnas.runs.records import Evaluation, Export
from kerasnas.runs.run import Run
from kerasnas.words import words

_NAMES = {"keras": "model.keras (float32)"}
_KINDS = {True: "several tags a clip", False: "one label a clip"}


def model_card(path: Path) -> str | None:
    """Return the card of a run's exported network.

    None where nothing has been exported, or what was is damaged, of which the report tells.

    Args:
        path: The run directory.

    Raises:
        KerasnasError: It is no run directory.
    """
    run = Run.read(path)
    try:
        export = read_export(run)
    except MissingError:
        return None
    sections = [
        _header(run, export),
        _head(run, export),
        *_network(run),
        _accuracy(run, export),
        _files(export),
        *_waveform_files(export),
        *_streams(run),
        _limits(export),
        how_to_run(export),
    ]
    return "\n\n".join(sections) + "\n"


def _header(run: Run, export: Export) -> str:
    """Return what a model hub reads of the card."""
    scores = {
        entry.file: {"accuracy": export.accuracy[name]}
        | {each: value for each in _judged(run) if (value := _score(run, name, each)) is not None}
        for name, entry in export.files.items()
    }
    data: Mapping[str, Any] = run.settings.get("data") or {}
    return card_header(
        str(run.settings.get("name", run.paths.path.name)),
        str(data.get("dataset", "not said")),
        export,
        scores,
    )


def _head(run: Run, export: Export) -> str:
    settings = run.settings
    data: Mapping[str, Any] = settings.get("data") or {}
    features: Mapping[str, Any] = settings.get("features") or {}
    classes, clips = export.classes, export.clips
    front_end = ", ".join(
        f"{name} {features[name]}"
        for name in ("kind", "sample_rate", "seconds", "n_fft", "hop_length", "mel_bins")
        if name in features
    )
    return "\n".join(
        [
            f"# Model card: {settings.get('name', run.paths.path.name)}",
            "",
            *_warnings(run),
            f"- **Data**: {data.get('dataset', 'not said')}, "
            f"{counted(clips.test, 'clip')} held out for the figures below, "
            f"{counted(clips.calibration, 'training clip')} for integer ranges.",
            *_trunk(run),
            f"- **Task**: {_KINDS[export.multi_label]}, {len(classes)} classes: "
            f"{', '.join(map(_plain, classes))}.",
            f"- **Input**: features of shape {export.input_shape} (frames, bins, "
            f"channels), by {front_end}; all settings in `export/features.json`."
            + (
                " Each channel of a recording is an input of its own; a clip's scores are the mean "
                "over its channels."
                if features.get("channel_examples")
                else ""
            )
            + (
                " The silent ends of a recording are cut first: samples "
                f"{features['trim']:g} dB below its largest one. Figures are of recordings without "
                "them: an app that listens on, in windows or frame by frame, has no ends to cut."
                if features.get("trim")
                else ""
            ),
        ]
    )


def _trunk(run: Run) -> list[str]:
    """Return the line that names a pretrained network; none for a network made without one."""
    try:
        trial = run.trials.numbered(chosen(run).trial)
    except MissingError:
        return []
    told = origin(run, trial)
    return [] if told is None else [f"- **Made** {_cell(told)}."]


def _warnings(run: Run) -> list[str]:
    """Lines on what is wrong with the network, and an empty one; nothing where nothing is."""
    found = findings(run)
    lines = [
        f"- **{'Warning' if each.serious else 'Note'}**: {_plain(each.sentence)}." for each in found
    ]
    return [*lines, ""] if lines else []


def _network(run: Run) -> list[str]:
    """Table and cost; nothing where the network's description is not there."""
    try:
        architecture = read_architecture(run, chosen(run))
    except MissingError:
        return []
    cost = architecture.cost()
    rows = [
        [name, what, shape, count(parameters), millions(macs)]
        for name, what, shape, parameters, macs in layers(architecture)
    ]
    heading = ["layer", "operation", "output", "parameters", "multiply-accumulates"]
    return [
        "## Architecture\n\n" + _table(heading, rows),
        f"Cost: {count(cost.parameters)} parameters, {millions(cost.macs)} multiply-accumulates a "
        f"segment, at most {kilobytes(cost.peak_activation_bytes)} of int8 activations at once."
        f"{per_second(run, cost)}",
    ]


def _accuracy(run: Run, export: Export) -> str:
    several, judged = export.multi_label, _judged(run)
    rows = []
    for name, accuracy in export.accuracy.items():
        low, high = _interval(run, name, accuracy, export.clips.test, several)
        interval = f"{percent(low)} to {percent(high)}"
        scores = [metric(each, _score(run, name, each)) for each in judged]
        if (entry := export.files.get(name)) is None:
            title = _NAMES.get(name, name)
            rows.append([title, percent(accuracy), interval, *scores, "", ""])
        else:
            drop = entry.accuracy_drop
            lost = f"{percent(drop.mean)}, ≤ {percent(drop.bounds[1])}"
            shown = [percent(accuracy), interval, *scores, lost, percent(entry.agreement)]
            rows.append([f"`{entry.file}`", *shown])
    for cells in baseline_rows(run, ["accuracy", *judged]):
        title, shown_accuracy, *beside = map(str, cells)
        rows.append([_plain(title), shown_accuracy, "", *beside, "", ""])
    measured = "share of right decisions" if several else "accuracy"
    method = (
        "mean over clips ± 1.96 standard errors" if several else "Wilson's interval, clips as units"
    )
    heading = [
        "model",
        measured,
        "95 % interval",
        *map(words, judged),
        "loss, upper 95 % bound (Tango)",
        "agreement with float32",
    ]
    optimistic = (
        "\n\n**Optimistic**: the architecture was chosen on the same clips (`split.validation: "
        "test_list`)."
    )
    return (
        f"## Accuracy on held-out clips\n\n{_table(heading, rows)}\n\nIntervals: {method}."
        + optimistic * run.chosen_on_test
    )


def _judged(run: Run) -> list[str]:
    """Return the score that the network was chosen by, where that is not the accuracy."""
    return [name for name in run.trials.scores[:1] if name != "accuracy"]


def _score(run: Run, name: str, score: str) -> float | None:
    """Return a score of the trained network (`keras`) or of a file; None where it is not known."""
    evaluation = _evaluation(run, name)
    return None if evaluation is None else evaluation.metrics.get(score)


def _evaluation(run: Run, name: str) -> Evaluation | None:
    try:
        path = run.paths.export.evaluation(name)
        if name == "keras":
            path = training_of(run, chosen(run)).evaluation
        return optional(run, Evaluation, path)
    except MissingError:
        return None  # the report says so at its top


def _interval(
    run: Run, name: str, accuracy: float, clips: int, several: bool
) -> tuple[float | None, float | None]:
    if not several:
        return wilson(accuracy * clips, clips)
    known = _evaluation(run, name)
    if known is None:
        return None, None
    right = np.mean((known.predictions >= 0.5) == (known.labels > 0.5), axis=1)
    error = 1.96 * float(right.std(ddof=1)) / len(right) ** 0.5 if len(right) > 1 else 1.0
    return max(accuracy - error, 0.0), min(accuracy + error, 1.0)


def _files(export: Export) -> str:
    rows = []
    for entry in export.files.values():
        delegated = entry.delegated
        rows.append(
            [
                f"`{entry.file}`",
                computing(entry.form, entry.recurrent, entry.keeps_state),
                count(entry.bytes),
                count(entry.stock_bytes),
                ", ".join(f"{n} {k}" for k, n in entry.float_operators.items()) or "none",
                percent(delegated.share, 0) + (" (estimated)" if delegated.estimated else ""),
                entry.minimum_runtime or "–",
                entry.verdict,
            ]
        )
    heading = [
        "file",
        "form",
        "bytes",
        "stock converter's",
        "operators in float",
        "XNNPACK",
        "runtime",
        "checks",
    ]
    open_ = [check for check in export.checks if not check.passed]
    remarks = [f"- {check.verdict}: {check.message}." for check in open_]
    sums = "The SHA-256 of each file stands in the header of this card."
    parts = ["## Files", _table(heading, rows), "\n".join(remarks), sums]
    return "\n\n".join(filter(None, parts))


def _waveform_files(export: Export) -> list[str]:
    """Of files that take the waveform, bytes of front end and classifier apart; often nothing."""
    wholes = export.waveforms
    if not wholes:
        return []
    rows = [
        [
            f"`{whole.file}`",
            count(whole.bytes),
            count(whole.front_end_bytes),
            count(whole.classifier_bytes),
            percent(whole.accuracy),
            percent(whole.agreement),
            whole.minimum_runtime or "–",
            "yes" if whole.mediapipe else "no",
            whole.verdict,
        ]
        for whole in wholes
    ]
    heading = ["file", "bytes", "front end", "classifier", "accuracy", "agreement"]
    heading += ["runtime", "MediaPipe takes it", "checks"]
    samples, rate = wholes[0].samples, wholes[0].sample_rate
    taken = sorted((w for w in wholes if w.mediapipe), key=lambda whole: whole.bytes)
    return [
        "## Files that take the waveform\n\n" + _table(heading, rows),
        f"Their input is float32 of shape ({samples},), mono, full scale ±1, at {rate} Hz: the "
        "front end, labels and sample rate are in the file, as MediaPipe's AudioClassifier reads "
        "them.",
        *[in_mediapipe(whole.file) for whole in taken[:1]],
    ]


def _streams(run: Run) -> list[str]:
    """Decisions over time; nothing where they were not tuned for these files."""
    try:
        found = streams.current(run)
    except MissingError:
        return []
    if found is None:
        return []
    rows = [[_plain(cell) for cell in row] for row in streams.rows(found)]
    return [
        "## On streams\n\n" + _table(streams.HEAD, rows),
        f"**{_plain(streams.verdict_in_words(found))}** {_plain(streams.settings_in_words(found))} "
        f"Measured on {found.test.hours:.2f} distinct hours, chosen on others. All settings are in "
        "`export/postprocessing.json`; rates hold for sound "
        "like that of the streams.",
    ]


def _limits(export: Export) -> str:
    several = export.multi_label
    answer = (
        "Agreement counts tags whose score is 0.5 or more as present; thresholds tag by tag are in "
        "`export/thresholds.json` where the training kept validation clips back to choose them."
        if several
        else "The best score wins."
    )
    foreign = "" if several else " A sound of none of the classes gets one of them all the same."
    return "\n".join(
        [
            "## Limits",
            "",
            f"- {answer} Scores are not calibrated probabilities.{foreign}",
            "- Figures hold for recordings like the held-out ones: other microphones, rooms and "
            "regions are to be measured before they are relied on.",
            "- Files named under Files take features, not a waveform: an app has to compute them "
            "as `export/features.json` says, whose golden values tell whether it does.",
            *([_KEPT] if any(entry.keeps_state for entry in export.files.values()) else []),
            "- Latencies in `export/export.json` are those of the machine that exported "
            f"({export.machine}), not of a phone: `kerasnas benchmark` measures others.",
            "- Not for decisions about people, or where a missed sound is dangerous, without a "
            "study of its own.",
        ]
    )


_KEPT = (
    "- Files whose form says that they keep state (fused LSTM) go on from the clip before: an app "
    "has to reset them before each clip. Figures here were taken so. MediaPipe does not do it."
)


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return _BAR.sub(r"\\|", text).replace("\n", " ")


_BAR = re.compile(r"(?<!\\)\|")
_MARKUP = re.compile(r"[\\`*<>\[\]|&~]|(?<!\w)_|_(?!\w)")


def _plain(text: str) -> str:
    """Return text that may hold names of users' labels, which Markdown would take for markup."""
    return _MARKUP.sub(r"\\\g<0>", text).replace("\n", " ")
