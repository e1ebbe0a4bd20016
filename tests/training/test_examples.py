import numpy as np
import pytest

from kerasnas.training.examples import Examples


def _examples(clips, segments=2):
    features = np.arange(5 * segments, dtype=np.float16).reshape(5, segments, 1, 1, 1)
    targets = np.eye(5, dtype=np.float32)
    return Examples.of_clips(features, targets, np.array(clips))


def test_segments_of_the_clips_in_their_order():
    examples = _examples([3, 1])
    rows = np.arange(len(examples))
    assert examples.x(rows).ravel().tolist() == [6, 7, 2, 3]
    assert examples.x(rows).dtype == np.float32
    assert examples.y(rows).argmax(axis=1).tolist() == [3, 3, 1, 1]
    assert examples.clips.tolist() == [3, 1]
    assert examples.clip_targets.argmax(axis=1).tolist() == [3, 1]


def test_clip_score_is_the_mean_over_its_segments():
    scores = np.array([[1, 0], [0, 1], [0.25, 0.75], [0.75, 0.25]], np.float32)
    assert _examples([4, 0]).clip_means(scores).tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_memory_mapped_features_stay_on_disk(tmp_path):
    np.save(tmp_path / "features.npy", np.ones((3, 1, 4, 2, 1), np.float16))
    features = np.load(tmp_path / "features.npy", mmap_mode="r")
    examples = Examples.of_clips(features, np.eye(3, dtype=np.float32), np.arange(3))
    assert isinstance(examples.features, np.memmap)
    assert examples.x(np.array([2])).shape == (1, 4, 2, 1)


def test_every_example_comes_in_any_of_its_versions():
    examples = _examples([3, 1])
    versions = tuple(examples.features + 100 * n for n in (1, 2))
    noisy = (examples.features + 300,)
    several = Examples.of_clips(
        examples.features, examples.targets, examples.clips, versions, noisy=noisy
    )
    rows = np.tile(np.arange(4), 500)
    x = several.draw(rows, np.random.default_rng(0))[0].ravel()
    assert np.array_equal(x % 100, examples.x(rows).ravel())
    assert np.bincount((x // 100).astype(int)) == pytest.approx([500] * 4, abs=70)
    assert np.array_equal(several.x(rows), examples.x(rows)), "scoring sees clips as they are"


def test_where_a_version_sounds_is_its_own_but_under_noise_the_clips():
    features = np.zeros((1, 1, 10, 3, 1), np.float32)
    features[:, :, :4] = 1
    slower = np.zeros_like(features)
    slower[:, :, :7] = 2
    noise = np.arange(30, dtype=np.float32).reshape(features.shape) + 10
    examples = Examples.of_clips(
        features, np.ones((1, 1), np.float32), np.array([0]), (slower,), noisy=(noise,)
    )
    x, heard = examples.draw(np.zeros(60, np.int64), np.random.default_rng(0))
    stops = {float(value): set(heard.stop[x[:, 0, 0, 0] == value]) for value in (1, 2, 10)}
    assert stops == {1.0: {4}, 2.0: {7}, 10.0: {4}}
