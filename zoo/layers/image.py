"""Layers that prepare images."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class AntialiasedResizing(keras.layers.Layer):
    """Resizes images; costs nothing where they are known to have the size already.

    Input ``(batch, any height, any width, channels)`` or without the batch; output
    ``(batch, height, width, channels)``, floats. It is `tf.image.resize` with bilinear
    interpolation and antialiasing, computed as two products of matrices: every format of artifact
    has those, while ONNX and LiteRT know no antialiasing.

    Args:
        height: of the images given.
        width: of the images given.

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
        """Resizes what does not have the size."""
        if tuple(inputs.shape[-3:-1]) == (self.height, self.width):
            return inputs
        height, width = ops.shape(inputs)[-3:-1]
        narrowed = ops.matmul(self._weights(self.width, width), inputs)
        turned = ops.swapaxes(narrowed, -3, -2)
        return ops.swapaxes(ops.matmul(self._weights(self.height, height), turned), -3, -2)

    def _weights(self, size: int, old_size: Any) -> Any:
        """Gives what each old pixel adds to each new one: a triangle about its center."""
        scale = ops.cast(old_size, self.compute_dtype) / size
        centers = (ops.arange(size, dtype=self.compute_dtype) + 0.5) * scale
        old_centers = ops.cast(ops.arange(old_size), self.compute_dtype) + 0.5
        distances = ops.abs(old_centers - centers[:, None]) / ops.maximum(scale, 1)
        triangles = ops.relu(1 - distances)
        return triangles / ops.sum(triangles, axis=1, keepdims=True)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Gives ``(batch, height, width, channels)``."""
        return (*input_shape[:-3], self.height, self.width, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Gives what makes the same layer again."""
        return {**super().get_config(), "height": self.height, "width": self.width}


SHARES = {"mean": (1 / 3, 1 / 3, 1 / 3), "luminance": (0.299, 0.587, 0.114)}


@keras.saving.register_keras_serializable(package="zoo", name="Greyscale")
class Grayscale(keras.layers.Layer):
    """Makes one channel of three.

    Input ``(batch, height, width, 3)``; output ``(batch, height, width, 1)``.

    Args:
        method: ``"mean"`` of the three; or ``"luminance"``, 0.299 red, 0.587 green and 0.114 blue,
            as ITU-R Recommendation BT.601 has it, https://www.itu.int/rec/R-REC-BT.601.

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
        """Weighs the channels."""
        weights = ops.convert_to_tensor(SHARES[self.method], self.compute_dtype)
        return ops.sum(ops.cast(inputs, self.compute_dtype) * weights, axis=-1, keepdims=True)

    def get_config(self) -> dict[str, Any]:
        """Gives what makes the same layer again."""
        return {**super().get_config(), "method": self.method}
