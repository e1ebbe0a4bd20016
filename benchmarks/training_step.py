"""Training step of model B: kerasnas, stock Keras 3 and PyTorch, side by side in one run.

    python benchmarks/training_step.py [--torch-python PYTHON] [--rounds 4]

Each contestant runs in a process of its own, one after another (each holds several GB), and all of
them again in every round, so that whatever else the machine does hits all alike; once with the
allocator as it comes, and once with the settings that kerasnas gives the workers in which it trains
(`search` and `train` do so in workers only). One that ends early is named and left out.

The network is Wu & Lee's model B at 128x128x2, batch 32, trained with Adam; kerasnas goes through
`fit` with mixup and masks, the others see one batch again and again. Stock Keras runs without XLA,
which is slower on a CPU. PyTorch runs channels last in float32, in any Python that can import
torch: it need not be the one that has kerasnas. Processor time (of all threads) is printed beside
the rate: it says the same on a machine that does other work as well.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

SHAPE, CLASSES, BATCH, STEPS = (128, 128, 2), 3, 32, 2
NAMES = ("kerasnas", "stock Keras 3", "PyTorch")
MEASUREMENTS = 3
"""Measurements of a process, after one that includes tracing."""
WORKER = ", as a worker"


def main() -> None:
    """Measure one contestant after another, and print samples per second and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--torch-python", default=sys.executable, help="a Python with torch")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--serve", choices=NAMES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        {"kerasnas": _kerasnas, "stock Keras 3": _stock, "PyTorch": _torch}[arguments.serve]()
        return
    from kerasnas.tuners.runners.environment import ALLOCATOR  # the Python with torch may lack it

    rates: dict[str, list[tuple[float, float]]] = {
        name: [] for name in [*NAMES, *(name + WORKER for name in NAMES)]
    }
    for _ in range(arguments.rounds):
        for name in [*rates]:
            contestant = name.removesuffix(WORKER)
            python = arguments.torch_python if contestant == "PyTorch" else sys.executable
            tuned = {"GLIBC_TUNABLES": ALLOCATOR} if name.endswith(WORKER) else {}
            command = [python, __file__, "--serve", contestant]
            measured, end = measure(command, tuned)
            if measured is None:
                print(f"{name} is left out: {end}")
                del rates[name]
            else:
                rates[name].append(measured)
    if not rates:
        raise SystemExit("no contestant ran to its end")
    own = [name for name in ("kerasnas", "kerasnas" + WORKER) if name in rates]
    print(f"{'median of rounds':24}samples/s  CPU s/sample  " + "  ".join(f"{n} is" for n in own))
    for name, measured in rates.items():
        rate, cost = (statistics.median(values) for values in zip(*measured, strict=True))
        faster = [
            statistics.median(a[0] / b[0] for a, b in zip(rates[ours], measured, strict=True))
            for ours in own
        ]
        ratios = "  ".join(f"{ratio:.2f}x as fast" for ratio in faster)
        print(f"{name:24}{rate:9.1f}{cost:14.3f}  {ratios}")


def measure(
    command: Sequence[str], environment: Mapping[str, str]
) -> tuple[tuple[float, float] | None, str]:
    """Return samples per second and processor seconds per sample of a contestant, and how it ended.

    The first measurement of the process includes tracing; the median of the others counts, and is
    None when it ends before it has made them.
    """
    with tempfile.TemporaryFile("w+") as errors:
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            check=False,
        )
        errors.seek(0)
        last = (errors.read().strip().splitlines() or ["no message"])[-1]
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("rate ")]
    if done.returncode or len(lines) <= MEASUREMENTS:
        return None, f"it ended with code {done.returncode} ({last})"
    rates = [(float(rate), float(cost)) for _, rate, cost in lines[1:]]
    rate, cost = (statistics.median(values) for values in zip(*rates, strict=True))
    return (rate, cost), ""


