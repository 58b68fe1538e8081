"""Networks over words that need no memory: bags of words, and convolutions over them."""

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
    by_layer,
    checked,
)
from zoo.tasks import compile_for


@checked
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
    """Multilayer perceptron on which words of the vocabulary a text has.

    Input ``(batch, vocab_size)``, 1 for each word that the text has; output
    ``(batch, num_classes)``, probabilities. The loss is the cross-entropy in nats plus the
    penalties.

    Args:
        vocab_size: words, unknown ones included.
        num_classes: how many classes, at least 2.
        num_layers: hidden layers, at least 1.
        units: of the hidden layers: a number, or one a layer, as in ``"64-128-256"``.
        activation: of the hidden units.
        word_dropout: fraction of the words dropped while training, in [0, 1).
        dropout: fraction of each hidden layer's units dropped while training, in [0, 1).
        l1: weight of the kernels' absolute sum in the loss.
        l2: weight of the kernels' squared norm in the loss.
        optimizer: name of the optimizer.
        learning_rate: its learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range.

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
    for i, width in enumerate(by_layer("units", units, num_layers), 1):
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


@checked
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
    """The mean of the vectors of a text's words and pairs of words, and a linear classifier.

    The baseline that any network of words has to beat: it knows no order but that inside a pair.
    The pairs are the vocabulary's, by the setting ``ngrams`` of the data; so are pieces of words,
    by ``subwords``.

    Input ``(batch, time)``, numbers of words, 0 for padding, which changes nothing; output
    ``(batch, num_classes)``, probabilities. The loss is the cross-entropy in nats.

    Args:
        vocab_size: words and pairs, padding and unknown ones included.
        num_classes: how many classes, at least 2.
        embedding_dim: length of a word's vector.
        pooling: the ``"average"`` of the vectors; or ``"weighted"``, by a softmax over the text of
            one learned number a word, which starts from how rare the word is: De Boom et al.
            (2016), Representation learning for very short texts using weighted word embedding
            aggregation, https://arxiv.org/abs/1607.00570.
        word_dropout: fraction of the words dropped while training, in [0, 1).
        dropout: fraction of the mean's channels dropped while training, in [0, 1).
        optimizer: name of the optimizer.
        learning_rate: its learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range.

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


@checked
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
    """Convolutions over windows of several widths, side by side, and the largest value of each.

    Input ``(batch, time)``, numbers of words, 0 for padding, which changes nothing; output
    ``(batch, num_classes)``, probabilities. The loss is the cross-entropy in nats.

    Args:
        vocab_size: words, padding and unknown ones included.
        num_classes: how many classes, at least 2.
        embedding_dim: length of a word's vector.
        filters: of each width.
        kernel_size: the widths in words, joined by ``-``.
        dropout: fraction of the word vectors' channels, and of the largest values, dropped while
            training, in [0, 1).
        optimizer: name of the optimizer.
        learning_rate: its learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range, or a repeated width.

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
        raise ArgumentValueError(f"kernel_size={kernel_size!r}: each width may be there once.")
    inputs = keras.Input((None,), dtype="int64", name="inputs")
    is_word = ops.not_equal(inputs, 0)  # by hand: convolutions know no masks
    x = layers.Embedding(vocab_size, embedding_dim, name="embedding")(inputs)
    x = layers.SpatialDropout1D(dropout, name="dropout_words")(x)
    words = x * ops.cast(is_word[:, :, None], x.dtype)
    pooled = []
    for width in widths:
        x = layers.Conv1D(filters, width, padding="same", activation="relu", name=f"conv_{width}")(
            words
        )
        pooled.append(MaskedMaxPooling1D(name=f"max_{width}")(x, mask=is_word))
    x = layers.Concatenate(name="widths")(pooled) if len(pooled) > 1 else pooled[0]
    x = layers.Dropout(dropout, name="dropout")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="output")(x)
    return compile_for(
        "multiclass_classification",
        keras.Model(inputs, outputs, name="text_cnn"),
        optimizer=optimizer,
        learning_rate=learning_rate,
    )
