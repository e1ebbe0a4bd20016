from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from kerasnas.export import ExportSettings, export

CLASSES = ("low", "middle", "high")
SHAPE = (12, 9, 1)


class Trained(NamedTuple):
    model: Any
    path: Path
    train_x: np.ndarray  # (clips, segments, 12, 9, 1)
    test_x: np.ndarray
    test_y: np.ndarray


def clips(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a louder third of the bins: which third is the class. Two segments a clip."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(CLASSES)
    x = rng.normal(size=(count, 2, *SHAPE)).astype(np.float32)
    for clip, label in zip(x, labels, strict=True):
        clip[:, :, 3 * label : 3 * label + 3] += 1.5
    return x, np.eye(len(CLASSES), dtype=np.float32)[labels]


def untrained(train_x: np.ndarray) -> Any:
    """A small network of every operation that the first search space has."""
    import keras
    from keras import layers

    normalization = layers.Normalization(axis=(-2, -1))
    normalization.adapt(train_x.reshape(-1, *SHAPE))

    def block(x: Any, layer: Any) -> Any:
        return layers.Activation("silu")(layers.BatchNormalization(momentum=0.5)(layer(x)))

    inputs = keras.Input(SHAPE)
    x = block(normalization(inputs), layers.Conv2D(8, 3, padding="same", use_bias=False))
    y = block(x, layers.Conv2D(16, 1, use_bias=False))
    y = block(y, layers.DepthwiseConv2D(3, padding="same", use_bias=False))
    y = layers.BatchNormalization(momentum=0.5)(layers.Conv2D(8, 1, use_bias=False)(y))
    x = layers.AveragePooling2D((2, 1))(layers.Add()([x, y]))
    x = layers.MaxPooling2D((2, 1))(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.1)(x)
    return keras.Model(inputs, layers.Dense(len(CLASSES), activation="softmax")(x))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The network, briefly trained, with its clips."""
    import keras

    keras.utils.set_random_seed(3)
    train_x, train_y = clips(48, 1)
    test_x, test_y = clips(30, 2)
    model = untrained(train_x)
    model.compile(keras.optimizers.Adam(0.02), "categorical_crossentropy", jit_compile=False)
    model.fit(train_x.reshape(-1, *SHAPE), train_y.repeat(2, axis=0), 32, epochs=4, verbose=0)
    path = tmp_path_factory.mktemp("trained") / "model.keras"
    model.save(path)
    return Trained(model, path, train_x, test_x, test_y)


class Exported(NamedTuple):
    directory: Path
    report: dict[str, Any]
    scores: dict[str, np.ndarray]


@pytest.fixture(scope="session")
def exported(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The trained network's files, float16 and int8, by the default settings."""
    directory = tmp_path_factory.mktemp("exported")
    result = export(
        trained.path,
        directory,
        calibration=trained.train_x,
        test_x=trained.test_x,
        test_y=trained.test_y,
        classes=CLASSES,
        settings=ExportSettings(latency_runs=3),
    )
    return Exported(directory, result.report, result.scores)
