"""TFLearn's interface over Keras 3: `import kerasnas.baselines as tflearn`.

TFLearn (tflearn.org, version 0.5) needs TensorFlow 1. Its functions for recurrent and dense
networks and its `DNN` are here under its names, modules, defaults and meanings: a dropout argument
is the share that is KEPT, gradients are clipped to a global norm of 5. A network that `kerasnas
search` has tuned is loaded into a `DNN` in place of the script's own, and goes on training there.

Deviations: tensors are Keras's; sequences are one tensor `(clips, frames, units)`, not a list of
frames; cross-entropies never apply an activation twice (TFLearn's `binary_crossentropy` puts a
sigmoid onto sigmoid outputs); a loss or metric that has no name here is one of Keras's objects, as
are optimisers with other settings; nothing is logged unless `tensorboard_dir` is given. Arguments
and names of TFLearn's that are not here (`dynamic`, `reuse`, `conv_2d`, ...) are refused with their
counterpart. The whole list of deviations is in docs/baselines.md.
"""

from importlib import import_module
from typing import Any

from kerasnas.baselines.absent import counterpart

_HOMES = {
    "Accuracy": "metrics",
    "AdaDelta": "optimizers",
    "AdaGrad": "optimizers",
    "Adam": "optimizers",
    "BasicLSTMCell": "layers.recurrent",
    "BasicRNNCell": "layers.recurrent",
    "DNN": "dnn",
    "Ftrl": "optimizers",
    "GRUCell": "layers.recurrent",
    "Momentum": "optimizers",
    "R2": "metrics",
    "RMSProp": "optimizers",
    "SGD": "optimizers",
    "Top_k": "metrics",
    "activation": "layers.core",
    "bidirectional_rnn": "layers.recurrent",
    "dropout": "layers.core",
    "embedding": "layers.embedding_ops",
    "flatten": "layers.core",
    "fully_connected": "layers.core",
    "gru": "layers.recurrent",
    "init_graph": "config",
    "input_data": "layers.core",
    "lstm": "layers.recurrent",
    "merge": "layers.merge_ops",
    "regression": "layers.estimator",
    "reshape": "layers.core",
    "simple_rnn": "layers.recurrent",
    "single_unit": "layers.core",
}
__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name in ("config", "data_utils", "layers", "metrics", "optimizers"):
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(counterpart(name, __name__))
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
