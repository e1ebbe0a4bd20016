"""What a comparison with random search shows of itself."""

from pathlib import Path

from kerasnas.flow.commands.random_search import RandomSearch


def test_a_comparison_shows_what_matters() -> None:
    found = RandomSearch(Path("run/random"), 12, 0.625, "macro_f1", Path("run/report.html"))
    assert repr(found) == (
        "RandomSearch(run: run/random, trials: 12, best macro F1: 0.6250, report: run/report.html)"
    )
    assert "0.6250" in found._repr_html_()
