"""Noise on images that a model is to clear, the same for the same row and seed."""

from typing import Any

import keras
import tensorflow as tf


class GaussianCorruption(keras.layers.Layer):
    """Adds Gaussian noise to fractions of full intensity, and cuts off what leaves [0, 1].

    The noise of an image follows from its own seed alone, whatever batch it is in.

    Args:
        stddev: standard deviation of the noise before it is cut off.

    Example:
        >>> import numpy as np
        >>> from zoo.data.corruption import GaussianCorruption
        >>> GaussianCorruption(0.3)(np.zeros((2, 8, 8, 1)), np.array([[0, 1], [0, 2]])).shape
        TensorShape([2, 8, 8, 1])
    """

    def __init__(self, stddev: float) -> None:
        super().__init__()
        self.stddev = stddev

    def call(self, images: Any, seeds: Any) -> Any:
        """Alters a batch ``(batch, height, width, channels)`` by ``(batch, 2)`` integers."""
        shape = tf.shape(images)[1:]
        noise = tf.map_fn(
            lambda seed: tf.random.stateless_normal(shape, seed),
            seeds,
            fn_output_signature=tf.float32,
        )
        return tf.clip_by_value(images + self.stddev * noise, 0.0, 1.0)
