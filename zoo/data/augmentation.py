"""Layers that alter training images at random, the same way for the same seed.

Each takes a batch of images ``(batch, height, width, channels)``, uint8, and a seed of two int64,
and gives images of the same shape and type. They keep no state: the pipeline makes the seed of
run, epoch and step, so that a training that starts again sees what it would have seen.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from zoo.specs import ImageOptions

CROP_SHARE = 8
CUTOUT_SHARE = 4


class RandomFlip(keras.Layer):
    """Mirrors each image left to right if the toss of a coin says so.

    Example:
        >>> import numpy as np
        >>> from zoo.data.augmentation import RandomFlip
        >>> RandomFlip()(np.zeros((2, 32, 32, 3), "uint8"), seed=(0, 1)).shape
        TensorShape([2, 32, 32, 3])
    """

    def call(self, images: Any, seed: Any) -> Any:
        """Alters a batch."""
        heads = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed) < 0.5
        return tf.where(heads, images[:, :, ::-1], images)


class PaddedCrop(keras.Layer):
    """Moves each image by up to `padding` pixels each way; what enters is mirrored at the edge.

    Args:
        padding: the pixels.

    Example:
        >>> import numpy as np
        >>> from zoo.data.augmentation import PaddedCrop
        >>> PaddedCrop(4)(np.zeros((2, 32, 32, 3), "uint8"), seed=(0, 1)).shape
        TensorShape([2, 32, 32, 3])

    Reference:
        He et al. (2016), Deep residual learning for image recognition, section 4.2,
        https://arxiv.org/abs/1512.03385
    """

    def __init__(self, padding: int) -> None:
        super().__init__(dtype="uint8")
        self.padding = padding

    def call(self, images: Any, seed: Any) -> Any:
        """Alters a batch."""
        batch, height, width, _ = tf.unstack(tf.shape(images))
        around = [self.padding, self.padding]
        padded = tf.pad(images, [[0, 0], around, around, [0, 0]], "REFLECT")
        moves = tf.random.stateless_uniform(
            (2, batch, 1), seed, 0, 2 * self.padding + 1, dtype=tf.int32
        )
        rows = tf.gather(padded, moves[0] + tf.range(height), axis=1, batch_dims=1)
        columns = tf.transpose(rows, (0, 2, 1, 3))
        columns = tf.gather(columns, moves[1] + tf.range(width), axis=1, batch_dims=1)
        return tf.transpose(columns, (0, 2, 1, 3))


class Cutout(keras.Layer):
    """Covers a square of each image, centered anywhere in it, with one color.

    Args:
        size: side of the square in pixels; what lies beyond the edge is lost.
        color: one value a channel, 0 to 255.

    Example:
        >>> import numpy as np
        >>> from zoo.data.augmentation import Cutout
        >>> images = np.full((1, 32, 32, 3), 255, "uint8")
        >>> bool((Cutout(8, (0, 0, 0))(images, seed=(0, 1)).numpy() == 0).any())
        True

    Reference:
        DeVries & Taylor (2017), Improved regularization of convolutional neural networks with
        cutout, https://arxiv.org/abs/1708.04552
    """

    def __init__(self, size: int, color: Sequence[int]) -> None:
        super().__init__(dtype="uint8")
        self.size = size
        self.color = tuple(color)

    def call(self, images: Any, seed: Any) -> Any:
        """Alters a batch."""
        batch, height, width, _ = tf.unstack(tf.shape(images))
        centers = tf.random.stateless_uniform((2, batch, 1), seed)
        rows = self._covered(centers[0], height)[:, :, None, None]
        columns = self._covered(centers[1], width)[:, None, :, None]
        return tf.where(rows & columns, tf.constant(self.color, tf.uint8), images)

    def _covered(self, center: Any, side: Any) -> Any:
        first = tf.cast(tf.cast(side, tf.float32) * center, tf.int32) - self.size // 2
        place = tf.range(side)
        return (place >= first) & (place < first + self.size)


def layers_for(
    options: ImageOptions, shape: tuple[int, ...], color: Sequence[int]
) -> tuple[keras.Layer, ...]:
    """Makes the layers that the options name, in their order, of a size that suits the images.

    Args:
        options: whose `augmentation` names them.
        shape: of one image, ``(height, width, channels)``.
        color: what `cutout` covers with: one value a channel, 0 to 255.

    Returns:
        The layers.
    """
    side = min(shape[:2])
    makers = {
        "flip": lambda: RandomFlip(dtype="uint8"),
        "crop": lambda: PaddedCrop(side // CROP_SHARE),
        "cutout": lambda: Cutout(side // CUTOUT_SHARE, color),
    }
    return tuple(makers[name]() for name in options.augmentations)
