"""The settings of decisions over time as a C header, for `examples/decisions/decide.c`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from kerasnas.decisions.settings import DecisionSettings


def c_header(settings: DecisionSettings, labels: Sequence[str]) -> str:
    """Return the text of a header with the settings, one row for each class that makes events.

    Args:
        settings: How to decide.
        labels: Names of the network's classes, in the order of its scores.
    """
    place = {name: index for index, name in enumerate(labels)}
    rows = [
        f"    {{{_text(name)}, {place[name]}, {each.threshold!r}, {each.release!r}, "
        f"{each.minimum_windows}, {each.refractory_seconds!r}, {each.onset_shift_seconds!r}}},"
        for name, each in settings.classes.items()
    ]
    smoothings = ("none", "mean", "median", "exponential")
    return "\n".join(
        [
            "/* Written by `kerasnas tune-decisions`; the same settings as postprocessing.json. */",
            f"#define SCORES {len(labels)}",
            f"#define CLASSES {len(rows)}",
            f"#define WINDOW_SECONDS {settings.window_seconds!r}",
            f"#define HOP_SECONDS {settings.hop_seconds!r}",
            f"#define SMOOTHING {smoothings.index(settings.smoothing)}"
            "  /* 0 none, 1 mean, 2 median, 3 exponential */",
            f"#define SMOOTHING_WINDOWS {settings.smoothing_windows}",
            "#define MOST_MINIMUM_WINDOWS "
            f"{max((each.minimum_windows for each in settings.classes.values()), default=1)}",
            "static const struct {",
            "    const char *label;  /* its score is number: */",
            "    int score;",
            "    double threshold, release;",
            "    int minimum_windows;",
            "    double refractory_seconds, onset_shift_seconds;",
            "} SETTINGS[] = {",
            *(rows or ["    {0},"]),
            "};",
            "",
        ]
    )


def _text(name: str) -> str:
    """Return a name as a string of C, in UTF-8."""
    quoted = json.dumps(name, ensure_ascii=False)
    return quoted.replace("??", "?\\?")  # no trigraphs
