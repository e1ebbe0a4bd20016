"""Ten epochs of Li's taggers: kerasnas, stock Keras 3 and PyTorch, side by side in one run.

    python benchmarks/taggers.py [--torch-python PYTHON] [--clips 640] [--networks lstm,gcnn]

As in the report's figure 3: batches of 64, Adam at 0.001, binary cross-entropy, clips of 10 x 128
and 527 labels, the networks of `kerasnas.models.li`. The report counts 22 160 clips; ratios need
fewer. For each network, contestants run in processes of their own and take turns. The first epoch,
with tracing, is left out. kerasnas goes through `fit`; stock Keras through `Model.fit` with the
same layers, without XLA, which is slower on a CPU; PyTorch is written with its own layers, and need
not be in the Python that has kerasnas.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

FRAMES, VALUES, CLASSES, BATCH, EPOCHS = 10, 128, 527, 64, 10
NETWORKS = ("lstm", "gcnn", "fc1", "fc2")
CONTESTANTS = ("kerasnas", "stock Keras 3", "PyTorch")


def main() -> None:
    """Measure in turns; print seconds and ratios for every network."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--torch-python", default=sys.executable, help="a Python with torch")
    parser.add_argument("--clips", type=int, default=640)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--serve", choices=CONTESTANTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve = {"kerasnas": _kerasnas, "stock Keras 3": _stock, "PyTorch": _torch}
        serve[arguments.serve](arguments.networks, arguments.clips)
        return
    print(
        f"{EPOCHS} epochs of {arguments.clips} clips, median (range) of {arguments.rounds} rounds"
    )
    print(f"{'':8}{'':16}{'seconds':20}kerasnas is, round by round")
    for network in arguments.networks.split(","):
        found = _measure(network, arguments)
        ours = found.get("kerasnas")
        for name, seconds in found.items():
            ratio = ""
            if ours is not None and name != "kerasnas":
                pairs = zip(seconds, ours, strict=True)
                ratio = f"{_spread([a / b for a, b in pairs])} times as fast"
            print(f"{network:8}{name:16}{_spread(seconds):20}{ratio}", flush=True)


