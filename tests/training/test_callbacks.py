"""Keras callbacks of an experiment: what they are told, and what a wrong one is told."""

from pathlib import Path

import keras
import numpy as np
import pytest

from kerasnas import experiment
from kerasnas.errors import KerasnasError
from kerasnas.training.callbacks import CallbackSettings, make_callbacks
from kerasnas.training.examples import Examples
from kerasnas.training.fit import fit
from kerasnas.training.recipe import Recipe

MODULE = """
import keras

class Diary(keras.callbacks.Callback):
    def __init__(self, path, stop_after=99):
        super().__init__()
        self.path, self.stop_after, self.said = path, stop_after, []

    def on_train_begin(self, logs=None):
        self.said.append(f"train {self.params['epochs']}x{self.params['steps']}")

    def on_train_batch_end(self, batch, logs=None):
        self.said.append(f"batch {batch} {sorted(logs)}")

    def on_test_end(self, logs=None):
        self.said.append(f"test {'accuracy' in logs}")

    def on_epoch_end(self, epoch, logs=None):
        self.said.append(f"epoch {epoch} {'val_loss' in logs} {'epoch' in logs}")
        self.model.stop_training = epoch + 1 >= self.stop_after

    def on_train_end(self, logs=None):
        with open(self.path, "w") as file:
            file.write("\\n".join(self.said))

def no_callback():
    pass
"""


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "diaries.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "diaries", raising=False)


def train(callbacks: list[CallbackSettings], directory: Path) -> tuple[list[dict], keras.Model]:
    rng = np.random.default_rng(0)
    targets = np.eye(2, dtype=np.float32)[np.arange(16) % 2]
    features = (
        rng.normal(0, 1, (16, 1, 4, 3, 1)).astype(np.float32) + 2 * targets[:, :1, None, None, None]
    )
    examples = Examples.of_clips(features, targets, np.arange(16))
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 3, 1))
    outputs = keras.layers.Dense(2, "softmax")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, outputs)
    history = fit(
        model,
        examples,
        Recipe(epochs=4, batch_size=8, learning_rate=0.02),
        validation=examples,
        callbacks=make_callbacks(callbacks, directory),
    )
    return history, model


def test_a_callback_is_told_of_everything_and_can_stop(tmp_path: Path) -> None:
    arguments = {"path": "{directory}/diary.txt", "stop_after": 2}
    diary = CallbackSettings(path="diaries.Diary", arguments=arguments)
    history, _ = train([diary], tmp_path)
    epoch = ["batch 0 ['accuracy', 'loss']", "batch 1 ['accuracy', 'loss']", "test True"]
    told = (tmp_path / "diary.txt").read_text().splitlines()
    first, second = "epoch 0 True False", "epoch 1 True False"
    assert told == ["train 4x2", *epoch, first, *epoch, second]
    assert len(history) == 2


def test_callbacks_that_only_look_change_nothing(tmp_path: Path) -> None:
    logger = CallbackSettings.model_validate(
        {"path": "keras.callbacks:CSVLogger", "arguments": {"filename": "{directory}/log.csv"}}
    )
    watched, model = train([logger], tmp_path)
    alone, other = train([], tmp_path)
    assert watched == alone
    assert all(map(np.array_equal, model.get_weights(), other.get_weights()))
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 5


def test_two_trainings_have_callbacks_of_their_own(tmp_path: Path) -> None:
    settings = [CallbackSettings.model_validate("keras.callbacks.TerminateOnNaN")]
    assert make_callbacks(settings, tmp_path)[0] is not make_callbacks(settings, tmp_path)[0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("keras.callbacks.CsvLogger", "keras.callbacks has no CsvLogger; did you mean CSVLogger?"),
        (
            "nowhere.at_all.Callback",
            "nowhere.at_all cannot be imported (No module named 'nowhere')",
        ),
        ("Callback", "'Callback' is no import path: write package.module.Class"),
        (
            "diaries.no_callback",
            "diaries.no_callback is no keras.callbacks.Callback, but <function",
        ),
        ("{path: diaries.Diary}", "diaries.Diary does not take these: missing a required argument"),
        (
            "{path: diaries.Diary, arguments: {path: a, colour: red}}",
            "diaries.Diary does not take these: got an unexpected keyword argument 'colour'",
        ),
        ("{paht: diaries.Diary}", "unknown field; allowed here: path, arguments"),
    ],
)
def test_a_wrong_callback_is_one_message_with_its_line(
    tmp_path: Path, given: str, said: str
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(
        f"name: a\ntraining:\n  callbacks:\n    - keras.callbacks.TerminateOnNaN\n    - {given}\n"
    )
    with pytest.raises(KerasnasError) as caught:
        experiment.load(path)
    lines = [
        line
        for line in str(caught.value).splitlines()
        if "required" not in line[:200] or said in line
    ]
    assert lines[0].startswith(f"{path}:5: training.callbacks.1")
    assert said in str(caught.value)


def test_an_experiment_keeps_its_callbacks(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("name: a\ntraining: {callbacks: [keras.callbacks.TerminateOnNaN]}\n")
    known = experiment.load(path)
    path.write_text(known.to_yaml())
    assert experiment.load(path) == known
    (callback,) = known.overridden(trials=3).training.callbacks
    assert callback == CallbackSettings(path="keras.callbacks.TerminateOnNaN")
