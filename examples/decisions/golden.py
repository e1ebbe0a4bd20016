"""Golden inputs and outputs of decisions over time: `python examples/decisions/golden.py` writes
golden/postprocessing.json and .h, golden/scores.csv and golden/events.csv.

Another implementation is right when it makes events.csv of scores.csv.
"""

import csv
import io
from pathlib import Path

import numpy as np

from kerasnas.decisions import DecisionSettings
from kerasnas.decisions.c_header import c_header
from kerasnas.decisions.whole import decide
from kerasnas.runs.records import Postprocessing

FOLDER = Path(__file__).with_name("golden")
LABELS = ("other", "rain", "dog")
SETTINGS = DecisionSettings.model_validate(
    {
        "window_seconds": 1.0,
        "hop_seconds": 0.25,
        "smoothing": "mean",
        "smoothing_windows": 3,
        "classes": {
            "rain": {"threshold": 0.6, "release": 0.3, "minimum_windows": 2},
            "dog": {
                "threshold": 0.5,
                "release": 0.5,
                "refractory_seconds": 1.0,
                "onset_shift_seconds": 0.125,
            },
        },
    }
)


def scores(windows: int = 240, seed: int = 0) -> np.ndarray:
    """Scores that rise and fall, `(windows, 3)`, with four digits as they are written."""
    rng = np.random.default_rng(seed)
    levels = rng.standard_normal((windows, 3)).cumsum(axis=0) / 2 + rng.standard_normal(3)
    return (1 / (1 + np.exp(-3 * np.sin(levels)))).round(4)


def scores_csv(rows: np.ndarray) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["start", *LABELS])
    for index, row in enumerate(rows):
        writer.writerow([f"{index * SETTINGS.hop_seconds:.3f}", *(f"{score:.4f}" for score in row)])
    return text.getvalue()


def events_csv(settings: DecisionSettings, rows: np.ndarray) -> str:
    """Events as the examples print them: in order of their ends, then of their classes."""
    starts = np.arange(len(rows)) * settings.hop_seconds
    order = list(settings.classes)
    found = decide(settings, LABELS, starts, rows)
    return "".join(
        f"{event.start:.6f},{event.stop:.6f},{event.label},{event.score:.6f}\n"
        for event in sorted(found, key=lambda event: (event.stop, order.index(event.label)))
    )


def main() -> None:
    rows = scores()
    Postprocessing("model_int8.tflite", "nothing: an example", SETTINGS).write(
        FOLDER / "postprocessing.json"
    )
    (FOLDER / "postprocessing.h").write_text(c_header(SETTINGS, LABELS))
    (FOLDER / "scores.csv").write_text(scores_csv(rows))
    (FOLDER / "events.csv").write_text(events_csv(SETTINGS, rows))


if __name__ == "__main__":
    main()
