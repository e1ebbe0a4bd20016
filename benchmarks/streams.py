"""Decisions over time against plain thresholds, before and after a round of mining.

    python benchmarks/streams.py ESC10_DIRECTORY WAKE_WORDS_DIRECTORY [--work DIR] [--hours 1]

Wake words over ESC-10's sounds, sources apart (`examples/wake_word_streams.py`): a small network
is searched, decisions are chosen for 0.5 and for 2 false alarms an hour on validation streams and
measured on test streams, beside a plain threshold for each class that is chosen in the same way for
the same scores. Then the 20 mistakes that the network is surest of on other streams are accepted as
what the lists say they are, the network is trained again, and all is measured once more.

ESC-10 has a quarter of an hour of background to test on: this shows what decisions do, and proves
no rate. Streams from a mixer test the method, not a living room.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from kerasnas.datasets.streams.split import split_streams
from kerasnas.datasets.streams.streams import read_streams
from kerasnas.decisions.measure import Measured, StreamMeasured, change, decided, measure
from kerasnas.decisions.sources import rates
from kerasnas.decisions.sweep import ScoredStream, choose
from kerasnas.flow.commands.search import search
from kerasnas.flow.commands.streams.mine import mine
from kerasnas.flow.commands.streams.retrain import accept
from kerasnas.flow.commands.streams.scoring import chosen_file, open_file, score_streams

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from wake_word_streams import write

RATES = (0.5, 2.0)


def row(name: str, asked: float, figures: Measured) -> str:
    """Return a line of the table."""

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.2f}"

    return (
        f"| {name} | {asked:g} | {number(figures.f1)} | {figures.misses} of {figures.events} | "
        f"{number(figures.rate.per_hour)} | {number(figures.rate.upper)} | "
        f"{'-' if figures.latency is None else number(figures.latency[0])} |"
    )


@dataclass(frozen=True)
class Scored:
    """A network's scores on validation and on test streams."""

    labels: tuple[str, ...]
    validation: list[ScoredStream]
    test: list[ScoredStream]
    window: float
    hop: float

    @classmethod
    def of(cls, run: Path, root: Path, console: Console) -> Scored:
        """Score both with the int8 file of a run."""
        predictor, hop = open_file(chosen_file(run), None)
        streams = split_streams(read_streams(root), 0)
        validation, test = (
            score_streams(predictor, streams.part(name), hop, console)
            for name in ("validation", "test")
        )
        return cls(predictor.classes, validation, test, predictor.settings.seconds, hop)

    def rows(self, name: str) -> tuple[list[str], list[StreamMeasured]]:
        """Rows at all rates, and what the decisions for the last one come to."""
        lines = []
        for asked in RATES:
            for plain in (True, False):
                settings = choose(
                    self.validation, self.labels, self.window, self.hop, asked, plain=plain
                )
                found = decided(self.test, self.labels, settings)
                everything, _ = measure(self.test, self.labels, found)
                kind = "plain thresholds" if plain else "decisions"
                lines.append(row(f"{name}, {kind}", asked, everything))
        return lines, found


def main() -> None:
    """Build, search, tune, mine, train again, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("esc10", type=Path, help="ESC-10 or ESC-50 in its official layout")
    parser.add_argument("words", type=Path, help="a directory for each wake word")
    parser.add_argument("--work", type=Path, help="directory to keep")
    parser.add_argument("--hours", type=float, default=1.0, help="length of a stream")
    given = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as scratch:
        work = given.work or Path(scratch)
        if not (work / "experiment.yaml").is_file():
            write(given.esc10, given.words, work, hours=given.hours)
        run = work / "run"
        search(work / "experiment.yaml", run=run, cache=work / "cache", console=console)
        root = work / "streams"
        before = Scored.of(run, root, console)
        lines, first = before.rows("before mining")
        shown = mine(run, console=console)
        answers = work / "answers.csv"
        with answers.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(
                [("id", "answer"), *((entry.id, "accept") for entry in shown.entries)]
            )
        changed = accept(run, answers, cache=work / "cache", console=console)
        after = Scored.of(changed.run, root, console)
        more, second = after.rows("after mining")
        differences = change(before.test, before.labels, first, second)
    print(
        "\n".join(
            [
                "| network | asked | event F1 | missed | alarms/h | at most | latency, s |",
                "|---|---|---|---|---|---|---|",
                *lines,
                *more,
            ]
        )
    )
    played = sum(stream.seconds for stream in before.test) / 3600
    distinct, _ = rates([(stream.timeline, ()) for stream in before.test], ())
    print(f"test streams: {played:.2f} h played, {distinct.hours:.3f} distinct hours")
    console.print(changed.table())
    for name, (value, low, high) in differences.items():
        print(f"{name} at {RATES[-1]:g} an hour: {value:+.2f} (95 % {low:+.2f} to {high:+.2f})")


if __name__ == "__main__":
    main()
