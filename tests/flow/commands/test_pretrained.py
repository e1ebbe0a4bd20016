"""A search over trunks of a file, small: candidates, winners, files, report, folds, bad input."""

import csv
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
import yaml
from keras import layers
from rich.console import Console

from kerasnas.datasets import cache_root
from kerasnas.errors import KerasnasError
from kerasnas.experiment import load
from kerasnas.export import with_front_end
from kerasnas.export.convert.stock import convert_stock
from kerasnas.features.settings import LogMel
from kerasnas.flow.commands.init import init
from kerasnas.flow.commands.predict import predict
from kerasnas.flow.commands.search import search
from kerasnas.flow.commands.train import train
from kerasnas.flow.stages.candidates import prepare_trunk, score_candidates
from kerasnas.flow.task.frozen import open_frozen
from kerasnas.flow.task.opening import open_run
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import load_task
from kerasnas.flow.task.waveform import graph_front_end
from kerasnas.flow.workers.fine_tuning import fit_gently
from kerasnas.flow.workers.frozen import candidate_scores, fit_network
from kerasnas.runs.layout import RunPaths, TrainingPaths
from kerasnas.runs.records import Baselines, Description, Evaluation, Export, FineTuned
from kerasnas.runs.run import chosen_training, read_labels, read_winners
from kerasnas.tuners.core.errors import TunerError
from tests.flow.conftest import SMALL

FRAMES, BINS = 21, 16
CLASSES = tuple(SMALL["data"]["classes"])


