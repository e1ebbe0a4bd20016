"""One of kerasnas's search spaces in a stock KerasTuner tuner, from recordings to a phone's file.

Recordings of domestic sounds are generated; features come from `kerasnas.features`, networks from
Wu & Lee's space, the search is KerasTuner's Hyperband, and `kerasnas.export` writes the file.

    python examples/keras_tuner_space.py [--directory DIR] [--clips N] [--epochs N]
"""

import argparse
from pathlib import Path

import keras_tuner
import numpy as np
from numpy.typing import NDArray

from kerasnas.datasets import SyntheticSettings
from kerasnas.datasets.synthetic.mixtures import CLASSES, recordings
from kerasnas.export import ExportSettings, export
from kerasnas.features import LogMel, clip_features
from kerasnas.models.wu_lee import WuLeeSettings, WuLeeSpace

FRONT_END = LogMel(sample_rate=8000, seconds=1, n_fft=512, hop_length=250, mel_bins=32)


def features(clips: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Log-mel spectrograms `(clips, frames, bins, 1)` in dB, and one-hot labels."""
    settings = SyntheticSettings(clips=clips, seconds=1, sample_rate=8000)
    made = list(recordings(settings))
    x = np.stack([clip_features(each.waveform, FRONT_END)[0] for each in made])
    y = np.eye(len(CLASSES), dtype=np.float32)[[CLASSES.index(each.labels[0]) for each in made]]
    return x, y


def main(directory: str, clips: int, epochs: int) -> keras_tuner.Tuner:
    """Search, and export the best network."""
    x, y = features(clips)
    train, rest = slice(0, int(0.8 * clips)), slice(int(0.8 * clips), None)
    settings = WuLeeSettings(blocks=(1, 2), stem_filters=(4, 16), stem_strides=(2, 2))
    space = WuLeeSpace(x.shape[1:], len(CLASSES), settings=settings)
    tuner = keras_tuner.Hyperband(
        space.hypermodel(normalise=x[train]),
        "val_accuracy",
        max_epochs=epochs,
        factor=3,
        seed=1,
        directory=directory,
        project_name="space",
    )
    tuner.search(x[train], y[train], validation_data=(x[rest], y[rest]), verbose=0)
    (best,) = tuner.get_best_models()
    score = best.evaluate(x[rest], y[rest], verbose=0, return_dict=True)["accuracy"]
    print(f"best: {tuner.get_best_hyperparameters()[0].values}")
    print(f"{best.count_params()} parameters, validation accuracy {score:.3f}")
    exported = export(
        best,
        Path(directory) / "export",
        calibration=x[train][:100],
        test_x=x[rest],
        test_y=y[rest],
        classes=CLASSES,
        settings=ExportSettings(on_fail="report"),
    )
    print(exported)
    return tuner


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--directory", default="runs/keras_tuner_space", help="of the search")
    parser.add_argument("--clips", type=int, default=400, help="recordings that are generated")
    parser.add_argument("--epochs", type=int, default=9, help="of the longest trainings")
    main(**vars(parser.parse_args()))
