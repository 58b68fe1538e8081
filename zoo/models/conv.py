"""Convolutional networks: one configurable classifier, and two networks made of it."""

from typing import Literal

import keras
from keras import layers

from zoo.errors import ArgumentValueError
from zoo.models._arguments import (
    Activation,
    Fraction,
    NonNegative,
    NonNegativeInt,
    NumClasses,
    NumLayers,
    Optimizer,
    PerLayer,
    Positive,
    Shape,
    by_layer,
    checked,
)
from zoo.tasks import compile_for

MOMENTUM = 0.9
MOST_FILTERS = 65_536

Head = Literal["flatten", "average", "max"]


@checked
def simple_cnn(
    *,
    input_shape: Shape = (32, 32, 3),
    num_classes: NumClasses = 10,
    num_layers: NumLayers = 3,
    filters: PerLayer = 32,
    filter_growth: Positive = 2.0,
    kernel_size: PerLayer = 3,
    pool_size: PerLayer = 2,
    activation: Activation = "relu",
    batch_normalization: bool = True,
    dropout: Fraction = 0.0,
    head: Head = "average",
    head_units: NonNegativeInt = 0,
    optimizer: Optimizer = "nesterov",
    learning_rate: Positive = 0.2,
    label_smoothing: Fraction = 0.1,
    weight_decay: NonNegative = 5e-3,
) -> keras.Model:
    """Three convolutions, each followed by pooling: a network one can draw on a blackboard.

    Each layer is a convolution that keeps the image's size, then max pooling, then optionally
    batch normalization, then `activation`, then dropout. Pooling comes before the activation
    since it costs a quarter there, and for an activation that only rises the result is the same.

    Input ``(batch, height, width, channels)``; output ``(batch, num_classes)``, probabilities.
    The loss is the smoothed cross-entropy in nats.

    Args:
        input_shape: shape of one input.
        num_classes: how many classes, at least 2.
        num_layers: convolutions.
        filters: of the convolutions: a number, or one a layer, as in ``"64-64-32"``.
        filter_growth: factor from each layer's filters to the next one's, where `filters` is one
            number; a list of them stands as it is.
        kernel_size: side of the kernels in pixels: a number, or one a layer.
        pool_size: side of the pooled squares in pixels: a number, or one a layer; 1 pools nothing.
        activation: after each convolution.
        batch_normalization: whether to normalize before each activation; the convolutions then
            have no bias of their own.
        dropout: fraction of each layer's outputs dropped while training, in [0, 1).
        head: what the classifier sees of the last layer: its ``"average"`` or ``"max"`` over the
            image, or all of it, by ``"flatten"``.
        head_units: units of a dense layer before the last one; 0 for none.
        optimizer: name of the optimizer.
        learning_rate: its learning rate.
        label_smoothing: share of each label spread over all classes, in [0, 1).
        weight_decay: share of each kernel, times the learning rate, taken off at every step.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range, for lists that do not
            have `num_layers` numbers, and for images too small to be pooled so often.

    Example:
        >>> import zoo
        >>> zoo.build("simple_cnn").count_params()
        95210

    Reference:
        LeCun, Bottou, Bengio & Haffner (1998), Gradient-based learning applied to document
        recognition, https://doi.org/10.1109/5.726791
    """
    return _convolutional_classifier(**locals(), name="simple_cnn")


