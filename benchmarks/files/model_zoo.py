"""Public Keras networks by name, with random weights: what `keras_models.py` exports.

Networks of `keras.applications` have small inputs and ten classes; others follow guides and
examples of keras.io, or papers named beside them, with their layers and small widths; those of the
papers searched here are their named references, with the papers' inputs (NASC-net's a fifth of its
frames).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import zip_longest
from typing import Any

Builder = Callable[[], Any]
CLASSES = 10


def _application(name: str, size: int = 32, **arguments: Any) -> Any:
    import keras

    build = getattr(keras.applications, name)
    return build(
        input_shape=(size, size, 3), weights=None, classes=CLASSES, include_top=True, **arguments
    )


_APPLICATIONS: dict[str, Builder] = {
    name.lower() + suffix: partial(_application, name, size, **arguments)
    for name, suffix, size, arguments in [
        ("MobileNet", " 0.25", 32, {"alpha": 0.25}),
        ("MobileNet", " 1.0", 32, {}),
        ("MobileNetV2", " 0.35", 32, {"alpha": 0.35}),
        ("MobileNetV2", " 1.0", 32, {}),
        ("MobileNetV3Small", "", 32, {}),
        ("MobileNetV3Small", " minimalistic", 32, {"minimalistic": True}),
        ("MobileNetV3Large", "", 32, {}),
        ("EfficientNetB0", "", 32, {}),
        ("EfficientNetB1", "", 32, {}),
        ("EfficientNetV2B0", "", 32, {}),
        ("EfficientNetV2S", "", 32, {}),
        ("NASNetMobile", "", 32, {}),
        ("DenseNet121", "", 32, {}),
        ("ResNet50", "", 32, {}),
        ("ResNet50V2", "", 32, {}),
        ("ResNet101", "", 32, {}),
        ("InceptionV3", "", 75, {}),
        ("Xception", "", 71, {}),
        ("VGG16", "", 32, {}),
        ("ConvNeXtTiny", "", 32, {}),
    ]
}


def _classifier(shape: tuple[int, ...], *layers_: Any) -> Any:
    import keras
    from keras import layers

    head = layers.Dense(CLASSES, activation="softmax")
    return keras.Sequential([keras.Input(shape), *layers_, head])


def _recurrent(title: str, *, both: bool = False, stacked: int = 1, **arguments: Any) -> Any:
    from keras import layers

    built = []
    for number in range(stacked):
        layer = getattr(layers, title)(32, return_sequences=number < stacked - 1, **arguments)
        built.append(layers.Bidirectional(layer) if both else layer)
    return _classifier((50, 20), *built)


_RECURRENT: dict[str, Builder] = {
    "gru": partial(_recurrent, "GRU"),
    "gru reset before": partial(_recurrent, "GRU", reset_after=False),
    "gru both ways": partial(_recurrent, "GRU", both=True),
    "gru two layers": partial(_recurrent, "GRU", stacked=2),
    "gru backwards": partial(_recurrent, "GRU", go_backwards=True),
    "gru hard sigmoid": partial(_recurrent, "GRU", recurrent_activation="hard_sigmoid"),
    "gru relu": partial(_recurrent, "GRU", activation="relu"),
    "gru dropout": partial(_recurrent, "GRU", dropout=0.2, recurrent_dropout=0.2),
    "lstm": partial(_recurrent, "LSTM"),
    "lstm both ways": partial(_recurrent, "LSTM", both=True),
    "lstm two layers": partial(_recurrent, "LSTM", stacked=2),
    "lstm both ways, two layers": partial(_recurrent, "LSTM", both=True, stacked=2),
    "lstm hard sigmoid": partial(_recurrent, "LSTM", recurrent_activation="hard_sigmoid"),
    "lstm dropout": partial(_recurrent, "LSTM", dropout=0.2),
    "simple rnn": partial(_recurrent, "SimpleRNN"),
    "simple rnn both ways": partial(_recurrent, "SimpleRNN", both=True),
}


def _masked_gru() -> Any:
    from keras import layers

    return _classifier((50, 20), layers.Masking(), layers.GRU(32))


def _encoder_decoder() -> Any:
    import keras
    from keras import layers

    inputs = keras.Input((30, 20))
    x, *states = layers.LSTM(32, return_sequences=True, return_state=True)(inputs)
    x = layers.LSTM(32)(x, initial_state=states)
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def _time_distributed() -> Any:
    from keras import layers

    return _classifier((4, 20, 12), layers.TimeDistributed(layers.GRU(16)), layers.LSTM(16))


def _conv_lstm() -> Any:
    from keras import layers

    return _classifier((8, 12, 12, 1), layers.ConvLSTM2D(8, 3), layers.GlobalAveragePooling2D())


def _crnn() -> Any:
    from keras import layers

    return _classifier(
        (64, 40, 1),
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.MaxPooling2D((2, 4)),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.MaxPooling2D((2, 2)),
        layers.Reshape((16, 160)),
        layers.Bidirectional(layers.GRU(32)),
    )


def _lstm_fcn() -> Any:
    """Karim et al., 2018."""
    import keras
    from keras import layers

    inputs = keras.Input((64, 4))
    x = layers.LSTM(8)(inputs)
    y = inputs
    for filters, size in ((64, 8), (128, 5), (64, 3)):
        y = layers.Conv1D(filters, size, padding="same")(y)
        y = layers.ReLU()(layers.BatchNormalization()(y))
    x = layers.Concatenate()([x, layers.GlobalAveragePooling1D()(y)])
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def _transformer(causal: bool = False, embedding: bool = False) -> Any:
    """Return the encoder of keras.io's time series and text classification examples."""
    import keras
    from keras import layers

    inputs = x = keras.Input((32,) if embedding else (32, 16))
    if embedding:
        x = layers.Embedding(200, 16)(inputs)
    for _ in range(2):
        attention = layers.MultiHeadAttention(2, 16)
        x = layers.LayerNormalization()(x + attention(x, x, use_causal_mask=causal))
        y = layers.Dense(16)(layers.Dense(32, activation="relu")(x))
        x = layers.LayerNormalization()(x + y)
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def _attention_pooling() -> Any:
    import keras
    from keras import layers, ops

    inputs = keras.Input((50, 20))
    x = layers.GRU(32, return_sequences=True)(inputs)
    weights = layers.Softmax(axis=1)(layers.Dense(1)(x))
    x = ops.sum(layers.Multiply()([x, weights]), axis=1)
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def _luong_attention() -> Any:
    import keras
    from keras import layers

    inputs = keras.Input((30, 16))
    x = layers.LSTM(16, return_sequences=True)(inputs)
    x = layers.GlobalAveragePooling1D()(layers.Attention()([x, x]))
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def _squeeze_excite() -> Any:
    import keras
    from keras import layers

    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(inputs)
    y = layers.GlobalAveragePooling2D(keepdims=True)(x)
    y = layers.Dense(32, activation="sigmoid")(layers.Dense(8, activation="relu")(y))
    x = layers.GlobalMaxPooling2D()(layers.Multiply()([x, y]))
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def _vision_transformer() -> Any:
    import keras
    from keras import layers

    inputs = keras.Input((32, 32, 3))
    x = layers.Reshape((16, 64))(layers.Conv2D(64, 8, strides=8)(inputs))
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(4, 16)(y, y)
        y = layers.Dense(128, activation="gelu")(layers.LayerNormalization()(x))
        x = x + layers.Dense(64)(y)
    x = layers.Flatten()(layers.LayerNormalization()(x))
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def _mixer() -> Any:
    """Tolstikhin et al., 2021."""
    import keras
    from keras import layers

    inputs = keras.Input((32, 32, 3))
    x = layers.Reshape((16, 32))(layers.Conv2D(32, 8, strides=8)(inputs))
    for _ in range(2):
        y = layers.Permute((2, 1))(layers.LayerNormalization()(x))
        y = layers.Dense(16)(layers.Dense(32, activation="gelu")(y))
        x = x + layers.Permute((2, 1))(y)
        y = layers.Dense(64, activation="gelu")(layers.LayerNormalization()(x))
        x = x + layers.Dense(32)(y)
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def _simple_audio() -> Any:
    """TensorFlow's tutorial on audio recognition, without its resizing."""
    from keras import layers

    return _classifier(
        (32, 32, 1),
        layers.Normalization(mean=0.1, variance=1.5),
        layers.Conv2D(32, 3, activation="relu"),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
    )


