"""Noise for denoising models, reproducible for each row and seed."""

import dataclasses
from typing import Any

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class GaussianCorruption:
    """Additive Gaussian noise on images with intensities in [0, 1], clipped to that range.

    The noise of an image depends only on its own seed, not on the batch it is in.

    Args:
        stddev: standard deviation of the noise before clipping.

    Example:
        >>> import numpy as np
        >>> from zoo.data.corruption import GaussianCorruption
        >>> GaussianCorruption(0.3)(np.zeros((2, 8, 8, 1)), np.array([[0, 1], [0, 2]])).shape
        TensorShape([2, 8, 8, 1])
    """

    stddev: float

    def __call__(self, images: Any, seeds: Any) -> tf.Tensor:
        """Add noise to images ``(batch, height, width, channels)``.

        Args:
            images: the images.
            seeds: integers ``(batch, 2)``, one stateless seed per image.
        """
        shape = tf.shape(images)[1:]
        noise = tf.map_fn(
            lambda seed: tf.random.stateless_normal(shape, seed),
            seeds,
            fn_output_signature=tf.float32,
        )
        return tf.clip_by_value(tf.cast(images, tf.float32) + self.stddev * noise, 0.0, 1.0)
