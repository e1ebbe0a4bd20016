"""Weight decay inside the gradient, as an L2 penalty: Adam then scales it, too.

PyTorch's `Adam(weight_decay=w)` adds `w * weight` to the gradient of every weight it updates, those
of batch normalisation and biases included; Wu & Lee's code trains so. Loshchilov & Hutter,
"Decoupled weight decay regularization", ICLR 2019, algorithm 2, tell it from AdamW's.
"""

from __future__ import annotations

from typing import Any, cast

import keras


def with_gradient_decay(
    optimizer: type[keras.optimizers.Optimizer], decay: float
) -> type[keras.optimizers.Optimizer]:
    """Return the optimiser's class with `decay * weight` added to each gradient, after clipping.

    Args:
        optimizer: Class of an optimiser that updates one variable at a time (`update_step`).
        decay: Factor of each weight; 0 returns the class itself.
    """
    if not decay:
        return optimizer

    class Decaying(optimizer):
        """The optimiser, with decay in its gradients."""

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            super().update_step(gradient + decay * variable, variable, learning_rate)

    return cast("type[keras.optimizers.Optimizer]", Decaying)
