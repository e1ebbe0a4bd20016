"""Fine-tuning a trained model to be smaller: a program, run in a process of its own.

Magnitude pruning: Zhu & Gupta, "To prune, or not to prune", 2017, section 3: the share of zeros in
every kernel rises by their cubic schedule, here from 0 over the first half of the epochs, as
tensorflow-model-optimization computes it. Kernels of depthwise convolutions stay whole, as there:
they are few.

Weight clustering: the weights of a kernel are grouped round a few values, which are trained on (Han
et al., "Deep compression", ICLR 2016, section 3), as tensorflow-model-optimization computes it: the
first values by k-means++, the gradient of a value the sum of its weights'.

The model is trained as its twin in tf_keras (see
`kerasnas.export.keras_model.twin`) and gets the new weights back.

Usage: `python -m kerasnas.export.tuning.fine_tune REQUEST ERROR`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Floats
from ..errors import ExportError, counted
from ..keras_model.custom import CustomCode
from ..keras_model.model_file import check_model, load_keras
from ..keras_model.twin import Twin, rebuild
from ..process.child import REFUSED

_BATCH = 32
_PRUNINGS = 20  # during one training
_FEWEST_STEPS = 10
_MOMENTUM = 0.9  # of batch normalisation, whose statistics have few steps to follow
_PARITY_EXAMPLES = 4
_CLUSTERED = ("Conv1D", "Conv2D", "Dense")
_SEED = 0


def pruned_kernels(layer: Any) -> list[Any]:
    """Return weights of a layer, in either Keras, that lose their smallest values."""
    if type(layer).__name__ == "DepthwiseConv2D":
        return []
    kernels = [w for w in layer.trainable_weights if w.name.endswith(("kernel", "kernel:0"))]
    return [kernel for kernel in kernels if "depthwise_kernel" not in kernel.name]


def _prune(twin: Twin, x: Floats, y: Floats, request: dict[str, Any]) -> None:
    import tensorflow_model_optimization as tfmot  # type: ignore[import-untyped]
    import tf_keras  # type: ignore[import-untyped]

    sparsity = tfmot.sparsity.keras
    steps = request["epochs"] * -(-len(x) // _BATCH)
    if steps < _FEWEST_STEPS:
        raise ExportError(
            f"{counted(request['epochs'], 'epoch')} of {counted(len(x), 'example')} are "
            f"{counted(steps, 'step')}, too few to prune by and by: raise tuning_epochs, "
            f"so that there are {_FEWEST_STEPS}"
        )
    every = max(1, steps // 2 // _PRUNINGS)
    schedule = sparsity.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=request["sparsity"],
        begin_step=0,
        end_step=steps // 2 // every * every,
        frequency=every,
    )

    def wrapped(layer: Any) -> Any:
        kernels = pruned_kernels(layer)
        if not kernels:
            return layer
        layer.get_prunable_weights = lambda: kernels
        return sparsity.prune_low_magnitude(layer, schedule)

    model = tf_keras.models.clone_model(twin.model, clone_function=wrapped)
    _fit(model, x, y, request, [sparsity.UpdatePruningStep()])


def clustered_kernels(layer: Any) -> list[Any]:
    """Return weights of a layer, in either Keras, that clustering groups."""
    return pruned_kernels(layer) if type(layer).__name__ in _CLUSTERED else []


def _cluster(twin: Twin, x: Floats, y: Floats, request: dict[str, Any]) -> None:
    import tensorflow_model_optimization as tfmot
    import tf_keras

    clustering, count = tfmot.clustering.keras, request["clusters"]
    wrappers = []

    def wrapped(layer: Any) -> Any:
        if not any(np.prod(kernel.shape) > count for kernel in clustered_kernels(layer)):
            return layer  # it has no more values than that
        wrappers.append(
            clustering.cluster_weights(
                layer,
                number_of_clusters=count,
                cluster_centroids_init=clustering.CentroidInitialization.KMEANS_PLUS_PLUS,
            )
        )
        return wrappers[-1]

    model = tf_keras.models.clone_model(twin.model, clone_function=wrapped)
    if not wrappers:
        raise ExportError(
            f"clusters is {count}, and no kernel of a convolution or dense layer has more weights: "
            "give fewer, or leave it out"
        )
    _fit(model, x, y, request, [])
    for wrapper in wrappers:
        wrapper.update_clustered_weights_associations()
        for name, variable in wrapper.original_clusterable_weights.items():
            variable.assign(wrapper.get_weight_from_layer(name))


def _train_rounded(twin: Twin, x: Floats, y: Floats, request: dict[str, Any]) -> None:
    import tf_keras

    from .fake_quantization import with_rounding

    model = tf_keras.models.clone_model(twin.model, clone_function=with_rounding)
    _fit(model, x, y, request, [])


def _fit(
    model: Any,
    x: Floats,
    y: Floats,
    request: dict[str, Any],
    callbacks: list[Any],
) -> None:
    import tf_keras

    steps = request["epochs"] * -(-len(x) // _BATCH)
    rate = tf_keras.optimizers.schedules.CosineDecay(request["learning_rate"], steps)
    model.compile(tf_keras.optimizers.Adam(rate), request["loss"])
    model.fit(x, y, _BATCH, request["epochs"], verbose=0, callbacks=callbacks)


def main(request: Path, error: Path) -> int:
    """Fine-tune as `request` says; 0, or `REFUSED` when the file `error` says why not.

    Args:
        request: JSON of `model` (a `.keras` file), its `name` for messages, `custom` (code that
            it needs beside Keras's own), `x` and `y` (`.npy` files of float32
            `(examples, *input shape)` and `(examples, *output shape)`), `loss` (by its Keras
            name), `sparsity` and `clusters` (null, both, for training with rounded weights and
            outputs, see `kerasnas.export.tuning.fake_quantization`), `epochs`, `learning_rate` and
            `output` (the `.keras` file to write).
        error: Text file.
    """
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    todo = json.loads(request.read_text(encoding="utf-8"))
    path = Path(todo["model"])
    x, y = np.load(todo["x"]), np.load(todo["y"])
    try:
        model = load_keras(path, todo["name"], CustomCode.from_json(todo["custom"]))
        check_model(model, "the model")
        import tf_keras

        twin = rebuild(model)
        twin.check(x[:_PARITY_EXAMPLES])
        tf_keras.utils.set_random_seed(_SEED)
        for _, layer in twin.layers:
            if isinstance(layer, tf_keras.layers.BatchNormalization):
                layer.momentum = _MOMENTUM
        # The wrappers put rounded kernels in the place of the variables.
        trained = [(layer, list(copy.weights)) for layer, copy in twin.layers]
        if todo["sparsity"] is not None:
            _prune(twin, x, y, todo)
        elif todo["clusters"] is not None:
            _cluster(twin, x, y, todo)
        else:
            _train_rounded(twin, x, y, todo)
        for layer, weights in trained:
            layer.set_weights([np.asarray(weight) for weight in weights])
        check_model(model, "the fine-tuned model")
    except ExportError as refusal:
        error.write_text(f"{todo['name']}: {refusal}", encoding="utf-8")
        return REFUSED
    model.save(todo["output"])
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