class _Clock:
    """Wall and processor time since it was started."""

    def __init__(self) -> None:
        self._start = time.perf_counter(), time.process_time()

    def tell(self) -> None:
        """Print the rate and cost of the samples of one round."""
        samples = STEPS * BATCH
        wall, processor = time.perf_counter() - self._start[0], time.process_time() - self._start[1]
        print("rate", samples / wall, processor / samples, flush=True)


def _serve(steps: Callable[[], Any]) -> None:
    """Print the rate of a first round, and of those that count."""
    for _ in range(1 + MEASUREMENTS):
        clock = _Clock()
        steps()
        clock.tell()


def _data() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(BATCH * STEPS, *SHAPE)).astype(np.float32)
    return x, np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, len(x))]


def _model_b() -> Any:
    from kerasnas.models.wu_lee import WuLeeSpace

    space = WuLeeSpace(SHAPE, CLASSES, "softmax")
    return space.reference("model_b").build()


def _kerasnas() -> None:
    from kerasnas.training.examples import Examples
    from kerasnas.training.fit import fit
    from kerasnas.training.recipe import Augmentation, Masks, Recipe

    x, y = _data()
    masks = Masks(count=1)
    augmentation = Augmentation(mixup="uniform", time_masks=masks, frequency_masks=masks)
    recipe = Recipe(epochs=1 + MEASUREMENTS, batch_size=BATCH, augmentation=augmentation)
    clock = _Clock()

    def on_epoch(_: int, __: Any) -> bool:
        nonlocal clock
        clock.tell()
        clock = _Clock()
        return True

    examples = Examples.of_clips(x[:, None], y, np.arange(len(x)))
    fit(_model_b(), examples, recipe, on_epoch=on_epoch)


def _stock() -> None:
    import keras

    x, y = _data()
    model = _model_b()
    model.compile(keras.optimizers.Adam(), "categorical_crossentropy", jit_compile=False)

    def steps() -> None:
        for step in range(STEPS):
            rows = slice(step * BATCH, (step + 1) * BATCH)
            model.train_on_batch(x[rows], y[rows])

    _serve(steps)


def _torch() -> None:
    import torch
    from torch import nn

    def normalised(*layers: nn.Module) -> list[nn.Module]:
        return [*layers, nn.BatchNorm2d(layers[-1].out_channels)]

    def convolution(inputs: int, outputs: int) -> list[nn.Module]:
        return normalised(nn.Conv2d(inputs, outputs, 1, bias=False))

    def depthwise(width: int, kernel: int) -> list[nn.Module]:
        padding = kernel // 2
        return normalised(
            nn.Conv2d(width, width, kernel, padding=padding, groups=width, bias=False)
        )

    def separable(width: int, kernel: int) -> nn.Module:
        return nn.Sequential(
            *depthwise(width, kernel), nn.SiLU(), *convolution(width, width), nn.SiLU()
        )

    class Inverted(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            wide = 3 * width
            self.body = nn.Sequential(
                *convolution(width, wide),
                nn.SiLU(),
                *depthwise(wide, 3),
                nn.SiLU(),
                *convolution(wide, width),
            )

        def forward(self, x: Any) -> Any:
            return x + self.body(x)

    width = 64
    model = nn.Sequential(
        *normalised(nn.Conv2d(SHAPE[2], width, 3, padding=1, bias=False)),
        nn.SiLU(),
        *(Inverted(width), nn.AvgPool2d(2)),
        *(separable(width, 3), nn.AvgPool2d(2)),
        *(separable(width, 5), separable(width, 3), nn.AvgPool2d(2)),
        *(Inverted(width), separable(width, 3), nn.AvgPool2d(2)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, CLASSES)),
    ).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters())
    numpy_x, numpy_y = _data()
    x = torch.from_numpy(numpy_x).permute(0, 3, 1, 2)  # channels last in memory already
    y = torch.from_numpy(numpy_y)

    def steps() -> None:
        for step in range(STEPS):
            rows = slice(step * BATCH, (step + 1) * BATCH)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()

    _serve(steps)


if __name__ == "__main__":
    main()