def _ds_cnn() -> Any:
    """DS-CNN small for keywords: Zhang et al., 2017, and MLPerf Tiny."""
    from keras import layers

    def after() -> list[Any]:
        return [layers.BatchNormalization(), layers.ReLU()]

    blocks = [layers.Conv2D(64, (10, 4), strides=2, padding="same", use_bias=False), *after()]
    for _ in range(4):
        blocks += [layers.DepthwiseConv2D(3, padding="same", use_bias=False), *after()]
        blocks += [layers.Conv2D(64, 1, use_bias=False), *after()]
    return _classifier((49, 10, 1), *blocks, layers.GlobalAveragePooling2D())


def _resnet8() -> Any:
    """MLPerf Tiny's network of images."""
    import keras
    from keras import layers

    def convolution(x: Any, filters: int, strides: int = 1) -> Any:
        x = layers.Conv2D(filters, 3, strides=strides, padding="same")(x)
        return layers.BatchNormalization()(x)

    inputs = keras.Input((32, 32, 3))
    x = layers.ReLU()(convolution(inputs, 16))
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        y = convolution(layers.ReLU()(convolution(x, filters, strides)), filters)
        if strides > 1:
            x = layers.Conv2D(filters, 1, strides=strides, padding="same")(x)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def _wavenet() -> Any:
    """Return a stack of dilated causal convolutions with gates: van den Oord et al., 2016."""
    import keras
    from keras import layers

    inputs = keras.Input((128, 1))
    x = layers.Conv1D(16, 2, padding="causal")(inputs)
    skips = []
    for dilation in (1, 2, 4, 8):
        both = [
            layers.Conv1D(16, 2, padding="causal", dilation_rate=dilation, activation=name)(x)
            for name in ("tanh", "sigmoid")
        ]
        y = layers.Conv1D(16, 1)(layers.Multiply()(both))
        skips.append(y)
        x = layers.Add()([x, y])
    x = layers.GlobalAveragePooling1D()(layers.ReLU()(layers.Add()(skips)))
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def _conv1d(separable: bool) -> Any:
    from keras import layers

    convolution = layers.SeparableConv1D if separable else layers.Conv1D
    return _classifier(
        (128, 8),
        convolution(32, 5, activation="relu"),
        layers.MaxPooling1D(),
        convolution(64, 5, activation="relu"),
        layers.GlobalAveragePooling1D(),
    )


