"""Multi-head attention with a custom gradient.

On a CPU most of a Transformer's training step is spent on the attention weights, one number per
pair of tokens, and TensorFlow traverses all of them once per operation and once per gradient. Here
two of those operations are folded into matrix products: the mask is an additional channel of
queries and keys, and the term that the softmax gradient subtracts is an additional channel of the
values.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from zoo.acceleration.devices import is_tensorflow_on_cpu

MASK_BIAS = -1e9  # added to a logit, it makes the attention weight zero


@keras.saving.register_keras_serializable(package="zoo")
class MultiHeadAttention(keras.layers.MultiHeadAttention):
    """`keras.layers.MultiHeadAttention`, faster to train on a CPU.

    Arguments and weights are those of the Keras layer, and outputs equal its outputs up to
    rounding, except for masked queries, which are computed like all others. The layer falls back to
    Keras outside training; if attention scores are requested, dropped out or masked per query; and
    on other devices and backends.

    Example:
        >>> import numpy as np
        >>> from zoo.acceleration.attention import MultiHeadAttention
        >>> sequences = np.ones((2, 5, 8), "float32")
        >>> MultiHeadAttention(num_heads=2, key_dim=4)(sequences, sequences, training=True).shape
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
        needs_scores = self._dropout or return_attention_scores or options
        if needs_scores or not (training and self._is_supported(query, attention_mask)):
            return super()._compute_attention(
                query, key, value, attention_mask, training, return_attention_scores, **options
            )
        query, key, value = (
            tf.transpose(x, (0, 2, 1, 3)) for x in (query * self._inverse_sqrt_key_dim, key, value)
        )
        mask = tf.ones_like(key[..., 0], tf.bool)
        if attention_mask is not None:
            mask &= attention_mask
        return tf.transpose(masked_attention(query, key, value, mask), (0, 2, 1, 3)), None

    def _is_supported(self, query: Any, mask: Any) -> bool:
        is_key_mask = mask is None or (len(mask.shape) == 3 and mask.shape[1] == 1)
        is_standard = is_key_mask and len(query.shape) == 4 and not self._flash_attention
        return is_standard and is_tensorflow_on_cpu()


@tf.custom_gradient
def masked_attention(
    query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, mask: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor | None, ...]]]:
    """Compute scaled dot-product attention with a key mask.

    Args:
        query: scaled queries ``(batch, heads, queries, channels)``.
        key: keys ``(batch, heads, keys, channels)``.
        value: values ``(batch, heads, keys, value_channels)``.
        mask: key mask ``(batch, heads, keys)``, False for keys that must not be attended to.

    Returns:
        The attention output ``(batch, heads, queries, value_channels)`` and its gradient function.

    Reference:
        Dao, Fu, Ermon, Rudra & Ré (2022), FlashAttention, https://arxiv.org/abs/2205.14135, for the
        term that the softmax gradient subtracts
    """
    ones = tf.ones_like(key[..., :1])
    mask_bias = tf.cast(tf.where(mask, 0.0, MASK_BIAS), key.dtype)[..., None]
    logits = _matmul_transposed(
        _append_channel(query, tf.ones_like(query[..., :1])), _append_channel(key, mask_bias)
    )
    weights = tf.nn.softmax(logits)
    outputs = tf.matmul(weights, value)

    def gradient(d_outputs: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
        mean = tf.reduce_sum(d_outputs * outputs, axis=-1, keepdims=True)
        d_logits = weights * _matmul_transposed(
            _append_channel(d_outputs, -mean), _append_channel(value, ones)
        )
        return (
            tf.matmul(d_logits, key),
            tf.matmul(d_logits, query, transpose_a=True),
            tf.matmul(weights, d_outputs, transpose_a=True),
            None,
        )

    return outputs, gradient


def _append_channel(channels: tf.Tensor, channel: tf.Tensor) -> tf.Tensor:
    return tf.concat([channels, channel], axis=-1)


def _matmul_transposed(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    return tf.matmul(left, right, transpose_b=True)
