"""Image preprocessing layers."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class AntialiasedResizing(keras.layers.Layer):
    """Antialiased bilinear resizing; the identity on images that already have the target size.

    Input ``(batch, any height, any width, channels)`` or the same without the batch axis; output
    ``(batch, height, width, channels)``, floats. It equals `tf.image.resize` with bilinear
    interpolation and antialiasing, but is computed as two matrix products, which every export
    format supports; ONNX and LiteRT have no antialiased resizing.

    Args:
        height: height of the output images.
        width: width of the output images.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import AntialiasedResizing
        >>> AntialiasedResizing(8, 8)(np.zeros((1, 20, 30, 3), "float32")).shape
        TensorShape([1, 8, 8, 3])
    """

    def __init__(self, height: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height = height
        self.width = width

    def call(self, inputs: Any) -> Any:
        """Resize the images, unless their static shape is already the target size."""
        if tuple(inputs.shape[-3:-1]) == (self.height, self.width):
            return inputs
        height, width = ops.shape(inputs)[-3:-1]
        resized_rows = ops.matmul(self._interpolation_matrix(self.width, width), inputs)
        transposed = ops.swapaxes(resized_rows, -3, -2)
        resized = ops.matmul(self._interpolation_matrix(self.height, height), transposed)
        return ops.swapaxes(resized, -3, -2)

    def _interpolation_matrix(self, size: int, old_size: Any) -> Any:
        """Return weights ``(size, old_size)``: a triangle filter around each new pixel's center."""
        scale = ops.cast(old_size, self.compute_dtype) / size
        centers = (ops.arange(size, dtype=self.compute_dtype) + 0.5) * scale
        old_centers = ops.cast(ops.arange(old_size), self.compute_dtype) + 0.5
        distances = ops.abs(old_centers - centers[:, None]) / ops.maximum(scale, 1)
        triangles = ops.relu(1 - distances)
        return triangles / ops.sum(triangles, axis=1, keepdims=True)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return ``(batch, height, width, channels)``."""
        return (*input_shape[:-3], self.height, self.width, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal layer."""
        return {**super().get_config(), "height": self.height, "width": self.width}


CHANNEL_WEIGHTS = {"mean": (1 / 3, 1 / 3, 1 / 3), "luminance": (0.299, 0.587, 0.114)}


@keras.saving.register_keras_serializable(package="zoo", name="Greyscale")
class Grayscale(keras.layers.Layer):
    """Conversion of RGB images to grayscale.

    Input ``(batch, height, width, 3)``; output ``(batch, height, width, 1)``.

    Args:
        method: ``"mean"``, the mean of the three channels; or ``"luminance"``, 0.299 red + 0.587
            green + 0.114 blue, the luma of ITU-R Recommendation BT.601,
            https://www.itu.int/rec/R-REC-BT.601.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import Grayscale
        >>> Grayscale("mean")(np.array([[[[0.0, 0.5, 1.0]]]])).numpy().item()
        0.5
    """

    def __init__(self, method: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.method = method

    def call(self, inputs: Any) -> Any:
        """Return the weighted sum of the channels."""
        weights = ops.convert_to_tensor(CHANNEL_WEIGHTS[self.method], self.compute_dtype)
        return ops.sum(ops.cast(inputs, self.compute_dtype) * weights, axis=-1, keepdims=True)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal layer."""
        return {**super().get_config(), "method": self.method}
