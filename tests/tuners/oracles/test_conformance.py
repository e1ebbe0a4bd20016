"""One conformance suite for every KerasTuner oracle, ours and KerasTuner's own (`oracle_kinds`).

What KerasTuner's own fail is listed there; a failure that is gone fails the suite, so the list
stays true.
"""

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from oracle_kinds import (
    OURS,
    THEIRS,
    Tuner,
    break_disk,
    expected_failure,
    make,
    score,
    search,
    still_usable,
    table,
)

from kerasnas.tuners import JournalError, Search


@pytest.fixture(params=[*OURS, *(pytest.param(name, marks=pytest.mark.nightly) for name in THEIRS)])
def kind(request):
    """The oracle under test; KerasTuner's run what they are known to fail all the same."""
    node = request.node
    parameters = node.callspec.params.values()
    if reason := expected_failure(request.param, node.originalname, parameters):
        node.add_marker(pytest.mark.xfail(reason=reason, strict=True))
    return request.param


# --- Suggestions -------------------------------------------------------------------------------


def test_seed_repeats(kind, tmp_path):
    assert table(search(kind, tmp_path / "a")) == table(search(kind, tmp_path / "b"))


def test_seed_zero_repeats(kind, tmp_path):
    first = search(kind, tmp_path / "a", seed=0)
    assert table(first) == table(search(kind, tmp_path / "b", seed=0))


