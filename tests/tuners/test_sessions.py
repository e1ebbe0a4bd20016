"""What ends a search, what its directory keeps between sessions, and what is refused there."""

import os

import pytest

from kerasnas.tuners import Genes, JournalError, Objective, Results, Search, SearchError, Window
from kerasnas.tuners.core.history import History
from kerasnas.tuners.core.storage.journal import Journal
from kerasnas.tuners.core.trial import trial_id
from tests.tuners.small_search import GENES, OBJECTIVES, choice, cost, make, run, score, values

# --- Limits ------------------------------------------------------------------------------------


def test_trials_are_limited():
    search = run(make(max_trials=3))
    assert (len(search.trials), search.finished) == (3, "the limit of 3 trials is reached")
    search.max_trials = 5
    assert search.finished is None
    assert len(run(search).trials) == 5


def test_time_is_limited_over_all_sessions(tmp_path):
    now = [100.0]
    with make(tmp_path, None, time_budget=60, clock=lambda: now[0]) as search:
        for _ in range(4):
            trial = search.ask()
            now[0] += 10
            search.tell(trial.id, score(trial.values))
    now[0] = 5000.0
    with make(tmp_path, None, time_budget=60, clock=lambda: now[0]) as search:
        trial = search.ask()
        now[0] += 20
        search.tell(trial.id, score(trial.values))
        assert search.ask() is None
        assert search.finished == "the time budget of 60 s is used up"
        assert search.elapsed == 60
    assert [trial.seconds for trial in search.trials] == [10, 10, 10, 10, 20]


def test_failures_one_after_another_stop_the_search(tmp_path):
    with make(tmp_path) as search:
        for number, broken in enumerate([True, True, False, True, True, True]):
            trial = search.ask()
            assert trial.number == number
            if broken:
                search.fail(trial.id, f"broken {number}")
            else:
                search.tell(trial.id, score(trial.values))
        assert search.ask() is None
        assert search.failing
        assert search.finished == "3 trials failed one after another, at last 0005: broken 5"
    with make(tmp_path) as search:
        assert search.ask().number == 6, "who opens it again wants it to go on"


# --- Directories -------------------------------------------------------------------------------


def test_another_search_is_refused_with_what_differs(tmp_path):
    with make(tmp_path, identity={"data": "esc10"}) as search:
        run(search)
    before = (tmp_path / "journal.jsonl").read_bytes()
    with pytest.raises(SearchError, match=r"seed: 0 there, 1 here.*data: 'esc10' there, None"):
        make(tmp_path, seed=1)
    with pytest.raises(SearchError, match="window: None there"):
        make(tmp_path, identity={"data": "esc10"}, window=Window(cost, 1, 2))
    other = Genes.from_config([choice("layers", [1, 2, 3]), *GENES.config()[1:]])
    with pytest.raises(SearchError, match="made with other genes .different: layers."):
        Search(other, OBJECTIVES, max_trials=8, directory=tmp_path, identity={"data": "esc10"})
    assert (tmp_path / "journal.jsonl").read_bytes() == before


def test_limits_may_change_between_sessions(tmp_path):
    with make(tmp_path, max_trials=3) as search:
        run(search)
    with make(tmp_path, max_trials=5, max_retries=2, time_budget=1e6) as search:
        assert search.resumed
        assert len(run(search).trials) == 5


def test_results_are_read_while_the_search_runs(tmp_path):
    with make(tmp_path) as search:
        search.tell(search.ask().id, score(values()))
        search.ask()
        results = Results.read(tmp_path)
        assert results.trials == search.trials
        assert results.objectives == (Objective("accuracy", "max"), Objective("loss", "min"))
        lines = (tmp_path / "journal.jsonl").read_bytes().count(b"\n")
        with (tmp_path / "journal.jsonl").open("ab") as file:
            file.write(b'{"n":%d,"event":"fini' % (lines + 1))  # seen while it is being written
        assert Results.read(tmp_path).trials == search.trials


def test_nothing_to_read(tmp_path):
    with pytest.raises(JournalError, match="no search can be read at .*No such file"):
        Results.read(tmp_path)
    (tmp_path / "journal.jsonl").touch()
    with pytest.raises(JournalError, match="nothing was written yet"):
        Results.read(tmp_path)


TOLD = {"accuracy": 0.5, "loss": 1.0}
FINISH = {"event": "finish", "id": "0000", "metrics": TOLD}


