"""What the files of five trained networks lose on a full test set.

    python benchmarks/files/trained_models.py [--epochs 30] [--only NAME ...]

The data are scikit-learn's digits, 1797 images of 8 x 8: 1257 are trained on, 540 are the test set,
on which nothing is chosen. Convolutions read images, recurrent layers and attention their rows as
frames. Each network is trained once, with a fixed seed, and exported as `export()` does by default.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np

SEED, TEST, CALIBRATION = 0, 540, 100
HEAD = (
    "| network | parameters | accuracy | float16 bytes | accuracy | int8 form | int8 bytes "
    "| accuracy | agreement | loss at most (95 %) |\n" + "|---" * 10 + "|"
)


def _convolutions(x: Any) -> Any:
    from keras import layers

    for layer in (
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.Flatten(),
        layers.Dropout(0.2),
    ):
        x = layer(x)
    return x


def _separable(x: Any) -> Any:
    from keras import layers

    for filters in (32, 48):
        x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU(6)(layers.BatchNormalization(momentum=0.8)(x))
    return layers.GlobalAveragePooling2D()(x)


def _gru(x: Any) -> Any:
    from keras import layers

    return layers.Bidirectional(layers.GRU(24))(layers.Reshape((8, 8))(x))


def _lstm(x: Any) -> Any:
    from keras import layers

    x = layers.LSTM(24, return_sequences=True)(layers.Reshape((8, 8))(x))
    return layers.LSTM(24)(x)


def _attention(x: Any) -> Any:
    from keras import layers

    x = layers.Dense(24)(layers.Reshape((8, 8))(x))
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 12)(x, x))
    y = layers.Dense(24)(layers.Dense(48, activation="relu")(x))
    return layers.Flatten()(layers.LayerNormalization()(x + y))


NETWORKS: dict[str, Callable[[Any], Any]] = {
    "convolutions": _convolutions,
    "separable convolutions": _separable,
    "GRU of both directions": _gru,
    "two LSTM layers": _lstm,
    "attention": _attention,
}


def build(name: str) -> Any:
    """Return a network, untrained."""
    import keras
    from keras import layers

    inputs = keras.Input((8, 8, 1))
    scores = layers.Dense(10, activation="softmax")(NETWORKS[name](inputs))
    return keras.Model(inputs, scores)


def row(name: str, epochs: int) -> str:
    """Train a network, export it, and return its row of the table."""
    import keras
    from sklearn.datasets import load_digits

    from kerasnas.export import export, stratified

    keras.utils.set_random_seed(SEED)
    digits = load_digits()
    order = np.random.default_rng(SEED).permutation(len(digits.target))
    x = (digits.images[order, ..., None] / 16).astype(np.float32)
    y = np.eye(10, dtype=np.float32)[digits.target[order]]
    train, test = (x[:-TEST], y[:-TEST]), (x[-TEST:], y[-TEST:])
    model = build(name)
    model.compile(keras.optimizers.Adam(0.003), "categorical_crossentropy", jit_compile=False)
    model.fit(*train, batch_size=32, epochs=epochs, verbose=0)
    chosen = stratified(train[1], CALIBRATION, SEED)
    with tempfile.TemporaryDirectory() as directory:
        report = export(
            model, directory, calibration=train[0][chosen], test_x=test[0], test_y=test[1]
        ).report
    half, whole = report["files"]["float16"], report["files"]["int8"]
    cells = [
        name,
        f"{model.count_params():,}",
        f"{report['accuracy']['keras']:.1%}",
        f"{half['bytes']:,}",
        f"{half['accuracy']:.1%}",
        " with ".join(filter(None, (whole["form"], whole["recurrent"]))),
        f"{whole['bytes']:,}",
        f"{whole['accuracy']:.1%}",
        f"{whole['agreement']:.1%}",
        f"{100 * whole['accuracy_drop']['bounds'][1]:.2f} points",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--only", nargs="*", help="networks with one of these in their name")
    given = parser.parse_args()
    start = time.monotonic()
    print(HEAD)
    for name in NETWORKS:
        if not given.only or any(only in name for only in given.only):
            print(row(name, given.epochs), flush=True)
    print(f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
