"""The one place for names that Keras keeps to itself, as Keras 3.15 has them.

Everything else here, and whoever else has to look inside a model, asks these functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def functional(model: Any) -> Any:
    """Return the functional model that a sequential one wraps; any other model as it is."""
    return getattr(model, "_functional", model)


def flat_layers(model: Any) -> list[Any]:
    """Return all layers of a model, also those inside other layers, models and wrappers."""
    return list(model._flatten_layers(include_self=False))


def calls_in(model: Any) -> list[Any]:
    """Return the nodes of a functional or sequential model, in order of computation.

    A node is one call of an operation, with `operation`, `arguments`, `input_tensors`,
    `output_tensors` and `is_input`. Calls of its operations by other models are not among them.
    """
    by_depth = functional(model)._nodes_by_depth
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]


def is_functional(operation: Any) -> bool:
    """Return whether an operation of a model is a model whose graph is known."""
    return hasattr(functional(operation), "_nodes_by_depth")


def calls_of(operation: Any) -> list[Any]:
    """Return the nodes of an operation, in every model that calls it."""
    return list(operation._inbound_nodes)


def readers_of(layer: Any) -> list[Any]:
    """Return the layers that read the output of a layer of Keras or tf_keras."""
    return [node.outbound_layer for node in layer._outbound_nodes]


def call_again(model: Any, inputs: Any, call: Callable[..., Any]) -> Any:
    """Call the operations of a functional or sequential model again, in order, by a function.

    Args:
        model: Whose operations are called.
        inputs: Symbolic tensors in place of the model's inputs.
        call: Takes an operation and its arguments, gives its outputs.

    Returns:
        What stands in place of the model's outputs.
    """
    return functional(model)._run_through_graph(
        inputs, operation_fn=lambda operation: operation, call_fn=call
    )


def mask_of(tensor: Any) -> Any:
    """Return the mask that comes with a symbolic tensor; None where there is none."""
    return getattr(tensor, "_keras_mask", None)


def set_mask(tensor: Any, mask: Any) -> None:
    """Let a mask come with a symbolic tensor."""
    tensor._keras_mask = mask


def name_operation(tensor: Any, name: str) -> None:
    """Name the operation of `keras.ops` that gave a symbolic tensor, before a model is made."""
    operation_of(tensor).name = name


def operation_of(tensor: Any) -> Any:
    """Return the operation that gave a symbolic tensor."""
    return tensor._keras_history.operation


def adam_state(optimizer: Any, variable: Any) -> tuple[Any, Any]:
    """Return the first and the second moment that an Adam optimiser, once built, keeps."""
    index = optimizer._get_variable_index(variable)
    return optimizer._momentums[index], optimizer._velocities[index]
