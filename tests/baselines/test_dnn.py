"""TFLearn's DNN: the report's script, tuned networks in its place, and what is refused."""

import runpy
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import kerasnas.baselines as tflearn
from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.convolutional import Dense
from kerasnas.blocks.recurrent import FlattenBins, FrameMean, Gru
from kerasnas.errors import KerasnasError
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import WinnerEntry, Winners
from tests.report.conftest import make_evaluation

CLASSES = ("bark", "hum", "rain")
RNG = np.random.default_rng(3)
Y = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, 96)]
X = (RNG.normal(size=(96, 10, 8)) * 0.3 + np.repeat(Y @ RNG.normal(size=(3, 8)), 10, 0).reshape(
    96, 10, 8
)).astype(np.float32)  # fmt: skip

# The LSTM of the report (section 4), smaller; only the import line is not TFLearn's.
SEEDED = "import keras; keras.utils.set_random_seed(0)"
SCRIPT = """
import kerasnas.baselines as tflearn
from kerasnas.baselines.data_utils import pad_sequences
import numpy as np

clips = [np.random.rand(np.random.randint(6, 11), 128) for _ in range(20)]
X = pad_sequences(clips, maxlen=10, dtype="float32", value=0.)
Y = (np.random.rand(20, 527) > 0.99).astype("float32")

net = tflearn.input_data([None, 10, 128])
net = tflearn.lstm(net, 8, dropout=0.8, return_seq=True)
net = tflearn.lstm(net, 6, dropout=0.8, return_seq=True)
net = tflearn.lstm(net, 4, return_seq=True)
net = tflearn.fully_connected(net, 16, activation="relu")
net = tflearn.fully_connected(net, 8, activation="relu")
net = tflearn.fully_connected(net, 527, activation="softmax")
net = tflearn.regression(net, optimizer="adam", learning_rate=0.001,
                         loss="categorical_crossentropy")
model = tflearn.DNN(net, clip_gradients=5.0, tensorboard_verbose=0)
model.fit(X, Y, n_epoch=2, validation_set=(X, Y), show_metric=True, batch_size=8,
          snapshot_epoch=True, run_id="lstm")
model.save("lstm.tflearn")
before = model.predict(X)
model.fit(X, Y, n_epoch=1, validation_set=0.1)
model.load("lstm.tflearn")
assert (model.predict(X) == before).all() and before.shape == (20, 527)
assert model.predict_label(X)[0, 0] == before[0].argmax()
print(model.evaluate(X, Y, batch_size=16))
"""


def test_a_network_shows_its_shapes_and_labels():
    model = tflearn.DNN(network())
    assert repr(model) == "<DNN: (10, 8) to (3,), 243 weights>"
    model.labels = CLASSES
    assert repr(model).endswith("weights, labels bark, hum, rain>")


def network(units: int = 0, **settings):
    """One layer, with an LSTM of so many units before it, which takes seconds to trace."""
    net = tflearn.input_data([None, 10, 8])
    net = tflearn.lstm(net, units) if units else net
    net = tflearn.fully_connected(net, 3, activation="softmax")
    return tflearn.regression(net, **settings)


