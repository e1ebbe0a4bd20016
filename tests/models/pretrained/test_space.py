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
from kerasnas.export import ExportSettings, export
from kerasnas.export.convert.stock import convert_stock
from kerasnas.models.pretrained import probe
from kerasnas.models.pretrained.candidate import (
    Candidates,
    activations_shape,
    compute_activations,
)
from kerasnas.models.pretrained.either import EitherSpace, pretrained_part
from kerasnas.models.pretrained.file import read
from kerasnas.models.pretrained.prune import Pruner, prune
from kerasnas.models.pretrained.reading import outputs
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


def test_blocks_that_cannot_be_pruned_keep_all_channels(network, converted) -> None:
    path = converted(network, "float32")
    trunk = read(path).trunk  # 3 is separable, 4 and 6 are branches, 7 is a convolution
    inputs = outputs(trunk[:2], sounds(20)[0])
    tail, following = trunk[2:7], trunk[7:]
    channels = tuple(shape[-1] for shape in tail.shapes)
    expected = outputs(tail, inputs)
    small = prune(tail, (*channels[:-1], 6), inputs, following)
    assert small.shapes[-1][-1] == 6
    for found in np.moveaxis(outputs(small, inputs), -1, 0):
        assert min(abs(found - other).max() for other in np.moveaxis(expected, -1, 0)) < 1e-4
    with pytest.raises(KerasnasError, match="block 0 of those to prune, separable .* cannot keep"):
        prune(tail, (6, *channels[1:]), inputs, following)
    settings = PretrainedSettings(file=path, cuts=(6, 7), unpruned=2)
    hp = keras_tuner.HyperParameters()
    PretrainedSpace(INPUT, 3, settings=settings).define(hp)
    names = {gene.name for gene in hp.space}
    assert "keep7" in names
    assert not names & {"keep3", "keep4", "keep5", "keep6"}


def test_one_pruner_prunes_as_new_ones_do(file: Path) -> None:
    space = space_of(file)
    x, _ = sounds()
    inputs, nothing = activations(space, x), Trunk((1, 1, 1), (), ())
    tail = space.trunk[2:5]
    pruner = Pruner(tail, inputs, nothing)
    for keep in ((12, 24, 8), (24, 12, 16), (12, 12)):
        following = tail[len(keep) :] if len(keep) < 3 else nothing
        new = prune(tail[: len(keep)], keep, inputs, following)
        for own, other in zip(pruner.prune(keep).weights, new.weights, strict=True):
            for name in other:
                np.testing.assert_array_equal(own[name], other[name])


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


@pytest.mark.slow
def test_all_statistics_of_thirds_compute_in_integers(file: Path, tmp_path: Path) -> None:
    space = space_of(file, parts=(3,), window=3)
    x, y = sounds()
    candidates = Candidates(space, [activations(space, x)], y, np.arange(len(x)))
    values = {"cut": 4, "keep3": 0.5, "keep4": 1.0, "statistics": "+".join(STATISTICS)}
    model = candidates.network(candidates.fit(values, np.arange(40)))
    settings = ExportSettings(formats=("int8",), on_fail="report", latency_runs=1, repeat=False)
    found = export(
        model, tmp_path, calibration=x[:40], test_x=x[40:], test_y=y[40:], settings=settings
    ).report
    assert found["files"]["int8"]["form"] == "full_int8"
    assert found["accuracy"]["int8"] >= found["accuracy"]["keras"] - 0.05
    predicted = space.architecture(values).cost().int8_bytes
    assert found["files"]["int8"]["bytes"] == pytest.approx(predicted, rel=0.05)


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


def test_candidates_are_compared_at_some_of_the_speeds(file: Path) -> None:
    assert PretrainedSettings(file=file).candidate_versions == (0, 2, 3)
    one = PretrainedSettings(file=file, speeds=(0.9,))
    assert one.candidate_versions == (0, 1)
    assert PretrainedSettings(file=file, speeds=()).candidate_versions == (0,)
    chosen = PretrainedSettings(file=file, candidate_speeds=(1.25, 0.8))
    assert chosen.candidate_versions == (0, 1, 4)
    with pytest.raises(ValidationError, match="candidate_speeds: 1.5 is none of speeds, 0.8, 0.9"):
        PretrainedSettings(file=file, candidate_speeds=(1.5,))


def test_what_is_read_once_is_the_same_for_every_head(file: Path, monkeypatch) -> None:
    space = space_of(file, parts=(1, 3), statistics=(("mean",), ("second", "band")))
    x, y = sounds()
    kept, train = [activations(space, x), activations(space, x[::-1])], np.arange(40)
    alone, shared = (Candidates(space, kept, y, np.arange(len(x))) for _ in range(2))
    fitted = {}
    for statistics in ("mean", "second+band"):
        for parts in (1, 3):
            values = {"cut": 4, "keep3": 0.5, "keep4": 1.0, "parts": parts}
            values["statistics"] = statistics
            fitted[statistics, parts] = shared.fit(values, train, versions=(0, 1))
            alone._readers.clear()
            expected = alone.fit(values, train)
            np.testing.assert_array_equal(
                fitted[statistics, parts].probe.kernel, expected.probe.kernel
            )
    assert len({id(each.reader) for each in fitted.values()}) == 1
    given = Candidates(space_of(file, penalties=(0.3,), parts=(1, 3)), kept, y, np.arange(len(x)))
    assert given.fit({**values, "statistics": "mean+second"}, train).probe.penalty == 0.3
    fewer = shared.fit(values, train, versions=(0,))
    assert not np.array_equal(fewer.probe.kernel, expected.probe.kernel)
    # What no longer fits is forgotten, the oldest first, and read again.
    monkeypatch.setattr("kerasnas.models.pretrained.candidate._KEPT_BYTES", 1)
    shared.fit({**values, "cut": 3}, train)
    assert shared.fit(values, train).reader is not fitted["mean", 1].reader


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
