import collections
import itertools
import math
import re

import pytest

from kerasnas.tuners.core.errors import TunerError
from kerasnas.tuners.core.genes import Gene
from kerasnas.tuners.loop import MedianStop, hopeless, run
from kerasnas.tuners.runners.base import Failed, Finished, Job, Progress, Started
from kerasnas.tuners.search import Search

RULE = MedianStop(metric="loss", direction="min", first_step=2, minimum_trials=2)


class FakeRunner:
    """Runs `evaluate(trial id, run number, report)` step by step, one slot after the other.

    `evaluate` is a generator: it yields `(step, metrics)`, is sent the answer, and returns the
    last event's fields as a dictionary for `Finished` or a tuple for `Failed`.
    """

    def __init__(self, evaluate, slots=1):
        self.evaluate, self.slots = evaluate, slots
        self.running, self.answers, self.runs = {}, {}, collections.Counter()
        self.closed, self.most_busy = False, 0
        self.turn = itertools.cycle(range(slots))

    def start(self, job, slot):
        assert slot not in self.running
        self.running[slot] = job, self.evaluate(job.values, self.runs[job.id])
        self.runs[job.id] += 1
        self.answers[slot] = None
        self.most_busy = max(self.most_busy, len(self.running))

    def answer(self, slot, keep):
        self.answers[slot] = keep

    def wait(self, timeout=None):
        slot = next(slot for slot in self.turn if slot in self.running)
        job, steps = self.running[slot]
        try:
            step, metrics = steps.send(self.answers[slot])
            self.answers[slot] = "missing"
            return [Progress(job.id, slot, step, metrics)]
        except StopIteration as end:
            del self.running[slot]
            if isinstance(end.value, tuple):
                cause, message = end.value
                return [Failed(job.id, slot, message, "Traceback ...", cause, 1.0)]
            return [
                Started(job.id, slot, 99, "host"),
                Finished(job.id, slot, end.value, 2.0, memory=10**8),
            ]

    def kill(self, slot):
        raise NotImplementedError

    def close(self):
        self.closed = True


def score(values, number):
    return {"metrics": {"loss": values["x"]}, "parameters": 7}
    yield


def make_job(trial):
    return Job(trial.id, "module:make", values=dict(trial.values))


def choice(name, values):
    fields = {"name": name, "values": list(values), "conditions": []}
    return Gene.from_config({"class_name": "Choice", "config": fields})


def make_search(max_trials=10, **settings):
    genes = [choice("x", range(100))]
    return Search(genes, [("loss", "min")], max_trials=max_trials, **settings)


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_all_trials_run_and_every_slot_is_busy(slots):
    search, runner, seen = make_search(), FakeRunner(score, slots), []
    run(search, runner, make_job, on_event=seen.append)
    assert [trial.status for trial in search.trials] == ["completed"] * 10
    assert all(trial.metrics == {"loss": trial.values["x"]} for trial in search.trials)
    assert search.trials[0].info == {"parameters": 7, "seconds": 2.0}
    assert runner.most_busy == slots
    assert collections.Counter(map(type, seen)) == {Started: 10, Finished: 10}
    assert not runner.closed


def test_workers_change_nothing_but_the_order_of_results():
    tables = []
    for slots in (1, 3):
        search = make_search(seed=5)
        run(search, FakeRunner(score, slots), make_job)
        tables.append([(trial.id, trial.values, trial.metrics) for trial in search.trials])
    assert tables[0] == tables[1]


def test_violation_and_values_of_a_result_reach_the_search():
    def evaluate(values, number):
        return {"metrics": {"loss": 1.0}, "violation": 3.0, "values": {**values}}
        yield

    search = make_search(1)
    run(search, FakeRunner(evaluate), make_job)
    assert search.trials[0].violation == 3.0
    assert set(search.trials[0].info) == {"seconds"}


