"""Layers, under the modules and names that TFLearn gives them."""

from typing import Any

from kerasnas.baselines.absent import counterpart
from kerasnas.baselines.layers import conv
from kerasnas.baselines.layers.core import (
    activation,
    dropout,
    flatten,
    fully_connected,
    input_data,
    reshape,
    single_unit,
)
from kerasnas.baselines.layers.embedding_ops import embedding
from kerasnas.baselines.layers.estimator import regression
from kerasnas.baselines.layers.merge_ops import merge
from kerasnas.baselines.layers.recurrent import (
    BasicLSTMCell,
    BasicRNNCell,
    GRUCell,
    bidirectional_rnn,
    gru,
    lstm,
    simple_rnn,
)

__all__ = [
    "BasicLSTMCell",
    "BasicRNNCell",
    "GRUCell",
    "activation",
    "bidirectional_rnn",
    "conv",
    "dropout",
    "embedding",
    "flatten",
    "fully_connected",
    "gru",
    "input_data",
    "lstm",
    "merge",
    "regression",
    "reshape",
    "simple_rnn",
    "single_unit",
]


def __getattr__(name: str) -> Any:
    """Refuse a layer that is not here, with its counterpart."""
    raise AttributeError(counterpart(name, __name__))
