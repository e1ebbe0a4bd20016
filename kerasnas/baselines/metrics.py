"""TFLearn's `metrics`: its classes' names and arguments, which give Keras's metrics.

Deviation: `R2` is the coefficient of determination, 1 - residual / total sum of squares, as
TFLearn's documentation says; its code divides the sum of squared predictions by that of targets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def Accuracy(name: str = "acc") -> keras.metrics.Metric:  # noqa: N802
    """Share of clips whose highest score is the highest target."""
    import keras

    return keras.metrics.CategoricalAccuracy(name=name)


def Top_k(k: int = 1, name: str | None = None) -> keras.metrics.Metric:  # noqa: N802
    """Share of clips whose highest target is among the `k` highest scores; named `topK`."""
    import keras

    return keras.metrics.TopKCategoricalAccuracy(k, name=name or f"top{k}")


def R2(name: str | None = None) -> keras.metrics.Metric:  # noqa: N802
    """Coefficient of determination, the mean over outputs."""
    import keras

    return keras.metrics.R2Score(name=name or "R2")
