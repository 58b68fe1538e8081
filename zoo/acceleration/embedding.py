"""An embedding that gives each word one gradient. Importing it registers the layer."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from zoo.acceleration.devices import is_within_xla


@keras.saving.register_keras_serializable(package="zoo")
class Embedding(keras.layers.Embedding):
    """Keras' layer of the same name, whose gradient is one row a word, however often it occurs.

    On TensorFlow the gradient of Keras' layer has a row for each place in the batch, and an
    optimizer that squares it (Adam, RMSprop) adds up the squares of a word's rows: that is not the
    square of the word's gradient, which the same optimizer takes on other backends and in PyTorch.
    Here the rows are summed first, once and by XLA. Arguments, weights and answers are those of
    `keras.layers.Embedding`; on other backends it leaves the work to Keras.

    Example:
        >>> import numpy as np
        >>> from zoo.acceleration.embedding import Embedding
        >>> Embedding(10, 4)(np.array([[3, 2, 3]])).shape
        TensorShape([1, 3, 4])

    Reference:
        Bengio et al. (2003), A neural probabilistic language model,
        https://jmlr.org/papers/v3/bengio03a.html
    """

    def call(self, inputs: Any) -> Any:
        """Looks the words up."""
        if keras.config.backend() != "tensorflow":
            return super().call(inputs)
        vectors = tf.convert_to_tensor(self.embeddings)
        return ops.cast(_look_up(vectors, ops.cast(inputs, "int32")), self.compute_dtype)


@tf.custom_gradient
def _look_up(
    vectors: tf.Tensor, words: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, None]]]:
    vocab_size, size = vectors.shape

    def gradient(d_found: tf.Tensor) -> tuple[tf.Tensor, None]:
        sum_by_word = tf.math.unsorted_segment_sum if is_within_xla() else _sum_by_xla
        rows = tf.reshape(d_found, (-1, size))
        return sum_by_word(rows, tf.reshape(words, (-1,)), vocab_size), None

    return tf.gather(vectors, words), gradient


_sum_by_xla = tf.function(tf.math.unsorted_segment_sum, jit_compile=True, reduce_retracing=True)
