"""Losses that Keras does not have. Importing it registers them, so that files with them load."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy, in nats, of integer labels whose certainty is taken down a little.

    The true class counts ``1 - smoothing + smoothing / classes`` and each other one
    ``smoothing / classes``. Keras smooths one-hot labels only.

    Takes labels ``(batch,)`` and probabilities ``(batch, classes)``.

    Args:
        smoothing: share of the label spread over all classes, in [0, 1).

    Example:
        >>> import numpy as np
        >>> from zoo.losses import SmoothedCrossentropy
        >>> loss = SmoothedCrossentropy(0.1)(np.array([0]), np.array([[0.5, 0.5]]))
        >>> round(float(loss), 4)
        0.6931

    Reference:
        Szegedy et al. (2016), Rethinking the Inception architecture for computer vision,
        section 7, https://arxiv.org/abs/1512.00567
    """

    def __init__(
        self, smoothing: float, name: str = "smoothed_crossentropy", **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.smoothing = smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Gives the loss of each row."""
        classes = y_pred.shape[1]
        truth = ops.one_hot(ops.cast(ops.reshape(y_true, (-1,)), "int32"), classes, dtype="float32")
        target = truth * (1 - self.smoothing) + self.smoothing / classes
        return ops.categorical_crossentropy(target, y_pred)

    def get_config(self) -> dict[str, Any]:
        """Gives what makes the same loss again."""
        return {**super().get_config(), "smoothing": self.smoothing}
