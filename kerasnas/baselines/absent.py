"""What TFLearn has and this package has not, with what takes its place."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from kerasnas.errors import KerasnasError

_P = ParamSpec("_P")
_R = TypeVar("_R")

_CALLBACK = "pass callbacks=[keras.callbacks.ModelCheckpoint(path, {})] to fit"
_SHARED = "to share weights, make a layer of Keras once and call it on each input"
_DROPPED = "leave it out"
_ARGUMENTS: dict[str, tuple[object, str]] = {
    "best_checkpoint_path": (None, _CALLBACK.format("save_best_only=True")),
    "best_val_accuracy": (0.0, _CALLBACK.format("save_best_only=True")),
    "data_augmentation": (None, "put keras.layers.Random… layers behind input_data"),
    "data_preprocessing": (None, "put keras.layers.Normalization behind input_data"),
    "dynamic": (
        False,
        "put keras.layers.Masking() in front of the layer: it passes over frames of zeros",
    ),
    "excl_trainops": (None, _DROPPED),
    "initial_state": (None, "make a layer of Keras, and call it with initial_state"),
    "initial_state_bw": (None, "make a layer of Keras, and call it with initial_state"),
    "initial_state_fw": (None, "make a layer of Keras, and call it with initial_state"),
    "max_checkpoints": (None, _DROPPED + ": checkpoints of all epochs are kept"),
    "n_classes": (None, "pass data_utils.to_categorical(targets, n_classes) to fit"),
    "op_name": (None, _DROPPED),
    "placeholder": (None, _DROPPED + ": a network has one target, which fit is given"),
    "restore": (True, "set layer.trainable, and load all weights"),
    "return_state": (False, "make a layer of Keras with return_state=True"),
    "return_states": (False, "make a layer of Keras with return_state=True"),
    "reuse": (False, _SHARED),
    "scope": (None, _SHARED),
    "session": (None, _DROPPED + ": Keras 3 has no sessions"),
    "snapshot_step": (None, _CALLBACK.format("save_freq=steps")),
    "swap_memory": (False, _DROPPED),
    "to_one_hot": (False, "pass data_utils.to_categorical(targets, n_classes) to fit"),
    "trainable_vars": (None, "set trainable=False on the layers that are to stay"),
    "validate_indices": (False, _DROPPED),
    "validation_batch_size": (None, _DROPPED + ": it is that of the training"),
    "validation_monitors": (None, "pass callbacks to fit"),
}
"""By name: the value that asks for nothing, and the counterpart."""

_CONVOLUTION = "keras.layers.{}: convolutional layers are out of scope here, and mix with these"
_NAMES = {
    "avg_pool_1d": _CONVOLUTION.format("AveragePooling1D"),
    "avg_pool_2d": _CONVOLUTION.format("AveragePooling2D"),
    "avg_pool_3d": _CONVOLUTION.format("AveragePooling3D"),
    "batch_normalization": "keras.layers.BatchNormalization",
    "conv_1d": _CONVOLUTION.format("Conv1D"),
    "conv_2d": _CONVOLUTION.format("Conv2D"),
    "conv_2d_transpose": _CONVOLUTION.format("Conv2DTranspose"),
    "conv_3d": _CONVOLUTION.format("Conv3D"),
    "conv_3d_transpose": _CONVOLUTION.format("Conv3DTranspose"),
    "deconv_2d": _CONVOLUTION.format("Conv2DTranspose"),
    "densenet_block": _CONVOLUTION.format("Conv2D"),
    "global_avg_pool": _CONVOLUTION.format("GlobalAveragePooling2D"),
    "global_max_pool": _CONVOLUTION.format("GlobalMaxPooling2D"),
    "grouped_conv_2d": _CONVOLUTION.format("DepthwiseConv2D"),
    "highway_conv_1d": _CONVOLUTION.format("Conv1D"),
    "highway_conv_2d": _CONVOLUTION.format("Conv2D"),
    "max_pool_1d": _CONVOLUTION.format("MaxPooling1D"),
    "max_pool_2d": _CONVOLUTION.format("MaxPooling2D"),
    "max_pool_3d": _CONVOLUTION.format("MaxPooling3D"),
    "residual_block": _CONVOLUTION.format("Conv2D"),
    "residual_bottleneck": _CONVOLUTION.format("Conv2D"),
    "resnext_block": _CONVOLUTION.format("Conv2D"),
    "upsample_2d": _CONVOLUTION.format("UpSampling2D"),
    "upscore_layer": _CONVOLUTION.format("Conv2DTranspose"),
    "custom_layer": "keras.layers.Lambda",
    "highway": "keras.layers.Dense for the layer and for its gate",
    "one_hot_encoding": "data_utils.to_categorical",
    "time_distributed": "keras.layers.TimeDistributed",
    "local_response_normalization": "keras.layers.BatchNormalization",
    "merge_outputs": "keras.layers.Concatenate(axis=0)",
    "is_training": "model(x, training=True)",
    "get_training_mode": "model(x, training=True)",
    "ProximalAdaGrad": "AdaGrad with keras.regularizers on the layers",
    "Prediction_Counts": "numpy.bincount(model.predict_label(x)[:, 0])",
    "SequenceGenerator": "a loop over DNN.predict",
    "Trainer": "DNN.fit",
    "TrainOp": "regression",
    "Evaluator": "DNN.evaluate",
    "ImageAugmentation": "keras.layers.Random… layers",
    "ImagePreprocessing": "keras.layers.Normalization",
    "DataAugmentation": "keras.layers.Random… layers",
    "DataPreprocessing": "keras.layers.Normalization",
}


def counterpart(name: str, module: str) -> str:
    """Return the message for a name that the module has not, with TFLearn's counterpart of Keras.

    Args:
        name: That a script asked for.
        module: Where it asked.
    """
    hint = f": use {_NAMES[name]}" if name in _NAMES else ""
    return f"{module} has no {name}{hint}"


def names_absent_arguments(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Return a function that names the counterpart of TFLearn's arguments which it has not.

    An absent argument whose value asks for nothing (`restore=True`, `scope=None`) is passed over.
    """

    @wraps(function)
    def checked(*arguments: _P.args, **keywords: _P.kwargs) -> _R:
        for name in [name for name in keywords if name in _ARGUMENTS]:
            nothing, instead = _ARGUMENTS[name]
            if keywords.pop(name) != nothing:
                raise KerasnasError(f"{function.__qualname__} has no argument {name}: {instead}")
        return function(*arguments, **keywords)

    return checked