def test_a_failed_trial_is_told_with_its_reason_and_run_again_when_allowed():
    def evaluate(values, number):
        return ("time limit", "too slow") if number == 0 else {"metrics": {"loss": 1.0}}
        yield

    search = make_search(1)
    run(search, FakeRunner(evaluate), make_job)
    (trial,) = search.trials
    assert (trial.status, trial.message, trial.traceback) == (
        "failed",
        "too slow",
        "Traceback ...",
    )
    assert trial.info == {"cause": "time limit", "seconds": 1.0}

    search = make_search(1, max_retries=1)
    run(search, FakeRunner(evaluate), make_job)
    assert [trial.status for trial in search.trials] == ["completed"]


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"metrics": {"loss": "low"}}, "metric 'loss' is 'low'"),
        ({"metrics": {"loss": 1.0}, "violation": math.inf}, "violation is inf"),
        ({"metrics": {"loss": 1.0}, "values": [1, 2]}, r"values is \[1, 2\]"),
    ],
)
def test_a_result_that_cannot_be_kept_costs_its_trial(result, message):
    def evaluate(values, number):
        return result if values["x"] % 2 else {"metrics": {"loss": 1.0}}
        yield

    search = make_search(6, max_consecutive_failures=None)
    run(search, FakeRunner(evaluate), make_job)
    assert {trial.status for trial in search.trials} == {"completed", "failed"}
    for trial in search.trials:
        assert (trial.status == "failed") == (trial.values["x"] % 2)
        if trial.status == "failed":
            assert re.search(f"its result cannot be kept: .*{message}", trial.message)
            assert trial.info == {"cause": "exception", "seconds": 2.0}


def test_failures_in_a_row_end_the_search():
    def evaluate(values, number):
        return "exception", "no good"
        yield

    search = make_search(max_consecutive_failures=3)
    run(search, FakeRunner(evaluate), make_job)
    assert len(search.trials) == 3
    assert "no good" in search.finished


def test_a_lost_trial_is_run_again_and_not_counted_as_failed():
    def evaluate(values, number):
        return ("lost", "node is gone") if number < 2 else {"metrics": {"loss": 1.0}}
        yield

    search, runner = make_search(2), FakeRunner(evaluate, 2)
    run(search, runner, make_job)
    assert [(trial.status, trial.attempt) for trial in search.trials] == [("completed", 0)] * 2
    assert set(runner.runs.values()) == {3}


def test_a_trial_that_is_lost_every_time_fails():
    def evaluate(values, number):
        return "lost", "node is gone"
        yield

    search, runner = make_search(1), FakeRunner(evaluate)
    run(search, runner, make_job)
    (trial,) = search.trials
    assert (trial.status, runner.runs[trial.id]) == ("failed", 3)
    assert "lost 3 times" in trial.message
    assert "node is gone" in trial.message


@pytest.mark.parametrize(
    ("cause", "message"),
    [("import", "module:make could not be loaded"), ("disk", "No space left.* Make room and run")],
)
def test_what_no_trial_is_at_fault_for_ends_the_search_at_once(cause, message, tmp_path):
    def evaluate(values, number):
        return cause, message.split(".")[0]
        yield

    runner = FakeRunner(evaluate)
    with (
        make_search(directory=tmp_path) as search,
        pytest.raises(TunerError, match=message) as raised,
    ):
        run(search, runner, make_job)
    assert runner.closed
    assert raised.value.__notes__ == ["Traceback ..."]
    with make_search(directory=tmp_path) as search:  # nothing is lost, nothing has failed
        assert [trial.status for trial in search.trials] == ["waiting"]


def test_an_interrupted_search_closes_its_workers_and_goes_on_when_run_again(tmp_path):
    def interrupt(event):
        if event.id == "0004":
            raise KeyboardInterrupt

    undisturbed = make_search()
    run(undisturbed, FakeRunner(score, 2), make_job)
    runner = FakeRunner(score, 2)
    with make_search(directory=tmp_path) as search, pytest.raises(KeyboardInterrupt):
        run(search, runner, make_job, on_event=interrupt)
    assert runner.closed
    runner = FakeRunner(score, 2)
    with make_search(directory=tmp_path) as search:
        assert 0 < sum(trial.status == "completed" for trial in search.trials) < 10
        run(search, runner, make_job)
        assert [each.metrics for each in search.trials] == [
            each.metrics for each in undisturbed.trials
        ]
    assert set(runner.runs.values()) == {1}


