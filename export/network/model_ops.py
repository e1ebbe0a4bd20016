"""The operations of a Keras model: its graph, layer after layer."""

from __future__ import annotations

from typing import Any

from ..errors import ExportError
from ..keras_model.private import call_again, is_functional
from .layer_ops import layer_ops
from .ops import Op, Shape


def from_keras(model: Any) -> tuple[Op, ...]:
    """Return the operations of a functional Keras model.

    Multiply-accumulates count convolutions and dense layers, once, for one example. A layer's
    `activation` argument becomes an operation of its own, a separable convolution becomes two, a
    layer that is called again has its weights at its first call only. Models inside the model are
    written out.

    Args:
        model: A functional or sequential model of stock layers.

    Raises:
        ExportError: The model is subclassed, a size is not known, or the arithmetic of one of its
            layers is not known here.
    """
    import keras

    try:
        functional = _written_out(keras.Model(model.inputs, model.outputs))
        config = functional.get_config()
    except (AttributeError, TypeError, ValueError):
        raise ExportError(
            f"the graph of {type(model).__name__} is not known: build it with "
            "keras.Model(inputs, outputs)"
        ) from None
    layers = {operation.name: operation for operation in functional.operations}
    shapes = _shapes(config, functional)
    for (name, _), shape in shapes.items():
        if None in shape:
            raise ExportError(
                f"the layer {name!r} has an output of unknown size {shape}: build the model with a "
                "fixed keras.Input(shape=...)"
            )
    ops: list[Op] = []
    made: dict[str, Shape] = {}
    outputs: dict[tuple[str, int], str] = {}
    for entry in config["layers"]:
        calls = entry["inbound_nodes"] or [None]  # an input is not called
        for call, arguments in enumerate(calls):
            key = (entry["name"], call)
            if key not in shapes:
                continue
            inputs = tuple(outputs[source] for source, _ in _tensors(arguments))
            read = tuple(made[name] for name in inputs)
            steps = layer_ops(layers[entry["name"]], entry["name"], inputs, read, shapes[key])
            if call:
                steps = [
                    step._replace(
                        name=f"{step.name}:{call}",
                        inputs=inputs if index == 0 else (f"{step.inputs[0]}:{call}",),
                        weights=(),
                    )
                    for index, step in enumerate(steps)
                ]
            ops += steps
            made |= {step.name: step.output_shape for step in steps}
            outputs[key] = steps[-1].name
    return tuple(ops)


def _written_out(model: Any) -> Any:
    """Return a model without models inside it, which shares its layers; itself without any."""
    import keras

    if not any(is_functional(operation) for operation in model.operations):
        return model

    def call(layer: Any, *arguments: Any, **keywords: Any) -> Any:
        if is_functional(layer):
            return call_again(layer, arguments[0], call)
        return layer(*arguments, **keywords)

    inputs = [keras.Input(each.shape[1:], dtype=each.dtype) for each in model.inputs]
    outputs = call_again(model, inputs, call)
    return keras.Model(inputs, keras.tree.flatten(outputs))


def _tensors(arguments: Any) -> list[tuple[tuple[str, int], Shape]]:
    """Return key and shape of every tensor in the arguments of a call, as a configuration."""
    if isinstance(arguments, dict):
        if arguments.get("class_name") == "__keras_tensor__":
            tensor = arguments["config"]
            name, call, _ = tensor["keras_history"]
            return [((name, call), tuple(tensor["shape"][1:]))]
        arguments = list(arguments.values())
    if isinstance(arguments, list | tuple):
        return [tensor for item in arguments for tensor in _tensors(item)]
    return []


def _shapes(config: Any, model: Any) -> dict[tuple[str, int], Shape]:
    """Return the shape of every output in the model, by layer and call."""
    shapes = dict(
        tensor
        for entry in config["layers"]
        for arguments in entry["inbound_nodes"]
        for tensor in _tensors(arguments)
    )
    last = config["output_layers"]
    for (name, call, _), output in zip(
        last if isinstance(last[0], list) else [last], model.outputs, strict=True
    ):
        shapes[name, call] = tuple(output.shape[1:])
    return shapes
