import os
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.convolutional import Normalize
from kerasnas.blocks.recurrent import AttentionLocalization, ConvolutionPool, FlattenBins, Gru
from kerasnas.errors import KerasnasError
from kerasnas.training.examples import Examples, statistics
from kerasnas.training.fit import fit, normalise
from kerasnas.training.recipe import Augmentation, Masks, Recipe
from kerasnas.training.scoring.metrics import evaluate

CLASSES = 3


def clips_to_learn(clips=30, seed=0, multi_label=False):
    """Clips whose loud bin tells their class, far from zero as decibels are."""
    rng = np.random.default_rng(seed)
    targets = np.eye(CLASSES, dtype=np.float32)[np.arange(clips) % CLASSES]
    if multi_label:
        targets = (rng.random((clips, CLASSES)) < 0.4).astype(np.float32)
    features = rng.normal(-40, 2, (clips, 2, 8, CLASSES, 1)).astype(np.float32)
    features += 10 * targets[:, None, None, :, None]
    return Examples.of_clips(features, targets, np.arange(clips))


def small_model(output="softmax", seed=0):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((8, CLASSES, 1))
    x = keras.layers.Normalization(axis=(-2, -1))(inputs)
    x = keras.layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Activation("silu", name="swish")(x)
    x = keras.layers.Dense(CLASSES)(keras.layers.Flatten()(x))
    return keras.Model(inputs, keras.layers.Activation(output)(x))


QUICK = Recipe(epochs=8, batch_size=16, learning_rate=0.02, schedule="cosine")


@pytest.mark.parametrize(
    ("recipe", "multi_label"),
    [
        (QUICK, False),
        (QUICK.model_copy(update={"loss": "binary_crossentropy"}), False),
        (QUICK, True),
        (
            Recipe(
                epochs=12,
                batch_size=16,
                learning_rate=0.02,
                schedule="cosine",
                optimizer="adamw",
                weight_decay=0.001,
                warm_up_epochs=1,
                l2=1e-5,
                clip_norm=1.0,
                label_smoothing=0.05,
                weight_average=0.8,
                class_weights="balanced",
                sampling="balanced",
                augmentation=Augmentation(
                    mixup="beta", time_roll=True, gain=2, time_masks=Masks(count=1)
                ),
            ),
            False,
        ),
    ],
)
def test_what_can_be_learnt_is_learnt(recipe, multi_label):
    train = clips_to_learn(60, multi_label=multi_label)
    test = clips_to_learn(30, seed=1, multi_label=multi_label)
    model = small_model(recipe.output(multi_label))
    normalise(model, train)
    history = fit(model, train, recipe, validation=test, seed=1)
    primary = "mean_average_precision" if multi_label else "accuracy"
    assert [epoch["epoch"] for epoch in history] == list(range(1, recipe.epochs + 1))
    assert history[-1][f"val_{primary}"] > 0.9
    assert history[-1]["val_loss"] < history[0]["val_loss"]
    loss = "categorical_crossentropy" if recipe.output(multi_label) == "softmax" else None
    scored = evaluate(
        model.predict_on_batch, test, multi_label=multi_label, loss=loss or "binary_crossentropy"
    )
    assert scored.metrics["loss"] == pytest.approx(history[-1]["val_loss"], rel=1e-4)


def test_statistics_are_those_of_all_frames_and_normalise_the_model():
    examples = clips_to_learn(150)
    mean, variance = statistics(examples)
    everything = examples.features.astype(np.float64)
    assert mean == pytest.approx(everything.mean(axis=(0, 1, 2)), abs=1e-4)
    assert variance == pytest.approx(everything.var(axis=(0, 1, 2)), rel=1e-5)
    model = small_model()
    normalise(model, examples)
    layer = model.layers[1]
    normalised = keras.ops.convert_to_numpy(layer(examples.x(np.arange(len(examples)))))
    assert normalised.mean(axis=(0, 1)) == pytest.approx(0, abs=1e-4)
    assert normalised.std(axis=(0, 1)) == pytest.approx(1, abs=1e-4)


def test_a_bin_that_never_changes_is_not_blown_up():
    examples = clips_to_learn()
    examples.features[..., 1, :] = -80
    assert statistics(examples)[1][1, 0] == 1


def test_a_model_without_normalisation_is_left_alone():
    inputs = keras.Input((8, CLASSES, 1))
    model = keras.Model(inputs, keras.layers.Flatten()(inputs))
    normalise(model, clips_to_learn())
    assert model.weights == []


def test_training_keeps_stock_layers_uncompiled():
    model, examples = small_model(), clips_to_learn()
    fit(model, examples, QUICK.model_copy(update={"epochs": 1}))
    assert type(model.get_layer("norm")) is keras.layers.BatchNormalization
    assert type(model.get_layer("swish")) is keras.layers.Activation
    assert model.get_layer("norm").momentum == 0.99
    assert not model.compiled