@pytest.mark.parametrize(
    ("curve", "others", "expected"),
    [
        # others' running means at step 2: 2.5 and 4.5, median 3.5
        ([(1, 9.0), (2, 3.6)], [[(1, 3.0), (2, 2.0)], [(1, 5.0), (2, 4.0)]], True),
        ([(1, 9.0), (2, 3.5)], [[(1, 3.0), (2, 2.0)], [(1, 5.0), (2, 4.0)]], False),
        # the best value counts, not the last
        ([(1, 3.4), (2, 9.0)], [[(1, 3.0), (2, 2.0)], [(1, 5.0), (2, 4.0)]], False),
        # later steps of the others do not count
        ([(2, 3.6)], [[(1, 3.0), (2, 2.0), (3, 99.0)], [(1, 5.0), (2, 4.0)]], True),
        # before the first step
        ([(1, 9.0)], [[(1, 1.0)], [(1, 1.0)]], False),
        # too few others, or too few that came so far
        ([(2, 9.0)], [[(2, 1.0)]], False),
        ([(2, 9.0)], [[(2, 1.0)], [(1, 1.0)], []], False),
        # not finite is worse than anything
        ([(1, None), (2, None)], [[(2, 5.0)], [(2, 6.0)]], True),
        ([(2, 9.0)], [[(2, None)], [(2, None)], [(2, 6.0)]], False),
        ([(2, None)], [[(2, None)], [(2, None)]], False),
    ],
)
def test_the_median_rule(curve, others, expected):
    assert hopeless(curve, others, RULE) is expected
    upside_down = RULE.model_copy(update={"direction": "max"})
    assert hopeless(negated(curve), map(negated, others), upside_down) is expected


def negated(curve):
    return [(step, value if value is None else -value) for step, value in curve]


def learn(values, number):
    """Losses stay at x for 5 steps; odd x begins with a loss that is not a number."""
    for step in range(1, 6):
        loss = math.nan if values["x"] % 2 and step == 1 else float(values["x"])
        keep = yield step, {"loss": loss, "accuracy": 0.5}
        assert keep in (True, False)
        if not keep:
            break
    return {"metrics": {"loss": values["x"]}, "steps": step}


def test_hopeless_trials_stop_early_and_a_resumed_search_stops_the_same(tmp_path):
    def stop_after_five(event):
        if isinstance(event, Finished) and event.id == "0005":
            raise KeyboardInterrupt

    undisturbed = make_search(30)
    run(undisturbed, FakeRunner(learn), make_job, median_stop=RULE)
    steps = [trial.info["steps"] for trial in undisturbed.trials]
    assert {2, 5} <= set(steps)
    for trial in undisturbed.trials:
        if trial.info["steps"] < 5:
            assert trial.info["stopped_at"] == trial.info["steps"]
        assert len(trial.info["curve"]) == trial.info["steps"]

    with make_search(30, directory=tmp_path) as search, pytest.raises(KeyboardInterrupt):
        run(search, FakeRunner(learn), make_job, on_event=stop_after_five, median_stop=RULE)
    with make_search(30, directory=tmp_path) as search:
        run(search, FakeRunner(learn), make_job, median_stop=RULE)
        assert [trial.info["steps"] for trial in search.trials] == steps


def test_without_a_rule_every_trial_goes_on():
    search = make_search(20)
    run(search, FakeRunner(learn, 2), make_job)
    assert all(trial.info["steps"] == 5 for trial in search.trials)
    assert all("curve" not in trial.info for trial in search.trials)
