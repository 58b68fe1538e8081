"""Preprocessors computed by TensorFlow, inside of `tf.data`, whichever backend Keras runs on."""

import contextlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.data.tokens import standardize_text
from zoo.layers.image import CHANNEL_WEIGHTS, AntialiasedResizing, Grayscale

TensorFunction = Callable[[Any], tf.Tensor]

if keras.config.backend() != "tensorflow":
    with contextlib.suppress(RuntimeError):  # TensorFlow already uses the GPUs
        tf.config.set_visible_devices([], "GPU")  # it would take their memory


def on_tensorflow(preprocessor: keras.Layer) -> TensorFunction:
    """Return a function of TensorFlow that computes the same as a preprocessor.

    Args:
        preprocessor: that of a dataset or of a run, on any backend.

    Returns:
        Function of raw rows, ``(batch, ...)``, that can be used inside of `tf.data` and outside;
        on the TensorFlow backend the preprocessor itself.
    """
    if keras.config.backend() == "tensorflow":
        return preprocessor
    steps = [_step(layer) for layer in getattr(preprocessor, "layers", [preprocessor])]

    def preprocess(rows: Any) -> tf.Tensor:
        for step in steps:
            rows = step(rows)
        return rows

    return tf.function(preprocess, reduce_retracing=True)


def apply_preprocessor(preprocessor: keras.Layer, rows: np.ndarray) -> np.ndarray:
    """Preprocess raw rows.

    Args:
        preprocessor: that of a dataset or of a run, on any backend.
        rows: raw rows, ``(batch, ...)``.

    Returns:
        Inputs of the model, ``(batch, ...)``.

    Example:
        >>> import zoo
        >>> from zoo.data.preprocessing import apply_preprocessor
        >>> data = zoo.load_data("and", batch_size=4)
        >>> apply_preprocessor(data.preprocessor, data.rows["test"].inputs[2:]).tolist()
        [[1.0, 0.0], [1.0, 1.0]]
    """
    return np.asarray(on_tensorflow(preprocessor)(tf.constant(rows)))


def _step(layer: keras.Layer) -> TensorFunction:
    match layer:
        case keras.layers.TextVectorization():
            vectorize = _without_standardization(layer)
            return lambda texts: vectorize.call(standardize_text(texts))
        case AntialiasedResizing():
            return keras.layers.Resizing(layer.height, layer.width, antialias=True)
        case Grayscale():
            weights = CHANNEL_WEIGHTS[layer.method]
            return lambda images: tf.reduce_sum(images * weights, axis=-1, keepdims=True)
        case keras.layers.Identity():
            return tf.convert_to_tensor
        case _:
            return layer


def _without_standardization(layer: keras.layers.TextVectorization) -> Any:
    """Return a copy that takes standardized texts, which Keras keeps on TensorFlow."""
    words = layer.get_vocabulary(include_special_tokens=False)
    return keras.layers.TextVectorization(
        **layer.get_config() | {"standardize": None, "vocabulary": words}
    )
