"""What is in a file: its front end, its blocks, and what each cut of its trunk costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasnas.blocks.block import Block
from kerasnas.blocks.convolutional import Dense, Pool
from kerasnas.blocks.trunk import Activation, Branches, Convolution, Depthwise, Separable
from kerasnas.errors import KerasnasError
from kerasnas.export.network.ops import Shape
from kerasnas.models.pretrained.file import PretrainedFile, read


@dataclass(frozen=True)
class Cut:
    """A trunk that ends behind a block.

    Attributes:
        number: Of the block, from 1.
        tensor: Of the file, which has its output; -1 where the file has none.
        output_shape: `(frames, bins, channels)`.
        weights: Scalars in its weights.
        macs: Multiply-accumulates for one example.
        int8_bytes: Predicted bytes of the trunk alone as a full-integer file.
    """

    number: int
    tensor: int
    output_shape: Shape
    weights: int
    macs: int
    int8_bytes: int


@dataclass(frozen=True)
class Inspection:
    """A file, read.

    Attributes:
        file: All of it.
        input_shape: That the costs are for.
        blocks: In words, one after the other.
        cuts: Every place where the trunk can end.
    """

    file: PretrainedFile
    input_shape: Shape
    blocks: tuple[str, ...]
    cuts: tuple[Cut, ...]

    def front_end(self) -> dict[str, Any]:
        """Return what the file does to a waveform, by name; nothing of one that takes none."""
        found = self.file.front_end
        if found is None:
            return {}
        support = np.flatnonzero(found.window)
        return {
            "samples": found.samples,
            "sample_rate": found.sample_rate,
            "n_fft": len(found.window),
            "window_samples": int(support[-1] - support[0] + 1),
            "hop_length": found.hop_length,
            "frames": found.frames,
            "power": found.power,
            "filters": len(found.filters),
            "log_offset": found.offset,
            "amin": found.amin,
        }

    @property
    def seconds(self) -> float | None:
        """Of sound that the costs are for; None where the file does not say."""
        found = self.file.front_end
        if found is None or not found.sample_rate:
            return None
        return self.input_shape[0] * found.hop_length / found.sample_rate

    def to_json(self) -> dict[str, Any]:
        """Return everything but the weights."""
        metadata = self.file.metadata
        return {
            "file": str(self.file.path),
            "sha256": self.file.sha256,
            "name": metadata.name,
            "description": metadata.description,
            "licence": metadata.licence,
            "labels": list(metadata.labels),
            "front_end": self.front_end(),
            "input_shape": list(self.input_shape),
            "seconds": self.seconds,
            "blocks": [block.to_json() for block in self.file.trunk.blocks],
            "cuts": [{**vars(cut), "output_shape": list(cut.output_shape)} for cut in self.cuts],
        }

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield what the file is, as pairs of a word and its value."""
        metadata, found = self.file.metadata, self.front_end()
        yield "file", f"{self.file.path} ({self.file.path.stat().st_size:,} bytes)"
        yield "SHA-256", self.file.sha256
        yield "name", metadata.name or "not given"
        yield "licence", metadata.licence or "not given in the file: see the page it comes from"
        yield "labels", _listed(metadata.labels) if metadata.labels else "none in the file"
        if found:
            rate = found["sample_rate"]
            yield (
                "takes",
                f"{found['samples']:,} samples at {f'{rate:,} Hz' if rate else 'an unsaid rate'}",
            )
            floor = f"+ {found['log_offset']:g}" if found["log_offset"] else ""
            power = "magnitudes" if found["power"] == 1 else "powers"
            yield (
                "front end",
                f"{found['frames']} frames, {found['hop_length']} samples apart, window of "
                f"{found['window_samples']} in a transform of {found['n_fft']}, {power}, "
                f"{found['filters']} filters, ln(x{' ' if floor else ''}{floor})",
            )
        else:
            yield "takes", f"a spectrogram of {_times(self.file.trunk.input_shape)}"

    def print(self, console: Any) -> None:
        """Print facts, blocks and cuts.

        Args:
            console: A `rich.console.Console`.
        """
        from rich.markup import escape
        from rich.table import Table

        for word, value in self.facts():
            console.print(f"[bold]{word}[/bold]: {escape(value)}", highlight=False)
        table = Table(
            title=f"Costs on {_times(self.input_shape)}; a trunk can be cut where there are some"
        )
        seconds = self.seconds
        each = ["block", "", "output", "weights", "MACs", "int8 bytes"]
        for name in (*each, *(["MACs a second"] if seconds else [])):
            table.add_column(name, justify="left" if name in ("", "output") else "right")
        by_number = {cut.number: cut for cut in self.cuts}
        shapes = self.file.trunk.on(self.input_shape).shapes if self._is_whole() else ()
        for number, text in enumerate(self.blocks, 1):
            cut = by_number.get(number)
            shape = cut.output_shape if cut else (shapes[number - 1] if shapes else ())
            costs = [f"{cost:,}" for cost in (cut.weights, cut.macs, cut.int8_bytes)] if cut else []
            if cut and seconds:
                costs.append(f"{round(cut.macs / seconds):,}")
            table.add_row(str(number), text, _times(shape), *costs)
        console.print(table)

    def _is_whole(self) -> bool:
        """Whether all blocks can be on an input of this length."""
        return self.input_shape == self.file.trunk.input_shape


