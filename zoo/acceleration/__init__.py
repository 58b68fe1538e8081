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
from zoo.layers.optimizers import CONV_KERNEL_RANK
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
    can_be_faster = _has_layer_of(model, FASTER) or _faster_optimizer_class(model)
    if keras.config.backend() != "tensorflow" or not can_be_faster:
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
    optimizer = type(getattr(model, "optimizer", None))
    return optimizer is Muon or _has_layer_of(model, set(FASTER.values()))


def _has_layer_of(model: keras.Model, kinds: Collection[type]) -> bool:
    return any(
        _has_layer_of(layer, kinds)
        if isinstance(layer, keras.Model)
        else type(getattr(layer, "forward_layer", layer)) in kinds
        for layer in model.layers
    )


def _faster_copy(layer: Any) -> Any:
    config = layer.get_config()
    if type(layer) is keras.layers.Bidirectional:
        for key, half in (("layer", layer.forward_layer), ("backward_layer", layer.backward_layer)):
            config[key] = keras.saving.serialize_keras_object(_faster_copy(half))
    return FASTER.get(type(layer), type(layer)).from_config(config)


def _faster_optimizer_class(model: keras.Model) -> Any:
    """Return the class that computes the same updates; None if there is none."""
    optimizer: Any = getattr(model, "optimizer", None)
    kind = type(optimizer)
    if kind not in FASTER_OPTIMIZERS or optimizer.muon_c <= 0:
        return None
    has_conv_kernels = any(len(v.shape) == CONV_KERNEL_RANK for v in model.trainable_variables)
    if kind is keras.optimizers.Muon and has_conv_kernels:  # which Keras leaves to AdamW
        return None
    return FASTER_OPTIMIZERS[kind]


def _faster_optimizer(model: keras.Model) -> keras.Optimizer:
    kind = _faster_optimizer_class(model) or type(model.optimizer)
    optimizer = kind.from_config(model.optimizer.get_config())
    for name, value in vars(model.optimizer).items():
        if name.startswith("_exclude_from_weight_decay"):  # Keras keeps it in no config
            setattr(optimizer, name, value)
    return optimizer


def _compile_arguments(model: keras.Model) -> dict[str, Any]:
    config = model.get_compile_config()
    return {key: keras.saving.deserialize_keras_object(value) for key, value in config.items()}
