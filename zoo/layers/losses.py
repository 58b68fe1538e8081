"""Losses that Keras does not have. Importing it registers them, so that files with them load."""

import math
from typing import Any

import keras
from keras import ops


def kl_divergence(z_mean: Any, z_log_var: Any) -> Any:
    """Gives how far diagonal normal distributions are from the standard normal one.

    Args:
        z_mean: ``(..., latent_dim)``.
        z_log_var: ``(..., latent_dim)``, logarithms of the variances.

    Returns:
        ``(..., latent_dim)``: the Kullback-Leibler divergence along each dimension, in nats; its
        sum over the dimensions is that of the whole.

    Example:
        >>> import numpy as np
        >>> from zoo.layers.losses import kl_divergence
        >>> kl_divergence(np.array([0.0, 1.0]), np.array([0.0, 0.0])).numpy().tolist()
        [0.0, 0.5]

    Reference:
        Kingma & Welling (2014), Auto-encoding variational Bayes, appendix B,
        https://arxiv.org/abs/1312.6114
    """
    return (ops.exp(z_log_var) + ops.square(z_mean) - 1 - z_log_var) / 2


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
        >>> from zoo.layers.losses import SmoothedCrossentropy
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


@keras.saving.register_keras_serializable(package="zoo")
class BernoulliLoss(keras.losses.Loss):
    """Minus the log-likelihood of images whose pixels are coins: nats an image, summed over pixels.

    For pixels that are 0 or 1. Those between are gray levels, taken for shares of coins: the
    figure is then the cross-entropy, and has a floor above zero. An image that leaves [0, 1] has
    no such likelihood; its loss is not a number.

    Takes images ``(batch, ...)`` and the probabilities of 1 of the same shape.

    Example:
        >>> import numpy as np
        >>> from zoo.layers.losses import BernoulliLoss
        >>> round(float(BernoulliLoss()(np.ones((1, 2, 2, 1)), np.full((1, 2, 2, 1), 0.5))), 4)
        2.7726

    Reference:
        Kingma & Welling (2014), Auto-encoding variational Bayes, appendix C.1,
        https://arxiv.org/abs/1312.6114
    """

    def __init__(self, name: str = "bernoulli_loss", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Gives the loss of each image."""
        pixels = tuple(range(1, len(y_pred.shape)))
        possible = ops.logical_and(y_true >= 0, y_true <= 1)
        nats = ops.sum(ops.binary_crossentropy(y_true, y_pred), axis=pixels)
        return ops.where(ops.all(possible, axis=pixels), nats, float("nan"))


@keras.saving.register_keras_serializable(package="zoo")
class GaussianLoss(keras.losses.Loss):
    """Minus the log-density of images under normal distributions of one width about the output.

    In nats an image, summed over pixels. It is a density's, so that it may be below zero.

    Takes images ``(batch, ...)`` and the means of the same shape.

    Args:
        stddev: standard deviation of every pixel, above 0.

    Example:
        >>> import numpy as np
        >>> from zoo.layers.losses import GaussianLoss
        >>> round(float(GaussianLoss(1.0)(np.ones((1, 1)), np.zeros((1, 1)))), 4)
        1.4189

    Reference:
        Kingma & Welling (2014), Auto-encoding variational Bayes, appendix C.2,
        https://arxiv.org/abs/1312.6114
    """

    def __init__(self, stddev: float, name: str = "gaussian_loss", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.stddev = stddev

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Gives the loss of each image."""
        pixels = tuple(range(1, len(y_pred.shape)))
        nats = ops.square((y_true - y_pred) / self.stddev) / 2
        return ops.sum(nats + math.log(self.stddev) + math.log(2 * math.pi) / 2, axis=pixels)

    def get_config(self) -> dict[str, Any]:
        """Gives what makes the same loss again."""
        return {**super().get_config(), "stddev": self.stddev}
