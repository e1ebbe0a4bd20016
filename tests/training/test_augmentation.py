import numpy as np
import pytest

from kerasnas.training import augmentation as aug
from kerasnas.training.recipe import Augmentation, Cutout, Masks
from kerasnas.training.sounding import Sounding, sounding

N, FRAMES, BINS = 40, 20, 8
FILL = np.full((BINS, 1), -7, np.float32)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def x(rng):
    return rng.normal(size=(N, FRAMES, BINS, 1)).astype(np.float32)


@pytest.fixture
def y():
    return np.eye(4, dtype=np.float32)[np.arange(N) % 4]


def test_everything_off_changes_nothing(x, y, rng):
    new_x, new_y = aug.augment(x, y, Augmentation(), FILL, rng)
    assert (new_x == x).all() and (new_y == y).all()


def test_everything_on_is_float32_repeatable_and_leaves_its_input_alone(x, y):
    settings = Augmentation(
        mixup="beta",
        mixup_domain="power",
        time_roll=True,
        time_stretch=0.2,
        frequency_shift=2,
        time_masks=Masks(count=2),
        frequency_masks=Masks(count=2),
        gain=6,
        filter_gain=6,
    )
    before = x.copy()
    first, labels = aug.augment(x, y, settings, FILL, np.random.default_rng(5))
    again, _ = aug.augment(x, y, settings, FILL, np.random.default_rng(5))
    other, _ = aug.augment(x, y, settings, FILL, np.random.default_rng(6))
    assert (x == before).all()
    assert first.dtype == labels.dtype == np.float32
    assert first.shape == x.shape and labels.shape == y.shape
    assert (first == again).all() and (first != other).any()


def everywhere(x):
    return Sounding(np.zeros(len(x), np.int64), np.full(len(x), x.shape[1], np.int64))


def padded(rng, n=N, before=0):
    """Examples whose frames count 1, 2, 3 … while they sound, and are -80 elsewhere."""
    x = np.full((n, FRAMES, BINS, 1), -80, np.float32)
    lengths = rng.integers(3, FRAMES - before, n)
    for example, length in zip(x, lengths, strict=True):
        example[before : before + length] = np.arange(1, length + 1)[:, None, None]
    return x, lengths


def test_an_example_sounds_from_its_first_frame_above_the_floor_to_its_last(rng):
    x, lengths = padded(rng, before=2)
    x[0] = -80
    x[1, :, 3] = 5
    heard = sounding(x)
    assert heard.start.tolist() == [0, 0, *[2] * (N - 2)]
    assert heard.stop.tolist() == [FRAMES, FRAMES, *(2 + lengths[2:])]


def test_noise_in_one_bin_and_a_pause_inside_count_as_sound(rng):
    x = np.full((1, FRAMES, BINS, 1), -80, np.float32)
    x[0, 3], x[0, 9, 5] = 0, -79
    heard = sounding(x)
    assert (heard.start[0], heard.stop[0]) == (3, 10)


@pytest.mark.parametrize("settings", [{"time_roll": True}, {"time_shift": 0.3}])
@pytest.mark.parametrize("before", [0, 2])
def test_a_padded_example_moves_whole_and_never_beyond_its_frames(rng, settings, before):
    x, lengths = padded(rng, before=before)
    moved, heard = aug.move(x, sounding(x), Augmentation(**settings), rng)
    for example, length, start, stop in zip(moved, lengths, *heard, strict=True):
        assert stop - start == length
        assert (example[start:stop, 0, 0] == np.arange(1, length + 1)).all(), "in order, unbroken"
        assert (np.delete(example, np.s_[start:stop], axis=0) == -80).all()
    assert len(set(heard.start.tolist())) > 5
    assert heard.start.min() == 0 and heard.stop.max() == FRAMES


def test_a_padded_example_at_a_slower_tempo_still_fits_and_is_heard_to_its_end(rng):
    x, lengths = padded(rng)
    moved, heard = aug.move(x, sounding(x), Augmentation(time_stretch=1, time_roll=True), rng)
    assert ((heard.start >= 0) & (heard.stop <= FRAMES)).all()
    assert (heard.stop - heard.start > lengths).any() and (heard.stop - heard.start < lengths).any()
    for example, length, start, stop in zip(moved, lengths, *heard, strict=True):
        inside = example[start:stop, 0, 0]
        assert (np.diff(inside) >= 0).all() and inside[0] == 1 and inside[-1] >= length - 2
        assert (np.delete(example, np.s_[start:stop], axis=0) == -80).all()


