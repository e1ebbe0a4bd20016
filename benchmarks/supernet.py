"""The resident supernet against networks taken out of it: scoring a candidate, and a fair step.

A reduced supernet of 12 choices of 6 unidirectional bottlenecks on 64 frames of 40 bins. Scoring is
compared with the forward pass of the extracted network, once that is built and traced, and with
building and evaluating it; the fair step (six paths, one update) with six training steps of
extracted networks, three of each of two of its paths, both sides' batch normalisation fused.
Medians of the processor's time on one thread; each side's measurements alternate with the other's.
Also: traces, and resident memory over the candidates.

    python benchmarks/supernet.py [--candidates 100] [--steps 5]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import psutil
import tensorflow as tf

from kerasnas.blocks.convolutional import Dense, GlobalAveragePool, Stem
from kerasnas.blocks.unidirectional import UnidirectionalBottleneck
from kerasnas.supernet.space import Choice, SupernetSpace
from kerasnas.supernet.supernet import Supernet
from kerasnas.training.examples import Examples
from kerasnas.training.fused import fused_kernels
from kerasnas.training.metrics import evaluate
from kerasnas.training.recipe import Recipe

SHAPE, CLASSES, BATCH = (64, 40, 1), 10, 32
FILTERS = (8, 8, 12, 12, 16, 16, 16, 16, 24, 24, 24, 24)
HALVED = (2, 4, 8)  # layers with strides of 2


def space() -> SupernetSpace:
    """Kernels take turns along time and frequency, as in Li et al., 2020."""
    choices = tuple(
        Choice(
            tuple(
                UnidirectionalBottleneck(
                    filters,
                    "frequency" if layer % 2 else "time",
                    kernel,
                    expansion,
                    (2, 2) if layer in HALVED else (1, 1),
                )
                for expansion in (3, 6)
                for kernel in (3, 5, 7)
            )
        )
        for layer, filters in enumerate(FILTERS)
    )
    ends = (GlobalAveragePool(), Dense(CLASSES, "softmax"))
    blocks = (Stem(8, strides=(1, 2), activation="relu6"), *choices, *ends)
    return SupernetSpace("reduced", SHAPE, blocks)


def clips(count: int) -> Examples:
    """Noise."""
    rng = np.random.default_rng(0)
    targets = np.eye(CLASSES, dtype=np.float32)[np.arange(count) % CLASSES]
    features = rng.normal(size=(count, 1, *SHAPE)).astype(np.float32)
    return Examples.of_clips(features, targets, np.arange(count))


def seconds(function: Callable[[], Any]) -> float:
    """The processor's time for one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def score(supernet: Supernet, examples: Examples, candidates: int) -> None:
    """Scoring, resident and not."""
    rng = np.random.default_rng(1)

    def random_path() -> np.ndarray:
        return rng.integers(0, supernet.space.options, supernet.space.layers)

    first = seconds(lambda: supernet.score(random_path(), examples))
    print(f"first score, tracing included: {first:.1f} s", flush=True)
    resident, alone, built = [], [], []
    for _ in range(3):
        path = random_path()
        start = time.process_time()
        model = supernet.select(path).model
        model.compile(jit_compile=False)

        def evaluated(model: keras.Model = model) -> None:
            evaluate(
                model.predict_on_batch,
                examples,
                multi_label=False,
                loss="categorical_crossentropy",
                batch_size=len(examples),
            )

        evaluated()
        built.append(time.process_time() - start)
        for _ in range(4):
            resident.append(seconds(lambda path=path: supernet.score(path, examples)))
            alone.append(seconds(evaluated))
    one, two, three = map(np.median, (resident, alone, built))
    print(
        f"scoring {len(examples)} examples: resident {1000 * one:.0f} ms, "
        f"extracted, built and traced, {1000 * two:.0f} ms ({one / two:.2f} of it), "
        f"built and evaluated {1000 * three:.0f} ms (resident is {three / one:.1f} times as fast)",
        flush=True,
    )
    few, process, memory = clips(BATCH), psutil.Process(), []
    for _ in range(candidates):
        supernet.score(random_path(), few, BATCH)
        memory.append(process.memory_info().rss / 2**20)
    print(
        f"memory after {candidates // 5} and {candidates} candidates: "
        f"{memory[candidates // 5]:.0f} and {memory[-1]:.0f} MiB",
        flush=True,
    )


def step(supernet: Supernet, examples: Examples, steps: int) -> None:
    """The fair step and six steps of extracted networks."""
    recipe, rng = Recipe(), np.random.default_rng(2)
    rows = np.arange(BATCH)
    x, y = examples.x(rows), examples.y(rows)
    paths = supernet.space.fair_paths(rng)
    start = time.process_time()
    fair, _ = supernet.fair_step(recipe)
    fair(paths, x, y)
    print(f"first fair step, tracing included: {time.process_time() - start:.1f} s", flush=True)
    trainers = []
    for path in paths[:2]:
        model = supernet.select(path).model
        trainer = keras.Model(model.inputs, model.outputs)
        trainer.compile("adam", loss="categorical_crossentropy", jit_compile=False)
        with fused_kernels(model, recipe.batch_norm_momentum):
            trainer.train_on_batch(x, y)
        trainers.append(trainer)

    def six() -> None:
        for trainer in trainers * (len(paths) // 2):
            trainer.train_on_batch(x, y)

    together, apart = [], []
    for _ in range(steps):
        together.append(seconds(lambda: fair(paths, x, y)))
        apart.append(seconds(six))
    one, two = np.median(together), np.median(apart)
    print(
        f"fair step of {len(paths)} paths, batch {BATCH}: {1000 * one:.0f} ms; as many steps of "
        f"extracted networks {1000 * two:.0f} ms ({one / two:.2f} of it)"
    )


def main() -> None:
    """Print every ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--steps", type=int, default=5)
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    supernet, examples = Supernet(space()), clips(128)
    score(supernet, examples, arguments.candidates)
    step(supernet, examples, arguments.steps)
    print(f"traces: {supernet.traces}")


if __name__ == "__main__":
    main()
