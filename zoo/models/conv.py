"""Convolutional classifiers: two configurations of one network, and one that is fast to train."""

from typing import Literal

import keras
import numpy as np
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
    PositiveInt,
    Shape,
    expand_per_layer,
    validate_arguments,
)
from zoo.tasks import compile_for

MOMENTUM = 0.9
MAX_FILTERS = 65_536
PATCH_SIZE = 2
WHITENING = "whitening"

Head = Literal["flatten", "average", "max"]


@validate_arguments
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
    """Build a small CNN: three convolutions, each followed by max pooling.

    Each layer is a convolution with padding, max pooling, optional batch normalization, the
    activation and dropout. Pooling before the activation leaves fewer values to normalize and
    activate; without normalization, and for an increasing activation, the result is the same.

    Input ``(batch, height, width, channels)``; output ``(batch, num_classes)``, probabilities.
    The loss is the smoothed cross-entropy in nats.

    Args:
        input_shape: shape of one input.
        num_classes: number of classes, at least 2.
        num_layers: number of convolutions.
        filters: number of filters: one number, or one per layer, such as ``"64-64-32"``.
        filter_growth: ratio between the numbers of filters of consecutive layers; ignored if
            `filters` has one number per layer.
        kernel_size: side of the kernels in pixels: one number, or one per layer.
        pool_size: side of the pooling windows in pixels: one number, or one per layer; 1 for no
            pooling.
        activation: activation after each convolution.
        batch_normalization: whether to apply batch normalization before each activation, which
            replaces the biases of the convolutions.
        dropout: dropout rate after each activation, in [0, 1).
        head: reduction of the last feature maps: global ``"average"`` or ``"max"`` pooling, or
            ``"flatten"``.
        head_units: width of a dense layer before the output layer; 0 for none.
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.
        label_smoothing: fraction of each label that is spread evenly over all classes, in [0, 1).
        weight_decay: decoupled weight decay of the kernels per step, relative to the learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range, if a list does not
            have `num_layers` numbers, or if the images are too small for the pooling layers.

    Example:
        >>> import zoo
        >>> zoo.build("simple_cnn").count_params()
        95210

    Reference:
        LeCun, Bottou, Bengio & Haffner (1998), Gradient-based learning applied to document
        recognition, https://doi.org/10.1109/5.726791
    """
    return _build_cnn(
        name="simple_cnn",
        input_shape=input_shape,
        num_classes=num_classes,
        num_layers=num_layers,
        filters=filters,
        filter_growth=filter_growth,
        kernel_size=kernel_size,
        pool_size=pool_size,
        activation=activation,
        batch_normalization=batch_normalization,
        dropout=dropout,
        head=head,
        head_units=head_units,
        optimizer=optimizer,
        learning_rate=learning_rate,
        label_smoothing=label_smoothing,
        weight_decay=weight_decay,
    )


@validate_arguments
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
    """Build a deeper CNN: six convolutions in three pairs, each pair at half the resolution.

    The layers are those of `simple_cnn`; the first layer of each pair has max pooling.

    Input ``(batch, height, width, channels)``; output ``(batch, num_classes)``, probabilities.
    The loss is the smoothed cross-entropy in nats.

    Args:
        input_shape: shape of one input.
        num_classes: number of classes, at least 2.
        num_layers: number of convolutions.
        filters: number of filters: one number, or one per layer, such as ``"64-64-32"``.
        filter_growth: ratio between the numbers of filters of consecutive layers; ignored if
            `filters` has one number per layer.
        kernel_size: side of the kernels in pixels: one number, or one per layer.
        pool_size: side of the pooling windows in pixels: one number, or one per layer; 1 for no
            pooling.
        activation: activation after each convolution.
        batch_normalization: whether to apply batch normalization before each activation, which
            replaces the biases of the convolutions.
        dropout: dropout rate after each activation, in [0, 1).
        head: reduction of the last feature maps: global ``"average"`` or ``"max"`` pooling, or
            ``"flatten"``.
        head_units: width of a dense layer before the output layer; 0 for none.
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.
        label_smoothing: fraction of each label that is spread evenly over all classes, in [0, 1).
        weight_decay: decoupled weight decay of the kernels per step, relative to the learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range, if a list does not
            have `num_layers` numbers, or if the images are too small for the pooling layers.

    Example:
        >>> import zoo
        >>> zoo.build("deep_cnn").output_shape
        (None, 10)

    Reference:
        Simonyan & Zisserman (2015), Very deep convolutional networks for large-scale image
        recognition, https://arxiv.org/abs/1409.1556; with batch normalization: Ioffe & Szegedy
        (2015), https://arxiv.org/abs/1502.03167
    """
    return _build_cnn(
        name="deep_cnn",
        input_shape=input_shape,
        num_classes=num_classes,
        num_layers=num_layers,
        filters=filters,
        filter_growth=filter_growth,
        kernel_size=kernel_size,
        pool_size=pool_size,
        activation=activation,
        batch_normalization=batch_normalization,
        dropout=dropout,
        head=head,
        head_units=head_units,
        optimizer=optimizer,
        learning_rate=learning_rate,
        label_smoothing=label_smoothing,
        weight_decay=weight_decay,
    )