@pytest.mark.parametrize(
    "event",
    [
        {"event": "dance"},
        {"event": "apply"},
        {"event": ["open"]},
        {"elapsed": "late", "event": "open"},
        {"elapsed": 10**400, "event": "open"},
        {**FINISH, "id": "0007"},
        {**FINISH, "id": ["0000"]},
        {**FINISH, "values": [1, 2]},
        {**FINISH, "values": {"first": None}},
        {**FINISH, "violation": 10**400},
        {**FINISH, "violation": "none"},
        {**FINISH, "metrics": {"accuracy": 0.5}},
        {**FINISH, "metrics": {**TOLD, "accuracy": 10**400}},
        {**FINISH, "metrics": {**TOLD, "auc": "high"}},
        {**FINISH, "metrics": [0.5, 1.0]},
        {**FINISH, "info": [1]},
        {"event": "start", "id": "0007"},
        {"event": "start", "id": "0001"},
        {"event": "start", "id": "0000", "values": {"first": 1}},
        {"event": "start", "id": "0001", "values": {"first": 1}, "sizes": [1, 2]},
        {"event": "start", "id": "0001", "values": {"first": 1}, "cost": "much"},
        {"event": "start", "id": "0001", "values": {"first": 1}, "enqueued": True},
        {"event": "fail", "id": "0000", "message": "why"},
        {"event": "fail", "id": "0000", "message": None, "final": True},
        {"event": "requeue", "id": "0007"},
        {"event": "enqueue", "values": 3},
        {"event": "enqueue"},
        {"event": "genes", "genes": []},
        {"event": "genes", "genes": [{"class_name": "Choice"}]},
        {"event": "genes", "genes": 3},
    ],
)
def test_an_event_that_fits_nothing_is_damage(tmp_path, event):
    """However it came there: its checksum is right."""
    with make(tmp_path) as search:
        search.ask()
    with Journal(tmp_path / "journal.jsonl", {}) as journal:
        journal.append({"elapsed": 1.0, **event})
    with pytest.raises(JournalError, match="line 5 is damaged"):
        make(tmp_path)
    with pytest.raises(JournalError, match="line 5 is damaged"):
        Results.read(tmp_path)


def test_a_journal_of_no_search_is_damage(tmp_path):
    Journal(tmp_path / "journal.jsonl", {"identity": {"objectives": 3}}).close()
    with pytest.raises(JournalError, match="line 1 is damaged; it names no objectives"):
        Results.read(tmp_path)


@pytest.mark.parametrize("header", [{}, {"identity": None}, {"identity": ["seed"]}])
def test_a_journal_without_an_identity_is_damage(tmp_path, header):
    Journal(tmp_path / "journal.jsonl", header).close()
    with pytest.raises(JournalError, match="line 1 is damaged; it names no objectives"):
        Results.read(tmp_path)
    with pytest.raises(JournalError, match="line 1 is damaged; it names no search"):
        make(tmp_path)


def test_only_ended_trials_wait_for_the_disk(tmp_path, monkeypatch):
    waits = []
    with make(tmp_path, max_retries=1) as search:
        monkeypatch.setattr(os, "fsync", waits.append)
        first, second = search.ask(), search.ask()
        search.fail(first.id, "runs again")
        assert len(waits) == 0
        search.tell(second.id, score(second.values))
        assert len(waits) == 1
        search.fail(search.ask().id, "runs no more")
        assert len(waits) == 2


def test_saving_does_not_grow_with_the_trials(tmp_path):
    with make(tmp_path, max_trials=None) as search:
        added = []
        for _ in range(40):
            before = (tmp_path / "journal.jsonl").stat().st_size
            search.tell(search.ask().id, score(values()))
            added.append((tmp_path / "journal.jsonl").stat().st_size - before)
    assert max(added[1:]) < 1.3 * min(added[1:])  # the first writes the genes too


def test_ids_sort_as_numbers_beyond_ten_thousand():
    history = History()
    for number in range(10_001):
        start = {"event": "start", "id": trial_id(number), "values": {"first": number}}
        history.apply({**start, "elapsed": 0.0})
    for number in (10_000, 9_999):
        history.apply({"event": "requeue", "id": trial_id(number), "elapsed": 0.0})
    assert history.waiting == ["9999", "10000"]
