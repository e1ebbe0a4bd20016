"""What is seen of a search while it runs."""

import io
import re
from pathlib import Path

from rich.console import Console

from kerasnas.flow.workers.display import Display
from kerasnas.tuners import Gene, Search, Window
from kerasnas.tuners.runners.base import Failed, Finished, Progress, Started


def open_search(directory: Path | None = None, trials: int = 6, **settings) -> Search:
    return Search(
        [Gene("width", values=tuple(range(1, 9)))],
        [("accuracy", "max"), ("parameters", "min")],
        max_trials=trials,
        directory=directory,
        **settings,
    )


class Screen:
    """A display of a search, and what it has shown so far."""

    def __init__(self, search: Search, slots: int = 1, terminal: bool = False) -> None:
        self.search = search
        self.console = Console(
            width=120,
            force_terminal=terminal,
            file=io.StringIO(),
            soft_wrap=True,
            highlight=False,
        )
        self.display = Display(self.console, search, search.max_trials, slots, epochs=9)

    def start(self, slot: int = 0) -> str:
        trial = self.search.ask()
        assert trial is not None
        self.display(Started(trial.id, slot, 1, "here"))
        return trial.id

    def finish(self, id: str, accuracy: float, parameters: int, slot: int = 0, **info) -> str:
        metrics = {"accuracy": accuracy, "parameters": parameters}
        self.search.tell(id, metrics, info)
        self.display(Finished(id, slot, {"metrics": metrics}, 12.0, 10**8))
        return self.text()

    def fail(self, id: str, message: str, slot: int = 0) -> str:
        self.search.fail(id, message)
        self.display(Failed(id, slot, message, "", "exception", 1.0))
        return self.text()

    def text(self) -> str:
        """What was printed since the last look; on a terminal the panel follows."""
        panel = ""
        if self.console.is_terminal:
            plain = Console(width=120, file=io.StringIO())
            plain.print(self.display.panel())
            panel = plain.file.getvalue()
        file = self.console.file
        text = file.getvalue()
        file.seek(0)
        file.truncate()
        return text + panel


def test_plain_lines_where_there_is_no_terminal() -> None:
    search = open_search(window=Window(lambda values: 1000 * values["width"], maximum=6000), seed=1)
    screen = Screen(search)
    first = screen.finish(screen.start(), 0.5, 20_000)
    assert first.startswith("trial 0: accuracy 0.500, parameters 20,000, ")
    assert re.search(r"\d kB, 12 s; 1 of 6 done, best accuracy 0.500, 1 on the front", first)
    second = screen.finish(screen.start(), 0.4, 10_000, stopped_at=3)
    assert "stopped early at epoch 3" in second
    assert "2 of 6 done, best accuracy 0.500, 2 on the front" in second
    third = screen.fail(screen.start(), "ValueError: no good")
    assert third.startswith("trial 2 failed: ValueError: no good; 3 of 6 done")
    assert ", 1 failed" in third
    last = screen.finish(screen.start(), 0.6, 5_000)
    assert "best accuracy 0.600, 1 on the front" in last
    for _ in range(2):
        screen.finish(screen.start(), 0.1, 30_000)
    assert search.rejected
    assert f"{search.rejected} candidates outside the window (" in screen.display.state()
    assert "left" not in screen.display.state()
    limited = Display(screen.console, search, 6, 1, outside="the window or the limits")
    assert f"{search.rejected} candidates outside the window or the limits" in limited.state()


def test_a_run_that_is_repeated_is_no_failure() -> None:
    screen = Screen(open_search(max_retries=1))
    id = screen.start()
    assert screen.fail(id, "too bad") == "trial 0 will be run again: too bad\n"
    screen.start()
    screen.search.requeue(id)
    screen.display(Failed(id, 0, "its machine is gone", "", "lost", 1.0))
    assert screen.text() == "trial 0 will be run again: its machine is gone\n"
    screen.start()
    assert "1 of 6 done, 1 failed" in screen.fail(id, "too bad again")


