"""Transformer encoder for text classification."""

import keras
from keras import layers

from zoo.errors import ArgumentValueError
from zoo.layers.text import TokenAndPositionEmbedding, TransformerEncoderBlock
from zoo.models._arguments import (
    Fraction,
    NumClasses,
    NumLayers,
    Optimizer,
    Positive,
    PositiveInt,
    VocabSize,
    validate_arguments,
)
from zoo.tasks import compile_for


@validate_arguments
def transformer(
    *,
    vocab_size: VocabSize = 5_000,
    sequence_length: PositiveInt = 500,
    num_classes: NumClasses = 2,
    embedding_dim: PositiveInt = 32,
    num_layers: NumLayers = 1,
    num_heads: PositiveInt = 2,
    intermediate_dim: PositiveInt = 128,
    dropout: Fraction = 0.5,
    word_dropout: Fraction = 0.0,
    optimizer: Optimizer = "adam",
    learning_rate: Positive = 1e-3,
) -> keras.Model:
    """Build a Transformer encoder with average pooling and a linear classifier.

    Token and position embeddings are followed by pre-norm encoder blocks. The padding mask excludes
    padding from attention and from pooling.

    Input ``(batch, time)``, token ids, with 0 for padding on the right; output
    ``(batch, num_classes)``, probabilities. The loss is the cross-entropy in nats.

    Args:
        vocab_size: size of the vocabulary, padding and out-of-vocabulary tokens included.
        sequence_length: maximum number of tokens per text.
        num_classes: number of classes, at least 2.
        embedding_dim: size of the embeddings and of the outputs of the blocks.
        num_layers: number of encoder blocks.
        num_heads: number of attention heads per block; must divide `embedding_dim`.
        intermediate_dim: hidden width of the feed-forward networks.
        dropout: dropout rate of the embedding channels, of the outputs of attention and
            feed-forward network in each block, and of the pooled features, in [0, 1).
        word_dropout: dropout rate of whole words, in [0, 1).
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range, or if `num_heads`
            does not divide `embedding_dim`.

    Example:
        >>> import zoo
        >>> zoo.build("transformer", num_layers=2).output_shape
        (None, 2)

    Reference:
        Vaswani et al. (2017), Attention is all you need, https://arxiv.org/abs/1706.03762
    """
    if embedding_dim % num_heads:
        raise ArgumentValueError(
            f"num_heads={num_heads} does not divide embedding_dim={embedding_dim}."
        )
    inputs = keras.Input((None,), dtype="int64", name="inputs")
    x = TokenAndPositionEmbedding(vocab_size, sequence_length, embedding_dim, name="embedding")(
        inputs
    )
    x = layers.Dropout(word_dropout, noise_shape=(None, None, 1), name="dropout_words")(x)
    x = layers.SpatialDropout1D(dropout, name="dropout_channels")(x)
    for i in range(1, num_layers + 1):
        x = TransformerEncoderBlock(num_heads, intermediate_dim, dropout, name=f"block_{i}")(x)
    x = layers.LayerNormalization(epsilon=1e-5, name="normalization")(x)
    x = layers.GlobalAveragePooling1D(name="average")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="output")(x)
    return compile_for(
        "multiclass_classification",
        keras.Model(inputs, outputs, name="transformer"),
        optimizer=optimizer,
        learning_rate=learning_rate,
    )
