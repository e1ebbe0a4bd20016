"""The loop with real worker processes."""

from pathlib import Path

import pytest

from kerasnas.tuners.core.genes import Gene
from kerasnas.tuners.loop import run
from kerasnas.tuners.runners.base import Job, Started
from kerasnas.tuners.runners.local import LocalRunner, LocalSettings
from kerasnas.tuners.search import Search


def choice(name, values):
    fields = {"name": name, "values": list(values), "conditions": []}
    return Gene.from_config({"class_name": "Choice", "config": fields})


@pytest.fixture(autouse=True)
def factories_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "runners"))


def test_crashes_cost_their_trials_and_nothing_else(tmp_path):
    actions = ("score", "segfault", "leave", "raise", "kill self", "steps")
    genes = [choice("action", actions), choice("x", (1, 2))]
    search = Search(
        genes,
        [("score", "max")],
        max_trials=12,
        max_consecutive_failures=None,
        directory=tmp_path,
    )

    def make_job(trial):
        directory = tmp_path / "trials" / trial.id
        return Job(trial.id, "runner_factories:make", {}, dict(trial.values), directory, 60)

    slots = set()
    with search, LocalRunner(LocalSettings(workers=2)) as runner:
        run(
            search,
            runner,
            make_job,
            on_event=lambda event: slots.add(event.slot) if isinstance(event, Started) else None,
        )
    assert slots == {0, 1}
    assert len(search.trials) == 12
    for trial in search.trials:
        if trial.values["action"] in ("score", "steps"):
            assert trial.metrics == {"score": trial.values["x"]}
        else:
            assert (trial.status, trial.metrics) == ("failed", {})
            assert trial.message
    causes = {trial.values["action"]: trial.info.get("cause") for trial in search.trials}
    assert causes == {
        "score": None,
        "steps": None,
        "segfault": "crash",
        "leave": "crash",
        "raise": "exception",
        "kill self": "killed",
    }
