"""Every call that changes the disk fails, or is the last of a process or of a machine.

As SQLite tests itself: a scenario is run again and again, with a fault at its first call, its
second, and so on (`tests/disk.py`); then it is run once more without faults. What is found must be
what an undisturbed scenario leaves, or what stood there before, and never anything half.

By day a few of the calls, at night all of them.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasnas.errors import DamagedError, KerasnasError
from kerasnas.export.errors import ExportError
from kerasnas.export.files import RECORD, sha256, verify
from kerasnas.export.files import write_atomically as write_exported
from kerasnas.features.extraction.cache import kept
from kerasnas.runs.directory import open_run
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import Threads
from kerasnas.supernet import checkpoint
from kerasnas.tuners import Gene, Results, Search, TunerError, repair
from tests.disk import FAULTS, LOSSES, Died, Disk, Fault
from tests.supernet.spaces import tiny_space

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="files are told by /proc")

BY_DAY = 5
"""Of so many calls one has a fault, in a run that is not at night, where there are many."""


@dataclass(frozen=True)
class Scenario:
    """Something that is written.

    Attributes:
        prepare: Makes what stands there before.
        write: Does the work, or what is left of it; notes in the list what it was promised.
        check: Compares, given the promises: what is there, after `write` has ended undisturbed.
        found: Compares what a fault has left, before `write` is run again.
        least: Calls that it makes at least.
    """

    prepare: Callable[[Path], None]
    write: Callable[[Path, list[Any]], None]
    found: Callable[[Path, list[Any]], None]
    check: Callable[[Path], None]
    least: int


# --- A search and its journal ------------------------------------------------------------------

_GENES = [Gene("width", values=tuple(range(8))), Gene("deep", values=(False, True))]


def _search(directory: Path) -> Search:
    return Search(
        _GENES, [("accuracy", "max")], max_trials=6, max_retries=1, directory=directory / "search"
    )


def _run_search(directory: Path, promised: list[Any]) -> None:
    with _search(directory) as search:
        search.enqueue({"width": 7, "deep": True})
        while trial := search.ask():
            if trial.number == 2 and trial.attempt == 0:
                search.fail(trial.id, "once")
            else:
                search.tell(trial.id, {"accuracy": trial.number / 10}, {"attempt": trial.attempt})
                promised.append(trial.id)


def _table(results: Results) -> list[tuple[Any, ...]]:
    return [
        (t.id, t.values, t.status, t.attempt, t.metrics, t.info, t.message, t.enqueued)
        for t in results.trials
    ]


def _find_search(directory: Path, promised: list[Any]) -> None:
    if promised:
        trials = {trial.id: trial for trial in Results.read(directory / "search").trials}
        assert all(trials[id].status == "completed" for id in promised)


def _check_search(directory: Path) -> None:
    undisturbed = Search(_GENES, [("accuracy", "max")], max_trials=6, max_retries=1)
    undisturbed.enqueue({"width": 7, "deep": True})
    while trial := undisturbed.ask():
        if trial.number == 2 and trial.attempt == 0:
            undisturbed.fail(trial.id, "once")
        else:
            undisturbed.tell(trial.id, {"accuracy": trial.number / 10}, {"attempt": trial.attempt})
    assert _table(Results.read(directory / "search")) == _table(undisturbed)


# --- A damaged journal that is repaired -----------------------------------------------------------


def _damage_search(directory: Path) -> None:
    _run_search(directory, [])
    path = directory / "search" / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:6], b"{}\n", *lines[6:]]))


def _repair(directory: Path, promised: list[Any]) -> None:
    repair(directory / "search")
    promised.append("sound")


def _find_repaired(directory: Path, promised: list[Any]) -> None:
    if promised:
        Results.read(directory / "search")
    whole = [path.read_bytes() for path in (directory / "search").iterdir()]
    assert any(content.count(b"\n") > 6 and b"\n{}\n" in content for content in whole), "a copy"


def _check_repaired(directory: Path) -> None:
    assert len(Results.read(directory / "search").trials) > 0


# --- The cache of features ------------------------------------------------------------------------

_ARRAY = np.arange(12.0).reshape(3, 4)


def _fill_cache(directory: Path, promised: list[Any]) -> None:
    def fill(path: Path) -> None:
        array = np.load(path, mmap_mode="r+")
        array[:] = _ARRAY
        array.flush()

    found = kept("features", "clips", {"a": 1}, (3, 4), "float64", fill, directory / "cache")
    assert np.array_equal(found, _ARRAY)
    promised.append("whole")


def _find_cache(directory: Path, promised: list[Any]) -> None:
    entries = [path for path in directory.glob("cache/features/clips-*") if path.is_dir()]
    assert len(entries) == 1 or not promised
    for entry in entries:
        assert np.array_equal(np.load(entry / "features.npy"), _ARRAY)


def _check_cache(directory: Path) -> None:
    _find_cache(directory, ["whole"])


# --- Checkpoints of a supernet --------------------------------------------------------------------


def _checkpoint(step: int) -> tuple[dict[str, int], dict[str, list[Any]]]:
    return {"step": step}, {"weights": [np.full((4, 5), step), np.arange(step)]}


def _write_checkpoint(directory: Path, step: int) -> None:
    checkpoint.write(directory / "new" / "supernet.npz", tiny_space(), *_checkpoint(step))


def _write_checkpoints(directory: Path, promised: list[Any]) -> None:
    for step in (2, 3):
        _write_checkpoint(directory, step)
        promised.append(step)


def _find_checkpoint(directory: Path, promised: list[Any]) -> None:
    _, state, arrays = checkpoint.read(directory / "new" / "supernet.npz", tiny_space())
    step = state["step"]
    assert step >= max([1, *promised])
    for found, expected in zip(arrays["weights"], _checkpoint(step)[1]["weights"], strict=True):
        assert np.array_equal(found, expected)


def _check_checkpoint(directory: Path) -> None:
    _find_checkpoint(directory, [3])


# --- Exported files and their record --------------------------------------------------------------


def _export(directory: Path, content: bytes) -> None:
    path = directory / "export" / "model_int8.tflite"
    write_exported(path, content)
    entry = {"file": path.name, "sha256": sha256(content), "waveform": None, "micro": None}
    report = {"files": {"int8": entry}, "tuning": None}
    write_exported(path.with_name(RECORD), json.dumps(report).encode())


def _write_export(directory: Path, promised: list[Any]) -> None:
    _export(directory, b"new" * 50)
    promised.append(b"new" * 50)


def _find_export(directory: Path, promised: list[Any]) -> None:
    path = directory / "export" / "model_int8.tflite"
    content = path.read_bytes()
    assert content in ([b"new" * 50] if promised else [b"old" * 50, b"new" * 50])
    try:
        assert verify(path)
    except ExportError as error:
        assert not promised
        assert "an export was interrupted" in str(error)


def _check_export(directory: Path) -> None:
    _find_export(directory, [b"new"])


# --- A run directory and its records --------------------------------------------------------------


def _work_in_run(directory: Path, promised: list[Any]) -> None:
    run = directory / "runs" / "one"
    with open_run(run, "name: one\nseed: 3\n"):
        for count in (1, 2):
            Threads({"trials": count}).write(RunPaths(run).threads)
            promised.append(count)


def _find_run(directory: Path, promised: list[Any]) -> None:
    path = RunPaths(directory / "runs" / "one").threads
    if promised or path.exists():
        assert Threads.read(path).threads["trials"] >= max([0, *promised])


def _check_run(directory: Path) -> None:
    _find_run(directory, [2])


def _nothing(directory: Path) -> None:
    """Nothing stands there before."""


SCENARIOS = {
    "search": Scenario(_nothing, _run_search, _find_search, _check_search, 20),
    "repair": Scenario(_damage_search, _repair, _find_repaired, _check_repaired, 7),
    "cache": Scenario(_nothing, _fill_cache, _find_cache, _check_cache, 10),
    "checkpoint": Scenario(
        lambda directory: _write_checkpoint(directory, 1),
        _write_checkpoints,
        _find_checkpoint,
        _check_checkpoint,
        10,
    ),
    "export": Scenario(
        lambda directory: _export(directory, b"old" * 50),
        _write_export,
        _find_export,
        _check_export,
        10,
    ),
    "run": Scenario(_nothing, _work_in_run, _find_run, _check_run, 15),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_half_is_ever_found(
    name: str, fault: Fault, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    scenario = SCENARIOS[name]
    every = request.config.getoption("--nightly") or scenario.least < 2 * BY_DAY
    step = 1 if every else BY_DAY
    start = FAULTS.index(fault) if step > 1 else 0  # other calls for every fault
    for at in range(start, 10_000, step):
        for loss in LOSSES[:1] if fault == "fails" else LOSSES:
            root = tmp_path / "root"
            root.mkdir()
            scenario.prepare(root)
            disk, promised = Disk(root, fault, at), list[Any]()
            with disk.in_place():
                try:
                    scenario.write(root, promised)
                except (Died, KerasnasError, DamagedError, ExportError, TunerError):
                    assert disk.hit
            if disk.hit:
                disk.lose_power(loss)
                scenario.found(root, promised)
            scenario.write(root, [])
            scenario.check(root)
            if fault == "fails" or name == "run":
                left = {path.name for path in root.rglob(".*")}
                assert left <= {".lock", ".journal.jsonl.lock"}
            shutil.rmtree(root)
        if not disk.hit:
            break
    assert disk.count >= scenario.least