def _separable() -> Any:
    from keras import layers

    return _classifier(
        (32, 32, 3),
        layers.Rescaling(1 / 255),
        layers.ZeroPadding2D(1),
        layers.SeparableConv2D(32, 3, activation="relu"),
        layers.AveragePooling2D(),
        layers.SeparableConv2D(64, 3, activation="elu"),
        layers.GlobalAveragePooling2D(),
    )


def _dense(*activations: str) -> Any:
    from keras import layers

    return _classifier((40,), *(layers.Dense(64, activation=name) for name in activations))


def _upsampling() -> Any:
    from keras import layers

    return _classifier(
        (16, 16, 4),
        layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu"),
        layers.UpSampling2D(),
        layers.GlobalAveragePooling2D(),
    )


_OTHERS: dict[str, Builder] = {
    "masked gru": _masked_gru,
    "encoder and decoder": _encoder_decoder,
    "time distributed gru": _time_distributed,
    "conv lstm": _conv_lstm,
    "crnn": _crnn,
    "lstm-fcn": _lstm_fcn,
    "transformer": _transformer,
    "transformer, causal": partial(_transformer, True),
    "transformer of tokens": partial(_transformer, False, True),
    "attention pooling": _attention_pooling,
    "luong attention": _luong_attention,
    "squeeze and excite": _squeeze_excite,
    "vision transformer": _vision_transformer,
    "mixer": _mixer,
    "simple audio": _simple_audio,
    "ds-cnn": _ds_cnn,
    "resnet-8": _resnet8,
    "wavenet": _wavenet,
    "conv1d": partial(_conv1d, False),
    "separable conv1d": partial(_conv1d, True),
    "separable conv2d": _separable,
    "dense relu": partial(_dense, "relu", "relu"),
    "dense of activations": partial(_dense, "selu", "softplus", "leaky_relu", "hard_sigmoid"),
    "up and down": _upsampling,
}


def _papers() -> dict[str, Builder]:
    from export_table import PAPERS

    return {
        f"{name} {reference}": lambda space=space, reference=reference: space.reference(
            reference
        ).build()
        for name, space in PAPERS.items()
        for reference in space.reference_names
    }


def models() -> dict[str, Builder]:
    """Return what builds each network, by name: one of each kind in turn, small ones first."""
    kinds = (_RECURRENT, _OTHERS, _papers(), _APPLICATIONS)
    turns = zip_longest(*(kind.items() for kind in kinds))
    return dict(each for turn in turns for each in turn if each is not None)
