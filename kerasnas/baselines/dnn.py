"""TFLearn's `DNN`: a network that is trained, scored, saved and loaded."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.baselines import model_files
from kerasnas.baselines.absent import names_absent_arguments
from kerasnas.baselines.layers.estimator import Regression, regression
from kerasnas.errors import KerasnasError

if TYPE_CHECKING:
    import keras

Array = NDArray[Any]
Data = Any  # what NumPy makes an array of, or one such under its name in a dictionary


class DNN:
    """A network with TFLearn's methods.

    Attributes:
        model: The Keras model.
        labels: Names of the classes, where they are known: they come along with a tuned network,
            are kept by `save`, and may be set.
    """

    labels: tuple[str, ...] | None = None

    @names_absent_arguments
    def __init__(
        self,
        network: Regression | keras.KerasTensor,
        clip_gradients: float = 5.0,
        tensorboard_verbose: int = 0,
        tensorboard_dir: str | Path | None = None,
        checkpoint_path: str | Path | None = None,
    ) -> None:
        """Make a model of a network.

        Args:
            network: What `regression` returned; the output of a layer will only predict.
            clip_gradients: Norm to which all gradients together are clipped; 0 leaves them.
            tensorboard_verbose: 2 or more logs histograms of the weights, too.
            tensorboard_dir: Where TensorBoard's logs go, each run's in a directory of its
                `run_id`; nothing is logged by default.
            checkpoint_path: Where snapshots are saved, with `-` and the number of steps appended.

        Raises:
            KerasnasError: The network has several inputs.
        """
        import keras

        self._regression = network if isinstance(network, Regression) else None
        output = network.network if isinstance(network, Regression) else network
        inputs = keras.utils.get_source_inputs(output)
        if len(inputs) != 1:
            raise KerasnasError(f"the network has {len(inputs)} inputs: DNN takes networks of one")
        self._clip_gradients = clip_gradients
        self._histograms = int(tensorboard_verbose >= 2)
        self._logs = None if tensorboard_dir is None else Path(tensorboard_dir)
        self._checkpoints = None if checkpoint_path is None else Path(checkpoint_path)
        self._adopt(keras.Model(inputs[0], output))

    @classmethod
    def from_run(
        cls,
        run: str | Path,
        *,
        optimizer: Any = "adam",
        loss: Any = None,
        metric: Any = "default",
        learning_rate: float = 0.001,
        batch_size: int = 64,
        clip_gradients: float = 5.0,
    ) -> DNN:
        """Return the network that a search has chosen, with its labels, ready to go on training.

        Args:
            run: Run directory of `kerasnas search`, or a model file.
            optimizer: As in `regression`.
            loss: By default `binary_crossentropy` for a sigmoid, else `categorical_crossentropy`.
            metric: As in `regression`, and so are the others.
            learning_rate: Of an optimiser given by name.
            batch_size: Clips of one step.
            clip_gradients: As for the class.

        Raises:
            KerasnasError: The search has not ended, or the file is damaged.
        """
        from kerasnas.training.fit import output_activation

        model, labels = model_files.read(Path(run))
        if loss is None:
            sigmoid = output_activation(model) == "sigmoid"
            loss = "binary_crossentropy" if sigmoid else "categorical_crossentropy"
        network = regression(
            model.outputs[0],
            optimizer=optimizer,
            loss=loss,
            metric=metric,
            learning_rate=learning_rate,
            batch_size=batch_size,
        )
        dnn = cls(network, clip_gradients)
        dnn.labels = labels
        return dnn

    @names_absent_arguments
    def fit(
        self,
        X_inputs: Data,  # noqa: N803
        Y_targets: Data,  # noqa: N803
        n_epoch: int = 10,
        validation_set: tuple[Data, Data] | float | None = None,
        show_metric: bool = False,
        batch_size: int | None = None,
        shuffle: bool | None = None,
        snapshot_epoch: bool = True,
        *,
        run_id: str | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> keras.callbacks.History:
        """Train, or go on training; a line for each epoch is printed.

        Args:
            X_inputs: `(clips, ...)`.
            Y_targets: `(clips, classes)`.
            n_epoch: How many epochs.
            validation_set: Inputs and targets, or the share of the clips that is set aside: drawn
                at random, always the same of as many clips.
            show_metric: Whether the metric is printed beside the loss.
            batch_size: Instead of the regression's.
            shuffle: Instead of the regression's.
            snapshot_epoch: Whether every epoch ends with validation, and with a checkpoint where
                `checkpoint_path` is given.
            run_id: Name of the run, drawn at random by default; names its logs.
            callbacks: Of Keras.

        Returns:
            Keras's history: losses and metrics by epoch.

        Raises:
            KerasnasError: The network has no `regression`, the data do not fit it, or nothing is
                left to train on.
        """
        if self._regression is None:
            raise KerasnasError(
                "this network can only predict: give DNN what regression(network) returns"
            )
        x, y = self._pair(X_inputs, Y_targets)
        validation: tuple[Array, Array] | None = None
        if isinstance(validation_set, float):
            x, y, validation = _set_aside(x, y, validation_set)
        elif validation_set is not None:
            validation = self._pair(*validation_set)
        run_id = run_id or secrets.token_hex(3).upper()
        print(f"Run id: {run_id}")
        print(f"Training samples: {len(x)}")
        print(f"Validation samples: {0 if validation is None else len(validation[0])}")
        size = batch_size or self._regression.batch_size
        return self.model.fit(
            x,
            y,
            batch_size=size,
            epochs=n_epoch,
            validation_data=validation if snapshot_epoch else None,
            validation_batch_size=size,
            shuffle=self._regression.shuffle_batches if shuffle is None else shuffle,
            callbacks=[*self._callbacks(run_id, show_metric, snapshot_epoch), *callbacks],
            verbose=0,
        )

    def _callbacks(self, run_id: str, show_metric: bool, snapshot: bool) -> list[Any]:
        import keras

        def end_of_epoch(epoch: int, logs: Mapping[str, float]) -> None:
            shown = (f"{k}: {v:.5f}" for k, v in logs.items() if show_metric or "loss" in k)
            print(f"Epoch {epoch + 1:03d} | " + " | ".join(shown))
            if snapshot and self._checkpoints is not None:
                steps = int(self.model.optimizer.iterations)
                self.save(self._checkpoints.with_name(f"{self._checkpoints.name}-{steps}"))

        callbacks: list[Any] = [keras.callbacks.LambdaCallback(on_epoch_end=end_of_epoch)]
        if self._logs is not None:
            callbacks.append(
                keras.callbacks.TensorBoard(self._logs / run_id, histogram_freq=self._histograms)
            )
        return callbacks

    def predict(self, X: Data) -> Array:  # noqa: N803
        """Scores, `(clips, classes)`."""
        scores: Array = self.model.predict(self._inputs(X), verbose=0)
        return scores

    def predict_label(self, X: Data) -> Array:  # noqa: N803
        """Return the indices of the classes, `(clips, classes)`, the most probable first."""
        return np.argsort(-self.predict(X), axis=-1, kind="stable")

    def evaluate(
        self,
        X: Data,  # noqa: N803
        Y: Data,  # noqa: N803
        batch_size: int = 128,
    ) -> list[float]:
        """Return the metric's value on these clips, in a list; an empty list without a metric.

        Raises:
            KerasnasError: The network has no `regression`, or the data do not fit it.
        """
        if self._regression is None:
            raise KerasnasError(
                "this network can only predict: give DNN what regression(network) returns"
            )
        x, y = self._pair(X, Y)
        scores = self.model.evaluate(x, y, batch_size=batch_size, verbose=0, return_dict=True)
        return [float(value) for name, value in scores.items() if name != "loss"]

    def save(self, model_file: str | Path) -> None:
        """Write the network, its optimiser's state and its labels: a Keras archive.

        Raises:
            KerasnasError: The directory cannot be written to.
        """
        model_files.write(self.model, self.labels, Path(model_file))

    def load(self, model_file: str | Path, weights_only: bool = False) -> None:
        """Put a saved network in this one's place: it need not be of the same layers.

        Training goes on with this DNN's regression and, where the file has one of the same kind,
        with the state of its optimiser.

        Args:
            model_file: A file of `save`, a `model.keras`, or a run directory of `kerasnas search`.
            weights_only: Whether the optimiser's state is left out.

        Raises:
            KerasnasError: There is no such model, or its inputs or outputs have other shapes.
        """
        model, labels = model_files.read(Path(model_file), optimizer=not weights_only)
        theirs, ours = _shapes(model), _shapes(self.model)
        if theirs != ours:
            raise KerasnasError(
                f"{model_file} takes inputs of {theirs[0]} and gives {theirs[1]}, this network "
                f"takes {ours[0]} and gives {ours[1]}: load a network of the same shapes, or make "
                "the DNN with DNN.from_run"
            )
        self._adopt(model)
        self.labels = labels if labels is not None else self.labels

    def __repr__(self) -> str:
        read, scores = self.model.input_shape[1:], self.model.output_shape[1:]
        labels = "" if self.labels is None else f", labels {', '.join(self.labels)}"
        return f"<DNN: {read} to {scores}, {self.model.count_params():,} weights{labels}>"

    def _adopt(self, model: keras.Model) -> None:
        """Take a model, compiled anew; an optimiser of the kind that is asked for lives on."""
        self.model = model
        if self._regression is None:
            return
        past: Any = getattr(model, "optimizer", None)
        self._regression.compile(model, self._clip_gradients)
        optimizer = model.optimizer
        if type(past) is type(optimizer) and past.built:
            scheduled = isinstance(optimizer.get_config()["learning_rate"], dict)
            rate = float(optimizer.learning_rate)
            optimizer.build(model.trainable_variables)
            # Of the same class, plain descent and momentum, and Adam's variants, hold other states.
            if [v.shape for v in optimizer.variables] == [v.shape for v in past.variables]:
                for variable, value in zip(optimizer.variables, past.variables, strict=True):
                    variable.assign(value)
                if not scheduled:
                    optimizer.learning_rate = rate

    def _inputs(self, data: Data) -> Array:
        return _array(data, _shapes(self.model)[0], "inputs", "takes")

    def _pair(self, inputs: Data, targets: Data) -> tuple[Array, Array]:
        x = self._inputs(inputs)
        y = _array(targets, _shapes(self.model)[1], "targets", "gives")
        if len(x) != len(y):
            raise KerasnasError(f"there are {len(x)} inputs and {len(y)} targets: give as many")
        return x, y


def _shapes(model: keras.Model) -> tuple[tuple[int | None, ...], tuple[int | None, ...]]:
    """Of inputs and outputs, without the batch."""
    return tuple(model.input_shape[1:]), tuple(model.output_shape[1:])


def _array(data: Data, shape: tuple[int | None, ...], what: str, verb: str) -> Array:
    if isinstance(data, Mapping):
        (data,) = data.values()
    array = np.asarray(data, np.float32)
    if shape == (1,) and array.ndim == 1:
        array = array[:, None]
    given = array.shape[1:]
    fits = len(given) == len(shape) and all(
        asked in (None, size) for size, asked in zip(given, shape, strict=True)
    )
    if not fits:
        raise KerasnasError(f"the {what} have the shape {given}, the network {verb} {shape}")
    return array


def _set_aside(x: Array, y: Array, share: float) -> tuple[Array, Array, tuple[Array, Array]]:
    """Clips to train on, and the share for validation: the same ones in every call."""
    order = np.random.default_rng(0).permutation(len(x))
    count = len(x) - int(len(x) * (1 - share))
    if not 0 < share < 1 or not 0 < count < len(x):
        raise KerasnasError(
            f"validation_set is {share}, and there are {len(x)} clips: give a share that leaves "
            "clips on both sides"
        )
    chosen, rest = np.sort(order[:count]), np.sort(order[count:])
    return x[rest], y[rest], (x[chosen], y[chosen])