def test_under_noise_a_sound_moves_by_where_it_is_heard_without(rng):
    clean, lengths = padded(rng)
    noise = rng.uniform(50, 60, clean.shape).astype(np.float32)
    moved, heard = aug.move(
        np.where(clean == -80, noise, clean), sounding(clean), Augmentation(time_roll=True), rng
    )
    for example, length, start in zip(moved, lengths, heard.start, strict=True):
        assert (example[start : start + length, 0, 0] == np.arange(1, length + 1)).all()
        assert (np.delete(example, np.s_[start : start + length], axis=0) >= 50).all()


def test_roll_rotates_every_example_without_padding_by_its_own_number_of_frames(x, rng):
    rolled, _ = aug.move(x, everywhere(x), Augmentation(time_roll=True), rng)
    shifts = [
        next(s for s in range(FRAMES) if (np.roll(a, -s, axis=0) == b).all())
        for a, b in zip(x, rolled, strict=True)
    ]
    assert len(set(shifts)) > 5 and max(shifts) > FRAMES / 2


def test_shift_moves_an_example_without_padding_a_little_and_reflects_its_edges(rng):
    ramp = np.broadcast_to(np.arange(FRAMES, dtype=np.float32)[:, None, None], (N, FRAMES, 2, 1))
    moved, _ = aug.move(ramp, everywhere(ramp), Augmentation(time_shift=0.15), rng)
    shifts = set()
    for example in moved[:, :, 0, 0]:
        shift = int(example[FRAMES // 2]) - FRAMES // 2
        shifts.add(shift)
        middle = example[3:-3]
        assert (np.diff(middle) == 1).all(), "nothing wraps round"
        assert (np.abs(np.diff(example)) <= 1).all(), "and nothing jumps at the edges"
    assert shifts == set(range(-3, 4))


def test_stretch_changes_the_tempo_within_its_limit(rng):
    frames = 1000
    ramp = np.broadcast_to(np.arange(frames, dtype=np.float32)[:, None, None], (N, frames, 1, 1))
    moved, _ = aug.move(ramp, everywhere(ramp), Augmentation(time_stretch=0.25), rng)
    tempo = moved[:, 700, 0, 0] / 700
    assert 1 / 1.25 - 0.01 <= tempo.min() < 0.9 and 1.1 < tempo.max() <= 1.25


def test_frequency_shift_repeats_the_edge(x, rng):
    shifted = aug.shift_frequency(x, 2, rng)
    moves = set()
    for a, b in zip(x[..., 0], shifted[..., 0], strict=True):
        index = {s: np.clip(np.arange(BINS) + s, 0, BINS - 1) for s in range(-2, 3)}
        moves.add(next(s for s in index if (a[:, index[s]] == b).all()))
    assert moves == {-2, -1, 0, 1, 2}


def test_response_is_smooth_and_within_its_gain(rng):
    response = aug.frequency_response(200, 41, 6.0, rng)
    assert np.abs(response).max() <= 6
    assert np.abs(np.diff(response)).max() <= 12 / 10 + 1e-5  # 5 points, 10 bins apart


def test_gain_moves_all_values_of_an_example_together(x, y, rng):
    moved, _ = aug.augment(x, y, Augmentation(gain=6), FILL, rng)
    change = (moved - x).reshape(N, -1)
    assert np.ptp(change, axis=1).max() < 1e-5
    assert 3 < np.abs(change).max() <= 6


@pytest.mark.parametrize("mixup", ["uniform", "beta"])
def test_mixup_mixes_labels_as_it_mixes_features(rng, mixup):
    y = np.eye(N, dtype=np.float32)
    x = y[:, None, :, None]
    mixed, labels, _ = aug.mixup(x, y, Augmentation(mixup=mixup), rng, everywhere(x))
    assert mixed[:, 0, :, 0] == pytest.approx(labels, abs=1e-6)
    assert labels.sum(axis=1) == pytest.approx(1)
    assert (labels.max(axis=1) < 1).any()


def test_sounds_are_mixed_by_amplitude_in_the_domain_of_powers(rng):
    y = np.eye(N, dtype=np.float32)
    x = 10 * np.log10(np.maximum(y[:, None, :, None], 1e-12)).astype(np.float32)
    settings = Augmentation(mixup="uniform", mixup_domain="power")
    mixed, labels, _ = aug.mixup(x, y, settings, rng, everywhere(x))
    amplitudes = 10 ** (mixed[:, 0, :, 0] / 20)
    assert (amplitudes**2).sum(axis=1) == pytest.approx(1, rel=1e-3)
    two = (labels > 0).sum(axis=1) == 2
    ratio = amplitudes.max(axis=1)[two] / labels.max(axis=1)[two]
    assert amplitudes[two] == pytest.approx(labels[two] * ratio[:, None], abs=1e-3)


def test_silence_stays_finite_in_the_domain_of_powers(rng):
    x = np.full((4, 2, 2, 1), -1000, np.float32)
    settings = Augmentation(mixup="uniform", mixup_domain="power")
    mixed, _, _ = aug.mixup(x, np.eye(4, dtype=np.float32), settings, rng, everywhere(x))
    assert np.isfinite(mixed).all()


@pytest.mark.parametrize("axis", [1, 2])
def test_a_mask_hides_one_stretch_no_wider_than_its_share(x, rng, axis):
    masked = aug.mask(x, axis, Masks(count=1, width=0.5), FILL, rng)
    hidden = (masked == -7).all(axis=(3 - axis, 3))
    assert (masked[masked != -7] == x[masked != -7]).all()
    lengths = hidden.sum(axis=1)
    assert 0.25 * x.shape[axis] < lengths.max() <= 0.5 * x.shape[axis] + 1
    assert (np.abs(np.diff(np.pad(hidden, ((0, 0), (1, 1))).astype(int))).sum(axis=1) <= 2).all()


@pytest.mark.parametrize("axis", [1, 2])
def test_masks_lie_anywhere_from_the_first_place_to_the_last(rng, axis):
    x = np.ones((4000, 8, 10, 1), np.float32)
    masked = aug.mask(x, axis, Masks(count=1, width=0.3), np.zeros((10, 1), np.float32), rng)
    share = (masked == 0).mean(axis=(0, 3 - axis, 3))
    assert share[0] == pytest.approx(share[-1], rel=0.25)
    assert share.min() > 0.02


def test_masks_along_time_hide_a_share_of_the_sound_and_none_of_the_padding(rng):
    x, lengths = padded(rng, n=400, before=2)
    masked = aug.mask(x, 1, Masks(count=1, width=0.5), FILL, rng, sounding(x))
    hidden = (masked == -7).all(axis=(2, 3))
    assert (masked[x == -80] == -80).all()
    assert (hidden.sum(axis=1) <= 0.5 * lengths + 1).all()
    assert hidden.sum(axis=1).max() > 0.4 * lengths.max()
    settings = Augmentation(time_masks=Masks(count=1, width=0.5))
    again, _ = aug.augment(x, np.ones((400, 2), np.float32), settings, FILL, rng)
    assert (again[x == -80] == -80).all()


def test_rectangles_lie_where_the_sound_is(rng):
    x, lengths = padded(rng, n=400)
    settings = Augmentation(cutout=Cutout(count=1, time=0.5, frequency=1))
    cut, _ = aug.augment(x, np.ones((400, 2), np.float32), settings, FILL, rng)
    frames = (cut == -7).any(axis=(2, 3)).sum(axis=1)
    assert (frames <= 0.5 * lengths + 1).all() and frames.max() >= 0.4 * lengths.max()


def test_a_mixture_sounds_where_either_does(rng):
    x, _ = padded(rng)
    settings = Augmentation(mixup="uniform", mixup_domain="power")
    mixed, _, heard = aug.mixup(x, np.eye(N, dtype=np.float32), settings, rng, sounding(x))
    found = sounding(mixed.round(3))
    assert (found.stop <= heard.stop).all() and (heard.stop >= sounding(x).stop).all()


def test_masks_are_filled_bin_by_bin(x, rng):
    fill = np.arange(100, 100 + BINS, dtype=np.float32)[:, None]
    masked = aug.mask(x, 2, Masks(count=3, width=0.9), fill, rng)
    changed = masked != x
    assert changed.any()
    assert (masked[changed] == np.broadcast_to(fill, x.shape)[changed]).all()


def test_cutout_replaces_rectangles_whose_centres_lie_anywhere():
    x = np.ones((400, 20, BINS, 1), np.float32)
    settings = Augmentation(cutout=Cutout(count=1, time=0.5, frequency=0.5))
    hidden = aug.augment(x, np.ones((400, 2)), settings, FILL, np.random.default_rng(0))[0] != 1
    hidden = hidden[..., 0]
    assert hidden.any(axis=(1, 2)).all()
    frames, bins = hidden.any(axis=2), hidden.any(axis=1)
    np.testing.assert_array_equal(hidden, frames[:, :, None] & bins[:, None, :])
    assert frames.sum(axis=1).max() == 10
    assert bins.sum(axis=1).max() == BINS // 2
    # A centre in the outer quarters loses up to half: on average 3/4 + 1/4 * 3/4 of the length.
    assert frames.sum(axis=1).mean() == pytest.approx(10 * (1 - 0.25 / 2), abs=0.5)
