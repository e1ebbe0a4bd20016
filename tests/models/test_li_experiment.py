"""Li's experiments, against the report's section on experiments (runtime of the models)."""

from pathlib import Path

import pytest

from kerasnas.experiment import load

CONFIGS = Path(__file__).parents[2] / "configs"


def test_networks_are_trained_as_the_report_trains_them() -> None:
    """Section 7.3, "Speed evaluation"; winners train as candidates do."""
    training = load(CONFIGS / "li_2018.yaml").training
    assert training.candidate == training.final
    final = training.final
    assert (final.epochs, final.batch_size, final.optimizer) == (10, 64, "adam")
    assert (final.weight_decay, final.l2) == (0, 0)
    assert (final.weight_average, final.patience) == (None, None)
    rates = {training.final.learning_rate_at(epoch) for epoch in range(training.final.epochs)}
    assert rates == {0.001}
    assert not training.final.balanced


@pytest.mark.parametrize("config", ["li_2018.yaml", "li_2018_balanced.yaml"])
def test_networks_read_the_embeddings_of_a_clip_and_give_a_score_a_tag(config: str) -> None:
    space = load(CONFIGS / config).space(527)
    ops = space.reference("lstm").ops
    assert ops[0].output_shape == (10, 128)
    assert ops[-1].output_shape == (527,)
    assert space.output == "sigmoid"


def test_only_sampling_and_longer_winners_are_ours() -> None:
    theirs, ours = (load(CONFIGS / f"{name}.yaml") for name in ("li_2018", "li_2018_balanced"))
    assert ours.training.candidate.balanced
    left = {"sampling": theirs.training.final.sampling, "epochs": theirs.training.final.epochs}
    assert ours.training.final.model_copy(update=left) == theirs.training.final
    same = {"name": theirs.name, "training": theirs.training}
    assert ours.model_copy(update=same) == theirs
