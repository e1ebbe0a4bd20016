"""Random search under a size limit with a stock KerasTuner tuner, on images: nothing of audio.

A search with KerasTuner's own random search becomes one that never trains a network over the
limit, keeps a Pareto front of accuracy and size, and survives being killed, by the three lines
marked below. Run it, interrupt it, run it again: it continues.

    python examples/keras_tuner_random.py [--directory DIR] [--trials N] [--epochs N]
"""

import argparse

import keras
import keras_tuner
from sklearn.datasets import load_digits

from kerasnas.tuners import SizeConstrainedRandomOracle  # 1: in place of RandomSearch

LIMIT = 8_000  # parameters


def build(hp: keras_tuner.HyperParameters) -> keras.Model:
    """A small convolutional network for 8x8 grey images of ten digits."""
    model = keras.Sequential([keras.Input((8, 8, 1))])
    for layer in range(hp.Int("layers", 1, 2)):
        model.add(
            keras.layers.Conv2D(hp.Int("filters", 8, 64, step=8), 3, padding="same", use_bias=False)
        )
        model.add(keras.layers.BatchNormalization())
        model.add(keras.layers.ReLU())
        if layer == 0:
            model.add(keras.layers.MaxPooling2D())
    model.add(keras.layers.GlobalAveragePooling2D())
    model.add(keras.layers.Dense(10, "softmax"))
    model.compile(
        keras.optimizers.Adam(hp.Float("learning_rate", 1e-3, 3e-2, sampling="log")),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def parameters(values) -> int:
    """Parameters of the network that `build` makes of these values, without building it."""
    filters = values["filters"]
    convolutions = 9 * filters + (values["layers"] - 1) * 9 * filters**2
    return convolutions + values["layers"] * 4 * filters + 10 * (filters + 1)


def main(directory: str, trials: int, epochs: int):
    digits = load_digits()
    images, labels = digits.images[..., None] / 16, digits.target
    oracle = SizeConstrainedRandomOracle(  # 2: the oracle
        "val_accuracy", trials, cost=parameters, maximum=LIMIT, objectives=[("cost", "min")]
    )
    tuner = keras_tuner.Tuner(oracle, build, directory=directory, project_name="digits")  # 3
    tuner.search(
        images[:1200], labels[:1200], epochs=epochs,
        validation_data=(images[1200:], labels[1200:]), verbose=0,
    )  # fmt: skip
    for trial in sorted(oracle.pareto_front(), key=lambda trial: trial.score):
        size = trial.metrics.get_last_value("cost")
        print(f"{trial.score:.3f} {size:6.0f} parameters {trial.hyperparameters.values}")
    print(f"{oracle.rejected} candidates over {LIMIT} parameters cost no training")
    return oracle


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--directory", default="runs/keras_tuner_random", help="of the search")
    parser.add_argument("--trials", type=int, default=10, help="networks that are trained")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of each training")
    main(**vars(parser.parse_args()))
