from pathlib import Path

import pytest
from pydantic import ValidationError

from kerasnas.training.recipe import Noise, Recipe


def test_rate_of_the_papers_final_training_halves_every_four_epochs():
    recipe = Recipe(epochs=60, learning_rate=0.001, schedule="step")
    rates = [recipe.learning_rate_at(epoch) for epoch in (0, 3.99, 4, 8, 59.5)]
    assert rates == pytest.approx([1e-3, 1e-3, 5e-4, 2.5e-4, 1e-3 / 2**14])


def test_rate_of_the_papers_candidates_falls_tenfold_every_epoch():
    recipe = Recipe(epochs=3, schedule="step", step_factor=0.1, step_epochs=1)
    assert [recipe.learning_rate_at(e) for e in (0.5, 1.5, 2.5)] == pytest.approx(
        [1e-3, 1e-4, 1e-5]
    )


def test_cosine_falls_to_nothing_after_warming_up():
    recipe = Recipe(epochs=10, learning_rate=0.2, schedule="cosine", warm_up_epochs=2)
    rates = [recipe.learning_rate_at(epoch) for epoch in (0, 1, 2, 6, 10)]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.1, 0])


def test_constant_stays():
    assert Recipe(learning_rate=0.3).learning_rate_at(41.5) == 0.3


@pytest.mark.parametrize(
    ("loss", "multi_label", "output"),
    [
        ("auto", False, "softmax"),
        ("auto", True, "sigmoid"),
        ("binary_crossentropy", False, "sigmoid"),
        ("categorical_crossentropy", True, "softmax"),
    ],
)
def test_output_follows_the_loss(loss, multi_label, output):
    assert Recipe(loss=loss).output(multi_label) == output


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": 3, "warm_up_epochs": 3}, "must be below epochs, 3"),
        ({"epoch": 3}, "Extra inputs"),
    ],
)
def test_contradictions_are_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        Recipe(**fields)


def test_the_range_of_levels_of_noise_rises_and_its_folder_is_absolute():
    with pytest.raises(ValidationError, match="the lower end comes first"):
        Noise(folder="street", snr=(20, 0))
    assert Noise(folder="street").folder == Path("street").absolute()


@pytest.mark.parametrize(
    "fields", [{"speeds": [0.9]}, {"noise": {"folder": "x"}}, {"rooms": {"folder": "x"}}]
)
def test_changed_recordings_and_new_clips_do_not_go_together(fields):
    with pytest.raises(ValidationError, match="leave it or them out"):
        Recipe(augmentation=fields, shuffling_and_mixing={"clips": {"dog": 3}})