def inspect(path: Path | str, frames: int | None = None) -> Inspection:
    """Read a file and count what each cut of its trunk costs.

    Args:
        path: A `.tflite` or `.keras` file.
        frames: Of an example, for its multiply-accumulates; None for those that the file takes.

    Raises:
        KerasnasError: The file cannot be read (see `file.read`), or is no trunk at any place.
    """
    file = read(path)
    bins = file.trunk.input_shape[1:]
    shape = (frames or file.trunk.input_shape[0], *bins)
    cuts = []
    for number in file.trunk.cuts:
        part = file.trunk.cut(number).on(shape)
        cost = part.architecture.cost()
        cuts.append(
            Cut(
                number,
                part.places[-1],
                part.shapes[-1],
                cost.parameters,
                cost.macs,
                cost.int8_bytes,
            )
        )
    if not cuts:
        raise KerasnasError(f"{path} has no block behind which frames and bins are left to pool")
    return Inspection(file, shape, tuple(map(described, file.trunk.blocks)), tuple(cuts))


def described(block: Block) -> str:
    """Return a block in a few words."""
    if isinstance(block, Convolution):
        return f"convolution {_times(block.kernel_size)}{_details(block)}"
    if isinstance(block, Depthwise):
        return f"depthwise {_times(block.kernel_size)}{_details(block)}"
    if isinstance(block, Separable):
        return f"{described(block.depthwise)}; pointwise{_details(block.pointwise)}"
    if isinstance(block, Pool):
        return f"{block.mode} of {_times(block.pool_size)}"
    if isinstance(block, Dense):
        return f"dense {block.units}" + _activation(block.activation)
    if isinstance(block, Activation):
        return block.function
    if isinstance(block, Branches):
        ways = [" → ".join(map(described, branch)) or "input" for branch in block.branches]
        return (" + " if block.join == "add" else " | ").join(f"({way})" for way in ways)
    return block.kind.replace("_", " ")


def _details(block: Convolution | Depthwise) -> str:
    strides = "" if block.strides == (1, 1) else f", strides {_times(block.strides)}"
    padding = "" if block.padding == "same" or block.kernel_size == (1, 1) else ", unpadded"
    return strides + padding + _activation(block.activation)


def _activation(function: str) -> str:
    return "" if function == "linear" else f", {function}"


def _times(sizes: tuple[int, ...]) -> str:
    return "×".join(map(str, sizes))


def _listed(labels: tuple[str, ...]) -> str:
    shown = ", ".join(labels[:5])
    if len(labels) > 5:
        shown += f", … ({len(labels)})"
    return f"{shown}: of its own head, which no cut keeps; networks made of it have your labels"
