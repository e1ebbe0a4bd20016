"""The table of trials."""

from pathlib import Path

from rich.console import Console

from kerasnas.experiment import Experiment
from kerasnas.flow.run import open_run
from kerasnas.flow.trials import table
from kerasnas.tuners import Gene, Search


def test_scores_that_were_not_finite_are_left_empty(tmp_path: Path) -> None:
    with open_run(tmp_path, Experiment.model_validate({"name": "mine"})):
        genes = [Gene("width", values=(1, 2))]
        with Search(genes, [("accuracy", "max")], max_trials=2, directory=tmp_path) as search:
            for score, test in ((0.5, float("nan")), (0.25, 0.75)):
                trial = search.ask()
                assert trial is not None
                search.tell(trial.id, {"accuracy": score, "test_accuracy": test})
    console = Console(width=150, record=True)
    console.print(table(tmp_path))
    lines = console.export_text().splitlines()
    first, second = (line.split() for line in lines if "completed" in line)
    assert "*0" in first
    assert "0.5000" in first
    assert "nan" not in first
    assert {"1", "0.2500", "0.7500"} <= set(second)
