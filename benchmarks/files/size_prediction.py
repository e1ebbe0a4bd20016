"""Predicted bytes of TFLite files against the files, over random networks of a search space.

    python benchmarks/files/size_prediction.py [--space wu_lee] [--count 30] [--seed SEED]
    python benchmarks/files/size_prediction.py --constants [--seed SEED]

Networks are drawn as the search draws them, every choice equally probable, with random weights,
and without the size window, so that very small and very large ones are among them. The input is
small, which changes no size. Then: the time of a size check, from genes to bytes, nothing built.

With `--constants`: networks of one operation, or of one or two recurrent layers, each of which
brings one more constant of `kerasnas.export.network.size` or `loop_size` into a file. Where a new
converter writes other tables, the difference in a network's row is what its constant is off.
"""

import argparse
import os
import secrets
import time
from collections.abc import Mapping
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
from random_weights import randomize

from kerasnas.export import from_keras
from kerasnas.export.convert.program import convert
from kerasnas.export.network.size import predict_bytes
from kerasnas.models.li import LiSpace
from kerasnas.models.liu_zhang import LiuZhangSpace
from kerasnas.models.nasc import NascSettings, NascSpace, Stage
from kerasnas.models.space import SearchSpace
from kerasnas.models.wu_lee import WuLeeSettings, WuLeeSpace

FORMS = ("float16", "full_int8")
REDUCED = NascSettings(
    stages=(
        Stage(filters=16, layers=2, strides=(2, 2)),
        Stage(filters=24, layers=2, strides=(1, 2)),
        Stage(filters=32, layers=2),
    ),
    frequency_filters=32,
    recurrent_units=32,
    dense_units=32,
)
SPACES: dict[str, SearchSpace] = {
    "li": LiSpace((10, 128), 10),
    "liu_zhang": LiuZhangSpace((16, 64, 1), 7, output="sigmoid"),
    "nasc": NascSpace((16, 64, 1), 3, "softmax", REDUCED),
    "wu_lee": WuLeeSpace((16, 64, 1), 10),  # four poolings leave one frame
    "wu_lee with statistics": WuLeeSpace(
        (16, 64, 1), 10, settings=WuLeeSettings(pooling="statistics")
    ),
    "wu_lee with texture": WuLeeSpace((16, 64, 1), 10, settings=WuLeeSettings(texture=True)),
}


def sample(space: SearchSpace, rng: np.random.Generator) -> Mapping[str, Any]:
    """One value for every gene."""
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    space.define(hp)
    return {gene.name: gene.random_sample(int(rng.integers(2**31))) for gene in hp.space}


def milliseconds(space: SearchSpace, candidates: list[Mapping[str, Any]]) -> np.ndarray:
    """Best of several size checks of each candidate."""
    best = []
    for values in candidates:
        seconds = []
        for _ in range(20):
            start = time.perf_counter()
            space.architecture(values).size("int8_file")
            seconds.append(time.perf_counter() - start)
        best.append(min(seconds) * 1000)
    return np.array(best)


def operations() -> dict[str, Any]:
    """Layers of `(8, 8, 4)`, one for each table of options or constants that a file can have."""
    from keras import layers

    def both(merge: Any) -> Any:
        return lambda x: merge([x, layers.Activation("tanh")(x)])

    return {
        "tanh": layers.Activation("tanh"),
        "convolution": layers.Conv2D(6, 3),
        "depthwise convolution": layers.DepthwiseConv2D(3),
        "dense": layers.Dense(6),
        "average pooling": layers.AveragePooling2D(2),
        "maximum pooling": layers.MaxPooling2D(2),
        "mean": layers.GlobalAveragePooling2D(),
        "reshape": layers.Reshape((8, 32)),
        "softmax": layers.Softmax(),
        "swish": layers.Activation("silu"),
        "tanh, added": both(layers.Add()),
        "tanh, multiplied": both(layers.Multiply()),
        "tanh, concatenated": both(layers.Concatenate()),
        "batch normalisation": layers.BatchNormalization(),
        "input normalisation": layers.Normalization(axis=-1),
    }


def loops() -> dict[str, Any]:
    """Recurrent layers of `(20, 8)`: one, one more alike or not, both directions, both kinds."""
    from keras import layers

    found: dict[str, Any] = {}
    for kind in (layers.GRU, layers.LSTM):
        name = kind.__name__

        def layer(units: int, sequences: bool = True, kind: Any = kind) -> Any:
            return kind(units, return_sequences=sequences)

        found |= {
            f"{name} (common + first)": [layer(6)],
            f"{name}, last frame": [layer(6, False)],
            f"{name}, one more (another - alike)": [layer(6), layer(6)],
            f"{name}, one more of other units (another)": [layer(6), layer(7)],
            f"{name}, backward": [layers.Bidirectional(layer(6))],
            f"{name}, last frame, backward": [layers.Bidirectional(layer(6, False))],
            f"{name}, backward, one more": [layers.Bidirectional(layer(n)) for n in (6, 7)],
        }
    found["GRU reset before"] = [layers.GRU(6, reset_after=False, return_sequences=True)]
    found["GRU and LSTM"] = [
        layers.GRU(6, return_sequences=True),
        layers.LSTM(7, return_sequences=True),
    ]
    return found


def print_constants(rng: np.random.Generator) -> None:
    """Print measured and predicted bytes of networks that each bring in one constant."""
    import keras

    forms = ("float32", *FORMS)
    print(f"{'':>45}" + "".join(f"{form:>12}{'predicted':>12}{'off':>6}" for form in forms))
    networks = {name: ((8, 8, 4), [layer]) for name, layer in operations().items()}
    networks |= {name: ((20, 8), layers) for name, layers in loops().items()}
    for name, (shape, layers) in networks.items():
        x = inputs = keras.Input(shape)
        for layer in layers:
            x = layer(x)
        model = keras.Model(inputs, x)
        randomize(model, rng)
        examples = rng.normal(size=(2, *shape)).astype(np.float32)
        row = f"{name:>45}"
        for form in forms:
            real = len(convert(model, form, examples).content)
            predicted = predict_bytes(from_keras(model), form)
            row += f"{real:>12,}{predicted:>12,}{predicted - real:>6}"
        print(row, flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", choices=SPACES, default="wu_lee")
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--constants", action="store_true", help="networks of one operation")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    rng = np.random.default_rng(arguments.seed)
    if arguments.constants:
        print_constants(rng)
        return
    space = SPACES[arguments.space]
    worst = dict.fromkeys(FORMS, 0.0)
    candidates = [sample(space, rng) for _ in range(arguments.count)]
    print(f"{'parameters':>12}" + "".join(f"{form:>12}{'predicted':>12}{'%':>8}" for form in FORMS))
    for values in candidates:
        architecture = space.architecture(values)
        model = architecture.build()
        randomize(model, rng)
        examples = rng.normal(size=(1, *space.input_shape)).astype(np.float32)
        row = f"{model.count_params():>12,}"
        for form in FORMS:
            real = len(convert(model, form, examples).content)
            predicted = predict_bytes(architecture.ops, form)
            error = 100 * (predicted / real - 1)
            worst[form] = max(worst[form], abs(error))
            row += f"{real:>12,}{predicted:>12,}{error:>8.3f}"
        print(row, flush=True)
    print("worst error: " + ", ".join(f"{form} {worst[form]:.3f} %" for form in FORMS))
    check = milliseconds(space, candidates)
    print(f"size check: median {np.median(check):.3f} ms, slowest {check.max():.3f} ms")


if __name__ == "__main__":
    main()
