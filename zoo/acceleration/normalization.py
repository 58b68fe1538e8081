"""Batch normalization of images by TensorFlow's fused kernel.

Keras composes the training step of batch normalization from a dozen operations, each of which reads
the whole batch, in float32 even where the model computes in bfloat16.
"""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="zoo")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization`, faster to train.

    Arguments, weights, moving statistics and outputs are those of the Keras layer, up to rounding.
    The layer falls back to Keras outside training, for inputs that are not channels-last images,
    without scale or center, with a mask, and on other backends.

    Example:
        >>> import numpy as np
        >>> from zoo.acceleration.normalization import BatchNormalization
        >>> images = np.random.default_rng(0).normal(3, 2, (8, 5, 5, 4)).astype("float32")
        >>> normalized = BatchNormalization()(images, training=True).numpy()
        >>> bool(np.allclose(normalized.mean((0, 1, 2)), 0, atol=1e-5))
        True

    Reference:
        Ioffe & Szegedy (2015), Batch normalization, https://arxiv.org/abs/1502.03167
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalize by the batch statistics in training, by the moving statistics otherwise."""
        if not (training and self.trainable and mask is None and self._is_supported(inputs)):
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma),
            offset=tf.convert_to_tensor(self.beta),
            mean=[],
            variance=[],
            epsilon=self.epsilon,
            is_training=True,
        )
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), variance.dtype)
        biased_variance = variance * (count - 1) / count  # the kernel applies Bessel's correction
        self._update_moving_average(self.moving_mean, mean)
        self._update_moving_average(self.moving_variance, biased_variance)
        return outputs

    def _update_moving_average(self, average: Any, value: tf.Tensor) -> None:
        average.assign(average * self.momentum + value * (1 - self.momentum))

    def _is_supported(self, inputs: Any) -> bool:
        is_images = len(inputs.shape) == 4 and self.axis in (3, -1)
        is_standard = (
            self.scale and self.center and not (getattr(self, "renorm", False) or self.synchronized)
        )
        return is_images and is_standard and keras.config.backend() == "tensorflow"