@pytest.fixture(scope="session")
def file(workspace: Path) -> Path:
    """A network of a stem and three separable blocks with random weights, as a file."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((FRAMES, BINS, 1))
    x = layers.Rescaling(0.05, 2.0)(inputs)
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu6")(x)
    for filters in (12, 16, 16):
        x = layers.DepthwiseConv2D(3, padding="same", activation="relu6")(x)
        x = layers.Conv2D(filters, 1, activation="relu6")(x)
    outputs = layers.Dense(7)(layers.GlobalAveragePooling2D()(x))
    path = workspace / "trunk.tflite"
    path.write_bytes(convert_stock(keras.Model(inputs, outputs), "float32"))
    return path


def written(workspace: Path, file: Path, name: str, **changes: dict) -> Path:
    settings = json.loads(json.dumps(SMALL)) | {"name": name}
    settings["model"] = {
        "space": "pretrained",
        "file": str(file),
        "cuts": [4, 5],
        "shares": [1.0, 0.5],
        "speeds": [0.9],
        "window": 3,
    } | changes.pop("model", {})
    settings["search"] |= {"window": {"maximum": 30_000}, "trials": 4, "choose": "loss"}
    for part, given in changes.items():
        settings[part] |= given
    path = workspace / f"{name}.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def rows(run: Path) -> list[dict[str, str]]:
    with RunPaths(run).table.open(newline="") as table:
        return list(csv.DictReader(table))


@pytest.mark.slow
def test_trunks_and_networks_from_scratch_are_searched_together(
    workspace: Path, file: Path
) -> None:
    scratch = {"share": 0.3, "model": {"space": "wu_lee", "blocks": [1], "stem_filters": [4, 8]}}
    either = {
        "winners": {
            "best": {"by": "loss"},
            "from_scratch": {"by": "loss", "where": {"start": "scratch"}},
        },
        "choose": "best",
        "trials": 6,
        "recipes": "auto",
        "enqueue": [
            {
                "start": "scratch",
                "blocks": 1,
                "stem_filters": 4,
                "growth": 1.0,
                "block1_module_a": "dsc3",
                "block1_module_b": "dsc3",
                "block1_pooling": "max",
            }
        ],
    }
    path = written(workspace, file, "either", model={"from_scratch": scratch}, search=either)
    result = search(path)
    run = workspace / "runs" / "either"
    trials = rows(run)
    assert [row["status"] for row in trials] == ["completed"] * 6
    by_start = {start: [r for r in trials if r["start"] == start] for start in ("trunk", "scratch")}
    assert all(by_start.values())
    # Test clips are looked at once: when the winners are scored.
    assert not any(row["test_accuracy"] for row in trials)
    winners = read_winners(run).winners
    assert trials[winners["from_scratch"].trial]["start"] == "scratch"
    assert trials[winners["best"].trial]["loss"] == min((r["loss"] for r in trials), key=float)
    export = Export.read(RunPaths(run).export.report)
    assert export.files["int8"].bytes <= 30_000
    assert read_labels(RunPaths(run).export) == CLASSES  # and none of the file's
    page = result.report.read_text()
    digest = load(run / "experiment.yaml").model.sha256
    assert "With a pretrained network" in page
    assert "From scratch:" in page
    card = RunPaths(run).model_card.read_text()
    begins = trials[winners["best"].trial]["start"] == "trunk"
    assert (digest in card) == begins
    assert "states none" in card or not begins
    again = search(path)  # nothing is left to do
    assert rows(run) == trials
    assert again.winner.number == winners["best"].trial


@pytest.fixture(scope="session")
def searched(workspace: Path, file: Path) -> Path:
    search(written(workspace, file, "trunks"))
    return workspace / "runs" / "trunks"


ORACLES = {
    "nsga2": ({"name": "nsga2", "population": 3}, ["accuracy", "int8_bytes"]),
    "controller": (
        {"name": "controller", "budget": 4, "settled": 2, "batch": 2, "shared": False},
        ["loss"],
    ),
    "grid": ({"name": "grid"}, ["accuracy", "loss", "macs"]),
}


@pytest.mark.slow
@pytest.mark.parametrize(("oracle", "objectives"), ORACLES.values(), ids=ORACLES)
def test_other_oracles_and_objectives_in_a_hard_window(
    workspace: Path, file: Path, oracle: dict, objectives: list[str]
) -> None:
    search = {"oracle": oracle, "objectives": objectives, "trials": 6, "choose": objectives[0]}
    search["window"] = {"rule": "int8_file", "minimum": 7000, "maximum": 9500}
    path = written(workspace, file, f"oracle_{oracle['name']}", search=search)
    experiment = load(path)
    directory = workspace / "runs" / path.stem
    with open_run(directory, experiment):
        session = Session(directory, load_task(experiment), cache_root(), None, Console(quiet=True))
        prepare_trunk(session)
        found = score_candidates(session)
    completed = found.history.completed()
    assert len(completed) == 6
    for trial in completed:
        size = experiment.space(len(CLASSES)).architecture(trial.values).size("int8_file")
        assert 7000 <= size <= 9500
        assert np.isfinite([trial.metrics[name] for name in objectives]).all()


@pytest.mark.slow
def test_a_file_takes_sound_and_gives_the_labels_of_the_recordings(
    workspace: Path, hearing: Path
) -> None:
    model = {"cuts": [3], "shares": [1.0]}
    path = written(workspace, hearing, "sound", model=model, search={"trials": 2})
    settings = yaml.safe_load(path.read_text())
    settings["features"] = {"kind": "log_mel", "like": str(hearing), "seconds": 0.5}
    settings["export"] |= {"waveform": True, "budget": 60_000}
    path.write_text(yaml.safe_dump(settings))
    search(path)
    run = workspace / "runs" / "sound"
    task = load_task(load(run / "experiment.yaml"))
    model, clips = keras.saving.load_model(chosen_training(run).model), task.split.test[:8]
    expected = model.predict(task.features[clips][:, 0], verbose=0)
    export = RunPaths(run).export
    for name, entry in Export.read(export.report).files.items():
        assert entry.waveform.mediapipe
        for clip, scores in zip(clips, expected, strict=True):
            recording = task.clips[int(clip)].path
            found = predict(export.path / entry.waveform.file, recording)
            assert found.classes == CLASSES
            behind = predict(export.path / entry.file, recording)
            np.testing.assert_allclose(found.scores, behind.scores, atol=0.02)
            if name == "float16":
                np.testing.assert_allclose(found.scores[0], scores, atol=0.005)


@pytest.mark.slow
def test_the_final_network_is_one_model_and_its_files_keep_the_limit(searched: Path) -> None:
    training = chosen_training(searched)
    described = Description.read(training.description)
    assert described.values is not None
    model = keras.saving.load_model(training.model, safe_mode=True)
    assert model.count_params() == described.cost["parameters"]
    found = Evaluation.read(training.evaluation)
    majority = Baselines.read(RunPaths(searched).baselines).parts["test"].majority
    assert found.metrics["accuracy"] > majority["accuracy"]
    export = Export.read(RunPaths(searched).export.report)
    assert export.files["int8"].form == "full_int8"
    assert export.files["int8"].accuracy == pytest.approx(found.metrics["accuracy"], abs=0.07)
    card = RunPaths(searched).model_card.read_text()
    assert load(searched / "experiment.yaml").model.sha256 in card


@pytest.mark.slow
def test_two_workers_score_as_one_and_a_search_is_resumed(
    workspace: Path, file: Path, searched: Path
) -> None:
    path = written(workspace, file, "resumed")
    search(path, max_trials=2, workers=2)
    run = workspace / "runs" / "resumed"
    search(path, workers=2)
    keys = ("accuracy", "loss", "cut", "statistics", "parts", "int8_bytes")
    assert [[row[key] for key in keys] for row in rows(run)] == [
        [row[key] for key in keys] for row in rows(searched)
    ]


@pytest.mark.slow
def test_each_fold_is_searched_anew(workspace: Path, file: Path) -> None:
    split = {"split": {"by": "fold", "test_fold": "2"}}
    path = written(workspace, file, "folds", search={"trials": 2}, data={"clips": 100})
    settings = yaml.safe_load(path.read_text()) | split
    path.write_text(yaml.safe_dump(settings))
    search(path)
    run = workspace / "runs" / "folds"
    found = train(run, folds="1,2")
    assert [training.fold for training in found.trainings] == ["1", "2"]
    inner = RunPaths(run).without_fold("1", 0)
    assert load(inner.experiment).split.test_fold == "1"
    assert not RunPaths(run).without_fold("2", 0).path.exists()  # the search itself
    table = rows(inner.path)
    chosen = Description.read(RunPaths(run).network("winner").training("1", 0).description)
    best = min(table, key=lambda row: float(row["loss"]))
    assert str(chosen.values["cut"]) == best["cut"]
    assert not any(row["test_accuracy"] for row in table)
    fifth = [training for training in found.trainings if training.fold == "2"]
    assert fifth[0].scores["int8"]["bytes"] <= 30_000


@pytest.mark.slow
@pytest.mark.parametrize("head", ["hidden", "convolution", "gru"])
def test_heads_are_trained_on_activations_and_become_one_network(
    workspace: Path, file: Path, head: str
) -> None:
    heads = {"heads": [head], "units": [8], "new_block": True, "parts": [1]}
    path = written(workspace, file, f"head_{head}", model=heads)
    task = load_task(load(path))
    frozen = open_frozen(task, task.space)
    values = {"cut": 4, "keep4": 0.5, "head": head, "units": 8, "new_block": head == "hidden"}
    if head == "hidden":
        values |= {"statistics": "mean+second", "parts": 1}
    recipe = task.experiment.training.candidate.model_copy(
        update={"epochs": 12, "learning_rate": 0.01}
    )
    told = []
    training = TrainingPaths(workspace / f"training_{head}")
    part = (task.split.train, task.split.validation)

    def on_epoch(epoch: int, metrics: dict) -> bool:
        told.append(metrics["val_loss"])
        return True

    scored = candidate_scores(frozen, values, part, recipe, 0, training, on_epoch)
    assert len(told) == 12
    assert told[-1] < told[0]
    assert scored.metrics["loss"] == pytest.approx(told[-1], rel=1e-3)
    model = fit_network(frozen, values, part, recipe, 0, training, on_epoch)
    whole = model.predict(task.features[part[1]][:, 0], verbose=0)
    np.testing.assert_allclose(whole, scored.predictions, atol=0.02)  # activations were float16


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "kept"), [(0.02, True), (5.0, False)])
def test_gentle_training_is_kept_where_validation_clips_say_so(
    workspace: Path, file: Path, rate: float, kept: bool
) -> None:
    tuned = {"layers": "head", "epochs": 10, "learning_rate": rate}
    path = written(workspace, file, f"gentle_{rate:g}", model={"fine_tuning": tuned})
    task = load_task(load(path))
    frozen = open_frozen(task, task.space)
    values = {"cut": 4, "keep4": 1.0, "statistics": "mean+second", "parts": 1, "head": "linear"}
    training = TrainingPaths(workspace / f"gentle_{rate:g}")
    recipe, split = task.experiment.training.final, task.split
    part = (split.not_tested, split.test[:0])
    arguments = (recipe, 0, training, lambda epoch, metrics: None)
    plain = fit_network(frozen, values, part, *arguments)
    network = fit_gently(frozen, values, part, split.validation, *arguments)
    found = FineTuned.read(training.fine_tuning)
    assert found.kept == kept == (found.after["loss"] < found.before["loss"])
    assert found.count == len(split.validation)
    differ = [
        layer.name
        for layer, other in zip(network.layers, plain.layers, strict=True)
        if not all(map(np.array_equal, layer.get_weights(), other.get_weights()))
    ]
    assert bool(differ) == kept
    assert all("statistics_scores" in name for name in differ)
    assert all(layer.trainable for layer in network.layers)
    # Clips that nobody trains on anyway judge, and the network that they judged is taken.
    part = (split.train, split.validation)
    plain = fit_network(frozen, values, part, *arguments)
    again = fit_gently(frozen, values, part, split.validation, *arguments)
    same = all(map(np.array_equal, again.get_weights(), plain.get_weights()))
    assert same != kept
    # Where none judge, nothing is tried.
    training.fine_tuning.unlink()
    fit_gently(frozen, values, part, split.test[:0], *arguments)
    assert not training.fine_tuning.exists()


def problem(path: Path) -> str:
    with pytest.raises((KerasnasError, TunerError)) as caught:
        search(path)
    return str(caught.value)


def test_a_file_that_is_missing_or_damaged(workspace: Path, file: Path) -> None:
    assert "model: file: " in problem(written(workspace, workspace / "no.tflite", "missing"))
    broken = workspace / "broken.tflite"
    broken.write_bytes(file.read_bytes()[:2000])
    assert "broken.tflite" in problem(written(workspace, broken, "damaged"))


def test_features_of_another_shape(workspace: Path, file: Path) -> None:
    text = problem(written(workspace, file, "bins", features={"mel_bins": 20}))
    assert "the trunk takes 16 bins" in text


def test_a_trunk_whose_smallest_cut_is_over_budget(workspace: Path, file: Path) -> None:
    window = {"window": {"maximum": 2000}}
    text = problem(written(workspace, file, "budget", search=window))
    assert "no candidate fits the window of 0 to 2,000" in text


def test_another_file_than_the_run_began_with(workspace: Path, file: Path) -> None:
    settings = {"sha256": "0" * 64}
    path = written(workspace, file, "exchanged", model=settings)
    with pytest.raises(KerasnasError, match="another file than the one"):
        load(path).space(3)


HEARING = LogMel(
    sample_rate=8000,
    seconds=0.5,
    n_fft=256,
    hop_length=200,
    center=False,
    mel_bins=BINS,
    log="log",
    log_offset=1e-3,
)


@pytest.fixture(scope="module")
def hearing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that takes a waveform: a front end, and a network of two blocks."""
    keras.utils.set_random_seed(2)
    inputs = keras.Input(HEARING.input_shape)
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu6")(inputs)
    for filters in (12, 16):
        x = layers.DepthwiseConv2D(3, padding="same", activation="relu6")(x)
        x = layers.Conv2D(filters, 1, activation="relu6")(x)
    scores = layers.Dense(4)(layers.GlobalAveragePooling2D()(x))
    spectrogram = convert_stock(keras.Model(inputs, scores), "float32")
    path = tmp_path_factory.mktemp("hearing") / "hearing.tflite"
    path.write_bytes(with_front_end(spectrogram, graph_front_end(HEARING), ["a", "b", "c", "d"]))
    return path