PROGRAM = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from oracle_kinds import search, table
tables = {name: table(search(name, Path(sys.argv[2]) / name)) for name in sys.argv[3:]}
print(json.dumps(tables))
"""


@pytest.fixture(scope="module")
def another_process(request, tmp_path_factory):
    """The table of every oracle that is tested, from one other process."""
    directory = str(tmp_path_factory.mktemp("another_process"))
    names = [*OURS, *(THEIRS if request.config.getoption("--nightly") else ())]
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), directory, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_another_process_gets_the_same(kind, another_process, tmp_path):
    assert another_process[kind] == json.loads(json.dumps(table(search(kind, tmp_path))))


def test_values_are_plain_and_only_of_active_genes(kind, tmp_path):
    for _, values, _, _ in table(search(kind, tmp_path, max_trials=20)):
        assert {type(value) for value in values.values()} <= {int, float, str, bool}
        names = {"units", "family"}
        if values["family"] == "conv":
            names |= {"kernel", "norm"} | ({"momentum"} if values["norm"] else set())
        assert set(values) == names


def test_no_values_twice(kind, tmp_path):
    rows = table(search(kind, tmp_path, max_trials=12))
    assert len({json.dumps(row[1], sort_keys=True) for row in rows}) == 12


def test_a_small_space_is_searched_to_its_end(kind, tmp_path):
    oracle = search(
        kind,
        tmp_path,
        lambda trial: {"score": 1.0},
        lambda hp: (hp.Int("a", 1, 8), hp.Int("b", 1, 5)),
        max_trials=100,
    )
    assert len(oracle.trials) == 40


def test_genes_met_while_building_are_searched(kind, tmp_path):
    def build(hp):
        for layer in range(hp.Int("layers", 1, 3)):
            hp.Int(f"units_{layer}", 1, 2)

    def evaluate(trial):
        build(trial.hyperparameters)
        return {"score": 1.0}

    oracle = search(kind, tmp_path, evaluate, build, max_trials=14)
    last = [row[1]["units_2"] for row in table(oracle) if row[1]["layers"] == 3]
    assert len(set(last)) > 1, "all were left at the default"


# --- Results -----------------------------------------------------------------------------------


def test_best_trials(kind, tmp_path):
    oracle = search(kind, tmp_path)
    scores = [score(row[1]) for row in table(oracle)]
    assert [trial.score for trial in oracle.get_best_trials(6)] == sorted(scores, reverse=True)


def test_not_a_number_fails_the_trial_and_the_search_goes_on(kind, tmp_path):
    oracle = search(
        kind,
        tmp_path,
        lambda trial: {"score": float("nan") if trial.trial_id.endswith("1") else 0.5},
    )
    assert [row[2] for row in table(oracle)] == [
        "COMPLETED", "FAILED", "COMPLETED", "COMPLETED", "COMPLETED", "COMPLETED",
    ]  # fmt: skip


def test_a_retry_replaces_not_a_number(kind, tmp_path):
    runs = []

    def evaluate(trial):
        runs.append(trial.trial_id)
        return {"score": float("nan") if len(runs) == 1 else 0.5}

    oracle = search(kind, tmp_path, evaluate, max_trials=2, max_retries_per_trial=1)
    assert len(runs) == 3
    assert [row[2:] for row in table(oracle)] == [("COMPLETED", 0.5)] * 2


def test_a_failure_keeps_its_traceback(kind, tmp_path):
    def evaluate(trial):
        if trial.trial_id.endswith("0"):
            raise ValueError("no such luck")
        return {"score": 1.0}

    for oracle in (search(kind, tmp_path, evaluate), Tuner(make(kind), tmp_path).oracle):
        failed = min(oracle.trials.values(), key=lambda trial: trial.trial_id)
        assert failed.status == "FAILED"
        assert "Traceback" in failed.message
        assert "ValueError: no such luck" in failed.message


def test_failures_one_after_another_end_the_search(kind, tmp_path):
    def evaluate(trial):
        raise ValueError("always")

    tuner = Tuner(make(kind), tmp_path, evaluate)
    with pytest.raises(RuntimeError, match="(?s)3.*always") as raised:
        tuner.search(verbose=0)
    assert "end_trial" in [entry.name for entry in raised.traceback], "KerasTuner raises it there"
    assert len(tuner.oracle.trials) == 3
    assert still_usable(kind, tuner.oracle)


# --- Locks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["worker{}", "same"])
def test_threads_get_every_trial_once(kind, name, tmp_path):
    if kind in THEIRS and name == "same":
        pytest.skip("its lock tells threads apart by their names, so this fails by chance")
    oracle, taken, errors = Tuner(make(kind, max_trials=24), tmp_path).oracle, [], []

    def work(worker):
        try:
            while (trial := oracle.create_trial(worker)).status == "RUNNING":
                taken.append(trial.trial_id)
                oracle.update_trial(trial.trial_id, {"score": score(trial.hyperparameters.values)})
                trial.status = "COMPLETED"
                oracle.end_trial(trial)
        except Exception as error:
            errors.append(error)

    threads = [
        threading.Thread(target=work, args=(f"tuner{n}",), name=name.format(n)) for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    assert len(taken) == len(set(taken)) == 24
    assert [row[3] for row in table(oracle)] == [score(row[1]) for row in table(oracle)]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize(
    "hook", ["suggest", "score_trial", "update_space", "on_trial_begin", "on_trial_end", "save"]
)
def test_an_exception_in_a_hook_never_leaves_the_lock_held(
    kind, hook, error, tmp_path, monkeypatch
):
    tuner = Tuner(make(kind), tmp_path)
    oracle = tuner.oracle
    hits = []

    def broken(*args, **kwargs):
        hits.append(hook)
        raise error("hook")

    owner = oracle._display if hook.startswith("on_") else oracle
    if hook == "suggest":
        owner, hook = (oracle, "populate_space") if kind in THEIRS else (Search, "ask")
    monkeypatch.setattr(owner, hook, broken)
    try:
        trial = oracle.create_trial("tuner0")
        oracle.update_trial(trial.trial_id, {"score": 1.0})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    except error:
        pass
    # ours have written every event when it happened, and so call no `save`
    assert bool(hits) == (not (kind in OURS and hook == "save"))
    assert still_usable(kind, oracle)
    monkeypatch.undo()
    tuner.search(verbose=0)
    assert len(oracle.trials) == 6


def test_a_missing_metric_never_leaves_the_lock_held(kind, tmp_path):
    oracle = Tuner(make(kind), tmp_path).oracle
    trial = oracle.create_trial("tuner0")
    with pytest.raises(ValueError, match="score"):
        oracle.update_trial(trial.trial_id, {"other": 1.0})
    assert still_usable(kind, oracle)


# --- Resuming ----------------------------------------------------------------------------------


class Killed(BaseException):
    """What no `except Exception` sees."""


@pytest.mark.parametrize("moment", ["first", "middle", "last"])
def test_a_killed_search_ends_as_an_undisturbed_one(kind, moment, tmp_path):
    number, runs = {"first": 0, "middle": 2, "last": 5}[moment], []

    def evaluate(trial):
        runs.append(trial.trial_id)
        if len(runs) == number + 1:
            raise Killed
        return {"score": score(trial.hyperparameters.values)}

    with pytest.raises(Killed):
        search(kind, tmp_path / "killed", evaluate)
    again = search(kind, tmp_path / "killed", evaluate)
    assert table(again) == table(search(kind, tmp_path / "undisturbed"))
    assert len(runs) == 7, "only the killed trial runs twice"


def test_torn_files_of_the_oracle_lose_no_project(kind, tmp_path):
    """All but KerasTuner's `tuner0.json`, which no oracle can mend."""
    whole = table(search(kind, tmp_path))
    written = [path for path in (tmp_path / "project").rglob("*.json*") if path.stem != "tuner0"]
    assert written
    for path in written:
        path.write_bytes(path.read_bytes()[:-10])
    assert [row[:2] for row in table(search(kind, tmp_path))] == [row[:2] for row in whole]


