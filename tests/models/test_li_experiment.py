"""Li's experiment, against the report's section on experiments (runtime of the models)."""

from pathlib import Path

from kerasnas.experiment import load

CONFIGS = Path(__file__).parents[2] / "configs"


def test_networks_are_trained_as_the_report_trains_them() -> None:
    training = load(CONFIGS / "li_2018.yaml").training
    for recipe in (training.candidate, training.final):
        assert (recipe.epochs, recipe.batch_size) == (10, 64)
        assert (recipe.optimizer, recipe.learning_rate, recipe.schedule) == (
            "adam",
            0.001,
            "constant",
        )
        assert not recipe.balanced
    ours = load(CONFIGS / "li_2018_balanced.yaml").training
    assert ours.candidate.balanced
    assert ours.final.epochs > training.final.epochs
