from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from rich.console import Console

from kerasnas.errors import KerasnasError
from kerasnas.flow.commands.predict import Prediction
from kerasnas.flow.task import scores
from kerasnas.runs.layout import ExportPaths, TrainingPaths
from kerasnas.training.examples import Examples

LABELS = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.float32)
# The first tag is told apart at 0.25, the second one at 0.75.
SCORES = np.array([[0.3, 0.7], [0.2, 0.8], [0.4, 0.9], [0.1, 0.6]], np.float32)


class Clips(list):
    """Just enough of a table of clips."""

    classes = ("a", "b")

    def __init__(self, multi_label: bool) -> None:
        super().__init__(SimpleNamespace(id=f"clip{index}") for index in range(4))
        self.multi_label = multi_label


def task(multi_label: bool) -> SimpleNamespace:
    features = SCORES[:, None, None, :, None]
    return SimpleNamespace(
        clips=Clips(multi_label),
        space=SimpleNamespace(output="sigmoid"),
        experiment=SimpleNamespace(training=SimpleNamespace(final=SimpleNamespace(batch_size=2))),
        examples=lambda clips: Examples.of_clips(features, LABELS, clips),
    )


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A network whose scores are its features, unless it is called as in training."""
    x = keras.Input((1, 2, 1))
    return keras.Model(x, keras.layers.Dropout(0.5)(keras.layers.Flatten()(x)))


def test_thresholds_are_chosen_on_the_clips_set_aside(model: keras.Model) -> None:
    tagging = task(multi_label=True)
    found = scores.choose_thresholds(model, tagging, np.arange(4))
    assert found == pytest.approx([0.25, 0.75])
    result = scores.score_model(model, tagging, tagging.examples(np.arange(2)), found)
    assert result.metrics["tuned_macro_f1"] == 1
    assert result.metrics["macro_f1"] < 1


def test_without_tags_or_clips_set_aside_there_are_no_thresholds(model: keras.Model) -> None:
    assert scores.choose_thresholds(model, task(multi_label=False), np.arange(4)) is None
    assert scores.choose_thresholds(model, task(multi_label=True), np.arange(0)) is None


def test_an_evaluation_is_written_class_by_class(model: keras.Model) -> None:
    tagging = task(multi_label=True)
    result = scores.score_model(model, tagging, tagging.examples(np.arange(2)))
    written = scores.record(result, tagging, "test").fields()
    assert written["by_class"]["positives"] == [1, 1]
    assert written["by_class"]["equal_error_rate"] == [0, 0]
    result = scores.score_model(model, tagging, tagging.examples(np.arange(1)))
    assert scores.record(result, tagging, "test").fields()["by_class"]["auc"] == [None, None]


def test_thresholds_are_found_again_beside_the_model_and_its_files(
    model: keras.Model, tmp_path: Path
) -> None:
    tagging = task(multi_label=True)
    result = scores.score_model(
        model, tagging, tagging.examples(np.arange(4)), np.array([0.25, 0.75])
    )
    scores.record(result, tagging, "test").write(TrainingPaths(tmp_path).evaluation)
    found = scores.read_thresholds(tmp_path / "model.keras", ("a", "b"))
    assert found is not None and found.tolist() == [0.25, 0.75]
    scores.write_thresholds(found, ExportPaths(tmp_path), ("a", "b"))
    again = scores.read_thresholds(tmp_path / "model_int8.tflite", ("a", "b"))
    assert again is not None and again.tolist() == [0.25, 0.75]
    assert scores.read_thresholds(tmp_path / "model_int8.tflite", ("b", "a")) is None
    scores.write_thresholds(None, ExportPaths(tmp_path), ("a", "b"))
    assert scores.read_thresholds(tmp_path / "model_int8.tflite", ("a", "b")) is None


@pytest.mark.parametrize("multi_label", [False, True])
def test_a_training_without_thresholds_has_none(
    model: keras.Model, tmp_path: Path, multi_label: bool
) -> None:
    tagging = task(multi_label)
    result = scores.score_model(model, tagging, tagging.examples(np.arange(4)))
    scores.record(result, tagging, "test").write(TrainingPaths(tmp_path).evaluation)
    assert scores.read_thresholds(tmp_path / "model.keras", ("a", "b")) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"thresholds": {"a": null, "b": 0.5}}'])
@pytest.mark.parametrize("model", ["model.keras", "model_int8.tflite"])
def test_damaged_thresholds_are_one_error(tmp_path: Path, model: str, text: str) -> None:
    trained = model.endswith(".keras")
    path = TrainingPaths(tmp_path).evaluation if trained else ExportPaths(tmp_path).thresholds
    path.write_text(text)
    with pytest.raises(KerasnasError, match=rf"{path.name} .*delete it and run "):
        scores.read_thresholds(tmp_path / model, ("a", "b"))


def test_tags_that_reach_their_threshold_are_marked() -> None:
    screen = Console(width=80, file=StringIO())
    known = np.array([[0.3, 0.7]], np.float32)
    for thresholds, shown in (
        (np.array([0.25, 0.75]), "b 0.70, a 0.30*"),
        (None, "b 0.70, a 0.30 "),
    ):
        found = Prediction(Path("x.wav"), ("a", "b"), ((0.0, 1.0),), known, thresholds)
        screen.print(found.table(2))
        assert shown in screen.file.getvalue()
        assert ("threshold" in screen.file.getvalue()) == (thresholds is not None)
        screen.file = StringIO()


@pytest.mark.parametrize("recurrent", [False, True])
def test_a_traced_network_answers_as_an_untraced_one(recurrent: bool) -> None:
    x = keras.Input((5, 3))
    layer = keras.layers.Bidirectional(keras.layers.GRU(2)) if recurrent else keras.layers.Flatten()
    model = keras.Model(x, keras.layers.Dense(2)(layer(x)))
    batch = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
    found = np.asarray(scores.predictor(model)(batch))
    np.testing.assert_allclose(found, np.asarray(model(batch)), atol=1e-6)
    assert (model.predict_function is not None) == recurrent
