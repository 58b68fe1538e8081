"""Faster layers, swapped in for training on TensorFlow; models are built and saved without them.

What each layer replaces, when it steps aside, what it buys and how it is proven equal is in
``README.md`` beside this file.
"""

from collections.abc import Collection
from typing import Any

import keras

from zoo.acceleration.attention import MultiHeadAttention
from zoo.acceleration.embedding import Embedding
from zoo.acceleration.muon import Muon
from zoo.acceleration.normalization import BatchNormalization
from zoo.acceleration.recurrent import GRU, LSTM, SimpleRNN
from zoo.acceleration.text import TokenAndPositionEmbedding, TransformerEncoderBlock
from zoo.layers import text
from zoo.layers.optimizers import Muon as PlainMuon

FASTER: dict[type, Any] = {
    keras.layers.BatchNormalization: BatchNormalization,
    keras.layers.Embedding: Embedding,
    keras.layers.GRU: GRU,
    keras.layers.LSTM: LSTM,
    keras.layers.MultiHeadAttention: MultiHeadAttention,
    keras.layers.SimpleRNN: SimpleRNN,
    text.TokenAndPositionEmbedding: TokenAndPositionEmbedding,
    text.TransformerEncoderBlock: TransformerEncoderBlock,
}
FASTER_OPTIMIZERS: dict[type, Any] = {keras.optimizers.Muon: Muon, PlainMuon: Muon}


def accelerate(model: keras.Model) -> keras.Model:
    """Return a copy of a model that trains faster on TensorFlow.

    The copy computes the same as the model, to rounding, and starts from the same weights. Its
    weights fit the model in turn, which is what to save after training.

    Args:
        model: a functional or sequential model of stock Keras layers and layers of the zoo;
            compiled or not. It is left as it is.

    Returns:
        The copy, compiled in the same way with an optimizer of its own; the model itself where
        nothing in it can be made faster, or where another backend than TensorFlow computes.

    Example:
        >>> import zoo
        >>> model = zoo.build("gru", units=4)
        >>> fast = zoo.accelerate(model)  # fast.fit(...), and then:
        >>> model.set_weights(fast.get_weights())
    """
    if keras.config.backend() != "tensorflow" or not _has_any(model, FASTER, FASTER_OPTIMIZERS):
        return model
    copy = keras.models.clone_model(model, clone_function=_faster_copy, recursive=True)
    for variable, value in zip(copy.variables, model.variables, strict=True):
        variable.assign(value)
    if model.compiled:
        copy.compile(**_compile_arguments(model) | {"optimizer": _faster_optimizer(model)})
    return copy


def is_accelerated(model: keras.Model) -> bool:
    """Return whether a model came from `accelerate`.

    Args:
        model: any model.
    """
    return _has_any(model, set(FASTER.values()), set(FASTER_OPTIMIZERS.values()))


def _has_any(model: keras.Model, layers: Collection[type], optimizers: Collection[type]) -> bool:
    if type(getattr(model, "optimizer", None)) in optimizers:
        return True
    return any(
        _has_any(layer, layers, optimizers)
        if isinstance(layer, keras.Model)
        else type(getattr(layer, "forward_layer", layer)) in layers
        for layer in model.layers
    )


def _faster_copy(layer: Any) -> Any:
    config = layer.get_config()
    if type(layer) is keras.layers.Bidirectional:
        for key, half in (("layer", layer.forward_layer), ("backward_layer", layer.backward_layer)):
            config[key] = keras.saving.serialize_keras_object(_faster_copy(half))
    return FASTER.get(type(layer), type(layer)).from_config(config)


def _faster_optimizer(model: keras.Model) -> keras.Optimizer:
    kind = type(model.optimizer)
    if getattr(model.optimizer, "muon_c", 1) > 0:  # what the faster Muon needs
        kind = FASTER_OPTIMIZERS.get(kind, kind)
    optimizer = kind.from_config(model.optimizer.get_config())
    for name, value in vars(model.optimizer).items():
        if name.startswith("_exclude_from_weight_decay"):  # Keras keeps it in no config
            setattr(optimizer, name, value)
    return optimizer


def _compile_arguments(model: keras.Model) -> dict[str, Any]:
    config = model.get_compile_config()
    return {key: keras.saving.deserialize_keras_object(value) for key, value in config.items()}
