"""ResNet-18, with the layer names and the padding of torchvision."""

from typing import Annotated, Literal

import keras
import pydantic
from keras import layers

from zoo.errors import ArgumentValueError
from zoo.models import _pretrained
from zoo.models._arguments import (
    Fraction,
    NonNegative,
    NumClasses,
    Optimizer,
    Positive,
    PositiveInt,
    Shape,
    validate_arguments,
)
from zoo.tasks import compile_for

BLOCKS_PER_STAGE = 2
STAGES = 4
MOMENTUM = 0.9
EPSILON = 1e-5
STEM = ("conv1", "bn1")

Freeze = Literal["none", "stem", "backbone"]
Stem = Literal["imagenet", "cifar"]


@validate_arguments
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
    """Build a ResNet-18, optionally with pretrained weights.

    A stem is followed by four stages of two basic blocks, global average pooling and a linear
    classifier. A basic block adds its input to the output of two 3x3 convolutions; from the second
    stage on, the first block of a stage has stride 2 and twice as many filters. Layer names,
    strides, padding and the epsilon of batch normalization are torchvision's, whose weights can be
    loaded: with 1000 classes and the ImageNet stem there are 11,689,512 parameters and 9,600
    running statistics.

    Input ``(batch, height, width, channels)``, scaled as for the pretrained weights; output
    ``(batch, num_classes)``, probabilities. The loss is the smoothed cross-entropy in nats.

    Args:
        input_shape: shape of one input.
        num_classes: number of classes, at least 2.
        filters: number of filters of the first stage; it doubles with every further stage.
        stem: ``"imagenet"``, a 7x7 convolution and max pooling, both with stride 2, for images of
            about 200 pixels; or ``"cifar"``, a 3x3 convolution with stride 1, for about 32 pixels.
        weights: ``"random"``; ``"imagenet"``, downloaded from the Hugging Face Hub and cached, for
            the ImageNet stem; or the path of a ``.safetensors`` file, of a ``.pth`` file of
            torchvision, which is read without executing pickled code, or of a ``.keras`` file of
            this architecture, such as the ``model.keras`` of a run.
        keep_head: whether to load the classifier as well, which must have `num_classes` outputs;
            otherwise it is initialized at random.
        freeze: layers to freeze: ``"none"``, the ``"stem"``, or the ``"backbone"``, which is all
            but the classifier. Frozen batch normalization layers run in inference mode.
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.
        label_smoothing: fraction of each label that is spread evenly over all classes, in [0, 1).
        weight_decay: decoupled weight decay of the kernels per step, relative to the learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range.
        WeightsError: if the weights cannot be downloaded or read, or do not match the model.

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
            f"input_shape={input_shape}: must be (height, width, channels) for resnet18."
        )
    if keep_head and weights == "random":
        raise ArgumentValueError(
            "keep_head=True requires pretrained weights, not weights='random'."
        )
    inputs = keras.Input(input_shape, name="inputs")
    x = _apply_stem(inputs, filters, stem)
    for stage in range(1, STAGES + 1):
        for block in range(BLOCKS_PER_STAGE):
            stride = 2 if stage > 1 and block == 0 else 1
            x = _apply_basic_block(x, filters * 2 ** (stage - 1), stride, f"layer{stage}.{block}")
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="fc")(x)
    model = keras.Model(inputs, outputs, name="resnet18")

    if weights != "random":
        _pretrained.load(model, weights, keep_head=keep_head)
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


def _apply_stem(x: keras.KerasTensor, filters: int, stem: Stem) -> keras.KerasTensor:
    if stem == "cifar":
        return _apply_conv(x, filters, 3, 1, "conv1", "bn1", "relu")
    x = _apply_conv(x, filters, 7, 2, "conv1", "bn1", "relu")
    x = layers.ZeroPadding2D(1, name="maxpool.pad")(x)
    return layers.MaxPooling2D(3, 2, name="maxpool")(x)


def _apply_basic_block(
    x: keras.KerasTensor, filters: int, stride: int, name: str
) -> keras.KerasTensor:
    shortcut = x
    if stride > 1:
        shortcut = _apply_conv(
            x, filters, 1, stride, f"{name}.downsample.0", f"{name}.downsample.1"
        )
    x = _apply_conv(x, filters, 3, stride, f"{name}.conv1", f"{name}.bn1", f"{name}.relu1")
    x = _apply_conv(x, filters, 3, 1, f"{name}.conv2", f"{name}.bn2")
    x = layers.Add(name=f"{name}.add")([x, shortcut])
    return layers.Activation("relu", name=f"{name}.relu2")(x)


def _apply_conv(
    x: keras.KerasTensor,
    filters: int,
    kernel_size: int,
    stride: int,
    name: str,
    normalization: str,
    activation: str | None = None,
) -> keras.KerasTensor:
    padding = "same"
    if stride > 1 and kernel_size > 1:  # torchvision pads both sides equally, Keras does not
        padding = "valid"
        x = layers.ZeroPadding2D(kernel_size // 2, name=f"{name}.pad")(x)
    elif stride > 1:  # https://github.com/uxlfoundation/oneDNN/issues/6035: wrong gradients
        x = layers.AveragePooling2D(1, stride, name=f"{name}.subsample")(x)
        stride = 1
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
