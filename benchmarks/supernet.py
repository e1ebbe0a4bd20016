"""The resident supernet against networks taken out of it: scoring a candidate, and a fair step.

A reduced supernet of 12 choices of 6 unidirectional bottlenecks on 64 frames of 40 bins. Scoring is
compared with the forward pass of the extracted network, once that is built and traced, and with
building and evaluating it; the fair step (six paths, one update) with six training steps of
extracted networks, three of each of two paths that mirror one another, so that they cost what the
six do on average; both sides' batch normalisation fused. Every ratio is the median over rounds, in
each of which both sides are measured once, by the clock and by the processor's time on one thread.
Also: traces, resident memory over the candidates, and the most that a fair step adds to it, beside
a training step of an extracted network.

    python benchmarks/supernet.py [--only score|step|memory] [--candidates 100] [--rounds 5]

For `memory` set MALLOC_MMAP_THRESHOLD_=65536, so that what is freed is given back at once.
On a free core `score` takes half a minute, `step` and `memory` a minute each, most of it tracing.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any, NamedTuple

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
from kerasnas.training.recipe import Recipe
from kerasnas.training.scoring.metrics import evaluate

SHAPE, CLASSES, BATCH = (64, 40, 1), 10, 32
WIDE = 128  # a batch whose activations are most of what a step holds
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


class Times(NamedTuple):
    """Seconds of one call, by the clock and of the processor."""

    clock: float
    processor: float


def timed(function: Callable[[], Any]) -> Times:
    """How long one call takes."""
    clock, processor = time.perf_counter(), time.process_time()
    function()
    return Times(time.perf_counter() - clock, time.process_time() - processor)


def report(what: str, ours: list[Times], peer: list[Times]) -> None:
    """Print the medians of rounds, and that of the rounds' ratios."""
    cells = []
    for kind in Times._fields:
        pairs = [(getattr(a, kind), getattr(b, kind)) for a, b in zip(ours, peer, strict=True)]
        own, other = (1000 * median(column) for column in zip(*pairs, strict=True))
        ratio = median(a / b for a, b in pairs)
        cells.append(f"{kind} {own:.1f} and {other:.1f} ms, ratio {ratio:.2f}")
    print(f"{what}: {'; '.join(cells)}", flush=True)


def score(supernet: Supernet, candidates: int, rounds: int) -> None:
    """Scoring, resident and not."""
    rng = np.random.default_rng(1)

    def random_path() -> np.ndarray:
        return rng.integers(0, supernet.space.options, supernet.space.layers)

    examples = clips(128)
    first = timed(lambda: supernet.score(random_path(), examples))
    print(f"first score, tracing included: {first.processor:.1f} s", flush=True)
    for size in (BATCH, len(examples)):
        resident, alone, again, built = [], [], [], []
        for _ in range(2):
            path = random_path()
            evaluated: Callable[[], Any] | None = None

            def build(path: np.ndarray = path, size: int = size) -> None:
                nonlocal evaluated
                model = supernet.select(path).model
                model.compile(jit_compile=False)
                evaluated = partial(
                    evaluate,
                    model.predict_on_batch,
                    examples,
                    multi_label=False,
                    loss="categorical_crossentropy",
                    batch_size=size,
                )
                evaluated()

            built.append(timed(build))
            assert evaluated is not None
            scored = partial(supernet.score, path, examples, size)
            again.append(timed(scored))
            for _ in range(rounds):
                resident.append(timed(scored))
                alone.append(timed(evaluated))
        named = f"{len(examples)} examples, {size} at a time"
        report(f"scoring {named}, and by the extracted network, built and traced", resident, alone)
        report(f"building, tracing and scoring by {named}, and scoring", built, again)
    few, process, memory = clips(BATCH), psutil.Process(), []
    for _ in range(candidates):
        supernet.score(random_path(), few, BATCH)
        memory.append(process.memory_info().rss / 2**20)
    print(
        f"memory after {candidates // 5} and {candidates} candidates: "
        f"{memory[candidates // 5]:.0f} and {memory[-1]:.0f} MiB",
        flush=True,
    )