@checked
def deep_cnn(
    *,
    input_shape: Shape = (32, 32, 3),
    num_classes: NumClasses = 10,
    num_layers: NumLayers = 6,
    filters: PerLayer = "48-96-96-192-192-192",
    filter_growth: Positive = 1.0,
    kernel_size: PerLayer = 3,
    pool_size: PerLayer = "2-1-2-1-2-1",
    activation: Activation = "relu",
    batch_normalization: bool = True,
    dropout: Fraction = 0.0,
    head: Head = "average",
    head_units: NonNegativeInt = 0,
    optimizer: Optimizer = "nesterov",
    learning_rate: Positive = 0.2,
    label_smoothing: Fraction = 0.1,
    weight_decay: NonNegative = 5e-3,
) -> keras.Model:
    """Six convolutions in three pairs, each pair at half the size of the one before.

    Each layer is as in `simple_cnn`; only the first of a pair pools.

    Input ``(batch, height, width, channels)``; output ``(batch, num_classes)``, probabilities.
    The loss is the smoothed cross-entropy in nats.

    Args:
        input_shape: shape of one input.
        num_classes: how many classes, at least 2.
        num_layers: convolutions.
        filters: of the convolutions: a number, or one a layer, as in ``"64-64-32"``.
        filter_growth: factor from each layer's filters to the next one's, where `filters` is one
            number; a list of them stands as it is.
        kernel_size: side of the kernels in pixels: a number, or one a layer.
        pool_size: side of the pooled squares in pixels: a number, or one a layer; 1 pools nothing.
        activation: after each convolution.
        batch_normalization: whether to normalize before each activation; the convolutions then
            have no bias of their own.
        dropout: fraction of each layer's outputs dropped while training, in [0, 1).
        head: what the classifier sees of the last layer: its ``"average"`` or ``"max"`` over the
            image, or all of it, by ``"flatten"``.
        head_units: units of a dense layer before the last one; 0 for none.
        optimizer: name of the optimizer.
        learning_rate: its learning rate.
        label_smoothing: share of each label spread over all classes, in [0, 1).
        weight_decay: share of each kernel, times the learning rate, taken off at every step.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range, for lists that do not
            have `num_layers` numbers, and for images too small to be pooled so often.

    Example:
        >>> import zoo
        >>> zoo.build("deep_cnn").output_shape
        (None, 10)

    Reference:
        Simonyan & Zisserman (2015), Very deep convolutional networks for large-scale image
        recognition, https://arxiv.org/abs/1409.1556; with batch normalization: Ioffe & Szegedy
        (2015), https://arxiv.org/abs/1502.03167
    """
    return _convolutional_classifier(**locals(), name="deep_cnn")


def _convolutional_classifier(
    *,
    name: str,
    input_shape: tuple[int, ...],
    num_classes: int,
    num_layers: int,
    filters: int | str,
    filter_growth: float,
    kernel_size: int | str,
    pool_size: int | str,
    activation: str,
    batch_normalization: bool,
    dropout: float,
    head: Head,
    head_units: int,
    optimizer: str,
    learning_rate: float,
    label_smoothing: float,
    weight_decay: float,
) -> keras.Model:
    widths = _widths(filters, filter_growth, num_layers)
    kernels = by_layer("kernel_size", kernel_size, num_layers)
    pools = by_layer("pool_size", pool_size, num_layers)
    _require_room(input_shape, pools)

    inputs = keras.Input(input_shape, name="inputs")
    x = inputs
    for i, (width, kernel, pool) in enumerate(zip(widths, kernels, pools, strict=True), 1):
        x = layers.Conv2D(
            width, kernel, padding="same", use_bias=not batch_normalization, name=f"conv_{i}"
        )(x)
        if pool > 1:
            x = layers.MaxPooling2D(pool, name=f"pool_{i}")(x)
        if batch_normalization:
            x = layers.BatchNormalization(momentum=MOMENTUM, name=f"normalization_{i}")(x)
        x = layers.Activation(activation, name=f"activation_{i}")(x)
        if dropout:
            x = layers.Dropout(dropout, name=f"dropout_{i}")(x)
    x = {
        "average": layers.GlobalAveragePooling2D,
        "max": layers.GlobalMaxPooling2D,
        "flatten": layers.Flatten,
    }[head](name=head)(x)
    if head_units:
        x = layers.Dense(head_units, activation=activation, name="head")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="output")(x)
    return compile_for(
        "multiclass_classification",
        keras.Model(inputs, outputs, name=name),
        optimizer=optimizer,
        learning_rate=learning_rate,
        label_smoothing=label_smoothing,
        weight_decay=weight_decay,
    )


def _widths(filters: int | str, growth: float, num_layers: int) -> list[int]:
    widths: list[float] = list(by_layer("filters", filters, num_layers))
    if "-" not in str(filters):
        widths = [widths[0] * min(growth, MOST_FILTERS) ** i for i in range(num_layers)]
    if not max(widths) <= MOST_FILTERS:
        raise ArgumentValueError(
            f"filters={filters!r} with filter_growth={growth} comes to {max(widths):.3g} filters; "
            f"a layer has at most {MOST_FILTERS}."
        )
    return [max(1, round(width)) for width in widths]


def _require_room(input_shape: tuple[int, ...], pools: list[int]) -> None:
    if len(input_shape) != 3:
        raise ArgumentValueError(
            f"input_shape={input_shape}: a convolutional network takes images, "
            "(height, width, channels)."
        )
    side = least = min(input_shape[:2])
    for pool in pools:
        side //= pool
    if not side:
        shape = "x".join(map(str, input_shape[:2]))
        raise ArgumentValueError(
            f"images of {shape} are too small for pool_size={'-'.join(map(str, pools))}: "
            f"{least} pixels shrink to none."
        )
