"""A Pareto front of accuracy and size with a stock KerasTuner tuner, on images: nothing of audio.

A search with KerasTuner's own oracle becomes one by NSGA-II by the three lines marked below. Run
it, interrupt it, run it again: it continues.

    python examples/keras_tuner_nsga2.py [--directory DIR] [--trials N] [--epochs N]
"""

import argparse

import keras
import keras_tuner
from sklearn.datasets import load_digits

from kerasnas.tuners import NSGA2Oracle  # 1: in place of RandomSearch

LIMIT = 20_000  # parameters


def build(hp: keras_tuner.HyperParameters) -> keras.Model:
    """A small convolutional network for 8x8 grey images of ten digits."""
    kind = {"full": keras.layers.Conv2D, "separable": keras.layers.SeparableConv2D}
    convolution = kind[hp.Choice("convolution", list(kind))]
    filters, kernel_size = hp.Int("filters", 8, 64, step=8), hp.Choice("kernel_size", [3, 5])
    model = keras.Sequential([keras.Input((8, 8, 1))])
    for _ in range(hp.Int("layers", 1, 3)):
        model.add(convolution(filters, kernel_size, padding="same", use_bias=False))
        model.add(keras.layers.BatchNormalization())
        model.add(keras.layers.ReLU())
    model.add(keras.layers.GlobalAveragePooling2D())
    model.add(keras.layers.Dense(10, "softmax"))
    model.compile(
        keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def parameters(values) -> int:
    """Parameters of the network that `build` makes of these values, without building it."""
    filters, area, total = values["filters"], values["kernel_size"] ** 2, 0
    for channels in [1, *[filters] * (values["layers"] - 1)]:
        full = values["convolution"] == "full"
        total += area * channels * filters if full else area * channels + channels * filters
    return total + values["layers"] * 4 * filters + 10 * (filters + 1)


def main(directory: str, trials: int, epochs: int):
    digits = load_digits()
    images, labels = digits.images[..., None] / 16, digits.target
    oracle = NSGA2Oracle(  # 2: the oracle; after six trials, five of six have parents
        "val_accuracy", trials, cost=parameters, maximum=LIMIT, objectives=[("cost", "min")],
        population=6, exploitation=0.8,
    )  # fmt: skip
    tuner = keras_tuner.Tuner(oracle, build, directory=directory, project_name="digits")  # 3
    tuner.search(
        images[:1200], labels[:1200], epochs=epochs,
        validation_data=(images[1200:], labels[1200:]), verbose=0,
    )  # fmt: skip
    for trial in sorted(oracle.pareto_front(), key=lambda trial: trial.score):
        size = trial.metrics.get_last_value("cost")
        print(f"{trial.score:.3f} {size:6.0f} parameters {trial.hyperparameters.values}")
    volume = oracle.search.hypervolume([0, LIMIT]) / LIMIT  # of accuracy and parameters
    print(f"hypervolume {volume:.3f} of 1, the front that nothing could beat")
    return oracle


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--directory", default="runs/keras_tuner_nsga2", help="of the search")
    parser.add_argument("--trials", type=int, default=24, help="networks that are trained")
    parser.add_argument("--epochs", type=int, default=5, help="epochs of each training")
    main(**vars(parser.parse_args()))
