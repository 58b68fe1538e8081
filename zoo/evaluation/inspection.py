"""Looking inside a trained network: kernels, feature maps, parameters, and what an answer rests on.

Every function gives arrays or plain rows, computed on copies; `zoo.plots.classification` draws them.
"""

import dataclasses
from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from zoo.layers.text import TransformerEncoderBlock

SMALL = 1e-3


@dataclasses.dataclass(frozen=True)
class LayerParameters:
    """What a layer holds, and the formula that says so.

    Attributes:
        name: of the layer.
        formula: for example ``"3·3·32·64"``.
        count: of its weights, those that do not train included.
    """

    name: str
    formula: str
    count: int


def convolutions(model: keras.Model) -> list[str]:
    """Names the convolutional layers, from the input on.

    Args:
        model: any.
    """
    return [layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]


def kernels(model: keras.Model, layer: str) -> np.ndarray:
    """Gives the kernels of a convolution, each scaled to its own range of 0 to 1.

    Args:
        model: any.
        layer: name of one of its convolutions.

    Returns:
        ``(height, width, input channels, filters)``: a copy.
    """
    values = model.get_layer(layer).kernel.numpy()
    least = values.min(axis=(0, 1, 2), keepdims=True)
    reach = values.max(axis=(0, 1, 2), keepdims=True) - least
    return (values - least) / np.where(reach == 0, 1, reach)


def feature_maps(model: keras.Model, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Gives what each activation of a network makes of one preprocessed image.

    Args:
        model: of images.
        inputs: ``(height, width, channels)``, as the model takes them.

    Returns:
        ``(height, width, channels)`` for each layer that is an activation, by its name.
    """
    shown = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.Activation) and len(layer.output.shape) == 4
    ]
    outputs = keras.Model(model.input, [layer.output for layer in shown])(inputs[None])
    return {
        layer.name: np.asarray(output[0])
        for layer, output in zip(shown, tf.nest.flatten(outputs), strict=True)
    }


def parameters(model: keras.Model) -> list[LayerParameters]:
    """Counts the weights of each layer, and gives the formula for the count.

    Args:
        model: any; formulas are known for convolutions, dense layers and batch normalization.

    Returns:
        A row for each layer that has weights.

    Example:
        >>> import zoo
        >>> from zoo.evaluation.inspection import parameters
        >>> parameters(zoo.build("simple_cnn", batch_normalization=False))[0].formula
        '(3·3·3 + 1)·32'
    """
    return [
        LayerParameters(layer.name, _formula(layer), layer.count_params())
        for layer in model.layers
        if layer.weights
    ]


def _formula(layer: keras.Layer) -> str:
    match layer:
        case keras.layers.Conv2D():
            *fan_in, filters = layer.kernel.shape
            return _with_bias("·".join(map(str, fan_in)), filters, layer.use_bias)
        case keras.layers.Dense():
            fan_in, units = layer.kernel.shape
            return _with_bias(str(fan_in), units, layer.use_bias)
        case keras.layers.BatchNormalization():
            return f"4·{layer.gamma.shape[0]}"
        case _:
            return " + ".join("·".join(map(str, w.shape)) or "1" for w in layer.weights)


def _with_bias(fan_in: str, fan_out: int, use_bias: bool) -> str:
    return f"({fan_in} + 1)·{fan_out}" if use_bias else f"{fan_in}·{fan_out}"


@dataclasses.dataclass(frozen=True)
class KernelStatistics:
    """How large and how sparse the kernels of a network are.

    Attributes:
        norm: Euclidean norm of all of them together.
        sparsity: share of their values that are smaller than `SMALL` in size.
    """

    norm: float
    sparsity: float


def kernel_statistics(model: keras.Model) -> KernelStatistics:
    """Measures the kernels of a network's dense and convolutional layers.

    Args:
        model: with at least one such layer.

    Example:
        >>> import zoo
        >>> from zoo.evaluation.inspection import kernel_statistics
        >>> 0 <= kernel_statistics(zoo.build("mlp")).sparsity < 0.1
        True
    """
    kernels = [layer.kernel.numpy() for layer in model.layers if hasattr(layer, "kernel")]
    values = np.concatenate([kernel.ravel() for kernel in kernels])
    return KernelStatistics(
        norm=float(np.linalg.norm(values)), sparsity=float(np.mean(np.abs(values) < SMALL))
    )


def attention(model: keras.Model, words: np.ndarray) -> dict[str, np.ndarray]:
    """Says how much each word of a text attends to each other one, in each Transformer block.

    Args:
        model: with Transformer blocks.
        words: ``(time,)``, the numbers of the words.

    Returns:
        ``(heads, time, time)`` for each block, by its name: a row for the word that attends, of
        which the sum is 1.
    """
    found = {}
    for block in model.layers:
        if not isinstance(block, TransformerEncoderBlock):
            continue
        into_block, *_ = tf.nest.flatten(block.input)  # the mask is an input, too
        x = block.attention_norm(keras.Model(model.input, into_block)(words[None]))
        mask = (words != 0)[None, None, :]
        _, scores = block.attention(x, x, attention_mask=mask, return_attention_scores=True)
        found[block.name] = np.asarray(scores[0])
    return found


def grad_cam(model: keras.Model, inputs: np.ndarray, labels: Iterable[int]) -> np.ndarray:
    """Says which parts of an image speak for a class.

    The last feature maps are summed, each weighted by the mean gradient of the class's logit with
    respect to it; what speaks against the class is cut off at zero.

    Args:
        model: of images, whose last layer is dense.
        inputs: ``(batch, height, width, channels)``, as the model takes them.
        labels: the class asked about, one an image.

    Returns:
        ``(batch, height of the maps, width of the maps)``, the largest value of each image 1; all
        zero where nothing speaks for the class.

    Reference:
        Selvaraju et al. (2017), Grad-CAM, https://arxiv.org/abs/1610.02391
    """
    output = model.layers[-1]
    last = next(layer for layer in reversed(model.layers) if len(layer.output.shape) == 4)
    maps_of = keras.Model(model.input, last.output)
    rest = keras.Model(last.output, output.input)
    maps = maps_of(inputs, training=False)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        logits = rest(maps, training=False) @ output.kernel + output.bias
        chosen = tf.gather(logits, np.asarray(list(labels)), axis=1, batch_dims=1)
    weights = tf.reduce_mean(tape.gradient(chosen, maps), axis=(1, 2), keepdims=True)
    speaks = tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1)).numpy()
    largest = speaks.max(axis=(1, 2), keepdims=True)
    return speaks / np.where(largest == 0, 1, largest)