def test_a_terminal_shows_every_worker() -> None:
    screen = Screen(open_search(), slots=3, terminal=True)
    id = screen.start(slot=1)
    assert "building the network" in screen.text()
    screen.display(Progress(id, 1, 7, {"loss": 0.25}))
    assert screen.search.ask() is not None  # given to worker 1, which has not answered yet
    lines = [line.split() for line in screen.text().splitlines() if line.startswith("worker")]
    assert [line[:3] for line in lines] == [
        ["worker", "1", "starting"],
        ["worker", "2", "trial"],
        ["worker", "3", "idle"],
    ]
    assert lines[1][3:] == ["0", "epoch", "7", "of", "9,", "loss", "0.250", "0", "s"]
    assert "0 of 6 done" in screen.text()
    assert "trial 0: accuracy 0.500" in screen.finish("0000", 0.5, 1, slot=1)


def test_the_state_fits_a_narrow_terminal_and_keeps_the_time_that_is_left() -> None:
    search = open_search(window=Window(lambda values: 1000 * values["width"], maximum=6000), seed=1)
    screen = Screen(search)
    screen.fail(screen.start(), "no good")
    screen.finish(screen.start(), 0.5, 20_000)
    whole = screen.display.state()
    assert len(whole) > 60
    for width in (60, 40):
        state = screen.display.state(width)
        assert len(state) <= width
        assert state.startswith("2 of 6 done")
        assert state.endswith(" left")


def test_a_resumed_search_knows_how_far_it_is_and_how_long_it_takes(tmp_path: Path) -> None:
    now = iter([0.0, *range(10, 1000, 10)])
    with open_search(tmp_path, clock=lambda: float(next(now))) as search:
        screen = Screen(search)
        screen.finish(screen.start(), 0.5, 10)
        screen.fail(screen.start(), "no good")
        seconds = [trial.seconds for trial in search.trials]
    with open_search(tmp_path, clock=lambda: 0.0) as search:
        screen = Screen(search, slots=2)
        with screen.display:
            assert screen.text() == "Resuming: 2 of 6 trials done.\n"
        state = screen.display.state()
        assert "best accuracy 0.500, 1 on the front, 1 failed" in state
        assert sum(seconds) > 0
        assert f"{sum(seconds) / 2 * 4 / 2:.0f} s left" in state
    with open_search(tmp_path, clock=lambda: 0.0, time_budget=search.elapsed + 7) as search:
        assert "7 s left" in Screen(search).display.state()


def test_thousands_of_trials_do_not_fill_the_screen_where_there_is_no_terminal() -> None:
    screen = Screen(open_search(trials=800))
    lines = [screen.finish(screen.start(), 0.5, n) for n in range(6)]
    assert [bool(line) for line in lines] == [False] * 3 + [True] + [False] * 2
    assert screen.fail(screen.start(), "broken").startswith("trial 6 failed: broken")


def test_lines_of_trials_stay_on_a_terminal_when_the_search_ends() -> None:
    screen = Screen(open_search(trials=7), terminal=True)
    with screen.display:
        for number in range(7):
            id = screen.start()
            metrics = {"accuracy": number / 10, "parameters": 1}
            screen.search.tell(id, metrics)
            screen.display(Finished(id, 0, {"metrics": metrics}, 12.0, 10**8))
    left = on_screen(screen.console.file.getvalue())
    assert [line for line in left if line.startswith("trial ")] == [
        f"trial {number}: accuracy 0.{number}00, parameters 1, 12 s" for number in range(7)
    ]
    assert not any(line.startswith("worker") for line in left)


def on_screen(output: str) -> list[str]:
    """The lines that stand on a terminal after this output: text, new lines, up, and erasures."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[[\d;?]*[a-zA-Z]|\n|\r|[^\x1b\n\r]+", output):
        match part[-1] if part.startswith("\x1b") else part:
            case "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            case "\r":
                pass
            case "A":
                row -= int(part[2:-1])
            case "K":
                lines[row] = ""
            case _ if not part.startswith("\x1b"):
                lines[row] += part
    return lines
