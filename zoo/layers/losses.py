"""Losses that Keras lacks; importing the module registers them, so that saved models load."""

import math
from typing import Any

import keras
from keras import ops


def kl_divergence(z_mean: Any, z_log_var: Any) -> Any:
    """Compute the KL divergence of diagonal normal distributions from the standard normal one.

    Args:
        z_mean: means ``(..., latent_dim)``.
        z_log_var: logarithms of the variances ``(..., latent_dim)``.

    Returns:
        The Kullback-Leibler divergence per dimension, ``(..., latent_dim)``, in nats; summed over
        the dimensions it is the divergence of the joint distribution.

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
    """Cross-entropy between integer labels and predictions, in nats, with label smoothing.

    The target probability is ``1 - smoothing + smoothing / classes`` for the true class and
    ``smoothing / classes`` for every other class. Keras supports label smoothing for one-hot labels
    only. Labels are ``(batch,)``, predicted probabilities ``(batch, classes)``.

    Args:
        smoothing: fraction of the label spread over all classes, in [0, 1).

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
        """Return the loss of each example."""
        classes = y_pred.shape[1]
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        one_hot = ops.one_hot(labels, classes, dtype="float32")
        target = one_hot * (1 - self.smoothing) + self.smoothing / classes
        return ops.categorical_crossentropy(target, y_pred)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal loss."""
        return {**super().get_config(), "smoothing": self.smoothing}


@keras.saving.register_keras_serializable(package="zoo")
class BernoulliLoss(keras.losses.Loss):
    """Negative log-likelihood of images under independent Bernoulli pixels.

    In nats per image, summed over pixels. Gray levels between 0 and 1 are treated as probabilities:
    the loss is then the cross-entropy, whose minimum is above zero. The likelihood is undefined for
    images with values outside [0, 1]; their loss is NaN. Images are ``(batch, ...)``, predicted
    probabilities of 1 have the same shape.

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
        """Return the loss of each image."""
        pixel_axes = tuple(range(1, len(y_pred.shape)))
        in_range = ops.logical_and(y_true >= 0, y_true <= 1)
        nats = ops.sum(ops.binary_crossentropy(y_true, y_pred), axis=pixel_axes)
        return ops.where(ops.all(in_range, axis=pixel_axes), nats, float("nan"))


@keras.saving.register_keras_serializable(package="zoo")
class GaussianLoss(keras.losses.Loss):
    """Negative log-density of images under independent normal pixels of equal standard deviation.

    In nats per image, summed over pixels. Since it derives from a density, it can be negative.
    Images are ``(batch, ...)``, predicted means have the same shape.

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
        """Return the loss of each image."""
        pixel_axes = tuple(range(1, len(y_pred.shape)))
        nats = ops.square((y_true - y_pred) / self.stddev) / 2
        return ops.sum(nats + math.log(self.stddev) + math.log(2 * math.pi) / 2, axis=pixel_axes)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal loss."""
        return {**super().get_config(), "stddev": self.stddev}