def test_stock_layers_come_back_after_an_error():
    def stop(epoch, metrics):
        raise RuntimeError("stop")

    model = small_model()
    with pytest.raises(RuntimeError, match="stop"):
        fit(model, clips_to_learn(), QUICK, on_epoch=stop)
    assert type(model.get_layer("norm")) is keras.layers.BatchNormalization
    assert type(model.get_layer("swish")) is keras.layers.Activation


def test_a_step_is_the_step_of_stock_keras():
    """One batch of everything, plain gradient descent by Adam: the same weights as Keras's own."""
    examples = clips_to_learn(10)
    rows = np.arange(len(examples))
    ours, stock = small_model(), small_model()
    for model in (ours, stock):
        normalise(model, examples)
    stock.get_layer("norm").momentum = 0.7
    stock.compile(keras.optimizers.Adam(0.01), "categorical_crossentropy", jit_compile=False)
    for _ in range(3):
        stock.train_on_batch(examples.x(rows), examples.y(rows))
    recipe = Recipe(epochs=3, batch_size=64, learning_rate=0.01, batch_norm_momentum=0.7)
    fit(ours, examples, recipe)
    for a, b in zip(ours.get_weights(), stock.get_weights(), strict=True):
        assert a == pytest.approx(b, rel=2e-3, abs=2e-4)


def test_l2_pulls_kernels_to_zero():
    norms = []
    for l2 in (0.0, 1.0):
        model = small_model()
        fit(model, clips_to_learn(), QUICK.model_copy(update={"l2": l2}))
        norms.append(np.square(model.layers[2].get_weights()[0]).sum())
    assert norms[1] < norms[0] / 10


def test_averaged_weights_are_validated_and_kept():
    recipe = QUICK.model_copy(update={"weight_average": 0.9999, "epochs": 3})
    train, test = clips_to_learn(), clips_to_learn(seed=1)
    plain, averaged = small_model(), small_model()
    fit(plain, train, recipe.model_copy(update={"weight_average": None}), seed=0)
    history = fit(averaged, train, recipe, validation=test, seed=0)
    kernel = averaged.layers[2].get_weights()[0]
    assert not np.allclose(kernel, plain.layers[2].get_weights()[0], atol=1e-4)
    result = evaluate(
        averaged.predict_on_batch, test, multi_label=False, loss="categorical_crossentropy"
    )
    assert result.metrics["loss"] == pytest.approx(history[-1]["val_loss"], rel=1e-4)


def test_early_stopping_keeps_the_best_epoch():
    train, test = clips_to_learn(), clips_to_learn(seed=1)
    targets = np.roll(test.targets, 1, axis=1)  # what is learnt is wrong there: the loss rises
    wrong = Examples(test.features, targets, test.clip, test.segment)
    recipe = QUICK.model_copy(update={"epochs": 20, "patience": 2, "schedule": "constant"})
    model = small_model()
    normalise(model, train)
    history = fit(model, train, recipe, validation=wrong)
    losses = [epoch["val_loss"] for epoch in history]
    best = int(np.argmin(losses))
    assert len(history) == best + 3 < 20
    result = evaluate(
        model.predict_on_batch, wrong, multi_label=False, loss="categorical_crossentropy"
    )
    assert result.metrics["loss"] == pytest.approx(losses[best], rel=1e-4)


def test_on_epoch_ends_the_training():
    seen = []

    def on_epoch(epoch, metrics):
        seen.append((epoch, sorted(metrics)))
        return epoch < 2

    history = fit(small_model(), clips_to_learn(), QUICK, on_epoch=on_epoch)
    assert len(history) == 2
    assert seen == [(n, ["accuracy", "epoch", "learning_rate", "loss"]) for n in (1, 2)]


@pytest.mark.parametrize(
    ("model", "recipe", "message"),
    [
        (
            small_model,
            QUICK.model_copy(update={"loss": "binary_crossentropy"}),
            "softmax goes with",
        ),
        (lambda: small_model("relu"), QUICK, "activation relu"),
        (small_model, QUICK.model_copy(update={"patience": 3}), "no validation clips"),
        (small_model, QUICK.model_copy(update={"learning_rate": 1e30}), "lower learning_rate"),
    ],
)
def test_what_cannot_be_trained(model, recipe, message):
    with pytest.raises(KerasnasError, match=message):
        fit(model(), clips_to_learn(), recipe)


def test_no_clips():
    examples = clips_to_learn()
    nothing = Examples.of_clips(examples.features, examples.targets, np.zeros(0, np.int64))
    with pytest.raises(KerasnasError, match="no clips to train on"):
        fit(small_model(), nothing, QUICK)


