"""Layers for token sequences: masked pooling, position embeddings and the Transformer block."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class MaskedMaxPooling1D(keras.layers.Layer):
    """Global max pooling over time that ignores masked steps.

    `keras.layers.GlobalMaxPooling1D` does not support masking. Input ``(batch, time, channels)``
    with an optional padding mask; output ``(batch, channels)``.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import MaskedMaxPooling1D
        >>> x = np.array([[[-1.0], [5.0]]], "float32")
        >>> MaskedMaxPooling1D()(x, mask=np.array([[True, False]])).numpy().tolist()
        [[-1.0]]
    """

    supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Return the maximum over unmasked steps."""
        if mask is not None:
            lowest = ops.cast(-1e9 if inputs.dtype != "float16" else -6e4, inputs.dtype)
            inputs = ops.where(mask[:, :, None], inputs, lowest)
        return ops.max(inputs, axis=1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None, since the output has no time axis."""

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return ``(batch, channels)``."""
        return (input_shape[0], input_shape[2])


@keras.saving.register_keras_serializable(package="zoo")
class TokenAndPositionEmbedding(keras.layers.Layer):
    """Sum of learned token embeddings and learned position embeddings.

    Input ``(batch, time)``, token ids, where 0 is padding; output ``(batch, time, embedding_dim)``,
    with a padding mask.

    Args:
        vocab_size: size of the vocabulary, padding included.
        sequence_length: maximum length of the input.
        embedding_dim: dimension of the embeddings.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import TokenAndPositionEmbedding
        >>> TokenAndPositionEmbedding(10, 7, 4)(np.array([[3, 2, 0]])).shape
        TensorShape([1, 3, 4])

    Reference:
        Vaswani et al. (2017), Attention is all you need, https://arxiv.org/abs/1706.03762
    """

    embedding_layer = keras.layers.Embedding

    def __init__(
        self, vocab_size: int, sequence_length: int, embedding_dim: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.vocab_size = vocab_size
        self.sequence_length = sequence_length
        self.embedding_dim = embedding_dim
        self.tokens = self.embedding_layer(vocab_size, embedding_dim, name="tokens")
        self.positions = self.embedding_layer(sequence_length, embedding_dim, name="positions")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create both embedding matrices."""
        self.tokens.build(input_shape)
        self.positions.build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Return the sum of both embeddings."""
        return self.tokens(inputs) + self.positions(ops.arange(ops.shape(inputs)[1]))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the padding mask, False where the token id is 0."""
        return ops.not_equal(inputs, 0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return ``(batch, time, embedding_dim)``."""
        return (*input_shape, self.embedding_dim)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal layer."""
        return {
            **super().get_config(),
            "vocab_size": self.vocab_size,
            "sequence_length": self.sequence_length,
            "embedding_dim": self.embedding_dim,
        }


@keras.saving.register_keras_serializable(package="zoo")
class TransformerEncoderBlock(keras.layers.Layer):
    """Pre-norm Transformer encoder block: self-attention and a feed-forward network.

    Each of the two is preceded by layer normalization and wrapped in a residual connection. Masked
    steps are not attended to. Input and output ``(batch, time, channels)``; the mask is passed on.

    Args:
        num_heads: number of attention heads; must divide the number of channels.
        intermediate_dim: hidden width of the feed-forward network.
        dropout: dropout rate on the output of each sublayer; as in the paper, attention weights are
            not dropped, which would cost more time than the rest of the block.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import TransformerEncoderBlock
        >>> TransformerEncoderBlock(2, 16)(np.ones((1, 3, 8), "float32")).shape
        TensorShape([1, 3, 8])

    Reference:
        Vaswani et al. (2017), Attention is all you need, https://arxiv.org/abs/1706.03762;
        pre-norm: Xiong et al. (2020), https://arxiv.org/abs/2002.04745
    """

    supports_masking = True
    attention_layer = keras.layers.MultiHeadAttention

    def __init__(
        self, num_heads: int, intermediate_dim: int, dropout: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the sublayers for the number of input channels."""
        channels = int(input_shape[-1] or 0)
        self.attention_norm = keras.layers.LayerNormalization(epsilon=1e-5, name="attention_norm")
        self.attention = self.attention_layer(
            self.num_heads, channels // self.num_heads, name="attention"
        )
        self.network_norm = keras.layers.LayerNormalization(epsilon=1e-5, name="network_norm")
        self.intermediate = keras.layers.Dense(
            self.intermediate_dim, activation="relu", name="intermediate"
        )
        self.output_projection = keras.layers.Dense(channels, name="output_projection")
        self.drop = keras.layers.Dropout(self.dropout, name="drop")
        for layer in (self.attention_norm, self.network_norm, self.intermediate):
            layer.build(input_shape)
        self.attention.build(input_shape, input_shape)
        self.output_projection.build((*input_shape[:-1], self.intermediate_dim))

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        """Apply self-attention, then the feed-forward network."""
        x = self.attention_norm(inputs)
        attention_mask = None if mask is None else mask[:, None, :]
        x = self.attention(x, x, attention_mask=attention_mask, training=training)
        x = inputs + self.drop(x, training=training)
        y = self.output_projection(self.intermediate(self.network_norm(x)))
        return x + self.drop(y, training=training)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal layer."""
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "dropout": self.dropout,
        }
