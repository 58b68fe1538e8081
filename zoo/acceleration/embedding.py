"""An embedding layer whose gradient has one row per token id."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from zoo.acceleration.devices import is_within_xla


@keras.saving.register_keras_serializable(package="zoo")
class Embedding(keras.layers.Embedding):
    """`keras.layers.Embedding` with a dense gradient on TensorFlow.

    On TensorFlow the gradient of the Keras layer is a `tf.IndexedSlices` with a row for every
    position of the batch. Optimizers that square it, such as Adam and RMSprop, then sum the squares
    of a token's rows, which is not the square of the token's gradient that they use on other
    backends and in PyTorch. Here the rows are summed first, in one operation compiled by XLA.
    Arguments, weights and outputs are those of the Keras layer. The layer falls back to Keras on
    other backends.

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
        """Return the embeddings of token ids."""
        if keras.config.backend() != "tensorflow":
            return super().call(inputs)
        embeddings = tf.convert_to_tensor(self.embeddings)
        return ops.cast(_lookup(embeddings, ops.cast(inputs, "int32")), self.compute_dtype)


@tf.custom_gradient
def _lookup(
    embeddings: tf.Tensor, token_ids: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, None]]]:
    vocab_size, embedding_dim = embeddings.shape

    def gradient(d_outputs: tf.Tensor) -> tuple[tf.Tensor, None]:
        segment_sum = tf.math.unsorted_segment_sum if is_within_xla() else _compiled_segment_sum
        rows = tf.reshape(d_outputs, (-1, embedding_dim))
        return segment_sum(rows, tf.reshape(token_ids, (-1,)), vocab_size), None

    return tf.gather(embeddings, token_ids), gradient


_compiled_segment_sum = tf.function(
    tf.math.unsorted_segment_sum, jit_compile=True, reduce_retracing=True
)
