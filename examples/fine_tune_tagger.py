"""Search an LSTM tagger, load it in TFLearn's DNN, go on training it there, and export it.

The data are synthetic and made on the way; for your own, change `data` and `features`.

    python examples/fine_tune_tagger.py [directory]
"""

import sys
from pathlib import Path

import kerasnas
import kerasnas.baselines as tflearn
from kerasnas.flow import task

EXPERIMENT = {
    "schema": 1,
    "name": "tagger",
    "data": {
        "dataset": "synthetic",
        "classes": ["alarm", "speech", "vacuum_cleaner"],
        "synthetic": {"clips": 150, "seconds": 0.5, "sample_rate": 8000},
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


def main(directory: str = "tagger", trials: int = 6, epochs: int = 20) -> tflearn.DNN:
    """Search, fine-tune, save, export; returns the fine-tuned network."""
    run = Path(directory) / "run"
    final = {"training": EXPERIMENT["training"] | {"final": {"epochs": epochs}}}
    experiment = kerasnas.Experiment.model_validate(EXPERIMENT | final)
    kerasnas.search(experiment, run=run, max_trials=trials)

    loaded = task.load(experiment)
    parts = {name: loaded.examples(loaded.part(name)) for name in ("train", "validation", "test")}
    data = {
        name: (part.x(range(len(part))), part.y(range(len(part)))) for name, part in parts.items()
    }

    model = tflearn.DNN.from_run(run, learning_rate=0.0003)  # or model.load(run) in your own DNN
    print(f"{', '.join(model.labels)}: accuracy as searched {model.evaluate(*data['test'])[0]:.3f}")
    model.fit(*data["train"], n_epoch=5, validation_set=data["validation"], show_metric=True)
    print(f"accuracy after going on {model.evaluate(*data['test'])[0]:.3f}")
    model.save(run / "fine_tuned" / "model.keras")
    exported = kerasnas.export_run(run / "fine_tuned" / "model.keras")
    print("\n".join(exported.lines()))
    return model


if __name__ == "__main__":
    main(*sys.argv[1:2])
