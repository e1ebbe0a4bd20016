"""The chosen network, block by block and layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kerasnas.errors import KerasnasError
from kerasnas.report.html.elements import Markup, Node, figure, join, note, table, tag
from kerasnas.report.html.formats import count, kilobytes, millions
from kerasnas.report.pictures import charts
from kerasnas.report.reading import MissingError, chosen, place, required, training_of
from kerasnas.runs.records import Description, Winner
from kerasnas.runs.run import Run
from kerasnas.words import words

if TYPE_CHECKING:
    from kerasnas.blocks.architecture import Architecture, Cost
    from kerasnas.export.network.ops import Op, Shape

# Written on the line of the operation in front of them, as they change no shape.
_ATTACHED = frozenset({"batch_norm", "activation"})


@dataclass(frozen=True)
class _Line:
    """An operation with the normalisation and the activation behind it."""

    name: str
    what: str
    shape: str
    parameters: int
    macs: int


@dataclass(frozen=True)
class _Block:
    name: str
    lines: tuple[_Line, ...]

    @property
    def parameters(self) -> int:
        return sum(line.parameters for line in self.lines)

    @property
    def macs(self) -> int:
        return sum(line.macs for line in self.lines)


def section(run: Run) -> Markup:
    """Where parameters and multiply-accumulates lie, and every layer with its output."""
    winner = chosen(run)
    architecture = read_architecture(run, winner)
    blocks, cost = _blocks(architecture.ops), architecture.cost()
    computing = [block for block in blocks if block.parameters or block.macs]
    picture = charts.costs_by_block(
        [block.name for block in computing],
        [block.parameters for block in computing],
        [block.macs for block in computing],
    )
    return join(
        [
            figure(picture, "Share of the network's parameters and multiply-accumulates by block."),
            table(
                f"Layers of trial {winner.trial}",
                ["layer", "operation", "output", "parameters", "multiply-accumulates"],
                [*_rows(blocks), ["whole", "", "", count(cost.parameters), millions(cost.macs)]],
                text_columns=(0, 1, 2),
                marked=[sum(1 for _ in _rows(blocks))],
            ),
            note(
                "Outputs are frames × bins × channels, or channels. Multiply-accumulates are "
                "counted once, for one segment. Predicted files: "
                f"{kilobytes(cost.float32_bytes)} float32, {kilobytes(cost.float16_bytes)} "
                f"float16, {kilobytes(cost.int8_bytes)} int8; at most "
                f"{kilobytes(cost.peak_activation_bytes)} of int8 activations at once."
                f"{per_second(run, cost)}"
            ),
        ]
    )


def per_second(run: Run, cost: Cost) -> str:
    """Say what a second of sound costs; nothing of features that are no frames of sound."""
    features: Mapping[str, Any] = run.settings.get("features") or {}
    frames = features.get("segment_frames")
    if frames is not None:
        seconds = frames * features["hop_length"] / features["sample_rate"]
    else:
        seconds = features.get("seconds") or 0.0
    if not seconds:
        return ""
    return (
        f" A second of sound costs {millions(round(cost.macs / seconds))} multiply-accumulates, "
        "clip after clip or step by step; on clips that begin every quarter of a clip, as "
        "kerasnas listen takes them, four times that."
    )


def read_architecture(run: Run, winner: Winner) -> Architecture:
    """Return the network of a trial that was trained again.

    Raises:
        MissingError: It is not described, or cannot be drawn.
    """
    from kerasnas.blocks.architecture import Architecture

    path = training_of(run, winner).description
    name = place(run, path)
    described = required(run, Description, path, f"There is no {name}.")
    try:
        architecture = Architecture.from_json(described.architecture)
        architecture.cost()
        return architecture
    except KerasnasError as error:
        raise MissingError(f"{name} cannot be drawn: {error}.") from None


def layers(architecture: Architecture) -> Iterator[tuple[str, str, str, int, int]]:
    """Name, operation, output shape, parameters and multiply-accumulates of each layer.

    Normalisation and activation are part of the operation that they follow.
    """
    for block in _blocks(architecture.ops):
        for line in block.lines:
            name = block.name if len(block.lines) == 1 else f"{block.name}, {line.name}"
            yield name, line.what, line.shape, line.parameters, line.macs


def _rows(blocks: Iterable[_Block]) -> Iterable[list[Node]]:
    for block in blocks:
        alone = len(block.lines) == 1
        if not alone:
            yield [block.name]
        for line in block.lines:
            yield [
                tag("strong", block.name) if alone else line.name,
                line.what,
                line.shape,
                count(line.parameters) if line.parameters else "",
                millions(line.macs) if line.macs else "",
            ]


def _blocks(ops: tuple[Op, ...]) -> list[_Block]:
    """Operations by the innermost block that they are of (`02_statistics_pool.1_stem.conv`)."""
    blocks: dict[str, list[_Line]] = {}
    for op in ops:
        prefix, _, name = op.name.rpartition(".")
        lines = blocks.setdefault(prefix, [])
        if op.kind in _ATTACHED and lines:
            last = lines.pop()
            lines.append(
                _Line(
                    last.name,
                    f"{last.what}, {_what(op)}",
                    last.shape,
                    last.parameters + op.parameters,
                    last.macs + op.macs,
                )
            )
        else:
            lines.append(_Line(name, _what(op), _shape(op.output_shape), op.parameters, op.macs))
    return [_Block(_title(prefix), tuple(lines)) for prefix, lines in blocks.items()]


def _title(prefix: str) -> str:
    parts = [part.partition("_") for part in prefix.split(".")]
    if not all(index.isdigit() for index, _, _ in parts):
        return prefix or "input"
    return f"{'.'.join(str(int(index)) for index, _, _ in parts)} · {words(parts[-1][2])}"


def _what(op: Op) -> str:
    if op.kind == "activation":
        return str(op.attributes["function"])
    if op.kind == "batch_norm":
        return "BN"
    parts = [words(op.kind).replace("2d", "")]
    if size := op.attributes.get("kernel_size") or op.attributes.get("pool_size"):
        parts.append("×".join(str(n) for n in size))
    strides = op.attributes.get("strides", ())
    if any(stride != 1 for stride in strides):
        parts.append(f"stride {'×'.join(str(n) for n in strides)}")
    if "rate" in op.attributes:
        parts.append(f"{op.attributes['rate']:g}")
    return " ".join(parts)


def _shape(shape: Shape) -> str:
    return " × ".join(str(n) for n in shape)
