"""Multi-head attention with a gradient made by hand. Importing it registers the layer.

A number for every pair of words is most of what a Transformer computes on a CPU, and TensorFlow
goes through all of them once for each operation and for the gradient of each. Here products of
matrices do more at once: the mask is one more channel of queries and keys, and what the softmax's
gradient subtracts is one more channel of the values. How much faster that is,
``python -m benchmarks.layers`` measures.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from zoo.acceleration.devices import is_tensorflow_on_cpu

MASK_BIAS = -1e9  # added to a logit, it leaves nothing of its weight


@keras.saving.register_keras_serializable(package="zoo")
class MultiHeadAttention(keras.layers.MultiHeadAttention):
    """Keras' layer of the same name, faster to train on a CPU.

    Arguments, weights and answers are those of `keras.layers.MultiHeadAttention`, to rounding; the
    weights of one fit into the other. Only what is asked by padding may differ: its queries get an
    answer like all others. Outside training, where scores are asked for, dropped or masked for each
    query apart, and on other devices and backends, it leaves the work to Keras.

    Example:
        >>> import numpy as np
        >>> from zoo.acceleration.attention import MultiHeadAttention
        >>> words = np.ones((2, 5, 8), "float32")
        >>> MultiHeadAttention(num_heads=2, key_dim=4)(words, words, training=True).shape
        TensorShape([2, 5, 8])

    Reference:
        Vaswani et al. (2017), Attention is all you need, https://arxiv.org/abs/1706.03762
    """

    def _compute_attention_mask(
        self, query: Any, value: Any, query_mask: Any = None, **masks: Any
    ) -> Any:
        return super()._compute_attention_mask(query, value, **masks)

    def _compute_attention(
        self,
        query: Any,
        key: Any,
        value: Any,
        attention_mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
        **options: Any,
    ) -> tuple[Any, Any]:
        wants_outputs_only = not (self._dropout or return_attention_scores or options)
        if not (training and wants_outputs_only and self._is_plain(query, attention_mask)):
            return super()._compute_attention(
                query, key, value, attention_mask, training, return_attention_scores, **options
            )
        query, key, value = (
            tf.transpose(x, (0, 2, 1, 3)) for x in (query * self._inverse_sqrt_key_dim, key, value)
        )
        known = tf.ones_like(key[..., 0], tf.bool)
        if attention_mask is not None:
            known &= attention_mask
        return tf.transpose(masked_attention(query, key, value, known), (0, 2, 1, 3)), None

    def _is_plain(self, query: Any, mask: Any) -> bool:
        is_of_keys = mask is None or (len(mask.shape) == 3 and mask.shape[1] == 1)
        is_usual = is_of_keys and len(query.shape) == 4 and not self._flash_attention
        return is_usual and is_tensorflow_on_cpu()


@tf.custom_gradient
def masked_attention(
    query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, known: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor | None, ...]]]:
    """Gives the means of values that queries see, weighted by the softmax of queries times keys.

    Args:
        query: ``(batch, heads, queries, channels)``, scaled.
        key: ``(batch, heads, keys, channels)``.
        value: ``(batch, heads, keys, channels)``.
        known: ``(batch, heads, keys)``, whether a key may be seen.

    Returns:
        ``(batch, heads, queries, channels)``; and its gradient.

    Reference:
        For what the gradient subtracts: Dao, Fu, Ermon, Rudra & Ré (2022), FlashAttention,
        https://arxiv.org/abs/2205.14135
    """
    ones = tf.ones_like(key[..., :1])
    masked = tf.cast(tf.where(known, 0.0, MASK_BIAS), key.dtype)[..., None]
    logits = _product(_beside(query, tf.ones_like(query[..., :1])), _beside(key, masked))
    weights = tf.nn.softmax(logits)
    outputs = tf.matmul(weights, value)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
        mean = tf.reduce_sum(upstream * outputs, axis=-1, keepdims=True)
        of_logits = weights * _product(_beside(upstream, -mean), _beside(value, ones))
        return (
            tf.matmul(of_logits, key),
            tf.matmul(of_logits, query, transpose_a=True),
            tf.matmul(weights, upstream, transpose_a=True),
            None,
        )

    return outputs, gradient


def _beside(channels: tf.Tensor, one_more: tf.Tensor) -> tf.Tensor:
    return tf.concat([channels, one_more], axis=-1)


def _product(rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    return tf.matmul(rows, columns, transpose_b=True)
