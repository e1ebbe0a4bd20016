"""Noise of an experiment reaches the examples that are trained on, and no others."""

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from kerasnas import experiment
from kerasnas.flow.task.task import load_task

SETTINGS = """
schema: 1
name: noisy
data: {{dataset: folder, root: {root}}}
features: {{sample_rate: 8000, seconds: 0.5, n_fft: 256, hop_length: 128, mel_bins: 16}}
training:
  candidate: {{epochs: 1}}
  final:
    epochs: 1
    augmentation:
      speeds: [0.9]
      noise: {{folder: {noise}, snr: [0, 10], versions: 2}}
"""


def _write(path: Path, samples: NDArray[np.float64]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, 8000)


def test_examples_to_train_on_have_the_versions_of_their_recipe(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label in "ab":
        for number in range(6):
            _write(tmp_path / "data" / label / f"{number}.wav", 0.1 * rng.standard_normal(2000))
    _write(tmp_path / "street" / "0.wav", 0.1 * rng.standard_normal(20_000))
    path = tmp_path / "experiment.yaml"
    path.write_text(SETTINGS.format(root=tmp_path / "data", noise=tmp_path / "street"))
    task = load_task(experiment.load(path), tmp_path / "cache")
    recipes = task.experiment.training
    training = task.examples(task.split.train, recipes.final)
    assert len(training.versions) == 1 and len(training.noisy) == 2
    padding = np.s_[:, :, -5:]
    assert np.ptp(training.features[padding], axis=(1, 2, 3)).max() == 0
    assert all(np.ptp(noisy[padding], axis=(1, 2, 3)).min() > 0 for noisy in training.noisy)
    assert (training.noisy[0] != training.noisy[1]).any()
    for recipe in (recipes.candidate, None):
        plain = task.examples(task.split.test, recipe)
        assert not plain.versions and not plain.noisy
