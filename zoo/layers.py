"""Layers that Keras does not have. Importing it registers them, so that files with them load."""

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="zoo")
class ResizingIfNeeded(keras.layers.Resizing):
    """Resizes images, and costs nothing where they are known to have the size already.

    Input ``(batch, any height, any width, channels)`` or without the batch; output
    ``(batch, height, width, channels)``. Arguments are those of `keras.layers.Resizing`.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import ResizingIfNeeded
        >>> ResizingIfNeeded(8, 8)(np.zeros((1, 20, 30, 3), "float32")).shape
        TensorShape([1, 8, 8, 3])
    """

    def call(self, data: Any) -> Any:
        """Resizes what does not have the size."""
        if tuple(data.shape[-3:-1]) == (self.height, self.width):
            return data
        return super().call(data)
