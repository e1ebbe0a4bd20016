"""A whole search, small: what it leaves, and that the same call goes on."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from kerasnas.blocks.architecture import Architecture
from kerasnas.cli import app
from kerasnas.errors import KerasnasError
from kerasnas.flow.commands.evaluate import evaluate
from kerasnas.flow.commands.export import export_run
from kerasnas.flow.commands.predict import predict
from kerasnas.flow.commands.search import search
from kerasnas.flow.commands.train import train
from kerasnas.flow.stages import export_network as exporting
from kerasnas.flow.task.opening import read_experiment
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import load_task
from kerasnas.runs.layout import ExportPaths, RunPaths, TrainingPaths
from kerasnas.runs.records import (
    Baselines,
    Description,
    EpochTable,
    Evaluation,
    Export,
    Folds,
    FrontEndDescription,
    MadeFrom,
)
from kerasnas.runs.run import chosen_training, read_winners

pytestmark = pytest.mark.slow


def rows(run: Path) -> list[dict[str, str]]:
    with RunPaths(run).table.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_candidate_keeps_accuracy_loss_and_cost(searched: Path) -> None:
    trials = rows(searched)
    assert [row["status"] for row in trials] == ["completed"] * 3
    for row in trials:
        assert 0 <= float(row["accuracy"]) <= 1
        assert float(row["loss"]) > 0
        assert 4000 <= int(row["bytes"]) <= 30_000
        assert int(row["bytes"]) == int(row["int8_bytes"])
        assert len(
            EpochTable.read(RunPaths(searched).trial(f"{int(row['trial']):04d}").history).epochs
        )


def test_both_winners_are_named_and_trained(searched: Path) -> None:
    winners, trials = read_winners(searched).winners, rows(searched)
    best = max(trials, key=lambda row: float(row["accuracy"]))
    least = min(trials, key=lambda row: float(row["loss"]))
    assert float(trials[winners["accuracy"].trial]["accuracy"]) == float(best["accuracy"])
    assert winners["loss"].trial == int(least["trial"])
    for name in ("accuracy", "loss"):
        training = TrainingPaths(searched / winners[name].directory)
        described = Description.read(training.description)
        network = Architecture.from_json(described.architecture)
        assert network.cost().to_json() == described.cost
        evaluation = Evaluation.read(training.evaluation)
        right = (evaluation.labels.argmax(1) == evaluation.predictions.argmax(1)).mean()
        assert evaluation.metrics["accuracy"] == pytest.approx(right)


def test_tensorboard_sees_every_trial_and_winner(searched: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    boards, winners = RunPaths(searched).tensorboard, read_winners(searched).winners
    trained = {f"trials/{int(row['trial']):04d}": 2 for row in rows(searched)}
    trained |= {winner.directory: 3 for winner in winners.values()}
    for name, epochs in trained.items():
        found = EventAccumulator(str(boards / name)).Reload()
        assert len(found.Scalars("epoch/loss")) == epochs
        assert len(found.Scalars("objective/accuracy")) == 1
    assert any(boards.glob("events.out.tfevents.*"))


def test_a_search_ends_with_the_numbers_that_matter(searched: Path) -> None:
    shown = CliRunner().invoke(app, ["search", "small.yaml", "--quiet"])
    assert shown.exit_code == 0, shown.output
    assert "to choose by" not in shown.stdout  # what the search works on
    assert shown.stdout.splitlines()[-3].startswith("accuracy of model_")
    told = json.loads(CliRunner().invoke(app, ["search", "small.yaml", "--json"]).stdout)
    assert (told["trials"], told["run"]) == (3, "runs/small")
    assert told["exported"]["report"]["files"]["int8"]["bytes"] > 0
    assert told["scores"]["accuracy"] >= 0


def test_the_model_opens_without_kerasnas(searched: Path) -> None:
    import keras

    path = chosen_training(searched).model
    model = keras.saving.load_model(path)
    x = np.random.default_rng(0).normal(-40, 5, (4, *model.input_shape[1:])).astype(np.float32)
    np.save(searched.parent / "x.npy", x)
    code = (
        "import sys; sys.modules['kerasnas'] = None\n"
        "import keras, numpy; model = keras.saving.load_model(sys.argv[1], safe_mode=True)\n"
        "print(numpy.asarray(model(numpy.load(sys.argv[2]))).tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path, searched.parent / "x.npy"],
        capture_output=True,
        text=True,
        check=True,
    )
    np.testing.assert_allclose(json.loads(done.stdout), model(x), atol=1e-6)


def test_the_files_are_proven_on_clips_nobody_trained_on(searched: Path) -> None:
    report = Export.read(RunPaths(searched).export.report)
    assert set(report.files) == {"float16", "int8"}
    for name, entry in report.files.items():
        path = searched / "export" / f"model_{name}.tflite"
        assert entry.bytes == path.stat().st_size
        again = evaluate(path)
        assert again.metrics["accuracy"] == pytest.approx(entry.accuracy)
        assert again.to_beat is not None and "(a logistic regression)" in again.to_beat
    assert (searched / "export" / "labels.txt").read_text().splitlines() == [
        "alarm",
        "speech",
        "vacuum_cleaner",
    ]


def test_results_come_without_the_notices_of_native_code(searched: Path) -> None:
    model = searched / "winners" / "accuracy" / "model.keras"
    done = subprocess.run(
        [sys.executable, "-m", "kerasnas", "evaluate", model], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "to beat: accuracy" in done.stdout
    assert done.stderr == ""


def test_features_json_checks_another_front_end(searched: Path) -> None:
    from kerasnas.features import LogMel, clip_features
    from kerasnas.features.description import decode, golden

    stored = FrontEndDescription.read(RunPaths(searched).export.front_end)
    settings = LogMel.model_validate(stored.settings)
    waveform = decode(stored.golden["waveform"]).astype(np.float32) / 32768
    np.testing.assert_allclose(
        clip_features(waveform, settings), decode(stored.golden["features"]), atol=1e-4
    )
    assert stored.golden["waveform"] == golden(settings)["waveform"]  # nobody's recording


def test_the_report_is_a_page(searched: Path) -> None:
    page = (searched / "report.html").read_text()
    HTMLParser().feed(page)
    assert "<svg" in page
    assert f"{read_winners(searched).winners['accuracy'].trial}" in page


def test_only_the_best_models_stay(searched: Path) -> None:
    kept = {path.parent.name for path in (searched / "trials").glob("*/model.keras")}
    assert kept == {"0000", "0001", "0002"}  # keep_models is 3, and there are no more


def test_the_same_call_trains_nothing_again(searched: Path, workspace: Path) -> None:
    files = [
        RunPaths(searched).trial("0001").history,
        RunPaths(searched).winner("accuracy").model,
        RunPaths(searched).winners,
        RunPaths(searched).export.report,
        searched / "export" / "model_int8.tflite",
    ]
    before = [path.stat().st_mtime_ns for path in files]
    search(workspace / "small.yaml")
    assert [path.stat().st_mtime_ns for path in files] == before
    assert len(rows(searched)) == 3


def test_an_export_is_only_made_again_where_something_changed(
    searched: Path, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    monkeypatch.setattr(exporting, "export_network", lambda *given: made.append(given))
    paths = ExportPaths(shutil.copytree(searched / "export", tmp_path / "export"))
    task = load_task(read_experiment(searched))
    train, _, test = task.final_parts(None)
    best = searched / "winners" / "accuracy" / "model.keras"
    other = searched / "trials" / "0000" / "model.keras"
    session = Session(searched, task, workspace / "cache", None, Console(quiet=True))
    known = exporting.export_missing(session, best, paths, train, test)
    assert known.report == Export.read(paths.report)
    assert not made
    exporting.export_missing(session, best, paths, train, test, "error")
    exporting.export_missing(session, best, paths, train, test[1:])
    exporting.export_missing(session, other, paths, train, test)
    (paths.path / "model_int8.tflite").unlink()
    exporting.export_missing(session, best, paths, train, test)
    interrupted = replace(MadeFrom.read(paths.made_from), options={"budget": 9}, whole=False)
    interrupted.write(paths.made_from)
    exporting.export_missing(session, best, paths, train, test)
    assert [given[0] for given in made] == [best, best, other, best, best]
    assert [given[5].options for given in made] == [{}, {}, {}, {}, {"budget": 9}]


def test_an_export_with_options_of_its_own_stays_and_is_mended_with_them(
    searched: Path, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(searched, tmp_path / "run")
    export_run(run, waveform=True, on_fail="report")
    with monkeypatch.context() as patch:
        patch.setattr(exporting, "export_network", None)
        exported = search(workspace / "small.yaml", run=run).exported
    assert exported.report.files["int8"].waveform is not None
    (run / "export" / "model_int8.tflite").unlink()
    mended = search(workspace / "small.yaml", run=run).exported
    assert mended.report.files["int8"].waveform is not None
    assert mended.report.settings == exported.report.settings


def test_an_option_that_is_no_setting_is_refused_before_anything_is_read() -> None:
    with pytest.raises(KerasnasError, match=r"budget: .* greater than or equal to 1, not 0"):
        export_run("nowhere", budget=0)


def test_results_show_what_matters(searched: Path, workspace: Path) -> None:
    result = search(workspace / "small.yaml")
    shown = repr(result)
    assert shown.startswith(f"SearchResult(run: {result.run}, trials: 3, chosen by: accuracy")
    accuracy = f"accuracy {result.scores['accuracy']:.3f}"
    for text in (shown, result._repr_html_()):
        assert accuracy in text
        assert f"{result.exported.files['int8'].stat().st_size:,} bytes" in text
    assert "<table>" in result._repr_html_()
    columns = [list(row) for row in result.trials]
    assert columns == [columns[0]] * 3
    for row, written in zip(result.trials, rows(searched), strict=True):
        assert row["trial"] == int(written["trial"])
        assert row["accuracy"] == float(written["accuracy"])
        assert row["parameters"] == int(written["parameters"])
        assert row["front"] is (written["front"] == "yes")
        assert str(row["stem_filters"]) == written["stem_filters"]


def test_a_recording_of_any_length_is_tagged(searched: Path, workspace: Path) -> None:
    recording = next((workspace / "cache" / "data").rglob("*.wav"))
    import soundfile

    samples, rate = soundfile.read(recording)
    longer = workspace / "longer.wav"
    soundfile.write(longer, np.tile(samples, 3)[: int(1.3 * 0.5 * rate)], rate)
    result = predict(str(searched / "export" / "model_int8.tflite"), str(longer))
    assert result.classes == ("alarm", "speech", "vacuum_cleaner")
    assert len(result.times) == 2
    assert result.times[0] == (0.0, 0.5)
    assert result.times[1][1] == pytest.approx(1.3 * 0.5, abs=1e-3)
    np.testing.assert_allclose(result.scores.sum(axis=1), 1, atol=0.02)


def test_a_reference_trains_with_the_final_recipe(workspace: Path) -> None:
    result = train(workspace / "small.yaml", architecture="model_a", run=workspace / "reference")
    (only,) = result.trainings
    assert set(only.scores) == {"float32", "float16", "int8"}
    assert result.mean("int8") == only.scores["int8"]["accuracy"]
    network = RunPaths(workspace / "reference").network("model_a")
    beside = Baselines.read(network.baselines(None)).parts["test"].regression
    assert only.baseline == beside.metrics
    assert result.folds.baseline == beside.metrics["accuracy"]
    assert Folds.read(network.folds) == result.folds


@pytest.mark.parametrize("killed", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_interrupted_and_killed_searches_go_on(
    workspace: Path, searched: Path, killed: bool
) -> None:
    run = f"interrupted_{killed}"
    command = [
        sys.executable, "-m", "kerasnas", "search", "small.yaml",
        "--run", run, "--max-trials", "2",
    ]  # fmt: skip
    journal = RunPaths(workspace / run).journal
    first = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(journal, '"event":"start"' if killed else '"event":"finish"', first)
    os.kill(first.pid, signal.SIGTERM)  # a scheduler's Ctrl-C
    _, errors = first.communicate(timeout=60)
    assert first.returncode == 130
    assert f"kerasnas search small.yaml --run {run}" in errors
    if killed:
        second = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        wait_for(journal, '"event":"finish"', second)
        os.kill(second.pid, signal.SIGKILL)
        second.wait()
    search(workspace / "small.yaml", run=run, max_trials=2)
    undisturbed, resumed = rows(searched)[:2], rows(workspace / run)
    for one, other in zip(undisturbed, resumed, strict=True):
        del one["seconds"], other["seconds"]
        assert one == other


def wait_for(journal: Path, text: str, process: subprocess.Popen) -> None:
    """Until the journal says so; the process must be alive all the while."""
    limit = time.monotonic() + 900  # on a machine with much else to do
    while not (journal.exists() and text in journal.read_text().replace(": ", ":")):
        assert process.poll() is None, "the search ended before it was interrupted"
        if time.monotonic() > limit:
            process.kill()
            raise AssertionError(f"{journal} has no {text}")
        time.sleep(0.2)
