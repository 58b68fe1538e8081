"""Text classifiers without recurrence: bag-of-words models and a CNN."""

from typing import Literal

import keras
from keras import layers, ops, regularizers

from zoo.errors import ArgumentValueError
from zoo.layers.initializers import LogRarity
from zoo.layers.text import MaskedMaxPooling1D
from zoo.models._arguments import (
    Activation,
    Fraction,
    NonNegative,
    NumClasses,
    NumLayers,
    Optimizer,
    PerLayer,
    Positive,
    PositiveInt,
    VocabSize,
    expand_per_layer,
    validate_arguments,
)
from zoo.tasks import compile_for


@validate_arguments
def text_mlp(
    *,
    vocab_size: VocabSize = 1_000,
    num_classes: NumClasses = 4,
    num_layers: NumLayers = 2,
    units: PerLayer = 64,
    activation: Activation = "gelu",
    word_dropout: Fraction = 0.5,
    dropout: Fraction = 0.5,
    l1: NonNegative = 0.0,
    l2: NonNegative = 0.0,
    optimizer: Optimizer = "adam",
    learning_rate: Positive = 3e-3,
) -> keras.Model:
    """Build a multilayer perceptron on multi-hot encoded texts.

    Input ``(batch, vocab_size)``, 1 for each token that occurs in the text and 0 elsewhere; output
    ``(batch, num_classes)``, probabilities. The loss is the cross-entropy in nats plus the
    penalties.

    Args:
        vocab_size: size of the vocabulary, the out-of-vocabulary token included.
        num_classes: number of classes, at least 2.
        num_layers: number of hidden layers, at least 1.
        units: width of the hidden layers: one number, or one per layer, such as ``"64-128-256"``.
        activation: activation of the hidden layers.
        word_dropout: dropout rate of whole words, in [0, 1).
        dropout: dropout rate after each hidden layer, in [0, 1).
        l1: factor of the L1 penalty on the kernels.
        l2: factor of the L2 penalty on the kernels.
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range.

    Example:
        >>> import zoo
        >>> zoo.build("text_mlp").count_params()
        68484

    Reference:
        Bengio, Ducharme, Vincent & Jauvin (2003), A neural probabilistic language model,
        https://www.jmlr.org/papers/v3/bengio03a.html
    """
    inputs = keras.Input((vocab_size,), name="inputs")
    x = layers.Dropout(word_dropout, name="dropout_words")(inputs)
    for i, width in enumerate(expand_per_layer("units", units, num_layers), 1):
        x = layers.Dense(
            width,
            activation=activation,
            kernel_regularizer=regularizers.L1L2(l1, l2),
            name=f"hidden_{i}",
        )(x)
        x = layers.Dropout(dropout, name=f"dropout_{i}")(x)
    outputs = layers.Dense(
        num_classes,
        activation="softmax",
        kernel_regularizer=regularizers.L1L2(l1, l2),
        dtype="float32",
        name="output",
    )(x)
    return compile_for(
        "multiclass_classification",
        keras.Model(inputs, outputs, name="text_mlp"),
        optimizer=optimizer,
        learning_rate=learning_rate,
    )


