"""Recurrent text classifiers: simple RNN, LSTM, GRU and bidirectional LSTM.

Each network is a word embedding, recurrent layers, a pooling of the hidden states over time and a
linear classifier. The layers are those of Keras; `zoo.train` swaps faster ones in.
"""

from typing import Literal

import keras
from keras import layers

from zoo.layers.text import MaskedMaxPooling1D
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

Pooling = Literal["last", "max", "average"]


@validate_arguments
def simple_rnn(
    *,
    vocab_size: VocabSize = 10_000,
    num_classes: NumClasses = 2,
    embedding_dim: PositiveInt = 32,
    num_layers: NumLayers = 1,
    units: PositiveInt = 32,
    pooling: Pooling = "max",
    dropout: Fraction = 0.4,
    word_dropout: Fraction = 0.0,
    optimizer: Optimizer = "adam",
    learning_rate: Positive = 2e-3,
) -> keras.Model:
    """Build a simple recurrent network (Elman network) for text classification.

    Input ``(batch, time)``, token ids, with 0 for padding on the right, which is masked; output
    ``(batch, num_classes)``, probabilities. The loss is the cross-entropy in nats.

    Args:
        vocab_size: size of the vocabulary, padding and out-of-vocabulary tokens included.
        num_classes: number of classes, at least 2.
        embedding_dim: size of the word embeddings.
        num_layers: number of recurrent layers.
        units: width of each layer.
        pooling: reduction of the hidden states over time: the ``"last"`` state, ``"max"`` or
            ``"average"`` pooling.
        dropout: dropout rate of the embedding channels and of the pooled states, in [0, 1).
        word_dropout: dropout rate of whole words, in [0, 1).
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range.

    Example:
        >>> import zoo
        >>> zoo.build("simple_rnn", embedding_dim=10).count_params() - 33
        101409

    Reference:
        Elman (1990), Finding structure in time, https://doi.org/10.1207/s15516709cog1402_1
    """
    inputs, x = _embed_words(vocab_size, embedding_dim, word_dropout, dropout)
    for i in range(1, num_layers + 1):
        all_states = i < num_layers or pooling != "last"
        x = layers.SimpleRNN(units, return_sequences=all_states, name=f"recurrent_{i}")(x)
    outputs = _classify_states(x, num_classes, pooling, dropout)
    return _compile("simple_rnn", inputs, outputs, optimizer, learning_rate)


@validate_arguments
def lstm(
    *,
    vocab_size: VocabSize = 10_000,
    num_classes: NumClasses = 2,
    embedding_dim: PositiveInt = 32,
    num_layers: NumLayers = 1,
    units: PositiveInt = 32,
    pooling: Pooling = "average",
    dropout: Fraction = 0.5,
    word_dropout: Fraction = 0.4,
    optimizer: Optimizer = "adam",
    learning_rate: Positive = 3e-3,
) -> keras.Model:
    """Build a long short-term memory network for text classification.

    Input ``(batch, time)``, token ids, with 0 for padding on the right, which is masked; output
    ``(batch, num_classes)``, probabilities. The loss is the cross-entropy in nats.

    Args:
        vocab_size: size of the vocabulary, padding and out-of-vocabulary tokens included.
        num_classes: number of classes, at least 2.
        embedding_dim: size of the word embeddings.
        num_layers: number of recurrent layers.
        units: width of each layer.
        pooling: reduction of the hidden states over time: the ``"last"`` state, ``"max"`` or
            ``"average"`` pooling.
        dropout: dropout rate of the embedding channels and of the pooled states, in [0, 1).
        word_dropout: dropout rate of whole words, in [0, 1).
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range.

    Example:
        >>> import zoo
        >>> zoo.build("lstm", embedding_dim=10).count_params() - 33
        105537

    Reference:
        Hochreiter & Schmidhuber (1997), Long short-term memory,
        https://doi.org/10.1162/neco.1997.9.8.1735
    """
    inputs, x = _embed_words(vocab_size, embedding_dim, word_dropout, dropout)
    for i in range(1, num_layers + 1):
        all_states = i < num_layers or pooling != "last"
        x = layers.LSTM(units, return_sequences=all_states, name=f"recurrent_{i}")(x)
    outputs = _classify_states(x, num_classes, pooling, dropout)
    return _compile("lstm", inputs, outputs, optimizer, learning_rate)


