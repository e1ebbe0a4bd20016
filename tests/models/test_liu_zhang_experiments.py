"""The experiments of Liu & Zhang's two stages, against the paper's sections 4.C and 5.B."""

from math import prod
from pathlib import Path
from types import SimpleNamespace

import pytest

from kerasnas.experiment import Experiment, load
from kerasnas.flow.stages.start import enqueued_values

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(scope="module")
def search() -> Experiment:
    return load(CONFIGS / "liu_zhang_2020.yaml")


@pytest.fixture(scope="module")
def grid() -> Experiment:
    return load(CONFIGS / "liu_zhang_2020_grid.yaml")


def test_the_search_is_the_papers(search: Experiment) -> None:
    assert search.features.input_shape == (126, 128, 1)  # of four seconds
    assert search.training.candidate == search.training.final
    oracle = search.search.oracle
    assert oracle.name == "controller"
    assert (oracle.budget, oracle.settled) == (250, 50)
    assert (oracle.layers, oracle.units, oracle.scale) == (2, 32, 0.08)
    assert oracle.learning_rate == 0.001
    assert search.search.trials == oracle.budget + 100
    assert search.choose == search.primary_metric == "equal_error_rate"


@pytest.mark.parametrize("config", ["liu_zhang_2020.yaml", "liu_zhang_2020_grid.yaml"])
def test_networks_are_trained_as_the_paper_trains_them(config: str) -> None:
    """Sections 3.A, 5.B and 5.C: the window, epochs, early stopping, mixup and batches."""
    experiment = load(CONFIGS / config)
    assert (experiment.features.window, experiment.features.fft_window) == ("hamming", 1024)
    for recipe in (experiment.training.candidate, experiment.training.final):
        assert (recipe.epochs, recipe.patience, recipe.batch_size) == (100, 20, 44)
        assert (recipe.augmentation.mixup, recipe.augmentation.mixup_alpha) == ("beta", 1.5)
        assert recipe.output(multi_label=True) == "sigmoid"
    space = experiment.model
    assert (space.filters, space.heights, space.widths) == ((8, 16, 32, 64), (1, 3, 5), (1, 3, 5))


def test_the_grid_is_the_papers_on_any_of_its_networks(grid: Experiment) -> None:
    tune = grid.search.tune
    assert prod(map(len, tune.values())) == grid.search.trials == 20 * 6 * 5
    alphas = tune["training.candidate.augmentation.mixup_alpha"]
    assert alphas == tuple(number / 10 for number in range(1, 21))
    for bins, layers in ((64, 6), (96, 6), (128, 7), (160, 7), (240, 7)):
        ops = grid.architecture({"features.mel_bins": bins}, 7).ops
        assert ops[0].output_shape == (126, bins, 1)
        assert sum(op.kind == "conv2d" for op in ops) == layers
    best = {name: options[-1] for name, options in tune.items()}
    tuned = grid.tuned(best)
    assert tuned.training.final.augmentation.mixup_alpha == 2.0
    assert tuned.training.final.batch_size == 160


@pytest.mark.parametrize("config", ["liu_zhang_2020.yaml", "liu_zhang_2020_grid.yaml"])
@pytest.mark.parametrize("name", ["crnn", "nas_best", "att_loc"])
def test_attention_is_that_of_equations_3_to_5(config: str, name: str) -> None:
    """It reads the frame's features, weighs them, and weighs the frame's scores."""
    space = load(CONFIGS / config).space(7)
    ops = {op.name: op for op in space.reference(name).ops}
    attention = next(op for op in ops.values() if op.name.endswith("attention_sigmoid"))
    (dense,) = attention.inputs
    features = next(op for op in ops.values() if op.kind == "reshape")
    assert ops[dense].inputs == (features.name,)
    weighed = [op.inputs for op in ops.values() if attention.name in op.inputs]
    scores = next(op.name for op in ops.values() if op.name.endswith("tags_sigmoid"))
    assert weighed == [(features.name, attention.name), (scores, attention.name)]
    read = next(op for op in ops.values() if op.kind == "gru").inputs
    assert ops[read[0]].inputs == (features.name, attention.name)


def test_references_can_be_tried_first_where_their_last_layer_does_not_exist() -> None:
    experiment = load(CONFIGS / "liu_zhang_mixtures.yaml")
    task = SimpleNamespace(experiment=experiment, space=experiment.space(7))
    values = enqueued_values(task, "crnn")
    assert list(values) == [
        f"layer{n}_{part}" for n in range(1, 7) for part in ("filters", "height", "width")
    ]