def _spread(values: list[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def _measure(network: str, arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds of each round, by contestant; without those that do not start."""
    processes = {}
    for name in CONTESTANTS:
        python = arguments.torch_python if name == "PyTorch" else sys.executable
        process = subprocess.Popen(
            [
                *(python, __file__, "--serve", name, "--networks", network),
                *("--clips", str(arguments.clips)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        if _answer(process) is None:
            print(f"{name} did not start in {python} and is left out")
        else:
            processes[name] = process
    seconds: dict[str, list[float]] = {name: [] for name in processes}
    for _ in range(arguments.rounds):
        for name, process in processes.items():
            print("go", file=process.stdin, flush=True)
            seconds[name].append(_answer(process) or float("nan"))
    for process in processes.values():
        process.kill()
        process.wait()
    return seconds


def _answer(process: Any) -> float | None:
    """Seconds that a process tells; 0 when it says that it is ready; None when it has died."""
    for line in process.stdout:
        if line.startswith("seconds "):
            return float(line.split()[1])
    return None


def _serve(epochs: Callable[[int], Any]) -> None:
    """Run one epoch, then ten for every line on standard input."""
    epochs(1)
    print("seconds 0", flush=True)
    while sys.stdin.readline():
        start = time.perf_counter()
        epochs(EPOCHS)
        print("seconds", time.perf_counter() - start, flush=True)


def _data(clips: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    x = rng.random((clips, FRAMES, VALUES), np.float32)
    return x, (rng.random((clips, CLASSES)) < 0.004).astype(np.float32)


def _model(network: str) -> Any:
    from kerasnas.models.li import LiSpace

    return LiSpace((FRAMES, VALUES), CLASSES, "sigmoid").reference(network).build()


def _kerasnas(network: str, clips: int) -> None:
    from kerasnas.training.examples import Examples
    from kerasnas.training.fit import fit
    from kerasnas.training.recipe import Recipe

    x, y = _data(clips)
    start = time.perf_counter()

    def on_epoch(epoch: int, _: Any) -> bool:
        nonlocal start
        if epoch % EPOCHS != 1:
            return True
        print("seconds", 0 if epoch == 1 else time.perf_counter() - start, flush=True)
        go_on = bool(sys.stdin.readline())
        start = time.perf_counter()
        return go_on

    examples = Examples.of_clips(x[:, None], y, np.arange(clips))
    recipe = Recipe(epochs=10**6, batch_size=BATCH, learning_rate=0.001)
    fit(_model(network), examples, recipe, on_epoch=on_epoch)


def _stock(network: str, clips: int) -> None:
    import keras

    x, y = _data(clips)
    model = _model(network)
    model.compile(keras.optimizers.Adam(0.001), "binary_crossentropy", jit_compile=False)
    _serve(lambda epochs: model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0))


def _torch(network: str, clips: int) -> None:
    import torch
    from torch import nn

    class Recurrent(nn.Module):
        """Recurrent layers without the state that they also return."""

        def __init__(self, kind: Any, inputs: int, *units: int, bidirectional: bool = False):
            super().__init__()
            sizes = [inputs, *units]
            self.layers = nn.ModuleList(
                kind(a, b, batch_first=True, bidirectional=bidirectional)
                for a, b in zip(sizes, units, strict=False)
            )

        def forward(self, x: Any) -> Any:
            for layer in self.layers:
                x = layer(x)[0]
            return x

    class Same(nn.Module):
        """A convolution of 2 x 2 that keeps the shape."""

        def __init__(self, inputs: int, filters: int):
            super().__init__()
            self.convolution = nn.Conv2d(inputs, filters, 2)

        def forward(self, x: Any) -> Any:
            return self.convolution(nn.functional.pad(x, (0, 1, 0, 1)))

    class Gated(nn.Module):
        def __init__(self, linear: nn.Module, gate: nn.Module):
            super().__init__()
            self.linear, self.gate = linear, gate

        def forward(self, x: Any) -> Any:
            return self.linear(x) * torch.sigmoid(self.gate(x))

    class GatedNetwork(nn.Module):
        def __init__(self) -> None:
            super().__init__()

            def branch(inputs: int) -> nn.Module:
                return nn.Sequential(Same(inputs, 64), nn.BatchNorm2d(64))

            def pooled(inputs: int, size: int) -> list[nn.Module]:
                return [Same(inputs, 256), nn.ReLU(), nn.MaxPool2d((size, 1))]

            def gru() -> nn.Module:
                return Recurrent(nn.GRU, 256, 128, bidirectional=True)

            self.convolutions = nn.Sequential(
                Gated(branch(1), branch(1)),
                Gated(branch(64), branch(64)),
                *(*pooled(64, 2), *pooled(256, FRAMES // 2)),
            )
            self.recurrent = Gated(gru(), gru())
            self.tags, self.attention = nn.Linear(256, CLASSES), nn.Linear(256, CLASSES)

        def forward(self, x: Any) -> Any:
            x = self.convolutions(x[:, None])[:, :, 0].transpose(1, 2)
            x = self.recurrent(x)
            weights = torch.softmax(self.attention(x), dim=2)
            return (torch.sigmoid(self.tags(x)) * weights).sum(dim=1) / weights.sum(dim=1)

    def dense(*sizes: int) -> list[nn.Module]:
        layers: list[nn.Module] = [nn.Flatten()]
        for a, b in pairwise(sizes):
            layers += [nn.Linear(a, b), nn.ReLU()]
        return [*layers[:-1], nn.Sigmoid()]

    flat = FRAMES * VALUES
    model: Any = {
        "lstm": lambda: nn.Sequential(
            Recurrent(nn.LSTM, VALUES, 512, 256, 128), *dense(FRAMES * 128, 2048, 1024, CLASSES)
        ),
        "gcnn": GatedNetwork,
        "fc1": lambda: nn.Sequential(*dense(flat, CLASSES)),
        "fc2": lambda: nn.Sequential(*dense(flat, 1024, CLASSES)),
    }[network]()
    optimizer = torch.optim.Adam(model.parameters(), 0.001)
    x, y = (torch.from_numpy(array) for array in _data(clips))

    def epochs(count: int) -> None:
        for _ in range(count):
            order = torch.randperm(len(x))
            for start in range(0, len(x), BATCH):
                rows = order[start : start + BATCH]
                optimizer.zero_grad()
                scores = model(x[rows]).clamp(0, 1)
                nn.functional.binary_cross_entropy(scores, y[rows]).backward()
                optimizer.step()

    _serve(epochs)


if __name__ == "__main__":
    main()
