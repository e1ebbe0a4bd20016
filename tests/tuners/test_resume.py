"""A search that is disturbed, in any way and at any moment, ends as an undisturbed one."""

import random

import pytest

from kerasnas.tuners import Genes, JournalError, Search, TunerError, Window
from kerasnas.tuners.core.storage import journal as journal_module
from kerasnas.tuners.core.storage.chain import parse

GENES = Genes.from_config(
    [
        {"class_name": "Choice", "config": {"name": "width", "values": [1, 2, 3, 4, 5, 6]}},
        {"class_name": "Boolean", "config": {"name": "deep"}},
    ]
)
WARM = {"width": 6, "deep": False}


def size(values):
    return values["width"] * (2 if values["deep"] else 1)


def make(directory, max_trials=5):
    return Search(
        GENES,
        [("accuracy", "max"), ("size", "min")],
        max_trials=max_trials,
        window=Window(size, 2, 8),
        directory=directory,
        max_retries=1,
    )


def step(search, trial):
    """Trial 1 fails once, trial 3 always."""
    if trial.number == 3 or (trial.number == 1 and trial.attempt == 0):
        search.fail(trial.id, f"attempt {trial.attempt}", "Traceback")
    else:
        metrics = {"accuracy": trial.number / 10, "size": size(trial.values)}
        search.tell(trial.id, metrics, {"attempt": trial.attempt})


def run(directory, max_trials=5):
    with make(directory, max_trials) as search:
        search.enqueue(WARM)
        while trial := search.ask():
            step(search, trial)
        return table(search)


def table(search):
    """All but times."""
    return [
        (t.id, t.values, t.status, t.attempt, t.cost, t.rejected, t.sizes, t.metrics, t.info,
         t.message, t.traceback, t.enqueued)
        for t in search.trials
    ]  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    directory = tmp_path_factory.mktemp("undisturbed")
    result = run(directory)
    assert [row[2] for row in result] == ["completed"] * 3 + ["failed", "completed"]
    return result, (directory / "journal.jsonl").read_bytes()


def test_journal_cut_at_every_byte(undisturbed, tmp_path):
    expected, journal = undisturbed
    ends = [index + 1 for index, byte in enumerate(journal) if byte == ord("\n")]
    whole = parse(journal, tmp_path).events
    for cut in range(len(journal)):
        complete = sum(end <= cut for end in ends)
        found = parse(journal[:cut], tmp_path)
        assert found.events == whole[: max(complete - 1, 0)]
        assert found.end == [0, *ends][complete]
        # What follows depends on the events alone: it is run for cuts at and next to their ends.
        if not {cut - 1, cut, cut + 1}.isdisjoint([0, *ends]):
            directory = tmp_path / str(cut)
            directory.mkdir()
            (directory / "journal.jsonl").write_bytes(journal[:cut])
            assert run(directory) == expected, f"cut after {cut} bytes"


def test_a_finished_search_does_nothing_more(undisturbed, tmp_path):
    expected, journal = undisturbed
    (tmp_path / "journal.jsonl").write_bytes(journal)
    with make(tmp_path) as search:
        assert search.ask() is None
        assert table(search) == expected
    assert run(tmp_path, max_trials=7)[:5] == expected


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("kind", ["error", "broken", "killed"])
def test_fault_at_every_file_operation(
    kind, moment, undisturbed, faulty_disk, tmp_path, monkeypatch
):
    expected, _ = undisturbed
    at = 0
    while True:
        disk = faulty_disk(kind, moment, at)
        directory = tmp_path / str(at)
        with monkeypatch.context() as patch:
            patch.setattr(journal_module, "os", disk)
            try:
                run(directory)
            except (JournalError, faulty_disk.Killed):
                assert disk.hit
        if not disk.hit:
            break
        assert run(directory) == expected, f"{kind} {moment} operation {at}"
        at += 1
    assert at > 20  # one open, and a write for every event


def test_a_fault_does_not_stop_the_same_process_from_going_on(
    undisturbed, faulty_disk, tmp_path, monkeypatch
):
    expected, _ = undisturbed
    disk = faulty_disk("error", "before", 9)
    monkeypatch.setattr(journal_module, "os", disk)
    with make(tmp_path) as search:
        search.enqueue(WARM)
        running = []
        while True:
            try:
                if not running:
                    if not (trial := search.ask()):
                        break
                    running.append(trial)
                step(search, running[0])
                running.clear()
            except JournalError:
                assert disk.hit
        assert table(search) == expected


@pytest.mark.parametrize("seed", range(20))
def test_several_workers_killed_again_and_again(seed, tmp_path):
    chance = random.Random(seed)
    finished = []
    while True:
        search, running = make(tmp_path, 8), []
        search.enqueue(WARM)
        while chance.random() < 0.9:
            if len(running) < 3 and (trial := search.ask()):
                running.append(trial)
            elif running:
                trial = running.pop(chance.randrange(len(running)))
                step(search, trial)
                if search.trial(trial.id).status != "waiting":
                    finished.append(trial.id)
        done = search.finished and not running
        search.close()  # what a kill does to the lock
        if done and not search.history.running:
            break
    assert sorted(finished) == [f"{number:04d}" for number in range(8)], "each once, none lost"
    assert table(search)[:5] == run(tmp_path / "alone")


def test_every_error_has_the_rooms_class():
    assert issubclass(JournalError, TunerError)
