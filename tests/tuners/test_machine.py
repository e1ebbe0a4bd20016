"""Whatever is asked, told, lost and killed in whatever order: a search is what its model says."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kerasnas.tuners import NSGA2, Controller, Gene, Grid, Results, Search, Window
from kerasnas.tuners.core.genes import key
from kerasnas.tuners.core.propose import uniform
from kerasnas.tuners.core.storage.journal import JOURNAL
from kerasnas.tuners.settings import ORACLES as EXPERIMENTS
from tests.effort import effort

GENES = [Gene("width", values=(1, 2, 3, 4)), Gene("deep", values=(False, True))]
LATE = Gene("late", values=("a", "b", "c"))
TRIALS, RETRIES, FAILURES = 14, 1, 3
ORACLES = {
    "random": uniform,
    "nsga2": NSGA2(population=3, exploitation=0.7),
    "synchronous nsga2": NSGA2(population=3, exploitation=0.7, synchronous=True),
    "controller": Controller(budget=10, settled=2, batch=2, units=4, layers=1),
    "grid": Grid(),
}


def test_every_oracle_of_experiments_is_listed_here():
    listed = {type(oracle) for oracle in ORACLES.values()}
    assert {type(each().propose()) for each in EXPERIMENTS} <= listed


class Model:
    """A search, without its oracle: what was begun, and what became of it."""

    def __init__(self):
        self.keys, self.status, self.attempts, self.queue, self.failures = [], [], [], [], 0

    def is_next(self, trial):
        """Whether `ask` may have returned this; None for nothing."""
        if self.failures >= FAILURES or (not self.all("waiting") and len(self.keys) == TRIALS):
            return trial is None
        if self.all("waiting"):
            return trial is not None and trial.number == self.all("waiting")[0]
        if self.queue:
            return trial is not None and key(trial.values) == self.queue[0]
        return trial is None or (
            trial.number == len(self.keys) and key(trial.values) not in self.keys
        )

    def begin(self, trial):
        if trial.number == len(self.keys):
            self.keys.append(key(trial.values))
            self.attempts.append(0)
            self.status.append("")
            self.queue = [each for each in self.queue if each != self.keys[-1]]
        self.status[trial.number] = "running"

    def complete(self, number):
        self.status[number], self.failures = "completed", 0

    def fail(self, number, retry=True):
        self.attempts[number] += 1
        final = not retry or self.attempts[number] > RETRIES
        self.status[number] = "failed" if final else "waiting"
        self.failures += final

    def reopen(self):
        self.status = ["waiting" if each == "running" else each for each in self.status]
        self.failures = 0 if self.failures >= FAILURES else self.failures

    def all(self, status):
        return [number for number, each in enumerate(self.status) if each == status]


class Machine(RuleBasedStateMachine):
    """A search on the disk, beside its model."""

    oracle = "random"

    def __init__(self):
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="kerasnas-"))
        self.model, self.genes = Model(), list(GENES)
        self.open()

    def open(self):
        self.search = Search(
            self.genes,
            [("accuracy", "max"), ("size", "min")],
            max_trials=TRIALS,
            propose=ORACLES[self.oracle],
            window=Window(lambda values: values["width"], 1, 3),
            directory=self.directory,
            max_retries=RETRIES,
            max_consecutive_failures=FAILURES,
            patience=300,
        )

    def running(self, data):
        return data.draw(st.sampled_from(self.model.all("running")), "trial")

    @rule()
    def ask(self):
        trial = self.search.ask()
        assert self.model.is_next(trial)
        if trial is None:
            stopped = self.search.finished is not None
            assert stopped or self.model.all("running"), "there would be nothing to wait for"
        else:
            self.model.begin(trial)

    @precondition(lambda self: self.model.all("running"))
    @rule(data=st.data(), accuracy=st.sampled_from([0.0, 0.25, 0.5, 1.0]))
    def tell(self, data, accuracy):
        number = self.running(data)
        trial = self.search.trial(f"{number:04d}")
        self.search.tell(trial.id, {"accuracy": accuracy, "size": trial.values["width"]})
        self.model.complete(number)

    @precondition(lambda self: self.model.all("running"))
    @rule(data=st.data(), retry=st.booleans())
    def fail(self, data, retry):
        number = self.running(data)
        self.search.fail(f"{number:04d}", "why", "where", retry=retry)
        self.model.fail(number, retry)

    @precondition(lambda self: self.model.all("running"))
    @rule(data=st.data())
    def tell_nothing(self, data):
        number = self.running(data)
        self.search.tell(f"{number:04d}", {"size": 1})
        self.model.fail(number)

    @precondition(lambda self: self.model.all("running"))
    @rule(data=st.data())
    def requeue(self, data):
        number = self.running(data)
        self.search.requeue(f"{number:04d}")
        self.model.status[number] = "waiting"

    @rule(width=st.integers(1, 3), deep=st.booleans(), late=st.sampled_from("abc"))
    def enqueue(self, width, deep, late):
        values = {"width": width, "deep": deep}
        if len(self.genes) > len(GENES):
            values["late"] = late
        known = key(values) in [*self.model.keys, *self.model.queue]
        assert self.search.enqueue(values) is not known
        if not known:
            self.model.queue.append(key(values))

    @precondition(lambda self: len(self.genes) == len(GENES))
    @rule()
    def extend(self):
        self.genes.append(LATE)
        self.search.extend([LATE])

    @rule(torn=st.integers(0, 60))
    def kill_and_reopen(self, torn):
        self.search.close()  # which writes nothing, as a kill does not
        path = self.directory / JOURNAL
        number = path.read_bytes().count(b"\n") + 1
        line = json.dumps({"n": number, "event": "finish", "id": "0000"}, separators=(",", ":"))
        with path.open("ab") as file:
            file.write(line[:torn].encode())
        self.open()
        assert self.search.dropped == len(line[:torn])
        self.model.reopen()

    @invariant()
    def is_as_its_model(self):
        search, model = self.search, self.model
        assert [trial.status for trial in search.trials] == model.status
        assert [trial.attempt for trial in search.trials] == model.attempts
        assert [key(trial.values) for trial in search.trials] == model.keys
        assert [int(id) for id in search.history.waiting] == model.all("waiting")
        assert search.failing == (model.failures >= FAILURES)
        assert Results.read(self.directory).trials == search.trials
        assert all(trial.values["width"] <= 3 for trial in search.trials)

    def teardown(self):
        self.search.close()
        text = (self.directory / JOURNAL).read_text()
        for number in self.model.all("completed"):
            assert sum(f'"id":"{number:04d}","metrics"' in line for line in text.splitlines()) == 1
        shutil.rmtree(self.directory)


@pytest.mark.parametrize("oracle", ORACLES)
def test_a_search_is_what_its_model_says(oracle):
    machine = type(f"Machine of {oracle}", (Machine,), {"oracle": oracle})
    case = machine.TestCase
    case.settings = effort(12, 200, steps=40)
    case("runTest").runTest()
