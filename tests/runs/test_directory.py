"""Run directories: who may use them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kerasnas.errors import KerasnasError
from kerasnas.runs.directory import is_run, open_run, read_settings, require_kept, run_of

MINE = "name: mine\nseed: 3\nsearch: {trials: 20, window: {maximum: 9}}\n"
MAY_CHANGE = ("search.trials", "export")


def make_run(directory: Path, experiment: str, overwrite: bool = False) -> None:
    with open_run(directory, experiment, MAY_CHANGE, overwrite):
        pass


def test_a_run_holds_its_experiment(tmp_path: Path) -> None:
    run = tmp_path / "a" / "run"
    assert not is_run(run)
    make_run(run, MINE)
    assert is_run(run)
    settings, text = read_settings(run)
    assert (settings["seed"], text) == (3, MINE)


def test_the_same_experiment_is_resumed_with_other_limits(tmp_path: Path) -> None:
    make_run(tmp_path, MINE)
    (tmp_path / "journal.jsonl").write_text("kept")
    more = MINE.replace("trials: 20", "trials: 99") + "export: {budget: 5}\n"
    make_run(tmp_path, more)
    assert (tmp_path / "journal.jsonl").read_text() == "kept"
    assert read_settings(tmp_path)[0]["search"]["trials"] == 99


def test_only_settings_of_exactly_these_names_may_change(tmp_path: Path) -> None:
    make_run(tmp_path, MINE)
    (tmp_path / "journal.jsonl").write_text("kept")
    with pytest.raises(KerasnasError, match=r"search\.trials_a_day \(None there, 5 here\)"):
        make_run(tmp_path, MINE.replace("trials: 20", "trials: 20, trials_a_day: 5"))
    with pytest.raises(KerasnasError, match=r"search\.window\.maximum \(9 there, 8 here\)"):
        make_run(tmp_path, MINE.replace("maximum: 9", "maximum: 8"))


def test_a_run_in_which_nothing_was_begun_takes_another_experiment(tmp_path: Path) -> None:
    make_run(tmp_path, MINE)
    corrected = MINE.replace("seed: 3", "seed: 4")
    make_run(tmp_path, corrected)
    assert read_settings(tmp_path)[1] == corrected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no fields, so it is no experiment"),
        ("a: [", "experiment.yaml cannot be read"),
        (None, "is no run directory: it has no experiment.yaml"),
    ],
)
def test_a_damaged_experiment_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "experiment.yaml").write_text(text)
    with pytest.raises(KerasnasError, match=message):
        read_settings(tmp_path)


def test_what_a_kill_left_half_written_is_no_run_and_is_deleted(tmp_path: Path) -> None:
    half = tmp_path / ".experiment.yaml.0123abcd"
    half.write_text("name: mi")
    make_run(tmp_path, MINE)
    assert read_settings(tmp_path)[1] == MINE
    assert not half.exists()


def test_another_experiment_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    make_run(tmp_path, MINE)
    (tmp_path / "journal.jsonl").write_text("kept")
    before = (tmp_path / "experiment.yaml").read_bytes()
    other = MINE.replace("seed: 3", "seed: 4")
    with pytest.raises(KerasnasError, match=r"another experiment.*seed \(3 there, 4 here\)"):
        make_run(tmp_path, other)
    assert (tmp_path / "experiment.yaml").read_bytes() == before


def test_overwrite_deletes_a_run_and_nothing_else(tmp_path: Path) -> None:
    run, photos = tmp_path / "run", tmp_path / "photos"
    make_run(run, MINE)
    (run / "journal.jsonl").write_text("old")
    other = "name: other\n"
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
        "import sys; from pathlib import Path; from kerasnas.runs.directory import open_run\n"
        f"with open_run(Path(sys.argv[1]), {MINE!r}):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        (tmp_path / "report.html").write_text("kept")
        for overwrite in (False, True):
            with pytest.raises(KerasnasError, match=f"in use by process {other.pid} on"):
                make_run(tmp_path, MINE, overwrite)
        other.kill()
    assert (tmp_path / "report.html").exists()
    make_run(tmp_path, MINE)


FORK = f"""
import os, sys
from pathlib import Path
from kerasnas.runs.directory import open_run
with open_run(Path(sys.argv[1]), {MINE!r}):
    os.write(1, b"%d\\n" % os.fork())
    sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_that_was_forked_does_not_keep_the_run_of_its_dead_parent(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FORK, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        children = {int(parent.stdout.readline()), int(parent.stdout.readline())} - {0}
        with pytest.raises(KerasnasError, match=f"in use by process {parent.pid} on"):
            make_run(tmp_path, MINE)
        parent.kill()
        parent.wait()
        os.kill(children.pop(), 0)  # it lives on
        make_run(tmp_path, MINE)


@pytest.mark.parametrize("error", [None, FileNotFoundError("no such file")])
def test_a_run_that_was_deleted_meanwhile_is_said_to_be_gone(
    tmp_path: Path, error: Exception | None
) -> None:
    run = tmp_path / "run"

    def work() -> None:
        with open_run(run, MINE):
            require_kept(run)
            shutil.rmtree(run)
            with pytest.raises(KerasnasError, match="was deleted"):
                require_kept(run)
            if error is not None:
                raise error

    with pytest.raises(KerasnasError, match=r"run was deleted, moved or replaced .*to resume"):
        work()
    assert not run.exists()
    make_run(run, MINE)
