"""What an export of a recurrent tagger of several labels says on clips, whoever asks it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from sklearn.metrics import f1_score

from kerasnas.flow.commands.evaluate import evaluate
from kerasnas.flow.commands.export import export_run
from kerasnas.flow.commands.predict import predict
from kerasnas.runs.layout import ExportPaths, TrainingPaths
from kerasnas.runs.records import Evaluation
from tests.report.conftest import make_evaluation

pytestmark = pytest.mark.slow

CLASSES = ["alarm", "speech", "vacuum_cleaner"]
THRESHOLDS = [0.45, 0.5, 0.55]
FILES = ("model_float16.tflite", "model_int8.tflite")


@pytest.fixture(scope="module")
def exported(workspace: Path) -> Path:
    """Files of an untrained LSTM, beside whose `.keras` file lie thresholds."""
    import keras
    from keras import layers

    experiment = yaml.safe_load((workspace / "small.yaml").read_text())
    experiment["data"]["multi_label"] = True
    experiment["data"]["clips"] = 60
    directory = workspace / "tagger"
    directory.mkdir()
    (directory / "tagger.yaml").write_text(yaml.safe_dump(experiment))
    keras.utils.set_random_seed(3)
    frames = keras.Input((21, 16, 1))
    states = layers.LSTM(6)(layers.Rescaling(1 / 40)(layers.Reshape((21, 16))(frames)))
    model = keras.Model(frames, layers.Dense(3, activation="sigmoid")(states))
    model.save(directory / "model.keras")
    by_class = {"threshold": np.array(THRESHOLDS)}
    trained = make_evaluation(classes=tuple(CLASSES), confusion=None, by_class=by_class)
    trained.write(TrainingPaths(directory).evaluation)
    export_run(directory / "model.keras", experiment=directory / "tagger.yaml")
    return directory / "export"


@pytest.mark.parametrize("name", FILES)
def test_thresholds_of_the_training_hold_for_its_files(exported: Path, name: str) -> None:
    precision = name.removeprefix("model_").removesuffix(".tflite")
    found = Evaluation.read(ExportPaths(exported).evaluation(precision))
    assert found.by_class["threshold"].tolist() == THRESHOLDS
    expected = f1_score(found.labels, found.predictions >= THRESHOLDS, average=None)
    np.testing.assert_allclose(found.by_class["tuned_f1"], expected)
    again = evaluate(exported / name, experiment=exported.parent / "tagger.yaml")
    assert again.metrics["tuned_macro_f1"] == found.metrics["tuned_macro_f1"]


@pytest.mark.parametrize("name", FILES)
def test_a_recording_of_clips_a_b_a_gives_a_s_scores_twice(exported: Path, name: str) -> None:
    clips = sorted((exported.parent.parent / "cache" / "data").rglob("*.wav"))[:2]
    (a, rate), (b, _) = (soundfile.read(clip, dtype="int16") for clip in clips)
    recording = exported.parent / "a_b_a.wav"
    soundfile.write(recording, np.concatenate([a, b, a]), rate)
    found = predict(exported / name, recording)
    first, other, again = found.scores
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert found.thresholds is not None and found.thresholds.tolist() == THRESHOLDS
