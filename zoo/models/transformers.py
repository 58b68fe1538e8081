"""The Transformer's encoder as a classifier of texts."""

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
    checked,
)
from zoo.tasks import compile_for


@checked
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
    """Words with their places, blocks of self-attention, the mean over time, and a classifier.

    Only the encoder: a classifier has no sequence to decode. Padding is attended by nobody and
    left out of the mean.

    Input ``(batch, time)``, numbers of words, 0 for padding on the right, which changes nothing;
    output ``(batch, num_classes)``, probabilities. The loss is the cross-entropy in nats.

    Args:
        vocab_size: words, padding and unknown ones included.
        sequence_length: places known; no text may be longer.
        num_classes: how many classes, at least 2.
        embedding_dim: channels of words, places and blocks.
        num_layers: blocks.
        num_heads: of each attention; must divide `embedding_dim`.
        intermediate_dim: units between the two layers of a block's network.
        dropout: fraction dropped of the channels of the word vectors, of what each block adds, and
            of the mean, while training, in [0, 1).
        word_dropout: fraction of the words dropped while training, in [0, 1).
        optimizer: name of the optimizer.
        learning_rate: its learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range, or if the heads do not
            divide the channels.

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