_COMMON = """
    import sys
    sys.path.insert(0, {tests!r})
    from test_fit import *
"""


def _python(code, **environment):
    code = textwrap.dedent(_COMMON.format(tests=str(Path(__file__).parent))) + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.nightly  # by day a search in another process repeats one in this (tests/flow)
def test_same_seed_same_weights_in_another_process():
    code = """
        import hashlib
        augmentation = Augmentation(mixup="beta", time_roll=True, gain=2)
        recipe = QUICK.model_copy(update={"epochs": 2, "augmentation": augmentation})
        model = small_model(seed=4)
        fit(model, clips_to_learn(), recipe, seed=4)
        print(hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest())
    """
    one_thread = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    assert _python(code, **one_thread) == _python(code, **one_thread)


@pytest.mark.slow
def test_trains_on_jax():
    pytest.importorskip("jax")
    code = """
        assert keras.backend.backend() == "jax"
        train, test = clips_to_learn(60), clips_to_learn(30, seed=1)
        model = small_model()
        normalise(model, train)
        print(fit(model, train, QUICK, validation=test)[-1]["val_accuracy"])
    """
    assert float(_python(code, KERAS_BACKEND="jax")[-1]) > 0.9


@pytest.mark.nightly  # by day a search's winner does (tests/flow)
def test_a_saved_model_opens_without_kerasnas(tmp_path):
    model, examples = small_model(), clips_to_learn()
    normalise(model, examples)
    fit(model, examples, QUICK)
    path = tmp_path / "model.keras"
    model.save(path)
    x = examples.x(np.arange(4))
    np.savez(tmp_path / "expected.npz", x=x, y=model.predict_on_batch(x))
    code = f"""
import sys
sys.modules["kerasnas"] = None
import keras
import numpy as np
model = keras.saving.load_model({str(path)!r}, safe_mode=True)
expected = np.load({str(tmp_path / "expected.npz")!r})
assert np.abs(model.predict_on_batch(expected["x"]) - expected["y"]).max() < 1e-6
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_epochs_figures_are_means_over_its_steps():
    examples, model = clips_to_learn(), small_model()
    normalise(model, examples)
    frozen = Recipe(epochs=1, batch_size=10, learning_rate=1e-12, batch_norm_momentum=0)
    # Batch normalisation sees each batch's own statistics while training, so the expected values
    # come from calling the model in training mode on the same batches.
    order = np.random.default_rng(5).permutation(len(examples))
    losses, hits = [], []
    for rows in order.reshape(-1, 10):
        truth = examples.y(rows)
        scores = np.asarray(model(examples.x(rows), training=True))
        losses.append(-(truth * np.log(scores)).sum(axis=1).mean())
        hits.append((truth.argmax(axis=1) == scores.argmax(axis=1)).mean())
    (epoch,) = fit(model, examples, frozen, seed=5)
    assert epoch["loss"] == pytest.approx(np.mean(losses), rel=1e-4)
    assert epoch["accuracy"] == pytest.approx(np.mean(hits), abs=1e-6)
    assert len(set(hits)) > 1  # a single step's value would be another


@pytest.mark.slow
def test_recurrent_taggers_with_attention_learn():
    train, test = (clips_to_learn(48, seed, multi_label=True) for seed in (0, 1))
    keras.utils.set_random_seed(0)
    blocks = (
        Normalize(),
        ConvolutionPool(8, pool_size=(1, 1), dropout=0.0),
        FlattenBins(),
        AttentionLocalization(CLASSES, (Gru(8),)),
    )
    model = Architecture((8, CLASSES, 1), blocks).build()
    normalise(model, train)
    history = fit(model, train, QUICK, validation=test)
    assert history[-1]["val_equal_error_rate"] < 0.1
    assert history[-1]["val_accuracy"] > 0.9


def test_scores_averaged_by_a_softmax_are_those_of_the_sigmoid_before():
    inputs = keras.Input((4, CLASSES))
    scores = keras.layers.Activation("sigmoid")(inputs)
    weights = keras.layers.Softmax(axis=1)(inputs)
    weighted = keras.layers.GlobalAveragePooling1D()(keras.layers.Multiply()([scores, weights]))
    model = keras.Model(inputs, keras.ops.divide(weighted, 0.25))
    train = clips_to_learn(4)
    recipe = Recipe(epochs=1, loss="categorical_crossentropy")
    with pytest.raises(KerasnasError, match="activation sigmoid"):
        fit(model, train, recipe)
    with pytest.raises(KerasnasError, match="activation none"):
        fit(keras.Model(inputs, keras.layers.Flatten()(inputs)), train, recipe)