def recordings(root: Path) -> Path:
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (root / label).mkdir(parents=True)
        for index in range(20):
            soundfile.write(root / label / f"{index}.wav", rng.normal(0, 0.1, 4000), 8000)
    return root


def test_init_writes_one_search_of_both_kinds(hearing: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.yaml"
    init(recordings(tmp_path / "data"), output, budget=40_000, pretrained=hearing)
    experiment = load(output)
    assert experiment.features.like.file == hearing
    assert experiment.features.input_shape == HEARING.input_shape
    space = experiment.space(2)
    assert space.pretrained.file.path == hearing
    assert experiment.model.from_scratch.model.space == "wu_lee"
    assert experiment.winners["from_scratch"].where == {"start": "scratch"}
    assert experiment.choose == "best"
    with pytest.raises(KerasnasError, match="smallest candidate that begins with .* 900: raise"):
        init(tmp_path / "data", tmp_path / "other.yaml", budget=900, pretrained=hearing)
    with pytest.raises(KerasnasError, match="no.tflite"):
        init(tmp_path / "data", tmp_path / "other.yaml", pretrained=tmp_path / "no.tflite")


def test_features_of_another_sample_rate_are_refused(hearing: Path, workspace: Path) -> None:
    features = {"sample_rate": 16000, "n_fft": 512, "hop_length": 400, "center": False}
    path = written(workspace, hearing, "rate", features=features, model={"cuts": [3]})
    text = problem(path)
    assert "features.sample_rate is 16000, and" in text
    assert "was trained on 8000: give features: {kind: log_mel, like: " in text
