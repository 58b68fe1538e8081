"""Random image augmentation, reproducible from a seed.

Each function maps a batch of images ``(batch, height, width, channels)``, uint8, and a seed of two
int64 to images of the same shape and type. They are stateless: the pipeline derives the seed from
the run, the epoch and the step, which makes a resumed run see the same images.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from zoo.specs import ImageOptions

CROP_DIVISOR = 8
CUTOUT_DIVISOR = 4
ELASTIC_ALPHA, ELASTIC_SIGMA = 34 / 28, 4 / 28  # of the side: the paper's, for 28 pixels

Augmentation = Callable[..., tf.Tensor]


@dataclasses.dataclass(frozen=True)
class RandomFlip:
    """Horizontal flip of each image with probability 1/2.

    Example:
        >>> import numpy as np
        >>> from zoo.data.augmentation import RandomFlip
        >>> RandomFlip()(np.zeros((2, 32, 32, 3), "uint8"), seed=(0, 1)).shape
        TensorShape([2, 32, 32, 3])
    """

    def __call__(self, images: Any, seed: Any) -> tf.Tensor:
        """Augment a batch."""
        flipped = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed) < 0.5
        return tf.where(flipped, images[:, :, ::-1], images)


@dataclasses.dataclass(frozen=True)
class PaddedCrop:
    """Random crop, at the original size, of each image after reflection padding.

    Args:
        padding: number of pixels padded on each side.

    Example:
        >>> import numpy as np
        >>> from zoo.data.augmentation import PaddedCrop
        >>> PaddedCrop(4)(np.zeros((2, 32, 32, 3), "uint8"), seed=(0, 1)).shape
        TensorShape([2, 32, 32, 3])

    Reference:
        He et al. (2016), Deep residual learning for image recognition, section 4.2,
        https://arxiv.org/abs/1512.03385
    """

    padding: int

    def __call__(self, images: Any, seed: Any) -> tf.Tensor:
        """Augment a batch."""
        batch, height, width, _ = tf.unstack(tf.shape(images))
        margin = [self.padding, self.padding]
        padded = tf.pad(images, [[0, 0], margin, margin, [0, 0]], "REFLECT")
        offsets = tf.random.stateless_uniform(
            (2, batch, 1), seed, 0, 2 * self.padding + 1, dtype=tf.int32
        )
        rows = tf.gather(padded, offsets[0] + tf.range(height), axis=1, batch_dims=1)
        columns = tf.transpose(rows, (0, 2, 1, 3))
        columns = tf.gather(columns, offsets[1] + tf.range(width), axis=1, batch_dims=1)
        return tf.transpose(columns, (0, 2, 1, 3))


@dataclasses.dataclass(frozen=True)
class Cutout:
    """Square of one color at a random position in each image.

    The center is uniform over the image; the part of the square outside the image is clipped.

    Args:
        size: side of the square in pixels.
        color: one value per channel, 0 to 255.

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

    size: int
    color: tuple[int, ...]

    def __call__(self, images: Any, seed: Any) -> tf.Tensor:
        """Augment a batch."""
        batch, height, width, _ = tf.unstack(tf.shape(images))
        centers = tf.random.stateless_uniform((2, batch, 1), seed)
        rows = self._interval_mask(centers[0], height)[:, :, None, None]
        columns = self._interval_mask(centers[1], width)[:, None, :, None]
        return tf.where(rows & columns, tf.constant(self.color, tf.uint8), images)

    def _interval_mask(self, center: Any, length: Any) -> Any:
        """Return a mask ``(batch, length)`` of the square's extent along one axis."""
        start = tf.cast(tf.cast(length, tf.float32) * center, tf.int32) - self.size // 2
        position = tf.range(length)
        return (position >= start) & (position < start + self.size)


@dataclasses.dataclass(frozen=True)
class ElasticDistortion:
    """Smooth random displacement of the pixels of each image, as of handwriting.

    Independent random displacements are smoothed by a Gaussian; pixels are interpolated linearly,
    and those from outside the image repeat its edge.

    Args:
        alpha: factor of the smoothed displacements, which are uniform in [-1, 1] before, in pixels.
        sigma: standard deviation of the Gaussian in pixels.

    Example:
        >>> import numpy as np
        >>> from zoo.data.augmentation import ElasticDistortion
        >>> ElasticDistortion(34, 4)(np.zeros((2, 28, 28, 1), "uint8"), seed=(0, 1)).shape
        TensorShape([2, 28, 28, 1])

    Reference:
        Simard, Steinkraus & Platt (2003), Best practices for convolutional neural networks applied
        to visual document analysis, https://doi.org/10.1109/ICDAR.2003.1227801
    """

    alpha: float
    sigma: float

    def __call__(self, images: Any, seed: Any) -> tf.Tensor:
        """Augment a batch."""
        batch, height, width, channels = tf.unstack(tf.shape(images))
        noise = tf.random.stateless_uniform((2, batch, height, width), seed, -1.0, 1.0)
        shifts = self.alpha * (self._smoother(height) @ noise @ self._smoother(width))
        y = tf.cast(tf.range(height)[:, None], tf.float32) + shifts[0]
        x = tf.cast(tf.range(width), tf.float32) + shifts[1]
        top, left = tf.floor(y), tf.floor(x)
        pixels = tf.reshape(tf.cast(images, tf.float32), (batch, height * width, channels))
        total = tf.zeros((batch, height, width, channels))
        for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
            share = (1 - tf.abs(y - top - row)) * (1 - tf.abs(x - left - column))
            at_y = tf.clip_by_value(tf.cast(top, tf.int32) + row, 0, height - 1)
            at_x = tf.clip_by_value(tf.cast(left, tf.int32) + column, 0, width - 1)
            total += share[..., None] * tf.gather(pixels, at_y * width + at_x, batch_dims=1)
        return tf.cast(tf.round(total), images.dtype)

    def _smoother(self, length: Any) -> tf.Tensor:
        """Return the matrix that convolves a sequence with the Gaussian, symmetric."""
        position = tf.range(length, dtype=tf.float32)
        distance = (position[:, None] - position) / self.sigma
        return tf.exp(-tf.square(distance) / 2) / (self.sigma * math.sqrt(2 * math.pi))


def augmentation_layers(
    options: ImageOptions, shape: tuple[int, ...], color: Sequence[int]
) -> tuple[Augmentation, ...]:
    """Build the augmentation functions named in the options, scaled to the image size.

    Args:
        options: image options; the functions are those of `augmentation`, in that order.
        shape: shape of an image, ``(height, width, channels)``.
        color: fill color of `Cutout`, one value per channel, 0 to 255.

    Returns:
        The functions.
    """
    side = min(shape[:2])
    factories: dict[str, Callable[[], Augmentation]] = {
        "flip": RandomFlip,
        "crop": lambda: PaddedCrop(side // CROP_DIVISOR),
        "cutout": lambda: Cutout(side // CUTOUT_DIVISOR, tuple(color)),
        "elastic": lambda: ElasticDistortion(ELASTIC_ALPHA * side, ELASTIC_SIGMA * side),
    }
    return tuple(factories[name]() for name in options.augmentations)
