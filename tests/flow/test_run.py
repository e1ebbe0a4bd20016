"""Run directories: who may use them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kerasnas.errors import KerasnasError
from kerasnas.experiment import Experiment
from kerasnas.flow.opening import open_run, read_experiment, run_of

MINE = Experiment.model_validate({"name": "mine", "seed": 3})


def make_run(directory: Path, experiment: Experiment, overwrite: bool = False) -> None:
    with open_run(directory, experiment, overwrite):
        pass


def test_a_run_holds_its_experiment(tmp_path: Path) -> None:
    make_run(tmp_path / "a" / "run", MINE)
    assert read_experiment(tmp_path / "a" / "run") == MINE


def test_the_same_experiment_goes_on_with_other_limits(tmp_path: Path) -> None:
    make_run(tmp_path, MINE)
    (tmp_path / "trials.csv").write_text("kept")
    make_run(tmp_path, MINE.overridden(tmp_path, workers=1, trials=99, seconds=60))
    assert (tmp_path / "trials.csv").read_text() == "kept"
    assert read_experiment(tmp_path).search.trials == 99


def test_a_run_in_which_nothing_was_begun_takes_another_experiment(tmp_path: Path) -> None:
    make_run(tmp_path, MINE)
    corrected = Experiment.model_validate({"name": "mine", "seed": 4})
    make_run(tmp_path, corrected)
    assert read_experiment(tmp_path) == corrected


def test_another_experiment_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    make_run(tmp_path, MINE)
    (tmp_path / "journal.jsonl").write_text("kept")
    before = (tmp_path / "experiment.yaml").read_bytes()
    other = Experiment.model_validate({"name": "mine", "seed": 4})
    with pytest.raises(KerasnasError, match=r"another experiment.*seed \(3 there, 4 here\)"):
        make_run(tmp_path, other)
    assert (tmp_path / "experiment.yaml").read_bytes() == before


def test_overwrite_deletes_a_run_and_nothing_else(tmp_path: Path) -> None:
    run, photos = tmp_path / "run", tmp_path / "photos"
    make_run(run, MINE)
    (run / "journal.jsonl").write_text("old")
    other = Experiment.model_validate({"name": "other"})
    make_run(run, other, overwrite=True)
    assert {path.name for path in run.iterdir()} == {".lock", "experiment.yaml"}
    photos.mkdir()
    (photos / "cat.jpg").write_text("")
    for overwrite in (False, True):
        with pytest.raises(KerasnasError, match="no run directory"):
            make_run(photos, other, overwrite)
    assert (photos / "cat.jpg").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_directory(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(KerasnasError, match="read-only|cannot be made"):
        make_run(tmp_path, MINE)


def test_a_read_only_directory_in_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, MINE)
    (tmp_path / "export").mkdir()
    make_run(tmp_path, MINE)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "export")  # root, too
    with pytest.raises(KerasnasError, match="export is read-only: make it writable"):
        make_run(tmp_path, MINE)


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KerasnasError, match="cannot be made.*--run"):
        make_run(tmp_path / "file" / "run", MINE)


def test_the_run_of_a_file(tmp_path: Path) -> None:
    make_run(tmp_path / "run", MINE)
    inside, outside = tmp_path / "run" / "export" / "model.tflite", tmp_path / "model.tflite"
    with pytest.raises(KerasnasError, match="does not exist"):
        run_of(inside)
    inside.parent.mkdir()
    inside.touch()
    outside.touch()
    assert run_of(inside) == tmp_path / "run"
    with pytest.raises(KerasnasError, match="--experiment"):
        run_of(outside)


def test_a_run_in_use_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from kerasnas.experiment import Experiment\n"
        "from kerasnas.flow.opening import open_run\n"
        "mine = Experiment.model_validate({'name': 'mine', 'seed': 3})\n"
        "with open_run(Path(sys.argv[1]), mine):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        (tmp_path / "trials.csv").write_text("kept")
        for overwrite in (False, True):
            with pytest.raises(KerasnasError, match=f"in use by process {other.pid}"):
                make_run(tmp_path, MINE, overwrite)
        other.kill()
    assert (tmp_path / "trials.csv").exists()
    make_run(tmp_path, MINE)
