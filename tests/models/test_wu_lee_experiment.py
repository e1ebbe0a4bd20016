"""Wu & Lee's experiment, against their sections 3.3, 4.2 and 4.3, and small from end to end."""

from pathlib import Path

import pytest
import yaml

from kerasnas.datasets import SyntheticSettings
from kerasnas.datasets.synthetic.mixtures import write_tau2020_3class
from kerasnas.experiment import Experiment, load
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import Description, Evaluation, FrontEndDescription
from kerasnas.runs.run import chosen_training

CONFIG = Path(__file__).parents[2] / "configs" / "wu_lee_2020.yaml"


@pytest.fixture(scope="module")
def paper() -> Experiment:
    return load(CONFIG)


def test_the_front_end_is_the_papers(paper: Experiment) -> None:
    features = paper.features
    assert features.fft_window == round(0.025 * 48000)
    assert features.hop_length == round(0.010 * 48000)
    # (2, 128, 128) there; seven whole segments of 1000 frames.
    assert features.input_shape == (128, 128, 2)
    assert features.segments == 1000 // 128


def test_search_and_recipes_are_the_papers(paper: Experiment) -> None:
    assert paper.objectives == ("accuracy", "loss")
    window = paper.search.window
    bytes_ = paper.space(3).reference("model_b").size(window.rule)
    assert window.minimum == 250 * 1024 <= bytes_ <= window.maximum
    candidate, final = paper.training.candidate, paper.training.final
    assert [candidate.learning_rate_at(epoch) for epoch in range(3)] == pytest.approx(
        [1e-3, 1e-4, 1e-5]
    )
    assert [final.learning_rate_at(epoch) for epoch in (0, 3, 4, 59)] == pytest.approx(
        [1e-3, 1e-3, 5e-4, 1e-3 * 0.5**14]
    )
    assert candidate.learning_rate_at(candidate.epochs) == pytest.approx(1e-6)
    for recipe in (candidate, final):
        assert recipe.output(multi_label=False) == "sigmoid"
        # Section 4.3, and the authors' code: PyTorch's Adam adds 0.0015 times each weight,
        # batches have 64 segments, and mixup's share is uniform.
        assert (recipe.optimizer, recipe.weight_decay, recipe.l2) == ("adam", 0.0015, 0)
        assert (recipe.batch_size, recipe.augmentation.mixup) == (64, "uniform")
    assert (candidate.epochs, final.epochs, paper.search.trials) == (3, 60, 510)
    assert paper.space(3).reference("model_b").input_shape == (128, 128, 2)


@pytest.mark.nightly
def test_a_small_one_runs_from_lists_to_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kerasnas.flow.commands.predict import predict
    from kerasnas.flow.commands.search import search

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERASNAS_CACHE", str(tmp_path / "cache"))
    recordings = SyntheticSettings(
        clips=45, seconds=0.7, sample_rate=48000, channels=2, subtype="PCM_24", folds=3
    )
    write_tau2020_3class(tmp_path / "data", recordings)
    small = yaml.safe_load(CONFIG.read_text())
    small["data"]["root"] = str(tmp_path / "data")
    small["features"] |= {"seconds": 0.7, "segment_frames": 32}
    small["model"] |= {"blocks": [2], "stem_filters": [4, 8], "stem_strides": [2, 4]}
    small["search"] |= {"trials": 2, "workers": 1, "objectives": ["loss"]}
    small["search"]["window"] |= {"minimum": 4_000, "maximum": 40_000}
    for recipe in ("candidate", "final"):
        small["training"][recipe] = {**small["training"][recipe], "epochs": 1}
    small["export"] = {"on_fail": "report", "calibration_clips": 8, "latency_runs": 3}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(small))

    search(tmp_path / "small.yaml")

    run = tmp_path / "runs" / "wu_lee_2020"
    winner = chosen_training(run)
    described = Description.read(winner.description)
    assert 4_000 <= 4 * described.cost["trainable_parameters"] <= 40_000
    evaluation = Evaluation.read(winner.evaluation)
    assert evaluation.classes == ("indoor", "outdoor", "transportation")
    listed = (tmp_path / "data/evaluation_setup/fold1_evaluate.csv").read_text().splitlines()[1:]
    assert evaluation.count == len(listed) > 5
    front_end = FrontEndDescription.read(RunPaths(run).export.front_end).front_end
    assert front_end["kind"] == "scalogram"
    assert (front_end["input_shape"], len(front_end["centres"])) == ([32, 128, 2], 128)
    recording = next((tmp_path / "data" / "audio").glob("*.wav"))
    scores = predict(run / "export" / "model_int8.tflite", recording).scores
    assert scores.shape == (1, 3)
    assert ((scores >= 0) & (scores <= 1)).all()