@validate_arguments
def fasttext(
    *,
    vocab_size: VocabSize = 100_000,
    num_classes: NumClasses = 2,
    embedding_dim: PositiveInt = 32,
    pooling: Literal["average", "weighted"] = "weighted",
    word_dropout: Fraction = 0.0,
    dropout: Fraction = 0.3,
    optimizer: Optimizer = "adam",
    learning_rate: Positive = 3e-3,
) -> keras.Model:
    """Build fastText: a linear classifier of the mean of word and n-gram embeddings.

    It is a strong baseline that ignores word order except within n-grams. The recipe's ``ngrams``
    and ``subwords`` determine which n-grams and subwords the vocabulary contains.

    Input ``(batch, time)``, token ids, with 0 for padding, which is masked; output
    ``(batch, num_classes)``, probabilities. The loss is the cross-entropy in nats.

    Args:
        vocab_size: size of the vocabulary of words, n-grams and subwords, padding and
            out-of-vocabulary tokens included.
        num_classes: number of classes, at least 2.
        embedding_dim: size of the word embeddings.
        pooling: ``"average"``, the mean of the embeddings; or ``"weighted"``, a mean with weights
            from a softmax over one learned score per token, initialized by the rarity of the token
            (De Boom et al., 2016, Representation learning for very short texts using weighted word
            embedding aggregation, https://arxiv.org/abs/1607.00570).
        word_dropout: dropout rate of whole words, in [0, 1).
        dropout: dropout rate of the mean embedding, in [0, 1).
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range.

    Example:
        >>> import zoo
        >>> zoo.build("fasttext", vocab_size=1000, embedding_dim=10).count_params()
        11022

    Reference:
        Joulin, Grave, Bojanowski & Mikolov (2017), Bag of tricks for efficient text
        classification, https://arxiv.org/abs/1607.01759
    """
    inputs = keras.Input((None,), dtype="int64", name="inputs")
    x = layers.Embedding(vocab_size, embedding_dim, mask_zero=True, name="embedding")(inputs)
    x = layers.Dropout(word_dropout, noise_shape=(None, None, 1), name="dropout_words")(x)
    if pooling == "weighted":
        weights = layers.Embedding(vocab_size, 1, LogRarity(), name="word_weights")(inputs)
        weights = layers.Softmax(axis=1, name="softmax")(weights, mask=inputs[..., None] != 0)
        x = layers.Flatten(name="weighted")(layers.Dot(axes=1, name="sum")([weights, x]))
    else:
        x = layers.GlobalAveragePooling1D(name="average")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="output")(x)
    return compile_for(
        "multiclass_classification",
        keras.Model(inputs, outputs, name="fasttext"),
        optimizer=optimizer,
        learning_rate=learning_rate,
    )


@validate_arguments
def text_cnn(
    *,
    vocab_size: VocabSize = 20_000,
    num_classes: NumClasses = 2,
    embedding_dim: PositiveInt = 64,
    filters: PositiveInt = 64,
    kernel_size: PerLayer = "3-4-5",
    dropout: Fraction = 0.5,
    optimizer: Optimizer = "adam",
    learning_rate: Positive = 1e-3,
) -> keras.Model:
    """Build a CNN for text classification, with parallel convolutions and max pooling over time.

    Input ``(batch, time)``, token ids, with 0 for padding, which is masked; output
    ``(batch, num_classes)``, probabilities. The loss is the cross-entropy in nats.

    Args:
        vocab_size: size of the vocabulary, padding and out-of-vocabulary tokens included.
        num_classes: number of classes, at least 2.
        embedding_dim: size of the word embeddings.
        filters: number of filters of each convolution.
        kernel_size: widths of the convolutions in words, joined by ``-``.
        dropout: dropout rate of the embedding channels and of the pooled features, in [0, 1).
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range, or if a width is
            repeated.

    Example:
        >>> import zoo
        >>> zoo.build("text_cnn", kernel_size="2-3", filters=8).get_layer("output").input.shape
        (None, 16)

    Reference:
        Kim (2014), Convolutional neural networks for sentence classification,
        https://arxiv.org/abs/1408.5882
    """
    widths = [int(width) for width in str(kernel_size).split("-")]
    if len(set(widths)) < len(widths):
        raise ArgumentValueError(f"kernel_size={kernel_size!r}: the widths must be different.")
    inputs = keras.Input((None,), dtype="int64", name="inputs")
    mask = ops.not_equal(inputs, 0)  # explicit, since Conv1D does not propagate masks
    x = layers.Embedding(vocab_size, embedding_dim, name="embedding")(inputs)
    x = layers.SpatialDropout1D(dropout, name="dropout_words")(x)
    embedded = x * ops.cast(mask[:, :, None], x.dtype)
    pooled = []
    for width in widths:
        x = layers.Conv1D(filters, width, padding="same", activation="relu", name=f"conv_{width}")(
            embedded
        )
        pooled.append(MaskedMaxPooling1D(name=f"max_{width}")(x, mask=mask))
    x = layers.Concatenate(name="widths")(pooled) if len(pooled) > 1 else pooled[0]
    x = layers.Dropout(dropout, name="dropout")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="output")(x)
    return compile_for(
        "multiclass_classification",
        keras.Model(inputs, outputs, name="text_cnn"),
        optimizer=optimizer,
        learning_rate=learning_rate,
    )
