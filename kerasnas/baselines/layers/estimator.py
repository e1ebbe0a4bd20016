"""TFLearn's `layers.estimator`: what a network is trained by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kerasnas.baselines import metrics, optimizers
from kerasnas.baselines.absent import names_absent_arguments
from kerasnas.baselines.layers.core import check_name

if TYPE_CHECKING:
    import keras

_LOSSES = (
    "categorical_crossentropy",
    "softmax_categorical_crossentropy",
    "binary_crossentropy",
    "mean_square",
    "hinge_loss",
)


_METRICS: dict[str, Callable[[], Any]] = {"top_k": metrics.Top_k, "r2": metrics.R2}


@dataclass(frozen=True)
class Regression:
    """A network and what it is trained by; see `regression`."""

    network: keras.KerasTensor
    optimizer: Any
    loss: Any
    metric: Any
    learning_rate: float
    batch_size: int
    shuffle_batches: bool

    def compile(self, model: keras.Model, clip_gradients: float) -> None:
        """Compile a model of such outputs, with an optimiser that has no past."""
        import keras

        model.compile(
            self._optimizer(clip_gradients),
            loss=self._loss(model),
            metrics=[] if self.metric is None else [self._metric(model)],
            # On a CPU, XLA is slower than TensorFlow's own kernels.
            jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
        )

    def _optimizer(self, clip_gradients: float) -> keras.optimizers.Optimizer:
        given = self.optimizer
        if isinstance(given, str):
            given = optimizers.BY_NAME[given.lower()](self.learning_rate)
        config = given.get_config()
        if not any(config[name] for name in ("clipnorm", "clipvalue", "global_clipnorm")):
            config["global_clipnorm"] = clip_gradients or None
        return type(given).from_config(config)

    def _loss(self, model: keras.Model) -> Any:
        import keras

        from kerasnas.training.fit import output_activation

        logits = output_activation(model) in ("linear", "none")
        losses = {
            "categorical_crossentropy": lambda: keras.losses.CategoricalCrossentropy(),
            "softmax_categorical_crossentropy": lambda: keras.losses.CategoricalCrossentropy(
                from_logits=logits
            ),
            "binary_crossentropy": lambda: keras.losses.BinaryCrossentropy(from_logits=logits),
            "mean_square": lambda: keras.losses.MeanSquaredError(),
            "hinge_loss": lambda: keras.losses.Hinge(),
        }
        return losses[self.loss.lower()]() if isinstance(self.loss, str) else self.loss

    def _metric(self, model: keras.Model) -> Any:
        import keras

        if isinstance(self.metric, keras.metrics.Metric):  # anew: its sums are of another model
            return type(self.metric).from_config(self.metric.get_config())
        if not isinstance(self.metric, str):
            return self.metric
        if self.metric.lower() in _METRICS:
            return _METRICS[self.metric.lower()]()
        several = model.output_shape[-1] > 1
        kind = keras.metrics.CategoricalAccuracy if several else keras.metrics.BinaryAccuracy
        return kind(name="acc")


@names_absent_arguments
def regression(
    incoming: keras.KerasTensor,
    *,
    optimizer: Any = "adam",
    loss: Any = "categorical_crossentropy",
    metric: Any = "default",
    learning_rate: float = 0.001,
    batch_size: int = 64,
    shuffle_batches: bool = True,
    name: str | None = None,
) -> Regression:
    """Say what a network is trained by.

    Args:
        incoming: The network's output, `(clips, classes)`.
        optimizer: `adam`, `sgd`, `momentum`, `rmsprop`, `adagrad`, `adadelta` or `ftrl` with
            TFLearn's settings, or an object of `optimizers` or Keras, whose own learning rate
            counts.
        loss: `categorical_crossentropy` of probabilities, `softmax_categorical_crossentropy` and
            `binary_crossentropy` of what comes before or after the activation, `mean_square`,
            `hinge_loss`, or a loss of Keras.
        metric: `default` or `accuracy` (whether the highest score is the highest target), `top_k`,
            `r2`, an object of `metrics` or Keras, or None.
        learning_rate: Of an optimiser given by name.
        batch_size: Clips of one step, unless `DNN.fit` is given another.
        shuffle_batches: Whether every epoch has an order of its own, likewise.
        name: Of the targets: nothing depends on it.

    Raises:
        KerasnasError: A name is unknown.
    """
    for argument, value, known in (
        ("optimizer", optimizer, tuple(optimizers.BY_NAME)),
        ("loss", loss, _LOSSES),
        ("metric", metric, ("default", "accuracy", *_METRICS)),
    ):
        check_name(argument, value, known)
    return Regression(incoming, optimizer, loss, metric, learning_rate, batch_size, shuffle_batches)
