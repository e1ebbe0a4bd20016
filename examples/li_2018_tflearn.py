"""The LSTM tagger of Li's report (2018, section 4) as a TFLearn script, then a searched network.

Written with `kerasnas.baselines` alone: of the script that TFLearn would run, the import line is
another. The embeddings are generated; give AudioSet's as arrays `(clips, 10, 128)` and `(clips,
527)`. With the run directory of a search in the same embeddings, such as that of
`configs/li_2018.yaml`, the searched network takes the place of the script's own, and goes on
training.

    python examples/li_2018_tflearn.py
    python examples/li_2018_tflearn.py runs/li_2018
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import kerasnas.baselines as tflearn
from kerasnas.baselines.data_utils import pad_sequences

FRAMES, VALUES, CLASSES = 10, 128, 527
Data = tuple[NDArray[np.float32], NDArray[np.float32]]


def generated(clips: int, classes: int = CLASSES, seed: int = 0) -> Data:
    """Embeddings of 6 to 10 frames, padded with zeros at the end, each with one to three labels.

    Every class has a direction in the space of embeddings, which its clips are shifted along.
    """
    directions = np.random.default_rng(0).normal(size=(classes, VALUES))
    rng = np.random.default_rng((1, seed))
    sequences, targets = [], np.zeros((clips, classes), np.float32)
    for clip in range(clips):
        labels = rng.choice(classes, int(rng.integers(1, 4)), replace=False)
        targets[clip, labels] = 1
        noise = rng.normal(size=(int(rng.integers(6, FRAMES + 1)), VALUES))
        sequences.append(0.5 + 0.1 * (noise + directions[labels].sum(axis=0)))
    return pad_sequences(sequences, maxlen=FRAMES, dtype="float32", value=0.0), targets


def lstm(
    units: tuple[int, ...] = (512, 256, 128),
    dense: tuple[int, ...] = (2048, 1024),
    classes: int = CLASSES,
) -> tflearn.DNN:
    """Three LSTM layers whose outputs are flattened, and three dense layers (section 4).

    The report ends with a softmax and categorical cross-entropy; a clip has several labels, so that
    this is a sigmoid and binary cross-entropy.
    """
    net = tflearn.input_data([None, FRAMES, VALUES])
    for count in units:
        net = tflearn.lstm(net, count, return_seq=True)
    for count in dense:
        net = tflearn.fully_connected(net, count, activation="relu")
    net = tflearn.fully_connected(net, classes, activation="sigmoid")
    net = tflearn.regression(net, optimizer="adam", learning_rate=0.001, loss="binary_crossentropy")
    return tflearn.DNN(net, clip_gradients=5.0)


def compare(model: tflearn.DNN, run: Path, train: Data, test: Data, epochs: int) -> None:
    """Train the script's network, then let the searched one of a run go on in its place."""
    print(f"script's network: {parameters(model):,} parameters")
    model.fit(*train, n_epoch=epochs, validation_set=test, batch_size=64, show_metric=True)
    model.load(run)
    print(f"searched network: {parameters(model):,} parameters")
    model.fit(*train, n_epoch=epochs, validation_set=test, batch_size=64, show_metric=True)


def parameters(model: tflearn.DNN) -> int:
    """Number of weights of a network."""
    return int(model.model.count_params())


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path, nargs="?", help="run directory of kerasnas search")
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()
    train, test = generated(arguments.clips), generated(arguments.clips // 4, seed=1)
    model = lstm()
    if arguments.run is not None:
        compare(model, arguments.run, train, test, arguments.epochs)
        return
    print(f"script's network: {parameters(model):,} parameters")
    model.fit(*train, n_epoch=arguments.epochs, validation_set=test, show_metric=True)


if __name__ == "__main__":
    main()
