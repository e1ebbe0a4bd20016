"""TFLearn's `optimizers`: its names, arguments and defaults, which give optimisers of Keras.

The learning rate that is given here counts, and not that of `regression`. Deviation: `RMSProp`'s
mean square begins at 0, not at 1, so that first steps are longer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def SGD(  # noqa: N802
    learning_rate: float = 0.001,
    lr_decay: float = 0.0,
    decay_step: int = 100,
    staircase: bool = False,
    use_locking: bool = False,
    name: str = "SGD",
) -> keras.optimizers.Optimizer:
    """Plain gradient descent.

    Args:
        learning_rate: At the first step.
        lr_decay: Factor of the rate in every `decay_step` steps; 0 keeps the rate.
        decay_step: Steps.
        staircase: Whether the rate falls once in `decay_step` steps, and not a little each step.
        use_locking: Nothing depends on it.
        name: Of the optimiser.
    """
    import keras

    rate = _decayed(learning_rate, lr_decay, decay_step, staircase)
    return keras.optimizers.SGD(rate, name=name)


def Momentum(  # noqa: N802
    learning_rate: float = 0.001,
    momentum: float = 0.9,
    lr_decay: float = 0.0,
    decay_step: int = 100,
    staircase: bool = False,
    use_locking: bool = False,
    name: str = "Momentum",
) -> keras.optimizers.Optimizer:
    """Gradient descent with momentum; other arguments as of `SGD`."""
    import keras

    rate = _decayed(learning_rate, lr_decay, decay_step, staircase)
    return keras.optimizers.SGD(rate, momentum=momentum, name=name)


def RMSProp(  # noqa: N802
    learning_rate: float = 0.001,
    decay: float = 0.9,
    momentum: float = 0.0,
    epsilon: float = 1e-10,
    use_locking: bool = False,
    name: str = "RMSProp",
) -> keras.optimizers.Optimizer:
    """Gradients divided by the root of a moving average of their squares, which `decay` keeps."""
    import keras

    return keras.optimizers.RMSprop(
        learning_rate, rho=decay, momentum=momentum, epsilon=epsilon, name=name
    )


def Adam(  # noqa: N802
    learning_rate: float = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    use_locking: bool = False,
    name: str = "Adam",
) -> keras.optimizers.Optimizer:
    """Adam with TFLearn's epsilon."""
    import keras

    return keras.optimizers.Adam(
        learning_rate, beta_1=beta1, beta_2=beta2, epsilon=epsilon, name=name
    )


def AdaGrad(  # noqa: N802
    learning_rate: float = 0.001,
    initial_accumulator_value: float = 0.1,
    use_locking: bool = False,
    name: str = "AdaGrad",
) -> keras.optimizers.Optimizer:
    """Adagrad."""
    import keras

    return keras.optimizers.Adagrad(
        learning_rate, initial_accumulator_value=initial_accumulator_value, name=name
    )


def AdaDelta(  # noqa: N802
    learning_rate: float = 0.001,
    rho: float = 0.1,
    epsilon: float = 1e-8,
    use_locking: bool = False,
    name: str = "AdaDelta",
) -> keras.optimizers.Optimizer:
    """Adadelta with TFLearn's `rho`."""
    import keras

    return keras.optimizers.Adadelta(learning_rate, rho=rho, epsilon=epsilon, name=name)


def Ftrl(  # noqa: N802
    learning_rate: float = 3.0,
    learning_rate_power: float = -0.5,
    initial_accumulator_value: float = 0.1,
    l1_regularization_strength: float = 0.0,
    l2_regularization_strength: float = 0.0,
    use_locking: bool = False,
    name: str = "Ftrl",
) -> keras.optimizers.Optimizer:
    """Follow the regularised leader."""
    import keras

    return keras.optimizers.Ftrl(
        learning_rate,
        learning_rate_power=learning_rate_power,
        initial_accumulator_value=initial_accumulator_value,
        l1_regularization_strength=l1_regularization_strength,
        l2_regularization_strength=l2_regularization_strength,
        name=name,
    )


BY_NAME: dict[str, Callable[[float], Any]] = {
    "adam": Adam,
    "sgd": SGD,
    "momentum": Momentum,
    "rmsprop": RMSProp,
    "adagrad": AdaGrad,
    "adadelta": AdaDelta,
    "ftrl": Ftrl,
}
"""What makes each optimiser that `regression` knows by name, from a learning rate."""


def _decayed(rate: float, factor: float, steps: int, staircase: bool) -> Any:
    import keras

    if not factor:
        return rate
    return keras.optimizers.schedules.ExponentialDecay(rate, steps, factor, staircase)
