import keras
import numpy as np
import pytest

from kerasnas.errors import KerasnasError
from kerasnas.export import from_keras
from kerasnas.supernet.supernet import Supernet
from kerasnas.training.scoring.metrics import evaluate

from .spaces import INPUT, clips_to_learn, convolutional_space, recurrent_space


def scattered(space):
    """A supernet whose weights are all different, moving statistics included."""
    supernet, rng = Supernet(space), np.random.default_rng(7)
    if any(block.kind == "normalize" for block in space.blocks if hasattr(block, "kind")):
        supernet.normalise(clips_to_learn())
    for layer in supernet.network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for weight in layer.weights:
                weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return supernet


@pytest.mark.parametrize("space", [convolutional_space(), recurrent_space()])
def test_a_selected_network_computes_what_the_supernet_does(space):
    supernet, rng = scattered(space), np.random.default_rng(1)
    x = clips_to_learn().x(np.arange(5))
    outputs = []
    for path in rng.integers(0, space.options, (8, space.layers)):
        selected = supernet.select(path)
        np.testing.assert_allclose(
            supernet.predict(path, x), selected.model(x), rtol=2e-4, atol=1e-5
        )
        assert selected.architecture == space.architecture(path)
        assert sorted(from_keras(selected.model)) == sorted(selected.architecture.ops)
        outputs.append(supernet.predict(path, x))
    assert len(np.unique(np.round(outputs, 5), axis=0)) > 1
    assert supernet.traces == {"predict": 1}


def test_batches_of_any_size_use_one_trace():
    supernet = scattered(convolutional_space())
    x = clips_to_learn().x(np.arange(9))
    whole = supernet.predict((0, 1, 2), x)
    np.testing.assert_allclose(supernet.predict((0, 1, 2), x[:2]), whole[:2], rtol=1e-4)
    assert supernet.traces == {"predict": 1}


def test_a_selected_network_opens_without_kerasnas(tmp_path):
    supernet = scattered(convolutional_space())
    model = supernet.select((0, 1, 2)).model
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    x = clips_to_learn().x(np.arange(3))
    np.testing.assert_array_equal(again(x), model(x))


def test_a_path_is_scored_as_its_network_is():
    supernet, examples, path = scattered(convolutional_space()), clips_to_learn(), (2, 0, 1)
    alone = evaluate(
        supernet.select(path).model.predict_on_batch,
        examples,
        multi_label=False,
        loss="categorical_crossentropy",
    )
    scored = supernet.score(path, examples, batch_size=7)
    assert scored.metrics.keys() == alone.metrics.keys()
    assert scored.metrics["loss"] == pytest.approx(alone.metrics["loss"], rel=1e-4)
    assert scored.metrics["accuracy"] == alone.metrics["accuracy"]


@pytest.mark.slow
def test_recalibration_takes_the_path_s_own_statistics_and_gives_them_back():
    supernet, path = scattered(convolutional_space()), (1, 1, 0)
    examples = clips_to_learn(12)
    before, x = supernet.variables(), examples.x(np.arange(12))
    shared = supernet.predict(path, x)
    with supernet.recalibrated(path, examples, batch_size=12):
        model = supernet.select(path).model
        own = supernet.predict(path, x)
        np.testing.assert_allclose(own, model(x), rtol=2e-4, atol=1e-5)
    # One batch: its statistics are what batch normalisation uses in training mode.
    np.testing.assert_allclose(own, model(x, training=True), rtol=2e-3, atol=1e-4)
    assert np.abs(own - shared).max() > 1e-3
    for old, new in zip(before, supernet.variables(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.slow
def test_recalibration_averages_over_batches():
    supernet, path = scattered(convolutional_space()), (0, 0, 0)
    examples = clips_to_learn(12)
    # The stem's normalisation reads a convolution of the input: its statistics need no other.
    stem = keras.Model(
        supernet.network.inputs[0], supernet.network.get_layer("01_stem.conv").output
    )
    means = [
        np.mean(stem(examples.x(rows)), axis=(0, 1, 2))
        for rows in (np.arange(8), np.resize(np.arange(8, 12), 8))
    ]
    with supernet.recalibrated(path, examples, batch_size=8):
        mean = supernet.network.get_layer("01_stem.bn").moving_mean.numpy()
    np.testing.assert_allclose(mean, np.mean(means, axis=0), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_normalising_again_reaches_what_was_traced():
    supernet, path = scattered(convolutional_space()), (0, 0, 0)
    x = clips_to_learn().x(np.arange(3))
    before = supernet.predict(path, x)
    louder = clips_to_learn()
    louder.features[...] += 30
    supernet.normalise(louder)
    after = supernet.predict(path, x)
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_allclose(after, supernet.select(path).model(x), rtol=2e-4, atol=1e-5)


def test_the_same_seed_makes_the_same_weights():
    first, again = (Supernet(recurrent_space(), seed=3).variables() for _ in range(2))
    other = Supernet(recurrent_space(), seed=4).variables()
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.slow
def test_a_saved_supernet_scores_the_same(tmp_path):
    supernet = scattered(convolutional_space())
    supernet.save(tmp_path / "supernet.npz")
    again = Supernet.load(tmp_path / "supernet.npz")
    x = np.random.default_rng(0).normal(-40, 5, (4, *INPUT)).astype("float32")
    assert again.space == supernet.space
    np.testing.assert_array_equal(again.predict((0, 1, 2), x), supernet.predict((0, 1, 2), x))


def test_a_file_of_another_space_is_refused_with_both_named(tmp_path):
    file = tmp_path / "supernet.npz"
    Supernet(convolutional_space("first")).save(file)
    with pytest.raises(KerasnasError, match=r"supernet.npz holds .*first \(3.*recurrent \(2"):
        Supernet.load(file, recurrent_space())


def test_files_that_are_no_supernet_are_refused(tmp_path):
    file = tmp_path / "supernet.npz"
    with pytest.raises(KerasnasError, match="does not exist"):
        Supernet.load(file)
    file.write_bytes(b"PK\x03\x04 but nothing more")
    with pytest.raises(KerasnasError, match="cannot be read as a supernet"):
        Supernet.load(file)
    np.savez(file, weights=np.zeros(3))
    with pytest.raises(KerasnasError, match="cannot be read as a supernet"):
        Supernet.load(file)
    Supernet(recurrent_space()).save(file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(KerasnasError, match="cannot be read as a supernet"):
        Supernet.load(file)


def test_a_wrong_path_is_refused_before_anything_is_computed():
    supernet = Supernet(convolutional_space())
    for call in supernet.select, lambda path: supernet.score(path, clips_to_learn()):
        with pytest.raises(KerasnasError, match="entry 1.*integers 0 to 2"):
            call((0, 9, 0))
    assert supernet.traces == {}
