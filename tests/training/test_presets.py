"""Recipes to be tried, and which of them is taken."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kerasnas.training.augmentation import augment
from kerasnas.training.examples import Examples
from kerasnas.training.presets import (
    Facts,
    clip_losses,
    epochs_for,
    facts_of,
    milder_of_ties,
    presets,
    weightings,
    with_preset,
)
from kerasnas.training.recipe import Augmentation, Masks, Noise, Recipe
from kerasnas.training.sounding import sounding

FACTS = Facts(
    frames=60,
    padding=0.4,
    bins=64,
    recordings=True,
    decibels=True,
    counts=(50, 50),
    multi_label=False,
    examples=100,
    epochs=60,
)


def _examples(rng, lengths, frames=40, bins=16, classes=2):
    features = np.full((len(lengths), 1, frames, bins, 1), -80, np.float32)
    for row, length in enumerate(lengths):
        features[row, 0, :length] = rng.uniform(-60, 0, (length, bins, 1))
    targets = np.eye(classes, dtype=np.float32)[np.arange(len(lengths)) % classes]
    return Examples.of_clips(features, targets, np.arange(len(lengths)))


def test_facts_are_read_from_the_training_examples():
    examples = _examples(np.random.default_rng(0), [40, 20, 30, 40, 10], classes=3)
    facts = facts_of(examples, 7)
    assert facts.frames == 40 and facts.bins == 16 and facts.epochs == 7
    assert facts.padding == pytest.approx(1 - 140 / 200)
    assert facts.counts == (2, 2, 1) and facts.examples == 5 and not facts.multi_label


def test_presets_come_from_the_mildest_on_and_none_changes_nothing():
    found = presets(FACTS)
    assert list(found) == ["none", "light", "strong"]
    assert found["none"] == Augmentation()
    assert found["light"] != found["strong"]


@pytest.mark.parametrize("frames", [1, 3, 10, 40, 500])
@pytest.mark.parametrize("padding", [0.0, 0.9])
def test_no_preset_parts_a_sound_or_hides_most_of_it(frames, padding):
    rng = np.random.default_rng(1)
    lengths = np.full(200, max(1, round(frames * (1 - padding))))
    examples = _examples(rng, lengths, frames)
    facts = facts_of(examples, 100)
    for settings in presets(facts).values():
        assert not settings.time_roll
        # Mixtures have no order to keep, and masked bins cover the padding as well.
        alone = settings.model_copy(update={"mixup": "none", "frequency_masks": Masks()})
        x = examples.x(np.arange(200))
        fill = np.full((16, 1), 99, np.float32)
        y = np.ones((200, 2), np.float32)
        changed, _ = augment(x, y, alone, fill, rng, sounding(x))
        assert (changed != 99).mean(axis=(1, 2, 3)).min() > 0.75
        if lengths[0] < frames:
            heard = sounding(changed)
            assert (heard.stop - heard.start <= lengths).all()


def test_short_trainings_are_spared_what_is_learned_slowly():
    for epochs in (5, 200):
        strong = presets(replace(FACTS, epochs=epochs))["strong"]
        assert strong.masks == (epochs == 200)
        assert strong.mixup == "beta" and strong.mixup_alpha < 0.5


def test_presets_ask_for_nothing_that_the_features_cannot_have():
    embeddings = replace(FACTS, recordings=False, decibels=False, frames=10, bins=128)
    for settings in presets(embeddings).values():
        assert not settings.copies and settings.mixup_domain == "features"
        assert not settings.frequency_masks.count
    still = presets(replace(FACTS, frames=1, padding=0.0))
    assert all(not s.time_masks.count and not s.time_shift for s in still.values())


def test_balancing_is_tried_where_classes_differ_in_size():
    assert list(weightings(FACTS)) == ["natural"]
    assert list(weightings(replace(FACTS, counts=(80, 20)))) == ["natural", "balanced"]
    assert list(weightings(replace(FACTS, counts=(80, 80, 0)))) == ["natural"]


def test_a_preset_takes_the_place_of_a_recipes_augmentation_but_of_its_noise():
    noise = Noise(folder=Path("street"))
    recipe = Recipe(epochs=9, augmentation=Augmentation(noise=noise, gain=6))
    found = with_preset(recipe, presets(FACTS)["light"], "balanced")
    assert found.epochs == 9 and found.sampling == "balanced"
    assert found.augmentation == presets(FACTS)["light"].model_copy(update={"noise": noise})


def test_the_milder_of_two_that_hardly_differ_is_taken():
    rng = np.random.default_rng(0)
    right = np.zeros(200)
    worse = np.where(np.arange(200) < 40, 1.0, 0.0)
    nearly = np.where((np.arange(200) >= 38) & (np.arange(200) < 40), 1.0, 0.0)
    assert milder_of_ties({"none": worse, "light": nearly, "strong": right}) == "strong"
    one = np.where(np.arange(200) == 3, 1.0, 0.0)
    assert milder_of_ties({"none": worse, "light": one, "strong": right}) == "light"
    assert milder_of_ties({"none": right, "light": right, "strong": worse}) == "none"
    noisy = rng.integers(0, 2, 200).astype(float)
    assert milder_of_ties({"none": noisy, "light": rng.permutation(noisy)}) == "none"


def test_a_training_that_failed_is_not_taken():
    failed = np.full(10, np.nan)
    assert milder_of_ties({"none": failed, "light": np.ones(10)}) == "light"
    with pytest.raises(ValueError, match="no recipe"):
        milder_of_ties({"none": failed})


def test_losses_of_clips_are_bounded_and_of_classes_alike_when_balanced():
    labels = np.eye(2, dtype=np.float32)[[0, 0, 0, 1]]
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [1e-9, 1], [0.7, 0.3]], np.float32)
    plain = -np.log([0.9, 0.2, 0.001, 0.3])
    assert clip_losses(scores, labels, multi_label=False) == pytest.approx(plain)
    balanced = clip_losses(scores, labels, multi_label=False, balanced=True)
    assert balanced.mean() == pytest.approx((plain[:3].mean() + plain[3]) / 2)
    several = clip_losses(np.array([[0.5, 1.0]]), np.array([[1, 1]]), multi_label=True)
    assert several == pytest.approx([np.log(2) / 2], abs=1e-6)
    assert np.isfinite(clip_losses(np.zeros((1, 2)), np.ones((1, 2)), multi_label=True)).all()


def test_fewer_examples_are_seen_more_often():
    counts = [8, 50, 300, 1000, 3000, 10_000, 100_000]
    epochs = [epochs_for(count, 16) for count in counts]
    assert epochs == sorted(epochs, reverse=True)
    steps = [each * max(1, round(count / 16)) for each, count in zip(epochs, counts, strict=True)]
    assert all(later > 0.95 * step for step, later in itertools.pairwise(steps))
    assert epochs_for(1000, 32) >= epochs_for(1000, 16)
