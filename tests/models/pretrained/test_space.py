"""The space of pretrained trunks, and candidates that need no gradients."""

from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest
from keras import layers
from pydantic import ValidationError

from kerasnas.blocks.statistics import STATISTICS, StatisticsScores
from kerasnas.errors import KerasnasError
from kerasnas.export.convert.stock import convert_stock
from kerasnas.models.pretrained import probe
from kerasnas.models.pretrained.candidate import (
    Candidates,
    activations_shape,
    compute_activations,
    outputs,
)
from kerasnas.models.pretrained.either import EitherSpace, pretrained_part
from kerasnas.models.pretrained.prune import prune
from kerasnas.models.pretrained.settings import PretrainedSettings
from kerasnas.models.pretrained.space import PretrainedSpace
from kerasnas.models.pretrained.statistics import vectors
from kerasnas.models.pretrained.trunk import Trunk
from kerasnas.models.spaces import space_of as space_of_settings
from kerasnas.tuners import Genes

INPUT = (24, 16, 1)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stem, four separable blocks whose channels say much the same, a dense layer."""
    keras.utils.set_random_seed(5)
    rng = np.random.default_rng(5)
    inputs = keras.Input(INPUT)
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu6")(inputs)
    for filters in (12, 24, 24, 16):
        x = layers.DepthwiseConv2D(3, padding="same", activation="relu6")(x)
        pointwise = layers.Conv2D(filters, 1, activation="relu6")
        x = pointwise(x)
        kernel, bias = pointwise.get_weights()
        mixed = kernel[..., : filters // 3] @ rng.normal(size=(filters // 3, filters))
        pointwise.set_weights([mixed, bias + 0.2])
    outputs = layers.Dense(3)(layers.GlobalAveragePooling2D()(x))
    path = tmp_path_factory.mktemp("trunk") / "trunk.tflite"
    path.write_bytes(convert_stock(keras.Model(inputs, outputs), "float32"))
    return path


def space_of(file: Path, shape: tuple[int, int, int] = INPUT, **settings) -> PretrainedSpace:
    given = {"cuts": (3, 4, 5), "unpruned": 2, "shares": (1.0, 0.5), **settings}
    return PretrainedSpace(shape, 3, settings=PretrainedSettings(file=file, **given))


def sounds(count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Three textures with a level of their own for each clip: `(clips, 24, 16, 1)`, targets."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 3
    x = rng.normal(0, 0.3, (count, *INPUT)) + rng.normal(0, 0.3, (count, 1, 1, 1))
    frames = np.arange(INPUT[0])[None, :, None, None]
    x += np.where(labels == 1, 1, 0)[:, None, None, None] * (frames % 6 == 0) * 3
    x[labels == 2, :, 8:] += 1
    return x.astype(np.float32), np.eye(3, dtype=np.float32)[labels]


def activations(space: PretrainedSpace, x: np.ndarray) -> np.ndarray:
    found = np.empty((len(x), *activations_shape(space)), np.float16)
    compute_activations(space, x, found)
    return found


ALL_HEADS = {"heads": ("linear", "hidden", "convolution", "gru"), "new_block": True}


def test_every_combination_is_a_network(file: Path) -> None:
    space = space_of(file, **ALL_HEADS)
    hp = keras_tuner.HyperParameters()
    space.define(hp)
    rng = np.random.default_rng(0)
    for _ in range(12):
        values = {}
        for gene in hp.space:
            options = gene.values if hasattr(gene, "values") else [False, True]
            values[gene.name] = rng.choice(np.array(options, object))
        architecture = space.architecture(values)
        assert architecture.ops[-1].output_shape == (3,)
        assert architecture.cost().int8_bytes > 0
        assert architecture.build().output_shape == (None, 3)


def test_values_narrow_blocks_and_choose_the_cut(file: Path) -> None:
    space = space_of(file)
    values = {"cut": 4, "keep3": 0.5, "keep4": 1.0, "head": "linear", "parts": 1}
    values["statistics"] = "mean+second"
    shapes = [op.output_shape for op in space.architecture(values).ops if op.kind == "conv2d"]
    assert [shape[-1] for shape in shapes] == [8, 12, 12, 24]
    whole = space.architecture({**values, "keep3": 1.0})
    assert space.architecture(values).size("int8_file") < whole.size("int8_file")
    with pytest.raises(KerasnasError, match="keep3 is 0.4: it can be 1.0, 0.5"):
        space.architecture({**values, "keep3": 0.4})
    with pytest.raises(KerasnasError, match="cut is missing: it can be 3, 4, 5"):
        space.architecture({})
    with pytest.raises(KerasnasError, match=r"model.cuts: 6, 9: .* behind 1, 2, 3, 4, 5"):
        space_of(file, cuts=(3, 6, 9))
    with pytest.raises(KerasnasError, match="takes 16 bins"):
        space_of(file, shape=(24, 20, 1)).architecture(values)


@pytest.mark.parametrize("parts", [1, 3])
def test_statistics_are_those_of_the_network(parts: int) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4, 13, 3, 5)).astype(np.float32)
    head = StatisticsScores(2, "linear", STATISTICS, 4, parts)
    from kerasnas.blocks.architecture import Architecture

    model = Architecture(x.shape[1:], (head,)).build()
    dense = [model.get_layer(f"00_statistics_scores.{name}") for name in head.names()]
    seen = keras.Model(model.input, [layer.input for layer in dense]).predict(x, verbose=0)
    for name, own, other in zip(head.names(), vectors(x, head), seen, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-5, err_msg=name)


def test_all_channels_kept_change_nothing_and_refitting_helps(file: Path) -> None:
    space = space_of(file)
    x, _ = sounds()
    inputs = activations(space, x).astype(np.float32)
    tail = space.trunk[2:4]
    nothing = Trunk((1, 1, 1), (), ())
    same = prune(tail, (24, 24), inputs, nothing)
    expected = outputs(tail, inputs)
    np.testing.assert_allclose(outputs(same, inputs), expected, atol=1e-4)
    small = prune(tail, (12, 24), inputs[:40], nothing)
    assert small.blocks[0].pointwise.filters == 12
    assert small.shapes[-1] == tail.shapes[-1]
    kept = np.flatnonzero(
        [
            any(np.array_equal(column, own) for own in small.weights[0]["pointwise.conv/kernel"].T)
            for column in tail.weights[0]["pointwise.conv/kernel"].T
        ]
    )
    weights = dict(tail.weights[1])
    unfitted = Trunk(
        small.input_shape,
        small.blocks,
        (
            small.weights[0],
            {
                "depthwise.depthwise/kernel": weights["depthwise.depthwise/kernel"][:, :, kept],
                "depthwise.depthwise/bias": weights["depthwise.depthwise/bias"][kept],
                "pointwise.conv/kernel": weights["pointwise.conv/kernel"][:, :, kept],
                "pointwise.conv/bias": weights["pointwise.conv/bias"],
            },
        ),
    )
    held_out = expected[40:]

    def error(trunk: Trunk) -> float:
        return float(((outputs(trunk, inputs[40:]) - held_out) ** 2).mean() / held_out.var())

    assert error(small) < 0.02
    assert error(small) < error(unfitted) / 5


def test_a_candidate_is_fitted_scored_and_becomes_one_network(file: Path, tmp_path: Path) -> None:
    space = space_of(file)
    x, y = sounds()
    kept = activations(space, x)
    candidates = Candidates(space, [kept], y, np.arange(len(x)))
    train, test = np.arange(40), np.arange(40, 60)
    values = {"cut": 4, "keep3": 0.5, "keep4": 0.5, "head": "linear", "parts": 1}
    values["statistics"] = "mean+second+deviation+change"
    fitted = candidates.fit(values, train)
    scores = candidates.scores(fitted, test)
    assert (scores.argmax(axis=1) == y[test].argmax(axis=1)).mean() > 0.9
    model = candidates.network(fitted)
    architecture = space.architecture(values)
    assert model.count_params() == architecture.cost().parameters
    np.testing.assert_array_equal(
        model.predict(x[test], verbose=0).argmax(axis=1), scores.argmax(axis=1)
    )
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(
        again.predict(x[:4], verbose=0), model.predict(x[:4], verbose=0), rtol=1e-4
    )
    # Nothing is chosen on the clips that are scored.
    changed = kept.copy()
    changed[test] = 0
    other = Candidates(space, [changed], y, np.arange(60)).fit(values, train)
    np.testing.assert_array_equal(other.probe.kernel, fitted.probe.kernel)
    with pytest.raises(KerasnasError, match=r"behind\(values\)"):
        space = space_of(file, **ALL_HEADS)
        Candidates(space, [kept], y, np.arange(60)).fit(
            {**values, "head": "hidden", "units": 32}, train
        )


def test_a_probe_tells_classes_and_chooses_its_penalty_inside() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 4
    y = np.eye(4, dtype=np.float32)[labels]
    centres = rng.normal(size=(4, 300)) * 0.4
    x = (centres[labels] + rng.normal(size=(120, 300))).astype(np.float32) * 5 + 100
    fitted = probe.fit(x[:80], y[:80], np.arange(80))
    assert fitted.penalty == min(fitted.inner, key=fitted.inner.__getitem__)
    assert (fitted.scores(x[80:]).argmax(axis=1) == labels[80:]).mean() > 0.8
    (only,) = probe.PENALTIES[:1]
    assert probe.fit(x, y, np.arange(120), penalties=(only,)).inner == {}


def test_a_probe_of_several_labels_tells_each_for_itself() -> None:
    rng = np.random.default_rng(0)
    y = (rng.uniform(size=(200, 3)) < [0.5, 0.3, 0.0]).astype(np.float32)
    x = (y @ rng.normal(size=(3, 40)) + rng.normal(0, 0.3, (200, 40))).astype(np.float32)
    fitted = probe.fit(x[:150], y[:150], np.arange(150) // 2, several=True)
    found = fitted.scores(x[150:]) > 0
    assert (found[:, :2] == y[150:, :2]).mean() > 0.95
    assert not found[:, 2].any()  # a label that no training clip has


def test_a_probe_solves_the_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(1)
    labels = np.arange(90) % 3
    y = np.eye(3, dtype=np.float32)[labels]
    for width in (20, 200):  # fewer statistics than examples, and more
        x = (rng.normal(size=(3, width))[labels] * 0.5 + rng.normal(size=(90, width))).astype(
            np.float32
        )
        weights = np.where(labels == 1, 2.0, 1.0).astype(np.float32)
        fitted = probe.fit(x, y, np.arange(90), penalties=(0.03,), weights=weights)
        standard = (x - x.mean(axis=0)) / x.std(axis=0)
        known = LogisticRegression(C=0.03, tol=1e-6, max_iter=2000)
        expected = known.fit(standard, labels, weights).predict_log_proba(standard)
        found = fitted.scores(x)
        found = found - np.log(np.exp(found).sum(axis=1, keepdims=True))
        np.testing.assert_allclose(found, expected, atol=0.02)


def test_versions_of_a_clip_stay_together() -> None:
    """A noisy copy of every example makes no penalty look better than it is."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    y, x = np.eye(3, dtype=np.float32)[labels], rng.normal(size=(60, 400)).astype(np.float32)
    groups = np.tile(np.arange(60), 3)
    fitted = probe.fit(np.tile(x, (3, 1)), np.tile(y, (3, 1)), groups)
    assert min(fitted.inner.values()) > np.log(3) - 0.05  # noise says nothing of a held-out clip


