"""Search an LSTM tagger, load it in TFLearn's DNN, go on training it there, and export it.

The data are synthetic and made on the way; a run directory of yours is taken as it is.

    python examples/fine_tune_tagger.py [DIRECTORY]
    python examples/fine_tune_tagger.py runs/esc10_li --epochs 10 --batch-size 16
    kerasnas evaluate runs/esc10_li/fine_tuned/model.keras
"""

import argparse
from pathlib import Path

import numpy as np

import kerasnas
import kerasnas.baselines as tflearn
from kerasnas.flow.task.opening import read_experiment
from kerasnas.flow.task.task import load_task
from kerasnas.runs.layout import RunPaths

EXPERIMENT = {
    "schema": 1,
    "name": "tagger",
    "data": {
        "dataset": "synthetic",
        "classes": ["alarm", "speech", "vacuum_cleaner"],
        "clips": 150,
        "seconds": 0.5,
        "sample_rate": 8000,
    },
    "features": {
        "sample_rate": 8000,
        "seconds": 0.5,
        "n_fft": 256,
        "hop_length": 200,
        "mel_bins": 16,
    },
    "model": {
        "space": "li",
        "layers": [1, 2],
        "units": [8, 16, 32],
        "dense_layers": [0, 1],
        "dense_units": [16, 32],
    },
    "search": {"window": {"rule": "int8_file", "minimum": 0, "maximum": 60_000}},
    "training": {"candidate": {"epochs": 3, "batch_size": 8}},
    "export": {"budget": 60_000, "on_fail": "report"},
}


def search(directory: Path, trials: int = 6, epochs: int = 20) -> Path:
    """Search in synthetic recordings; returns the run directory."""
    final = {"training": EXPERIMENT["training"] | {"final": {"epochs": epochs}}}
    experiment = kerasnas.Experiment.model_validate(EXPERIMENT | final)
    kerasnas.search(experiment, run=directory / "run", max_trials=trials)
    return directory / "run"


def fine_tune(run: Path, epochs: int = 5, batch_size: int = 64) -> tflearn.DNN:
    """Go on training what a search has chosen; save and export it beside the run's winners."""
    task = load_task(read_experiment(run))
    # Like the winner's training, which keeps clips back to validate only where it stops early.
    train, kept_back, test = (
        (part.x(np.arange(len(part))), part.y(np.arange(len(part))))
        for part in map(task.examples, task.final_parts(None))
    )

    model = tflearn.DNN.from_run(run, learning_rate=0.0003)  # or model.load(run) in your own DNN
    print(f"{', '.join(model.labels)}: accuracy as searched {model.evaluate(*test)[0]:.3f}")
    model.fit(
        *train,
        n_epoch=epochs,
        batch_size=batch_size,
        validation_set=kept_back if len(kept_back[0]) else None,
        show_metric=True,
    )
    print(f"accuracy after going on {model.evaluate(*test)[0]:.3f}")
    model.save(run / "fine_tuned" / "model.keras")
    exported = kerasnas.export_run(run / "fine_tuned" / "model.keras")
    print("\n".join(exported.lines()))
    return model


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("directory", type=Path, nargs="?", default=Path("tagger"))
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64)
    arguments = parser.parse_args()
    ended = RunPaths(arguments.directory).winners.is_file()
    run = arguments.directory if ended else search(arguments.directory)
    fine_tune(run, arguments.epochs, arguments.batch_size)


if __name__ == "__main__":
    main()
