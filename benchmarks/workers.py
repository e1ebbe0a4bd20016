"""Two workers with one thread each against one worker that uses both cores.

    python benchmarks/workers.py [--trials 12] [--epochs 4] [--rounds 1]

Both search the same small networks with `kerasnas search`; the same seed gives the same
candidates. Measured by the search's own clock: from its start, with the start of the workers, to
the end of the last trial.
"""

from __future__ import annotations

import argparse
import time

from sessions import Session


def main() -> None:
    """Measure in turns and print seconds and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    for _ in range(arguments.rounds):
        one, two = (_seconds(workers, arguments.trials, arguments.epochs) for workers in (1, 2))
        print(
            f"{arguments.trials} trials of {arguments.epochs} epochs: "
            f"1 worker {one:.1f} s, 2 workers {two:.1f} s, {one / two:.2f} times faster",
            flush=True,
        )


def _seconds(workers: int, trials: int, epochs: int) -> float:
    settings = {
        "search": {"trials": trials, "window": {"maximum": 100_000}},
        "training": {"candidate": {"epochs": epochs, "batch_size": 16}},
    }
    with Session(settings, "--workers", str(workers)) as session:
        while len(finished := session.events("finish")) < trials:
            if not session.alive():
                raise SystemExit(f"the search ended after {len(finished)} trials")
            time.sleep(0.5)
    return float(finished[-1]["elapsed"])


if __name__ == "__main__":
    main()
