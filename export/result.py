"""What an export made, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .arrays import Floats
from .display import html_table

_COLUMNS = ("file", "form", "bytes", "agreement", "accuracy", "ms", "verdict")


@dataclass(frozen=True, eq=False, repr=False)
class ExportResult:
    """What an export made.

    Attributes:
        directory: Where the files are.
        report: What `export.json` holds.
        scores: Of the clips' segments, by format, `(clips * segments, *output shape)`.
    """

    directory: Path
    report: dict[str, Any]
    scores: dict[str, Floats]

    @property
    def files(self) -> dict[str, Path]:
        """Paths by format, `float16` and `int8`.

        Those that take waveforms as `int8_waveform`, C++ sources as `int8_source`, `int8_header`.
        """
        found = {}
        for name, entry in self.report["files"].items():
            found[name] = self.directory / entry["file"]
            if entry["waveform"] is not None:
                found[f"{name}_waveform"] = self.directory / entry["waveform"]["file"]
            if entry["micro"] is not None:
                found[f"{name}_source"] = self.directory / entry["micro"]["file"]
                found[f"{name}_header"] = self.directory / entry["micro"]["header"]["file"]
        return found

    @property
    def verdict(self) -> str:
        """Of all checks together: `passed`, `not proven` or `failed`."""
        return str(self.report["verdict"])

    def _rows(self) -> list[list[str]]:
        return [
            [
                entry["file"],
                " with ".join(filter(None, (entry["form"], entry["recurrent"]))),
                f"{entry['bytes']:,}",
                _percent(entry["agreement"]),
                _percent(entry["accuracy"]),
                f"{entry['latency_ms']['median']:.2f}",
                entry["verdict"],
            ]
            for entry in self.report["files"].values()
        ]

    def __repr__(self) -> str:
        lines = [f"<ExportResult in {self.directory}: {self.verdict}"]
        for row, entry in zip(self._rows(), self.report["files"].values(), strict=True):
            lines.append(
                "  "
                + ", ".join(
                    value if name in ("file", "form", "verdict") else f"{name} {value}"
                    for name, value in zip(_COLUMNS, row, strict=True)
                    if value
                )
            )
            lines += [f"    {entry['slow']}"] if entry["slow"] else []
        return "\n".join(lines) + ">"

    def _repr_html_(self) -> str:
        caption = f"{self.directory}: {self.verdict}"
        return html_table(caption, _COLUMNS, self._rows())


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