def step(supernet: Supernet, rounds: int) -> None:
    """Time the fair step and six steps of extracted networks."""
    recipe, rng, examples, rows = Recipe(), np.random.default_rng(2), clips(BATCH), np.arange(BATCH)
    x, y = examples.x(rows), examples.y(rows)
    paths = supernet.space.fair_paths(rng)
    fair, _ = supernet.fair_step(recipe)
    first = timed(lambda: fair(paths, x, y))
    print(f"first fair step, tracing included: {first.processor:.1f} s", flush=True)
    trainers = []
    for path in (paths[0], supernet.space.options - 1 - paths[0]):
        model = supernet.select(path).model
        trainer = keras.Model(model.inputs, model.outputs)
        trainer.compile("adam", loss="categorical_crossentropy", jit_compile=False)
        with fused_kernels(model, recipe.batch_norm_momentum):
            first = timed(lambda trainer=trainer: trainer.train_on_batch(x, y))
        print(f"first step of an extracted network: {first.processor:.1f} s", flush=True)
        trainers.append(trainer)

    def six() -> None:
        for trainer in trainers * (len(paths) // 2):
            trainer.train_on_batch(x, y)

    together, apart = [], []
    for _ in range(rounds):
        together.append(timed(lambda: fair(paths, x, y)))
        apart.append(timed(six))
    report(
        f"fair step of {len(paths)} paths, batch {BATCH}, and as many steps of extracted networks",
        together,
        apart,
    )


def peak(function: Callable[[], Any]) -> float:
    """Return the most that a call adds to resident memory, in MiB, looked at every millisecond."""
    process, ended, most = psutil.Process(), threading.Event(), 0

    def watch() -> None:
        nonlocal most
        while not ended.wait(0.001):
            most = max(most, process.memory_info().rss)

    before, watcher = process.memory_info().rss, threading.Thread(target=watch)
    watcher.start()
    function()
    ended.set()
    watcher.join()
    return (most - before) / 2**20


def memory(supernet: Supernet, rounds: int) -> None:
    """Print what a fair step of six of the dearest paths holds at most, and a step of one."""
    recipe, examples, rows = Recipe(), clips(WIDE), np.arange(WIDE)
    x, y = tf.constant(examples.x(rows)), tf.constant(examples.y(rows))
    dearest = np.full(supernet.space.layers, supernet.space.options - 1, np.int32)
    paths = np.stack([dearest] * supernet.space.options)
    fair, _ = supernet.fair_step(recipe)
    model = supernet.select(dearest).model
    trainer = keras.Model(model.inputs, model.outputs)
    trainer.compile("adam", loss="categorical_crossentropy", jit_compile=False)
    with fused_kernels(model, recipe.batch_norm_momentum):
        trainer.train_on_batch(x[:1], y[:1])
    steps = {
        "the fair step of six paths": lambda: fair(paths, x, y),
        "a training step of the extracted network": lambda: trainer.train_on_batch(x, y),
    }
    for name, function in steps.items():
        function()  # traced, and the optimiser's variables are there
        most = [peak(function) for _ in range(rounds)]
        print(f"{name}, batch {WIDE}: at most {median(most):.0f} MiB more", flush=True)


def main() -> None:
    """Print every ratio."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=("score", "step", "memory"), help="all by default")
    parser.add_argument("--candidates", type=int, default=100, help="whose memory is watched")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    supernet = Supernet(space())
    if arguments.only in (None, "score"):
        score(supernet, arguments.candidates, arguments.rounds)
    if arguments.only in (None, "step"):
        step(supernet, arguments.rounds)
    if arguments.only in (None, "memory"):
        memory(supernet, arguments.rounds)
    print(f"traces: {supernet.traces}")


if __name__ == "__main__":
    main()
