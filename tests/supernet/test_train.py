import keras
import numpy as np
import pytest

from kerasnas.errors import KerasnasError
from kerasnas.supernet.supernet import Supernet
from kerasnas.supernet.train import train
from kerasnas.training.recipe import Augmentation, Recipe

from .spaces import clips_to_learn, recurrent_space, tiny_space

pytestmark = pytest.mark.slow  # each traces gradients

RECIPE = Recipe(
    epochs=3,
    batch_size=8,
    learning_rate=0.02,
    schedule="cosine",
    optimizer="adamw",
    weight_decay=1e-6,
    weight_average=0.9,
    augmentation=Augmentation(mixup="uniform", time_roll=True),
)


def prepared(seed=0):
    supernet = Supernet(tiny_space(), seed)
    supernet.normalise(clips_to_learn())
    return supernet


def equal(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def gradients_alone(supernet, paths, x, y):
    """Sums over the paths' networks of their gradients, by the shared weights' paths.

    Networks are built and differentiated one by one, by Keras's stock layers.
    """
    import tensorflow as tf

    sums = {}
    for path in paths:
        path = supernet.space.path(path)
        model = supernet.select(path).model
        with tf.GradientTape() as tape:
            scores = model(x, training=True)
            loss = tf.reduce_mean(keras.losses.categorical_crossentropy(y, scores))
        weights = model.trainable_variables
        for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
            name, _, rest = weight.path.partition("/")
            key = f"{supernet.space.shared_name(name, path)}/{rest}"
            sums[key] = sums.get(key, 0) + gradient.numpy()
    return sums


@pytest.mark.parametrize(("l2", "decay"), [(0.0, 0.0), (0.01, 0.0), (0.0, 0.01)])
def test_a_step_updates_once_by_the_sum_of_the_paths_gradients(l2, decay):
    supernet = prepared()
    examples = clips_to_learn(8)
    rows = np.arange(8)
    x, y = examples.x(rows), examples.y(rows)
    paths = supernet.space.fair_paths(np.random.default_rng(5))
    expected = gradients_alone(supernet, paths, x, y)
    weights = {weight.path: weight for weight in supernet.network.trainable_variables}
    before = {name: weight.numpy() for name, weight in weights.items()}
    # One path's network holds an option's kernels, both hold what is shared.
    for name in expected if l2 else ():
        if name.endswith("kernel"):
            expected[name] += 2 * l2 * before[name] * (1 if name.startswith("option") else 2)
    for name in expected:  # the optimiser's own, once an update
        expected[name] = expected[name] + decay * before[name]
    step, optimizer = supernet.fair_step(Recipe(l2=l2, weight_decay=decay))
    step(paths, x, y)
    assert int(optimizer.iterations) == 1
    assert supernet.traces == {"add_gradients": 1, "update": 1}
    # Adam's first moment after one step is a tenth of the gradient: of all kernels in one vector,
    # then of the rest.
    kernels = [weight for name, weight in weights.items() if "kernel" in name]
    others = [weight for name, weight in weights.items() if "kernel" not in name]
    moments = {}
    for group, moment in zip((kernels, others), optimizer.variables[2::2], strict=True):
        ends = np.cumsum([np.prod(weight.shape) for weight in group])[:-1]
        for weight, part in zip(group, np.split(moment.numpy() / 0.1, ends), strict=True):
            moments[weight.path] = part.reshape(weight.shape)
    assert moments.keys() == expected.keys()
    for name, gradient in expected.items():
        scale = np.abs(gradient).max()
        np.testing.assert_allclose(
            moments[name], gradient, rtol=5e-3, atol=2e-3 * scale + 1e-6, err_msg=name
        )


def test_options_that_are_on_no_path_stay():
    supernet = prepared()
    step, _ = supernet.fair_step(Recipe())
    x, y = clips_to_learn(8).x(np.arange(8)), clips_to_learn(8).y(np.arange(8))
    before = {weight.path: weight.numpy() for weight in supernet.network.weights}
    step(np.array([[0, 1]], np.int32), x, y)
    changed = {
        weight.path
        for weight in supernet.network.weights
        if not np.array_equal(before[weight.path], weight.numpy())
    }
    on_path = set(supernet.layers_on((0, 1)).values()) - {"00_normalize.normalization"}
    assert {name.partition("/")[0] for name in changed} == on_path


def test_a_supernet_learns_all_its_paths_and_keeps_two_traces():
    supernet, examples = prepared(), clips_to_learn()
    epochs = []
    history = train(
        supernet,
        examples,
        RECIPE.model_copy(update={"epochs": 20, "augmentation": Augmentation()}),
        on_epoch=lambda epoch, metrics: epochs.append(epoch),
    )
    assert epochs == [epoch["epoch"] for epoch in history] == list(range(1, 21))
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert supernet.traces == {"add_gradients": 1, "update": 1}
    other = clips_to_learn(seed=1)
    for path in (0, 0), (0, 1), (1, 0), (1, 1):
        with supernet.recalibrated(path, examples):
            assert supernet.score(path, other).metrics["accuracy"] > 0.6


class KilledError(Exception):
    pass


def test_a_training_resumed_in_the_middle_of_an_epoch_equals_an_undisturbed_one(
    tmp_path, monkeypatch
):
    undisturbed = prepared()
    expected = train(undisturbed, clips_to_learn(), RECIPE, seed=4)

    file, steps = tmp_path / "supernet.npz", []
    fair_paths = type(undisturbed.space).fair_paths

    def killed_in_step_5(space, rng):
        steps.append(None)
        if len(steps) == 6:
            raise KilledError
        return fair_paths(space, rng)

    with monkeypatch.context() as patch:
        patch.setattr(type(undisturbed.space), "fair_paths", killed_in_step_5)
        with pytest.raises(KilledError):
            train(prepared(), clips_to_learn(), RECIPE, seed=4, file=file, save_every=2)
    # Three steps an epoch; the file is that of step 4. The weights to start from are others.
    resumed = prepared(seed=9)
    history = train(resumed, clips_to_learn(), RECIPE, seed=4, file=file)

    assert [epoch["epoch"] for epoch in history] == [1, 2, 3]
    for epoch, other in zip(history, expected, strict=True):
        assert epoch == pytest.approx(other, rel=1e-4)
    for one, other in zip(resumed.variables(), undisturbed.variables(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    # What is finished is read, not trained again, and loads as what was left in the supernet.
    assert train(prepared(), clips_to_learn(), RECIPE, seed=4, file=file) == history
    assert equal(Supernet.load(file).variables(), resumed.variables())
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("weight_average", [None, 0.9])
def test_what_is_kept_is_the_average_of_the_weights(weight_average):
    recipe = Recipe(epochs=1, batch_size=8, weight_average=weight_average)
    supernet, after = prepared(), []
    step_type = type(supernet.fair_step(recipe)[0])
    call = step_type.__call__

    def recorded(step, *arguments):
        loss = call(step, *arguments)
        after.append(supernet.variables())
        return loss

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step_type, "__call__", recorded)
        train(supernet, clips_to_learn(), recipe)
    first, second, third = after
    # Momentum (1 + step) / (10 + step): 2/11 at the second step, 3/12 at the third.
    for one, two, three, kept in zip(first, second, third, supernet.variables(), strict=True):
        if weight_average is None or not np.issubdtype(one.dtype, np.floating):
            np.testing.assert_array_equal(kept, three if weight_average is None else one)
        else:
            expected = 3 / 12 * (2 / 11 * one + 9 / 11 * two) + 9 / 12 * three
            np.testing.assert_allclose(kept, expected, rtol=1e-4, atol=1e-6)


def test_a_file_of_another_training_is_refused(tmp_path):
    file, recipe = tmp_path / "supernet.npz", Recipe(epochs=1, batch_size=24)
    train(prepared(), clips_to_learn(), recipe, file=file)
    faster = recipe.model_copy(update={"learning_rate": 0.5})
    with pytest.raises(KerasnasError, match=r"recipe.learning_rate was 0.001 and is 0.5; seed was"):
        train(prepared(), clips_to_learn(), faster, file=file, seed=8)
    with pytest.raises(KerasnasError, match=r"examples was 24 and is 12"):
        train(prepared(), clips_to_learn(12), recipe, file=file)
    with pytest.raises(KerasnasError, match=r"holds .*tiny.*recurrent"):
        train(Supernet(recurrent_space()), clips_to_learn(), Recipe(epochs=1), file=file)
    saved = tmp_path / "saved.npz"
    prepared().save(saved)
    with pytest.raises(KerasnasError, match="without the state of a training"):
        train(prepared(), clips_to_learn(), recipe, file=saved)


def test_recipes_that_do_not_fit_are_refused():
    supernet = prepared()
    with pytest.raises(KerasnasError, match="patience: 3 watches"):
        train(supernet, clips_to_learn(), Recipe(patience=3))
    with pytest.raises(KerasnasError, match="softmax.*binary_crossentropy"):
        train(supernet, clips_to_learn(), Recipe(loss="binary_crossentropy"))
    with pytest.raises(KerasnasError, match="no clips"):
        train(supernet, clips_to_learn(0), Recipe())
