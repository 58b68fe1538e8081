"""The residual network of 18 layers, laid out as torchvision lays it out."""

from typing import Annotated, Literal

import keras
import pydantic
from keras import layers

from zoo.errors import ArgumentValueError
from zoo.models import _pretrained as weight_files
from zoo.models._arguments import (
    Fraction,
    NonNegative,
    NumClasses,
    Optimizer,
    Positive,
    PositiveInt,
    Shape,
    checked,
)
from zoo.tasks import compile_for

BLOCKS_PER_STAGE = 2
STAGES = 4
MOMENTUM = 0.9
EPSILON = 1e-5
STEM = ("conv1", "bn1")

Freeze = Literal["none", "stem", "backbone"]
Stem = Literal["imagenet", "cifar"]


@checked
def resnet18(
    *,
    input_shape: Shape = (32, 32, 3),
    num_classes: NumClasses = 10,
    filters: PositiveInt = 64,
    stem: Stem = "cifar",
    weights: Annotated[str, pydantic.Field(min_length=1)] = "random",
    keep_head: bool = False,
    freeze: Freeze = "none",
    optimizer: Optimizer = "nesterov",
    learning_rate: Positive = 0.1,
    label_smoothing: Fraction = 0.1,
    weight_decay: NonNegative = 5e-3,
) -> keras.Model:
    """ResNet18: a stem, four stages of two basic blocks, global average, and a linear classifier.

    A basic block adds its input to what two 3x3 convolutions make of it; from the second stage on,
    the first block of each halves the image and doubles the filters. Layers, strides, padding and
    the batch normalization's epsilon of 1e-5 are torchvision's, and layers bear its names, so that
    its weights fit: with 1000 classes and the ImageNet stem there are 11,689,512 parameters, and
    9,600 running statistics.

    Input ``(batch, height, width, 3)``, standardized as `weights` were; output
    ``(batch, num_classes)``, probabilities. The loss is the smoothed cross-entropy in nats.

    Args:
        input_shape: shape of one input.
        num_classes: how many classes, at least 2.
        filters: of the first stage; each further stage has twice those of the one before.
        stem: ``"imagenet"``, a 7x7 convolution and pooling, both of stride 2, for images of some
            200 pixels; or ``"cifar"``, a 3x3 convolution of stride 1, for some 32.
        weights: ``"random"``; ``"imagenet"``, fetched from the Hugging Face hub and kept in its
            cache, for the ImageNet stem; or a file: ``.safetensors`` or torchvision's ``.pth``,
            which is read without running what is pickled in it, or a ``.keras`` file of this
            model's, such as a run's ``model.keras``.
        keep_head: whether the classifier, too, is taken from `weights`; it must then have
            `num_classes` outputs. Otherwise it starts at random.
        freeze: what training leaves as it is: ``"none"``, the ``"stem"``, or the ``"backbone"``,
            which is all but the classifier. Frozen batch normalization uses its running
            statistics, in training too, and does not move them.
        optimizer: name of the optimizer.
        learning_rate: its learning rate.
        label_smoothing: share of each label spread over all classes, in [0, 1).
        weight_decay: share of each kernel, times the learning rate, taken off at every step.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range.
        WeightsError: if the weights cannot be fetched or read, or are another network's.

    Example:
        >>> import zoo
        >>> zoo.build("resnet18", num_classes=1000, stem="imagenet").count_params() - 9600
        11689512

    Reference:
        He, Zhang, Ren & Sun (2016), Deep residual learning for image recognition,
        https://arxiv.org/abs/1512.03385
    """
    if len(input_shape) != 3:
        raise ArgumentValueError(
            f"input_shape={input_shape}: resnet18 takes images, (height, width, channels)."
        )
    if keep_head and weights == "random":
        raise ArgumentValueError("keep_head=True: there are no weights to keep it from.")
    inputs = keras.Input(input_shape, name="inputs")
    x = _stem(inputs, filters, stem)
    for stage in range(1, STAGES + 1):
        for block in range(BLOCKS_PER_STAGE):
            stride = 2 if stage > 1 and block == 0 else 1
            x = _basic_block(x, filters * 2 ** (stage - 1), stride, f"layer{stage}.{block}")
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="fc")(x)
    model = keras.Model(inputs, outputs, name="resnet18")

    if weights != "random":
        weight_files.load(model, weights, keep_head=keep_head)
    for layer in model.layers:
        layer.trainable = not _is_frozen(layer, freeze)
    return compile_for(
        "multiclass_classification",
        model,
        optimizer=optimizer,
        learning_rate=learning_rate,
        label_smoothing=label_smoothing,
        weight_decay=weight_decay,
    )


def _stem(x: keras.KerasTensor, filters: int, stem: Stem) -> keras.KerasTensor:
    if stem == "cifar":
        return _convolution(x, filters, 3, 1, "conv1", "bn1", "relu")
    x = _convolution(x, filters, 7, 2, "conv1", "bn1", "relu")
    x = layers.ZeroPadding2D(1, name="maxpool.pad")(x)
    return layers.MaxPooling2D(3, 2, name="maxpool")(x)


def _basic_block(x: keras.KerasTensor, filters: int, stride: int, name: str) -> keras.KerasTensor:
    shortcut = x
    if stride > 1:
        shortcut = _convolution(
            x, filters, 1, stride, f"{name}.downsample.0", f"{name}.downsample.1"
        )
    x = _convolution(x, filters, 3, stride, f"{name}.conv1", f"{name}.bn1", f"{name}.relu1")
    x = _convolution(x, filters, 3, 1, f"{name}.conv2", f"{name}.bn2")
    x = layers.Add(name=f"{name}.add")([x, shortcut])
    return layers.Activation("relu", name=f"{name}.relu2")(x)


def _convolution(
    x: keras.KerasTensor,
    filters: int,
    kernel_size: int,
    stride: int,
    name: str,
    normalization: str,
    activation: str | None = None,
) -> keras.KerasTensor:
    padding = "same"
    if stride > 1 and kernel_size > 1:  # Keras would pad more on the right, torchvision does not
        padding = "valid"
        x = layers.ZeroPadding2D(kernel_size // 2, name=f"{name}.pad")(x)
    x = layers.Conv2D(
        filters,
        kernel_size,
        stride,
        padding,
        use_bias=False,
        kernel_initializer=keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal"),
        name=name,
    )(x)
    x = layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=normalization)(x)
    return layers.Activation("relu", name=activation)(x) if activation else x


def _is_frozen(layer: keras.Layer, freeze: Freeze) -> bool:
    return {
        "none": False,
        "stem": layer.name in STEM,
        "backbone": layer.name != "fc",
    }[freeze]