@validate_arguments
def gru(
    *,
    vocab_size: VocabSize = 10_000,
    num_classes: NumClasses = 2,
    embedding_dim: PositiveInt = 32,
    num_layers: NumLayers = 1,
    units: PositiveInt = 32,
    pooling: Pooling = "average",
    dropout: Fraction = 0.5,
    word_dropout: Fraction = 0.4,
    optimizer: Optimizer = "adam",
    learning_rate: Positive = 3e-3,
) -> keras.Model:
    """Build a gated recurrent unit network for text classification.

    A GRU has two gates where an LSTM has three, and no separate cell state.

    Input ``(batch, time)``, token ids, with 0 for padding on the right, which is masked; output
    ``(batch, num_classes)``, probabilities. The loss is the cross-entropy in nats.

    Args:
        vocab_size: size of the vocabulary, padding and out-of-vocabulary tokens included.
        num_classes: number of classes, at least 2.
        embedding_dim: size of the word embeddings.
        num_layers: number of recurrent layers.
        units: width of each layer.
        pooling: reduction of the hidden states over time: the ``"last"`` state, ``"max"`` or
            ``"average"`` pooling.
        dropout: dropout rate of the embedding channels and of the pooled states, in [0, 1).
        word_dropout: dropout rate of whole words, in [0, 1).
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range.

    Example:
        >>> import zoo
        >>> zoo.build("gru", embedding_dim=10).count_params() - 33
        104257

    Reference:
        Cho et al. (2014), Learning phrase representations using RNN encoder-decoder,
        https://arxiv.org/abs/1406.1078
    """
    inputs, x = _embed_words(vocab_size, embedding_dim, word_dropout, dropout)
    for i in range(1, num_layers + 1):
        all_states = i < num_layers or pooling != "last"
        x = layers.GRU(units, return_sequences=all_states, name=f"recurrent_{i}")(x)
    outputs = _classify_states(x, num_classes, pooling, dropout)
    return _compile("gru", inputs, outputs, optimizer, learning_rate)


@validate_arguments
def bilstm(
    *,
    vocab_size: VocabSize = 10_000,
    num_classes: NumClasses = 2,
    embedding_dim: PositiveInt = 32,
    num_layers: NumLayers = 1,
    units: PositiveInt = 32,
    pooling: Pooling = "average",
    dropout: Fraction = 0.5,
    word_dropout: Fraction = 0.4,
    optimizer: Optimizer = "adam",
    learning_rate: Positive = 3e-3,
) -> keras.Model:
    """Build a bidirectional LSTM for text classification.

    Each layer is a pair of LSTMs, one of which reads the text in reverse order; their states are
    concatenated.

    Input ``(batch, time)``, token ids, with 0 for padding on the right, which is masked; output
    ``(batch, num_classes)``, probabilities. The loss is the cross-entropy in nats.

    Args:
        vocab_size: size of the vocabulary, padding and out-of-vocabulary tokens included.
        num_classes: number of classes, at least 2.
        embedding_dim: size of the word embeddings.
        num_layers: number of recurrent layers.
        units: width of each layer, per direction.
        pooling: reduction of the hidden states over time: the ``"last"`` state of each direction,
            which has read the whole text, or ``"max"`` or ``"average"`` pooling.
        dropout: dropout rate of the embedding channels and of the pooled states, in [0, 1).
        word_dropout: dropout rate of whole words, in [0, 1).
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range.

    Example:
        >>> import zoo
        >>> zoo.build("bilstm", units=64).get_layer("output").input.shape
        (None, 128)

    Reference:
        Graves & Schmidhuber (2005), Framewise phoneme classification with bidirectional LSTM,
        https://doi.org/10.1016/j.neunet.2005.06.042
    """
    inputs, x = _embed_words(vocab_size, embedding_dim, word_dropout, dropout)
    for i in range(1, num_layers + 1):
        all_states = i < num_layers or pooling != "last"
        one_direction = layers.LSTM(units, return_sequences=all_states, name="lstm")
        x = layers.Bidirectional(one_direction, name=f"recurrent_{i}")(x)
    outputs = _classify_states(x, num_classes, pooling, dropout)
    return _compile("bilstm", inputs, outputs, optimizer, learning_rate)


def _embed_words(
    vocab_size: int, embedding_dim: int, word_dropout: float, dropout: float
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    inputs = keras.Input((None,), dtype="int64", name="inputs")
    x = layers.Embedding(vocab_size, embedding_dim, mask_zero=True, name="embedding")(inputs)
    x = layers.Dropout(word_dropout, noise_shape=(None, None, 1), name="dropout_words")(x)
    return inputs, layers.SpatialDropout1D(dropout, name="dropout_channels")(x)


def _classify_states(
    x: keras.KerasTensor, num_classes: int, pooling: Pooling, dropout: float
) -> keras.KerasTensor:
    if pooling == "max":
        x = MaskedMaxPooling1D(name="max")(x)
    elif pooling == "average":
        x = layers.GlobalAveragePooling1D(name="average")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return layers.Dense(num_classes, activation="softmax", dtype="float32", name="output")(x)


def _compile(
    name: str,
    inputs: keras.KerasTensor,
    outputs: keras.KerasTensor,
    optimizer: str,
    learning_rate: float,
) -> keras.Model:
    return compile_for(
        "multiclass_classification",
        keras.Model(inputs, outputs, name=name),
        optimizer=optimizer,
        learning_rate=learning_rate,
    )