def cuts(path):
    """Where to cut a file; `test_resume` shows that a cut line counts as one not written."""
    content = path.read_bytes()
    if path.suffix == ".json":
        return range(len(content))
    ends = [0, *(index + 1 for index, byte in enumerate(content) if byte == ord("\n"))]
    return sorted({cut for end in ends for cut in (end - 1, end, end + 1)} & {*range(len(content))})


def test_files_cut_at_every_byte(kind, tmp_path):
    """All but KerasTuner's `tuner0.json`, which a kill before the first result has not written."""
    expected = table(search(kind, tmp_path / "whole", max_trials=4))
    for path in [path for path in (tmp_path / "whole").rglob("*.json*") if path.stem != "tuner0"]:
        for cut in cuts(path):
            copy = tmp_path / f"{path.stem}{cut}"
            shutil.copytree(tmp_path / "whole", copy)
            torn = copy / path.relative_to(tmp_path / "whole")
            torn.write_bytes(kept := torn.read_bytes()[:cut])
            if kind in OURS and b'"finish"' not in kept:
                (copy / "project" / "tuner0.json").unlink()
            assert table(search(kind, copy, max_trials=4)) == expected, f"{path} cut at {cut}"


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("fault", ["error", "killed"])
def test_fault_at_every_file_operation(kind, fault, moment, faulty_disk, tmp_path, monkeypatch):
    expected = table(search(kind, tmp_path / "undisturbed", max_trials=3))
    at, hit = 0, True
    while hit:
        disk = faulty_disk(fault, moment, at)
        with monkeypatch.context() as patch:
            break_disk(kind, disk, patch)
            try:
                search(kind, tmp_path / str(at), max_trials=3)
            except (JournalError, OSError, faulty_disk.Killed):
                assert disk.hit
        again = table(search(kind, tmp_path / str(at), max_trials=3))
        assert again == expected, f"{fault} {moment} operation {at}"
        at, hit = at + 1, disk.hit
    assert at > 10


def test_overwrite_starts_again(kind, tmp_path):
    search(kind, tmp_path)
    tuner = Tuner(make(kind, seed=4), tmp_path, overwrite=True)
    assert not tuner.oracle.trials
    tuner.search(verbose=0)
    assert len(tuner.oracle.trials) == 6


def test_more_trials_can_be_asked_for(kind, tmp_path):
    first = table(search(kind, tmp_path, max_trials=4))
    more = table(search(kind, tmp_path, max_trials=7))
    assert (len(more), more[:4]) == (7, first)
