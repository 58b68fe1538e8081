"""Recurrent networks over words: simple, LSTM, GRU, and LSTM in both directions."""

from typing import Any, Literal

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
    checked,
)
from zoo.tasks import compile_for

Pooling = Literal["last", "max", "average"]


@checked
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
    """Elman's network: each word's vector and the last state make the next state.

    Input ``(batch, time)``, numbers of words, 0 for padding on the right, which changes nothing;
    output ``(batch, num_classes)``, probabilities. The loss is the cross-entropy in nats.

    Args:
        vocab_size: words, padding and unknown ones included.
        num_classes: how many classes, at least 2.
        embedding_dim: length of a word's vector.
        num_layers: recurrent layers.
        units: of each.
        pooling: what the classifier sees: the ``"last"`` state, or the states' ``"max"`` or
            ``"average"`` over time.
        dropout: fraction of the channels of the word vectors, and of the pooled states, dropped
            while training, in [0, 1).
        word_dropout: fraction of the words dropped while training, in [0, 1).
        optimizer: name of the optimizer.
        learning_rate: its learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range.

    Example:
        >>> import zoo
        >>> zoo.build("simple_rnn", embedding_dim=10).count_params() - 33
        101409

    Reference:
        Elman (1990), Finding structure in time, https://doi.org/10.1207/s15516709cog1402_1
    """
    return _recurrent_classifier(layers.SimpleRNN, **locals(), name="simple_rnn")


@checked
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
    """Long short-term memory: a state that gates write, keep and read.

    Input ``(batch, time)``, numbers of words, 0 for padding on the right, which changes nothing;
    output ``(batch, num_classes)``, probabilities. The loss is the cross-entropy in nats.

    Args:
        vocab_size: words, padding and unknown ones included.
        num_classes: how many classes, at least 2.
        embedding_dim: length of a word's vector.
        num_layers: recurrent layers.
        units: of each.
        pooling: what the classifier sees: the ``"last"`` state, or the states' ``"max"`` or
            ``"average"`` over time.
        dropout: fraction of the channels of the word vectors, and of the pooled states, dropped
            while training, in [0, 1).
        word_dropout: fraction of the words dropped while training, in [0, 1).
        optimizer: name of the optimizer.
        learning_rate: its learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range.

    Example:
        >>> import zoo
        >>> zoo.build("lstm", embedding_dim=10).count_params() - 33
        105537

    Reference:
        Hochreiter & Schmidhuber (1997), Long short-term memory,
        https://doi.org/10.1162/neco.1997.9.8.1735
    """
    return _recurrent_classifier(layers.LSTM, **locals(), name="lstm")


@checked
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
    """Gated recurrent units: two gates in place of the LSTM's three, and no separate memory.

    Input ``(batch, time)``, numbers of words, 0 for padding on the right, which changes nothing;
    output ``(batch, num_classes)``, probabilities. The loss is the cross-entropy in nats.

    Args:
        vocab_size: words, padding and unknown ones included.
        num_classes: how many classes, at least 2.
        embedding_dim: length of a word's vector.
        num_layers: recurrent layers.
        units: of each.
        pooling: what the classifier sees: the ``"last"`` state, or the states' ``"max"`` or
            ``"average"`` over time.
        dropout: fraction of the channels of the word vectors, and of the pooled states, dropped
            while training, in [0, 1).
        word_dropout: fraction of the words dropped while training, in [0, 1).
        optimizer: name of the optimizer.
        learning_rate: its learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range.

    Example:
        >>> import zoo
        >>> zoo.build("gru", embedding_dim=10).count_params() - 33
        104257

    Reference:
        Cho et al. (2014), Learning phrase representations using RNN encoder-decoder,
        https://arxiv.org/abs/1406.1078
    """
    return _recurrent_classifier(layers.GRU, **locals(), name="gru")


@checked
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
    """Two LSTMs side by side, one of which reads from the end.

    Input ``(batch, time)``, numbers of words, 0 for padding on the right, which changes nothing;
    output ``(batch, num_classes)``, probabilities. The loss is the cross-entropy in nats.

    Args:
        vocab_size: words, padding and unknown ones included.
        num_classes: how many classes, at least 2.
        embedding_dim: length of a word's vector.
        num_layers: recurrent layers.
        units: of each direction of each.
        pooling: what the classifier sees: the ``"last"`` states, which are those of each
            direction when it has read the whole text, or the states' ``"max"`` or ``"average"``
            over time.
        dropout: fraction of the channels of the word vectors, and of the pooled states, dropped
            while training, in [0, 1).
        word_dropout: fraction of the words dropped while training, in [0, 1).
        optimizer: name of the optimizer.
        learning_rate: its learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range.

    Example:
        >>> import zoo
        >>> zoo.build("bilstm", units=64).get_layer("output").input.shape
        (None, 128)

    Reference:
        Graves & Schmidhuber (2005), Framewise phoneme classification with bidirectional LSTM,
        https://doi.org/10.1016/j.neunet.2005.06.042
    """
    return _recurrent_classifier(_bidirectional_lstm, **locals(), name="bilstm")


def _bidirectional_lstm(units: int, *, return_sequences: bool, name: str) -> keras.Layer:
    return layers.Bidirectional(layers.LSTM(units, return_sequences=return_sequences), name=name)


def _recurrent_classifier(
    layer: Any,
    *,
    name: str,
    vocab_size: int,
    num_classes: int,
    embedding_dim: int,
    num_layers: int,
    units: int,
    pooling: Pooling,
    dropout: float,
    word_dropout: float,
    optimizer: str,
    learning_rate: float,
) -> keras.Model:
    inputs = keras.Input((None,), dtype="int64", name="inputs")
    x = layers.Embedding(vocab_size, embedding_dim, mask_zero=True, name="embedding")(inputs)
    x = layers.Dropout(word_dropout, noise_shape=(None, None, 1), name="dropout_words")(x)
    x = layers.SpatialDropout1D(dropout, name="dropout_channels")(x)
    for i in range(1, num_layers + 1):
        all_states = i < num_layers or pooling != "last"
        x = layer(units, return_sequences=all_states, name=f"recurrent_{i}")(x)
    if pooling == "max":
        x = MaskedMaxPooling1D(name="max")(x)
    elif pooling == "average":
        x = layers.GlobalAveragePooling1D(name="average")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="output")(x)
    return compile_for(
        "multiclass_classification",
        keras.Model(inputs, outputs, name=name),
        optimizer=optimizer,
        learning_rate=learning_rate,
    )