def test_candidates_from_scratch_have_their_share(file: Path) -> None:
    settings = {
        "file": file,
        "cuts": (3,),
        "from_scratch": {"share": 0.25, "model": {"space": "wu_lee", "blocks": [1]}},
    }
    space = space_of_settings(PretrainedSettings(**settings), INPUT, 3, "softmax")
    assert isinstance(space, EitherSpace)
    hp = keras_tuner.HyperParameters()
    space.define(hp)
    genes = Genes.from_hyperparameters(hp)
    rng = np.random.default_rng(0)
    drawn = [genes.decode(rng.random(len(genes)).tolist()) for _ in range(400)]
    scratch = [values for values in drawn if values["start"] == "scratch"]
    assert 60 < len(scratch) < 140
    for values in drawn[:10]:
        trunk = pretrained_part(space, values)
        assert (trunk is None) == (values["start"] == "scratch")
        assert ("cut" in values) == (trunk is not None)
        assert space.architecture(values).ops[-1].output_shape == (3,)
    with pytest.raises(KerasnasError, match="start is None: it can be trunk, scratch"):
        space.architecture({})


def test_settings_keep_what_tells_the_file_from_others(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUNKS", str(file.parent))
    settings = PretrainedSettings(file="$TRUNKS/trunk.tflite")
    assert settings.file == file
    again = PretrainedSettings.model_validate(settings.model_dump(mode="json"))
    assert again == settings
    gone = settings.model_copy(update={"file": tmp_path / "moved.tflite"})
    assert PretrainedSettings.model_validate(gone.model_dump()).sha256 == settings.sha256
    with pytest.raises(ValidationError, match="missing.tflite"):
        PretrainedSettings(file=tmp_path / "missing.tflite")


def test_the_least_bytes_are_those_of_the_smallest_candidate(file: Path) -> None:
    space = space_of(file)
    hp = keras_tuner.HyperParameters()
    space.define(hp)
    genes = Genes.from_hyperparameters(hp)
    rng = np.random.default_rng(0)
    drawn = [genes.decode(rng.random(len(genes)).tolist()) for _ in range(60)]
    deepest = [values for values in drawn if values["cut"] == 5]
    least = space.least_bytes("int8_file")
    sizes = [space.architecture(values).size("int8_file") for values in deepest]
    assert least <= min(sizes) <= 1.2 * least
