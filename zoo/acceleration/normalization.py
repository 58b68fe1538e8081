"""Batch normalization of images by TensorFlow's fused kernel. Importing it registers the layer.

Keras composes the training step of batch normalization of a dozen operations, each of which reads
the whole batch, in float32 even where the network computes in bfloat16. What that costs on a CPU,
``python -m benchmarks.layers`` measures.
"""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="zoo")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer of the same name, faster to train on a CPU.

    Arguments, weights, statistics and answers are those of `keras.layers.BatchNormalization`, to
    rounding; the weights of one fit into the other. Outside training, for what is no batch of
    images with their channels last, and on another backend, it leaves the work to Keras.

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
        """Normalizes by the batch's statistics in training, and by the running ones elsewhere."""
        if not (training and self.trainable and mask is None and self._is_plain(inputs)):
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
        values = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), variance.dtype)
        biased = variance * (values - 1) / values  # as Keras has it; the kernel corrects it
        self._move(self.moving_mean, mean)
        self._move(self.moving_variance, biased)
        return outputs

    def _move(self, running: Any, of_batch: tf.Tensor) -> None:
        running.assign(running * self.momentum + of_batch * (1 - self.momentum))

    def _is_plain(self, inputs: Any) -> bool:
        is_images = len(inputs.shape) == 4 and self.axis in (3, -1)
        is_usual = self.scale and self.center and not (self.renorm or self.synchronized)
        return is_images and is_usual and keras.config.backend() == "tensorflow"
