import numpy as np
import pytest
from scipy.fft import dct

from kerasnas.training.review import summaries
from kerasnas.training.review.summaries import sounding_frames, summarise

FRAMES, BINS = 12, 6
RNG = np.random.default_rng(3)
FEATURES = RNG.normal(size=(5, 1, FRAMES, BINS, 1)).astype(np.float32)
EVERYTHING = np.arange(5)


def _expected(frames: np.ndarray) -> np.ndarray:
    """Statistics of frames `(frames, bins)`, by hand."""
    cepstra = dct(frames, axis=1, norm="ortho")
    rows = [
        row
        for x in (frames, cepstra)
        for row in (x.mean(0), x.std(0), x.min(0), x.max(0), np.diff(x, axis=0).std(0))
    ]
    return np.concatenate(rows)


def test_statistics_are_those_of_bins_and_of_their_cosine_transform():
    found = summarise(FEATURES, np.array([3, 1]))
    expected = [_expected(FEATURES[clip, 0, :, :, 0]) for clip in (3, 1)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_silence_behind_a_short_clip_changes_nothing():
    padded = np.full((5, 1, 2 * FRAMES, BINS, 1), -80, np.float32)
    padded[:, :, :FRAMES] = FEATURES
    expected = summarise(FEATURES, EVERYTHING)
    np.testing.assert_allclose(summarise(padded, EVERYTHING), expected, atol=1e-6)
    assert sounding_frames(padded[0, 0]) == FRAMES


def test_segments_of_a_clip_count_together_and_silent_ones_not_at_all():
    segments = np.full((5, 3, FRAMES, BINS, 1), -80, np.float32)
    segments[:, 0] = FEATURES[:, 0]
    expected = summarise(FEATURES, EVERYTHING)
    np.testing.assert_allclose(summarise(segments, EVERYTHING), expected, atol=1e-6)
    segments[:, 1] = FEATURES[:, 0]
    np.testing.assert_allclose(summarise(segments, EVERYTHING), expected, atol=1e-6)


def test_silence_alone_and_a_single_frame_have_finite_statistics():
    silence = np.full((2, 2, FRAMES, BINS, 2), -80, np.float32)
    assert sounding_frames(silence[0, 0]) == 0
    assert np.isfinite(summarise(silence, np.array([0, 1]))).all()
    assert np.isfinite(summarise(FEATURES[:, :, :1], EVERYTHING)).all()


def test_embeddings_have_no_cosine_transform():
    found = summarise(FEATURES[..., 0], EVERYTHING)
    np.testing.assert_array_equal(found, summarise(FEATURES, EVERYTHING)[:, : 5 * BINS])


@pytest.mark.parametrize("kind", ["float16", "float32"])
def test_a_file_is_read_in_blocks_that_change_nothing(tmp_path, monkeypatch, kind: str):
    np.save(tmp_path / "features.npy", FEATURES.astype(kind))
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")
    whole = summarise(mapped, EVERYTHING)
    monkeypatch.setattr(summaries, "BLOCK_BYTES", 2 * 4 * FRAMES * BINS)
    np.testing.assert_array_equal(summarise(mapped, EVERYTHING), whole)
    np.testing.assert_allclose(whole, summarise(FEATURES, EVERYTHING), atol=2e-3)
