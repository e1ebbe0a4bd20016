"""Predicted bytes of TFLite files against the files, over random networks of a search space.

    python benchmarks/size_prediction.py [--space wu_lee] [--count 30] [--seed SEED]

Networks are drawn as the search draws them, every choice equally probable, with random weights,
and without the size window, so that very small and very large ones are among them. The input is
small, which changes no size. Then: the time of a size check, from genes to bytes, nothing built.
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


def randomize(model: Any, rng: np.random.Generator) -> None:
    """Draw statistics and biases in place, as training would move them; kernels stay as they are.

    A new network's are zeros and ones, and a file holds constants of the same bytes once.
    """
    for weight in model.weights:
        if weight.name in ("gamma", "variance", "moving_variance"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif weight.name in ("bias", "beta", "mean", "moving_mean"):
            weight.assign(rng.normal(0, 0.3, weight.shape))
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):  # Normalization
            layer.finalize_state()


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


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", choices=SPACES, default="wu_lee")
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    rng = np.random.default_rng(arguments.seed)
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
