"""Files of an export, as they are found in its directory, and what to say of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kerasnas.flow.result import Result
from kerasnas.report.html.formats import computing
from kerasnas.runs.records import (
    Export,
    FileEntry,
    FileFigures,
    MicroEntry,
    StreamDecisions,
    TuningEntry,
    WaveformEntry,
)

_RESET = "keeps state: call reset_all_variables() before each clip"
_REFUSED = " was refused: "
_SAYING = {"failed": "check failed", "not proven": "not proven"}


@dataclass(frozen=True, repr=False)
class Exported(Result):
    """Files of an export.

    Attributes:
        directory: Where they are.
        report: What `export.json` holds.
        rate: False alarms per hour on streams; None where that was not asked for.
    """

    directory: Path
    report: Export
    rate: StreamDecisions | None = None

    @property
    def files(self) -> dict[str, Path]:
        """Files by precision, `float16` and `int8`."""
        return {name: self.directory / entry.file for name, entry in self.report.files.items()}

    @property
    def failed(self) -> bool:
        """Whether a check failed although the settings do not say `report`."""
        verdicts = (self.report.verdict, None if self.rate is None else self.rate.verdict)
        return "failed" in verdicts and self.report.settings["on_fail"] != "report"

    def headline(self) -> dict[str, str]:
        """Return the three numbers that matter of the smallest file that is not refused."""
        entries = self.report.files.values()
        taken = [entry for entry in entries if entry.verdict != "failed"] or list(entries)
        entry = min(taken, key=lambda each: each.counted_bytes)
        return {
            f"accuracy of {entry.file} on test clips": f"{entry.accuracy:.1%}",
            f"bytes, of {entry.budget:,} that it may have": f"{entry.counted_bytes:,}",
            "milliseconds a segment on this machine": f"{entry.latency_ms.median:.2f}",
        }

    def facts(self) -> dict[str, str]:
        """See `Result`."""
        verdict = self.report.verdict
        return {"directory": str(self.directory), "checks": verdict, **self.file_facts()}

    def file_facts(self) -> dict[str, str]:
        """Return size, accuracy and agreement of each file, by precision."""
        return {
            name: f"{entry.bytes:,} bytes, accuracy {entry.accuracy:.3f}, agreement "
            f"{entry.agreement:.3f}"
            for name, entry in self.report.files.items()
        }

    def lines(self) -> list[str]:
        """Return a line for each file and for each check that did not pass."""
        entries, tuning = self.report.files, self.report.tuning
        return [
            *([] if tuning is None else [_tuning_line(tuning, self.report)]),
            *(_file_line(path, entries[name]) for name, path in self.files.items()),
            *(
                reason
                for entry in entries.values()
                for reason in entry.failed_forms
                if _REFUSED in reason
            ),
            *(entry.larger for entry in entries.values() if entry.larger is not None),
            *(f"{entry.file}: {entry.slow}" for entry in entries.values() if entry.slow),
            *(
                _unfused_line(name, entry.without_fusing)
                for name, entry in entries.items()
                if entry.without_fusing is not None
            ),
            *(_waveform_line(self.directory, whole) for whole in self.report.waveforms),
            *(
                _micro_line(self.directory, entry.micro)
                for entry in entries.values()
                if entry.micro is not None
            ),
            *(
                f"{_SAYING[check.verdict]}: {check.message}"
                for check in self.report.checks
                if check.verdict in _SAYING
            ),
            *([] if self.rate is None else [_rate_line(self.rate)]),
        ]


def _rate_line(rate: StreamDecisions) -> str:
    return f"{_SAYING.get(rate.verdict, 'false alarms')}: {rate.promise}"


def _tuning_line(tuning: TuningEntry, report: Export) -> str:
    changes = "; ".join(
        f"{name} accuracy {without.accuracy:.3f} to {entry.accuracy:.3f}, after gzip "
        f"{without.gzip_bytes:,} to {entry.gzip_bytes:,} bytes"
        for name, entry in report.files.items()
        if (without := entry.without_tuning) is not None
    )
    return (
        f"{tuning.file}: accuracy {tuning.accuracy:.3f}, {tuning.zeros['tuned']:.1%} of "
        f"the kernels are zeros, at most {tuning.values['tuned']:,} values in one; by fine-tuning: "
        f"{changes}"
    )


def _file_line(path: Path, entry: FileEntry) -> str:
    stock = entry.stock_bytes
    beside = "" if stock is None else f" ({stock:,} by the stock converter)"
    return (
        f"{path}: {entry.bytes:,} bytes{beside}, accuracy {entry.accuracy:.3f}, agreement "
        f"{entry.agreement:.3f}, {entry.latency_ms.median:.1f} ms a segment; "
        f"{computing(entry.form, entry.recurrent, entry.keeps_state)}"
    )


def _unfused_line(name: str, without: FileFigures) -> str:
    return (
        f"{name} without fusing: {without.bytes:,} bytes, accuracy {without.accuracy:.3f}, "
        f"agreement {without.agreement:.3f}; {computing(without.form, without.recurrent)}"
    )


def _micro_line(directory: Path, micro: MicroEntry) -> str:
    return (
        f"{directory / micro.file}: for TensorFlow Lite Micro, an arena of "
        f"{micro.arena_bytes:,} bytes, {len(micro.operators)} kinds of operators; scores within "
        f"{micro.steps['most']:.2g} steps of LiteRT's"
    )


def _waveform_line(directory: Path, whole: WaveformEntry) -> str:
    loads = ""
    if not whole.mediapipe:
        kept = whole.keeps_state
        reason = f"{_RESET}, as MediaPipe does not" if kept else "MediaPipe loads no loops"
        loads = f"; {reason}: export.recurrent: unroll"
    return (
        f"{directory / whole.file}: {whole.bytes:,} bytes ({whole.front_end_bytes:,} of them "
        f"the front end), accuracy {whole.accuracy:.3f}, agreement {whole.agreement:.3f}, "
        f"{whole.latency_ms.median:.1f} ms a clip{loads}"
    )