@validate_arguments
def fast_cnn(
    *,
    input_shape: Shape = (32, 32, 3),
    num_classes: NumClasses = 10,
    num_stages: NumLayers = 3,
    filters: PerLayer = "64-128-256",
    convolutions: PositiveInt = 2,
    activation: Activation = "relu",
    logit_scale: Positive = 0.125,
    optimizer: Optimizer = "muon",
    learning_rate: Positive = 0.02,
    label_smoothing: Fraction = 0.2,
    weight_decay: NonNegative = 0.1,
) -> keras.Model:
    """Build a CNN that reaches a high accuracy after few epochs.

    The first convolution, of 2x2 pixels, has fixed kernels: `zoo.train` sets them to whiten the
    patches of the training images (see `zoo.data.whitening`), with each kernel's negative beside
    it. Stages of convolutions follow, each with max pooling in its first; every convolution begins
    as the identity of the channels it receives. The last feature maps are pooled by their maximum,
    and logits are scaled down, which lets the output layer learn at the pace of the rest.

    Input ``(batch, height, width, channels)``; output ``(batch, num_classes)``, probabilities.
    The loss is the smoothed cross-entropy in nats.

    Args:
        input_shape: shape of one input.
        num_classes: number of classes, at least 2.
        num_stages: number of stages, each of which halves height and width.
        filters: number of filters of a stage: one number, or one per stage.
        convolutions: number of 3x3 convolutions in each stage.
        activation: activation after each convolution.
        logit_scale: factor of the logits.
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.
        label_smoothing: fraction of each label that is spread evenly over all classes, in [0, 1).
        weight_decay: decoupled weight decay of the kernels per step, relative to the learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range, if `filters` does not
            have `num_stages` numbers, or if the images are too small for the stages.

    Example:
        >>> import zoo
        >>> zoo.build("fast_cnn").output_shape
        (None, 10)

    Reference:
        Jordan (2024), 94% on CIFAR-10 in 3.29 seconds on a single GPU,
        https://arxiv.org/abs/2404.00498; identity kernels: Zagoruyko & Komodakis (2017), DiracNets,
        https://arxiv.org/abs/1706.00388
    """
    widths = expand_per_layer("filters", filters, num_stages)
    _check_input_shape(input_shape, [2] * num_stages)
    patch = PATCH_SIZE * PATCH_SIZE * input_shape[-1]

    inputs = keras.Input(input_shape, name="inputs")
    x = layers.Conv2D(
        2 * patch, PATCH_SIZE, padding="same", use_bias=False, trainable=False, name=WHITENING
    )(inputs)
    x = layers.Activation(activation, name="activation")(x)
    for stage, width in enumerate(widths, 1):
        for i in range(1, convolutions + 1):
            name = f"{stage}_{i}"
            x = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"conv_{name}")(x)
            if i == 1:
                x = layers.MaxPooling2D(2, name=f"pool_{stage}")(x)
            x = layers.BatchNormalization(momentum=MOMENTUM, name=f"normalization_{name}")(x)
            x = layers.Activation(activation, name=f"activation_{name}")(x)
    x = layers.GlobalMaxPooling2D(name="pool")(x)
    x = layers.Dense(num_classes, use_bias=False, dtype="float32", name="logits")(x)
    x = layers.Rescaling(logit_scale, dtype="float32", name="scaled_logits")(x)
    outputs = layers.Softmax(dtype="float32", name="output")(x)
    model = keras.Model(inputs, outputs, name="fast_cnn")
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D) and layer.trainable:
            layer.kernel.assign(_begin_as_identity(keras.ops.convert_to_numpy(layer.kernel)))
    return compile_for(
        "multiclass_classification",
        model,
        optimizer=optimizer,
        learning_rate=learning_rate,
        label_smoothing=label_smoothing,
        weight_decay=weight_decay,
    )


def _begin_as_identity(kernel: np.ndarray) -> np.ndarray:
    """Let as many filters as possible pass one input channel on, each another."""
    kernel = kernel.copy()
    height, width, channels, filters = kernel.shape
    passed = np.arange(min(channels, filters))
    kernel[..., passed] = 0
    kernel[height // 2, width // 2, passed, passed] = 1
    return kernel


def _build_cnn(
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
    widths = _filters_per_layer(filters, filter_growth, num_layers)
    kernels = expand_per_layer("kernel_size", kernel_size, num_layers)
    pools = expand_per_layer("pool_size", pool_size, num_layers)
    _check_input_shape(input_shape, pools)

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


def _filters_per_layer(filters: int | str, growth: float, num_layers: int) -> list[int]:
    widths: list[float] = list(expand_per_layer("filters", filters, num_layers))
    if "-" not in str(filters):
        widths = [widths[0] * min(growth, MAX_FILTERS) ** i for i in range(num_layers)]
    if not max(widths) <= MAX_FILTERS:
        raise ArgumentValueError(
            f"filters={filters!r} with filter_growth={growth} requires {max(widths):.3g} filters; "
            f"a layer can have at most {MAX_FILTERS}."
        )
    return [max(1, round(width)) for width in widths]


def _check_input_shape(input_shape: tuple[int, ...], pools: list[int]) -> None:
    if len(input_shape) != 3:
        raise ArgumentValueError(
            f"input_shape={input_shape}: must be (height, width, channels) for a CNN."
        )
    side = min(input_shape[:2])
    for pool in pools:
        side //= pool
    if not side:
        size = "x".join(map(str, input_shape[:2]))
        raise ArgumentValueError(
            f"images of {size} pixels are too small for pool_size={'-'.join(map(str, pools))}."
        )