def tuned() -> keras.Model:
    keras.utils.set_random_seed(5)
    return Architecture((10, 8), (Gru(4), FrameMean(3))).build()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run directory as `kerasnas search` leaves it, as far as DNN reads it."""
    paths = RunPaths(tmp_path / "run")
    winner = WinnerEntry(3, "winners/loss", "lowest validation loss", "loss")
    Winners({"loss": winner}, "loss").write(paths.winners)
    make_evaluation(classes=CLASSES).write(paths.winner("loss").evaluation)
    tuned().save(paths.winner("loss").model)
    return paths.path


def test_importing_needs_no_keras() -> None:
    code = "import sys, kerasnas.baselines as t; t.DNN, t.lstm; print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.slow
def test_the_reports_script_runs_with_its_import_line_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    (tmp_path / "script.py").write_text(SEEDED + SCRIPT)
    monkeypatch.chdir(tmp_path)
    runpy.run_path("script.py", run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["Run id: lstm", "Training samples: 20", "Validation samples: 20"]
    assert lines[3].startswith("Epoch 001 | acc: ") and " | val_loss: " in lines[3]
    assert "Training samples: 18" in lines and "Validation samples: 2" in lines


def test_fitting_learns_and_evaluate_gives_the_accuracy(capsys) -> None:
    keras.utils.set_random_seed(1)
    model = tflearn.DNN(network(8, learning_rate=0.02))
    history = model.fit(X, Y, n_epoch=15, batch_size=16)
    assert history.history["loss"][-1] < 0.5 * history.history["loss"][0]
    (accuracy,) = model.evaluate(X, Y)
    labels = model.predict_label(X)
    assert accuracy == pytest.approx((labels[:, 0] == Y.argmax(axis=1)).mean())
    scores = model.predict(X)
    assert (np.diff(np.take_along_axis(scores, labels, axis=1), axis=1) <= 0).all()
    assert "acc" not in capsys.readouterr().out  # show_metric is False


def test_validation_belongs_to_the_snapshot_of_an_epoch(tmp_path: Path) -> None:
    model = tflearn.DNN(network(), checkpoint_path=tmp_path / "snap")
    first = model.fit(X, Y, n_epoch=2, validation_set=0.25, batch_size=36)
    assert "val_loss" in first.history
    # 72 clips are left to train on: two steps an epoch.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["snap-2", "snap-4"]
    second = model.fit(X, Y, n_epoch=1, validation_set=0.25, snapshot_epoch=False)
    assert "val_loss" not in second.history
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(KerasnasError, match=r"validation_set is 1\.5"):
        model.fit(X, Y, validation_set=1.5)


def test_the_run_id_names_the_logs(tmp_path: Path) -> None:
    model = tflearn.DNN(network(), tensorboard_dir=tmp_path)
    model.fit(X, Y, n_epoch=1, run_id="mine")
    assert list((tmp_path / "mine").rglob("events.*"))


def test_gradients_are_clipped_to_a_global_norm_of_5() -> None:
    assert tflearn.DNN(network()).model.optimizer.global_clipnorm == 5.0
    assert tflearn.DNN(network(), clip_gradients=0).model.optimizer.global_clipnorm is None
    own = keras.optimizers.Adam(0.5)
    given = tflearn.DNN(network(optimizer=own), clip_gradients=2.0).model.optimizer
    assert given.global_clipnorm == 2.0 and float(given.learning_rate) == 0.5


@pytest.mark.parametrize("loss", ["binary_crossentropy", "softmax_categorical_crossentropy"])
@pytest.mark.parametrize("before", [True, False])
def test_cross_entropies_apply_an_activation_once(loss: str, before: bool) -> None:
    function = "sigmoid" if loss.startswith("binary") else "softmax"
    net = tflearn.fully_connected(tflearn.input_data([None, 4]), 3)
    if not before:
        net = tflearn.activation(net, function)
    model = tflearn.DNN(tflearn.regression(net, loss=loss)).model
    x, y = RNG.normal(size=(6, 4)).astype(np.float32), Y[:6]
    logits = x @ model.layers[1].get_weights()[0]
    if function == "sigmoid":
        p = 1 / (1 + np.exp(-logits))
        expected = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
    else:
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        expected = -(y * np.log(p)).sum(axis=1).mean()
    assert model.evaluate(x, y, verbose=0)[0] == pytest.approx(expected, rel=1e-4)


def test_a_tuned_run_takes_the_scripts_networks_place(run: Path, tmp_path: Path) -> None:
    model = tflearn.DNN(network(loss="binary_crossentropy", learning_rate=0.02))
    model.load(run)
    assert model.labels == CLASSES
    expected = tuned().predict(X, verbose=0)
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-5)
    history = model.fit(X, Y, n_epoch=10, batch_size=16)
    assert history.history["loss"][-1] < history.history["loss"][0]
    model.save(tmp_path / "after.keras")
    again = keras.saving.load_model(tmp_path / "after.keras", safe_mode=True)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X))
    other = tflearn.DNN(network())
    other.load(tmp_path / "after.keras")
    assert other.labels == CLASSES


def test_from_run_builds_the_chosen_network(run: Path) -> None:
    model = tflearn.DNN.from_run(run)
    assert model.labels == CLASSES and len(model.evaluate(X, Y)) == 1
    assert model.model.loss.name == "binary_crossentropy"  # it ends with sigmoids
    assert tflearn.DNN.from_run(run / "winners" / "loss" / "model.keras").labels == CLASSES


def test_labels_come_from_an_export_where_no_evaluation_is(run: Path) -> None:
    RunPaths(run).winner("loss").evaluation.unlink()
    assert tflearn.DNN.from_run(run).labels is None
    (run / "export").mkdir()
    (run / "export" / "labels.txt").write_text("a\nb\nc\n")
    assert tflearn.DNN.from_run(run).labels == ("a", "b", "c")


def test_the_optimisers_state_comes_along_unless_weights_only(tmp_path: Path) -> None:
    model = tflearn.DNN(network())
    model.fit(X, Y, n_epoch=2, batch_size=48)
    model.save(tmp_path / "net")
    for weights_only, steps in ((False, 4), (True, 0)):
        other = tflearn.DNN(network(learning_rate=0.5))
        other.load(tmp_path / "net", weights_only=weights_only)
        assert int(other.model.optimizer.iterations) == steps
        assert float(other.model.optimizer.learning_rate) == 0.5
        np.testing.assert_array_equal(other.predict(X), model.predict(X))


def test_going_on_after_loading_equals_going_on_at_once(tmp_path: Path) -> None:
    model = tflearn.DNN(network())
    model.fit(X, Y, n_epoch=1, shuffle=False)
    model.save(tmp_path / "net")
    other = tflearn.DNN(network())
    other.load(tmp_path / "net")
    for each in (model, other):
        each.fit(X, Y, n_epoch=1, shuffle=False)
    np.testing.assert_allclose(model.predict(X), other.predict(X), rtol=1e-5)


@pytest.mark.parametrize(("saved", "loaded"), [("sgd", "momentum"), ("momentum", "sgd")])
def test_an_optimiser_with_another_state_starts_anew(
    saved: str, loaded: str, tmp_path: Path
) -> None:
    model = tflearn.DNN(network(optimizer=saved))
    model.fit(X[:8], Y[:8], n_epoch=1)
    model.save(tmp_path / "net")
    other = tflearn.DNN(network(optimizer=loaded))
    other.load(tmp_path / "net")
    np.testing.assert_array_equal(other.predict(X), model.predict(X))
    other.fit(X[:8], Y[:8], n_epoch=1)
    assert (other.predict(X) != model.predict(X)).any()


def test_other_shapes_are_refused_with_both(run: Path, tmp_path: Path) -> None:
    net = tflearn.fully_connected(tflearn.input_data([None, 12, 8]), 5, activation="softmax")
    model = tflearn.DNN(tflearn.regression(net))
    with pytest.raises(KerasnasError, match=r"\(10, 8\).*\(3,\).*\(12, 8\).*\(5,\)"):
        model.load(run)
    with pytest.raises(KerasnasError, match=r"inputs have the shape \(10, 8\).*\(12, 8\)"):
        model.predict(X)
    model = tflearn.DNN(network())
    with pytest.raises(KerasnasError, match=r"targets have the shape \(2,\).*\(3,\)"):
        model.fit(X, Y[:, :2])
    with pytest.raises(KerasnasError, match="96 inputs and 95 targets"):
        model.evaluate(X, Y[:95])


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(KerasnasError, match="does not exist"):
        tflearn.DNN.from_run(tmp_path / "nothing.keras")
    with pytest.raises(KerasnasError, match="winners.json"):
        tflearn.DNN.from_run(tmp_path)
    (tmp_path / "net.index").touch()
    with pytest.raises(KerasnasError, match="TensorFlow 1"):
        tflearn.DNN(network()).load(tmp_path / "net")
    (tmp_path / "text").write_text("no model")
    with pytest.raises(KerasnasError, match="no Keras archive"):
        tflearn.DNN(network()).load(tmp_path / "text")


def test_a_network_without_regression_only_predicts() -> None:
    net = tflearn.fully_connected(tflearn.input_data([None, 10, 8]), 3)
    model = tflearn.DNN(net)
    assert model.predict(X).shape == (96, 3)
    with pytest.raises(KerasnasError, match="regression"):
        model.fit(X, Y)
    with pytest.raises(KerasnasError, match="regression"):
        model.evaluate(X, Y)


def test_data_may_be_given_by_name() -> None:
    model = tflearn.DNN(network())
    model.fit({"input": X}, {"target": Y}, n_epoch=1, validation_set=({"input": X}, {"target": Y}))
    np.testing.assert_array_equal(model.predict({"input": X}), model.predict(X))


@pytest.mark.parametrize("argument", ["optimizer", "loss", "metric"])
def test_an_unknown_name_is_refused_with_those_known(argument: str) -> None:
    with pytest.raises(KerasnasError, match=f"unknown {argument} 'nadax'"):
        network(**{argument: "nadax"})


@pytest.mark.parametrize("snapshot_step", [None, 100])
def test_snapshots_by_steps_name_kerass_callback(snapshot_step: int | None) -> None:
    model = tflearn.DNN(network(), session=None)
    if snapshot_step is None:
        model.fit(X[:8], Y[:8], n_epoch=1, snapshot_step=snapshot_step)
        return
    with pytest.raises(KerasnasError, match=r"no argument snapshot_step: .*save_freq=steps"):
        model.fit(X[:8], Y[:8], n_epoch=1, snapshot_step=snapshot_step)


def test_a_rate_that_decays_is_that_of_the_object(tmp_path: Path) -> None:
    made = tflearn.SGD(learning_rate=0.4, lr_decay=0.5, decay_step=2, staircase=True)
    model = tflearn.DNN(network(optimizer=made, metric=tflearn.Top_k(2), learning_rate=9.0))
    model.fit(X[:8], Y[:8], n_epoch=4, batch_size=8)
    assert float(model.model.optimizer.learning_rate) == pytest.approx(0.1)
    model.save(tmp_path / "net")
    model.load(tmp_path / "net")
    assert int(model.model.optimizer.iterations) == 4
    (top,) = model.evaluate(X, Y)
    highest = model.predict_label(X)[:, :2]
    assert top == pytest.approx((highest == Y.argmax(axis=1)[:, None]).any(axis=1).mean())


@pytest.mark.parametrize(
    "optimizer", ["sgd", "momentum", "rmsprop", "adagrad", "adadelta", "ftrl", "Adam"]
)
def test_every_optimiser_trains(optimizer: str) -> None:
    model = tflearn.DNN(network(optimizer=optimizer, metric=None))
    before = model.model.get_weights()[-1]
    model.fit(X[:8], Y[:8], n_epoch=1)
    assert (model.model.get_weights()[-1] != before).any()
    assert model.evaluate(X, Y) == []


def test_log_mel_networks_load_too(tmp_path: Path) -> None:
    network = Architecture((10, 8, 1), (FlattenBins(), Gru(4), FrameMean(3))).build()
    network.save(tmp_path / "model.keras")
    model = tflearn.DNN.from_run(tmp_path)
    assert model.labels is None
    assert model.predict(X[..., None]).shape == (96, 3)
    dense = Architecture((6,), (Dense(2, "softmax"),)).build()
    dense.save(tmp_path / "model.keras")
    assert tflearn.DNN.from_run(tmp_path).model.loss.name == "categorical_crossentropy"
