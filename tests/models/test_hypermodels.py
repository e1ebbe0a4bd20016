"""Every search space in one of KerasTuner's own tuners, and one space in every tuner."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import keras_tuner
import numpy as np
import pytest

from kerasnas.errors import KerasnasError
from kerasnas.models.li import LiSettings
from kerasnas.models.li_gated import LiGatedSettings
from kerasnas.models.liu_zhang import LiuZhangSettings
from kerasnas.models.nasc import NascSettings, Stage
from kerasnas.models.papers import PAPERS_BY_NAME
from kerasnas.models.space import SearchSpace
from kerasnas.models.spaces import space_of
from kerasnas.models.wu_lee import WuLeeSettings, WuLeeSpace

SHAPE = (32, 16, 1)
RNG = np.random.default_rng(0)
X = RNG.normal(-40, 5, (16, *SHAPE)).astype(np.float32)  # decibels
Y = np.eye(2, dtype=np.float32)[RNG.integers(2, size=16)]

WU_LEE = WuLeeSettings(blocks=(1, 2), stem_filters=(4, 8))
SPACES = {
    "wu_lee": (WU_LEE, "softmax"),
    "liu_zhang": (LiuZhangSettings(layers=2, filters=(8,), recurrent_units=4), "sigmoid"),
    "li": (LiSettings(layers=(1,), units=(4, 8), dense_units=(4, 8)), "softmax"),
    "li_gated": (
        LiGatedSettings(blocks=(1,), filters=(4,), kernels=(3,), pooled_filters=(4,), units=(4,)),
        "sigmoid",
    ),
    "nasc": (
        NascSettings(
            stem_filters=4,
            stages=(Stage(filters=4, layers=2, strides=(2, 2)),),
            frequency_filters=4,
            recurrent_layers=1,
            recurrent_units=4,
            dense_units=4,
        ),
        "softmax",
    ),
}
TUNERS: dict[str, Callable[..., keras_tuner.Tuner]] = {
    "bayesian": lambda model, **given: keras_tuner.BayesianOptimization(
        model, max_trials=3, num_initial_points=2, **given
    ),
    "hyperband": lambda model, **given: keras_tuner.Hyperband(model, max_epochs=2, **given),
    "grid": lambda model, **given: keras_tuner.GridSearch(model, max_trials=2, **given),
}


def test_every_space_of_a_paper_is_searched_here() -> None:
    assert SPACES.keys() == PAPERS_BY_NAME.keys()


def space(name: str) -> SearchSpace:
    settings, output = SPACES[name]
    return space_of(settings, SHAPE, 2, output)


def search(tuner: keras_tuner.Tuner) -> keras_tuner.Tuner:
    tuner.search(X, Y, validation_data=(X, Y), epochs=1, verbose=0)
    assert tuner.oracle.trials
    assert all(trial.status == "COMPLETED" for trial in tuner.oracle.trials.values())
    assert all(np.isfinite(trial.score) for trial in tuner.oracle.trials.values())
    return tuner


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_every_space_gives_models_that_a_stock_tuner_can_train(name: str) -> None:
    model = space(name).hypermodel(normalise=X).build(keras_tuner.HyperParameters())
    assert model.optimizer is not None
    loss, accuracy = model.test_on_batch(X, Y)
    assert np.isfinite(loss) and 0 <= accuracy <= 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == "li" else pytest.mark.nightly) for name in SPACES],
)
def test_every_space_in_one_stock_tuner(name: str, tmp_path: Path) -> None:
    model = space(name).hypermodel(normalise=X)
    search(keras_tuner.RandomSearch(model, "val_loss", 1, directory=tmp_path, seed=1))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "grid",
        *(pytest.param(each, marks=pytest.mark.nightly) for each in ("bayesian", "hyperband")),
    ],
)
def test_one_space_in_every_stock_tuner(name: str, tmp_path: Path) -> None:
    model = space("wu_lee").hypermodel(normalise=X)
    tuner = search(TUNERS[name](model, objective="val_loss", directory=tmp_path, seed=1))
    (best,) = tuner.get_best_models()
    (normalization,) = (layer for layer in best.layers if "normalization" in layer.name)
    np.testing.assert_allclose(normalization.get_weights()[0], X.mean(axis=(0, 1)), rtol=1e-4)


def test_networks_normalise_by_the_features_that_are_given() -> None:
    hp = keras_tuner.HyperParameters()
    model = space("wu_lee").hypermodel(normalise=X).build(hp)
    (normalization,) = (layer for layer in model.layers if "normalization" in layer.name)
    standard = np.asarray(normalization(X))
    np.testing.assert_allclose(standard.mean(axis=(0, 1)), 0, atol=1e-4)
    np.testing.assert_allclose(standard.std(axis=(0, 1)), 1, rtol=1e-3)
    plain = space("wu_lee").hypermodel(normalise=None).build(hp)
    (unset,) = (layer for layer in plain.layers if "normalization" in layer.name)
    np.testing.assert_allclose(np.asarray(unset(X)), X, rtol=1e-5)


def test_silent_bins_are_left_at_zero() -> None:
    x = X.copy()
    x[:, :, 3] = -80
    hp = keras_tuner.HyperParameters()
    model = WuLeeSpace(SHAPE, 2, settings=WU_LEE).hypermodel(normalise=x).build(hp)
    (normalization,) = (layer for layer in model.layers if "normalization" in layer.name)
    louder = x + 1
    assert np.abs(np.asarray(normalization(louder))[:, :, 3] - 1).max() < 1e-4


def test_features_of_another_shape_are_refused() -> None:
    with pytest.raises(KerasnasError, match=r"\(16, 32, 8, 1\): give features \(examples, 32, 16"):
        space("wu_lee").hypermodel(normalise=X[:, :, :8])


@pytest.mark.slow
def test_the_example_searches_a_space_and_exports_the_best(tmp_path: Path, capsys) -> None:
    path = Path(__file__).parents[2] / "examples" / "keras_tuner_space.py"
    spec = importlib.util.spec_from_file_location("keras_tuner_space", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(str(tmp_path), clips=30, epochs=1)
    assert "parameters, validation accuracy" in capsys.readouterr().out
    assert (tmp_path / "export" / "model_int8.tflite").is_file()
