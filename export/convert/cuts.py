"""Taking out of a network what is written by hand: calls with inputs in place of its outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..errors import ExportError
from ..integer.wide import WideOperation, wide_operation
from ..keras_model.private import call_again, mask_of, set_mask
from ..keras_model.recurrent import Cell, cells


class Cut(NamedTuple):
    """What was taken out.

    Attributes:
        part: It.
        inputs: Symbolic tensors of its inputs; of a cell the frames, then first states, then a
            mask, where there are such.
        outputs: Those in place of its outputs; of a cell its output, then its last states.
        masked: Whether there is a mask among the inputs.
    """

    part: Cell | WideOperation
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    masked: bool = False


@dataclass
class Cutter:
    """Calls a network's layers again, with inputs in place of the outputs of what is cut out."""

    loops: bool
    cuts: list[Cut] = field(default_factory=list)

    def run(self, network: Any, inputs: Any) -> Any:
        """Return what a network gives for symbolic inputs, with cuts in it."""
        return call_again(network, inputs, self._call)

    def _call(self, layer: Any, *arguments: Any, **keywords: Any) -> Any:
        import keras

        if isinstance(layer, keras.Model):
            return self.run(layer, arguments[0])
        recurrent = keras.layers.RNN | keras.layers.Bidirectional
        if self.loops and isinstance(layer, recurrent):
            return self._recurrent(layer, *arguments, **keywords)
        inner = layer.layer if isinstance(layer, keras.layers.Wrapper) else None
        if self.loops and isinstance(inner, recurrent):
            return self._at_each(layer, inner, *arguments, **keywords)
        inputs = keras.tree.flatten(arguments)
        masks = [keywords.get("mask"), *map(mask_of, inputs)]
        if all(isinstance(tensor, keras.KerasTensor) for tensor in inputs) and not any(
            mask is not None for mask in masks
        ):
            wide = {id(c.outputs[0]) for c in self.cuts if isinstance(c.part, WideOperation)}
            found = wide_operation(layer, inputs, any(id(tensor) in wide for tensor in inputs))
            if found is not None:
                output = layer(*arguments, **keywords)
                return self._cut(found, inputs, [output.shape[1:]])[0]
        return layer(*arguments, **keywords)

    def _at_each(self, layer: Any, inner: Any, x: Any, mask: Any = None, **_: Any) -> Any:
        """Return a recurrent layer at each step of `TimeDistributed`, which has few: as loops."""
        import keras

        plain = type(layer) is keras.layers.TimeDistributed and isinstance(x, keras.KerasTensor)
        if not plain or mask is not None or mask_of(x) is not None:
            raise _without_loop(inner)
        results = [self._recurrent(inner, x[:, step]) for step in range(x.shape[1])]
        if any(not isinstance(result, keras.KerasTensor) for result in results):
            raise _without_loop(inner)
        return keras.ops.stack(results, axis=1)

    def _recurrent(
        self, layer: Any, x: Any, initial_state: Any = None, mask: Any = None, **_: Any
    ) -> Any:
        import keras

        found = cells(layer)
        first = [] if initial_state is None else keras.tree.flatten(initial_state)
        behind = mask_of(x) if mask is None else mask
        # Keras hands a mask that comes with the frames on to a layer of one argument alone.
        mask = mask if first else behind
        symbolic = all(
            isinstance(t, keras.KerasTensor) for t in first + [mask] * (mask is not None)
        )
        if found is None or not symbolic:
            raise _without_loop(layer)
        kept = () if mask is None else (keras.ops.cast(mask, "float32"),)
        results, states = [], []
        for cell in found:
            count = cell.carries if first else 0
            own, first = first[:count], first[count:]
            shapes = [(x.shape[1], cell.units) if cell.sequences else (cell.units,)]
            shapes += [(cell.units,)] * (cell.carries if cell.states else 0)
            output, *last = self._cut(cell, (x, *own, *kept), shapes, bool(kept))
            results.append(output)
            states += last
        merged = results[0] if len(results) == 1 else _merge(layer.merge_mode, results)
        if behind is not None and found[0].sequences:
            for tensor in keras.tree.flatten(merged):
                set_mask(tensor, behind)
        return [*keras.tree.flatten(merged), *states] if states else merged

    def _cut(
        self,
        part: Cell | WideOperation,
        inputs: Sequence[Any],
        shapes: Sequence[Any],
        masked: bool = False,
    ) -> tuple[Any, ...]:
        import keras

        outputs = tuple(keras.Input(shape) for shape in shapes)
        self.cuts.append(Cut(part, tuple(inputs), outputs, masked))
        return outputs


def _without_loop(layer: Any) -> ExportError:
    return ExportError(
        f"the recurrent layer {layer.name!r} has no loop of integers: GRU, LSTM and SimpleRNN "
        "have, with the activations tanh, sigmoid and relu and the gates sigmoid and "
        "hard_sigmoid, with masks and first states, and inside TimeDistributed"
    )


def _merge(mode: str | None, both: list[Any]) -> Any:
    from keras import layers

    merging = {
        "concat": layers.Concatenate,
        "sum": layers.Add,
        "mul": layers.Multiply,
        "ave": layers.Average,
    }
    return both if mode is None else merging[mode]()(both)
