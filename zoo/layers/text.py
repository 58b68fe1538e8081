"""Layers for token sequences: masked pooling, position embeddings and the Transformer block."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class MaskedMaxPooling1D(keras.layers.Layer):
    """The largest value over time of each channel, padding left out.

    Keras' own global max pooling counts padding in. Input ``(batch, time, channels)``, with a mask
    if there is padding; output ``(batch, channels)``.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import MaskedMaxPooling1D
        >>> x = np.array([[[-1.0], [5.0]]], "float32")
        >>> MaskedMaxPooling1D()(x, mask=np.array([[True, False]])).numpy().tolist()
        [[-1.0]]
    """

    supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Pools."""
        if mask is not None:
            lowest = ops.cast(-1e9 if inputs.dtype != "float16" else -6e4, inputs.dtype)
            inputs = ops.where(mask[:, :, None], inputs, lowest)
        return ops.max(inputs, axis=1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Ends the mask: there is no time any more."""

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Gives ``(batch, channels)``."""
        return (input_shape[0], input_shape[2])


@keras.saving.register_keras_serializable(package="zoo")
class TokenAndPositionEmbedding(keras.layers.Layer):
    """Learned vectors of the words plus learned vectors of their places; 0 is padding.

    Input ``(batch, time)``, integers; output ``(batch, time, embedding_dim)``, with a mask.

    Args:
        vocab_size: words, padding included.
        sequence_length: places; no input may be longer.
        embedding_dim: length of each vector.

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
        """Makes the vectors."""
        self.tokens.build(input_shape)
        self.positions.build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Looks both up and adds them."""
        return self.tokens(inputs) + self.positions(ops.arange(ops.shape(inputs)[1]))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Marks what is no padding."""
        return ops.not_equal(inputs, 0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Gives ``(batch, time, embedding_dim)``."""
        return (*input_shape, self.embedding_dim)

    def get_config(self) -> dict[str, Any]:
        """Gives what makes the same layer again."""
        return {
            **super().get_config(),
            "vocab_size": self.vocab_size,
            "sequence_length": self.sequence_length,
            "embedding_dim": self.embedding_dim,
        }


@keras.saving.register_keras_serializable(package="zoo")
class TransformerEncoderBlock(keras.layers.Layer):
    """Self-attention and a two-layer network, each normalized before and added to its input.

    Padding is attended by nobody. Input and output ``(batch, time, channels)``; the mask is kept.

    Args:
        num_heads: of the attention; must divide the channels.
        intermediate_dim: units between the two layers of the network.
        dropout: fraction dropped of what is added, while training; as in the paper, none of the
            attention itself, where it would cost more than all the rest.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import TransformerEncoderBlock
        >>> TransformerEncoderBlock(2, 16)(np.ones((1, 3, 8), "float32")).shape
        TensorShape([1, 3, 8])

    Reference:
        Vaswani et al. (2017), Attention is all you need, https://arxiv.org/abs/1706.03762; with
        normalization first: Xiong et al. (2020), https://arxiv.org/abs/2002.04745
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
        """Makes the layers for the input's channels."""
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
        """Attends, then computes."""
        x = self.attention_norm(inputs)
        attended = None if mask is None else mask[:, None, :]
        x = self.attention(x, x, attention_mask=attended, training=training)
        x = inputs + self.drop(x, training=training)
        y = self.output_projection(self.intermediate(self.network_norm(x)))
        return x + self.drop(y, training=training)

    def get_config(self) -> dict[str, Any]:
        """Gives what makes the same layer again."""
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "dropout": self.dropout,
        }
