"""Figures and checks of exported files.

`kerasnas.export` has a `FileCheck`, a `Verdict` and a `Latency` of its own: it knows no run, and
runs know nothing of how files are made, so that both sides say what the report between them holds.
`Export.of` refuses a report that is not what this side says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from kerasnas.runs.record import Entry, Record
from kerasnas.runs.values import Json

EXPORT_COMMAND = "`kerasnas export`"
"""What makes the records of an export again."""

_REPORT_SCHEMA = 1  # of `kerasnas.export`, which has a schema of its own

Verdict = Literal["passed", "not proven", "failed"]


@dataclass(frozen=True, eq=False)
class CheckEntry(Entry):
    """One check of one file; see `kerasnas.export.check.checks`."""

    name: str
    file: str
    verdict: Verdict
    received: Any
    required: Any
    message: str

    @property
    def passed(self) -> bool | None:
        """None where the clips do not suffice to tell."""
        return {"passed": True, "failed": False}.get(self.verdict)


@dataclass(frozen=True, eq=False)
class AccuracyDrop(Entry):
    """Accuracy that a file loses, and its one-sided 95 % lower and upper bound."""

    mean: float
    bounds: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Delegated(Entry):
    """Operators that XNNPACK takes; see `kerasnas.export.flatbuffer.delegation.Delegation`."""

    share: float
    left: Mapping[str, int]
    parts: int
    estimated: bool


@dataclass(frozen=True, eq=False)
class Latency(Entry):
    """Milliseconds of one segment on the machine that exported."""

    median: float
    p95: float
    threads: int


@dataclass(frozen=True, eq=False)
class FileFigures(Entry):
    """Figures of a file that was made for comparison, and not kept."""

    form: str
    recurrent: str | None
    bytes: int
    gzip_bytes: int
    counted_bytes: int
    accuracy: float
    agreement: float


@dataclass(frozen=True, eq=False)
class WaveformEntry(Entry):
    """A file that takes the waveform: a front end and a classifier; as `FileEntry` otherwise.

    Attributes:
        samples: Of the waveform, at `sample_rate` Hz.
        front_end_bytes: With metadata and labels.
        features_difference: Mean difference of a made-up sound's features from those of training.
        mediapipe: Whether MediaPipe's AudioClassifier takes the file.
    """

    file: str
    sha256: str
    sample_rate: int
    samples: int
    bytes: int
    classifier_bytes: int
    front_end_bytes: int
    counted_bytes: int
    verdict: Verdict
    features_difference: float
    operators: Mapping[str, int]
    delegated: Delegated
    minimum_runtime: str | None
    mediapipe: bool
    keeps_state: bool
    largest_difference: float | None
    agreement: float
    accuracy: float
    accuracy_drop: AccuracyDrop
    latency_ms: Latency
    error: Json | None = None


@dataclass(frozen=True, eq=False)
class LayerEntry(Entry):
    """What a layer costs in a file; see `kerasnas.export.check.layer_table`.

    Attributes:
        bytes: Of its constants.
        macs: Multiply-accumulates; None where they are not known.
        error: Of its output, relative to the Keras model's.
        added: By how much that is more than the layer before had.
        delegate: `XNNPACK`, or None where the runtime's own kernels compute some of it.
    """

    layer: str
    operator: str
    bytes: int
    macs: int | None
    error: float | None
    added: float | None
    delegate: str | None


@dataclass(frozen=True, eq=False)
class SourceEntry(Entry):
    """A C++ header."""

    file: str
    sha256: str


@dataclass(frozen=True, eq=False)
class MicroEntry(Entry):
    """An integer file on TensorFlow Lite Micro, as C++ sources.

    Attributes:
        file: Name of the source; that of the header is in `header`.
        arena_bytes: Least arena in which it runs, on a computer of 64 bits.
        tensor_bytes: Of these, what inner tensors share.
        lasting_bytes: Of these, what is kept from start to end.
        operators: Each once, by the schema's names.
        resolver: Functions of a `MicroMutableOpResolver` that add them.
        examples: It was run on so many.
        steps: Differences from LiteRT's scores in steps of their integers, `mean` and `most`, and
            the `step` itself.
    """

    file: str
    sha256: str
    header: SourceEntry
    arena_bytes: int
    tensor_bytes: int
    lasting_bytes: int
    operators: tuple[str, ...]
    resolver: tuple[str, ...]
    examples: int
    steps: Mapping[Literal["mean", "most", "step"], float]
    verdict: Verdict


@dataclass(frozen=True, eq=False)
class FileEntry(Entry):
    """One exported file.

    Attributes:
        file: Its name in the export's directory.
        sha256: Of its content, hexadecimal.
        form: How it computes; see `kerasnas.export.forms`.
        recurrent: How its recurrent layers compute; None without any.
        keeps_state: Whether it has to be reset before each clip.
        step_frames: Frames that a call takes, of a file that goes step by step; 0 of other files.
        failed_forms: What came of the forms that were tried before.
        stock_bytes: Of the file by TensorFlow's own converter; None where that makes none.
        counted_bytes: Bytes under `rule`, which the budget is held against.
        predicted_bytes: By `kerasnas.export.network.size`; None where there is no prediction.
        prediction_error: Predicted by true bytes, minus 1.
        operators: Number of each, by name and version.
        float_operators: Those that compute in float.
        minimum_runtime: Oldest TensorFlow Lite runtime that takes it; None where it is not stated.
        largest_difference: Between any two scores of the file and of the Keras model; None where
            the file's are not finite.
        agreement: Share of decisions that equal the Keras model's.
        accuracy: Share of right decisions on the test clips.
        error: How far numbers are off; None for scores of classes, which the other figures tell of.
        without_tuning: Of the file of the model before fine-tuning; None without fine-tuning.
        without_fusing: Of the file with loops; None where no LSTM is fused.
        waveform: The file that takes the waveform; None where none was asked for.
        micro: On TensorFlow Lite Micro; None where it was not asked for, or does not run there.
        layers: What each layer costs that can be found in the file, in order.
        larger: Why an integer file is larger than that of floats; None where it is not.
        slow: Why a file takes longer than its multiply-accumulates tell; None where it does not.
    """

    file: str
    sha256: str
    form: str
    recurrent: str | None
    keeps_state: bool
    failed_forms: tuple[str, ...]
    bytes: int
    gzip_bytes: int
    stock_bytes: int | None
    counted_bytes: int
    budget: int
    rule: str
    verdict: Verdict
    predicted_bytes: int | None
    prediction_error: float | None
    operators: Mapping[str, int]
    float_operators: Mapping[str, int]
    delegated: Delegated
    minimum_runtime: str | None
    largest_difference: float | None
    agreement: float
    accuracy: float
    accuracy_drop: AccuracyDrop
    latency_ms: Latency
    step_frames: int = 0
    error: Json | None = None
    without_tuning: FileFigures | None = None
    without_fusing: FileFigures | None = None
    waveform: WaveformEntry | None = None
    micro: MicroEntry | None = None
    larger: str | None = None
    slow: str | None = None
    layers: tuple[LayerEntry, ...] = ()


@dataclass(frozen=True, eq=False)
class ClipCounts(Entry):
    """Clips that an export was checked on and calibrated by."""

    test: int
    calibration: int


@dataclass(frozen=True, eq=False)
class TuningEntry(Entry):
    """What fine-tuning before the export made of the model.

    Attributes:
        zeros: Share of zeros in the kernels that pruning takes weights from.
        values: Most different values of a kernel that clustering groups.
    """

    file: str
    sha256: str
    zeros: Mapping[Literal["given", "tuned"], float]
    values: Mapping[Literal["given", "tuned"], int]
    accuracy: float
    agreement: float
    accuracy_drop: AccuracyDrop


@dataclass(frozen=True, eq=False)
class Export(Record):
    """`export.json`: the report of `kerasnas.export.export`.

    Attributes:
        task: `single_label` or `multi_label`.
        input_shape: Of one segment's features: frames, bins, channels.
        held_on: The clips that the checks were made on.
        accuracy: By precision, and `keras` of the model.
        files: By precision, `float16` and `int8`.
        settings: See `kerasnas.export.settings.ExportSettings`.
        machine: That of the latencies.
    """

    task: str
    classes: tuple[str, ...]
    input_shape: tuple[int, ...]
    clips: ClipCounts
    held_on: str
    accuracy: Mapping[str, float]
    tuning: TuningEntry | None
    files: Mapping[str, FileEntry]
    checks: tuple[CheckEntry, ...]
    verdict: Verdict
    settings: Json
    versions: Mapping[str, str]
    machine: str

    COMMAND: ClassVar[str] = EXPORT_COMMAND

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> Export:
        """Return the record of an export's report, which has no digest yet.

        Args:
            report: Of `kerasnas.export.ExportResult`.

        Raises:
            ValueError: The report is of another schema, or has other fields, than this record.
        """
        schema = report.get("schema")
        if schema != _REPORT_SCHEMA:
            raise ValueError(
                f"a report of schema {schema!r} was received, and this record holds "
                f"{_REPORT_SCHEMA}: install kerasnas again, whose parts are of different versions"
            )
        return cls.of_fields({name: value for name, value in report.items() if name != "schema"})

    @property
    def multi_label(self) -> bool:
        """Whether clips carry several labels."""
        return self.task == "multi_label"

    @property
    def checksums(self) -> Mapping[str, str]:
        """SHA-256 of every exported file, by its name."""
        tuned = () if self.tuning is None else (self.tuning,)
        micro = [entry.micro for entry in self.files.values() if entry.micro]
        headers = [entry.header for entry in micro]
        entries = (*self.files.values(), *self.waveforms, *micro, *headers, *tuned)
        return {entry.file: entry.sha256 for entry in entries}

    @property
    def waveforms(self) -> tuple[WaveformEntry, ...]:
        """The files that take the waveform."""
        return tuple(entry.waveform for entry in self.files.values() if entry.waveform)
