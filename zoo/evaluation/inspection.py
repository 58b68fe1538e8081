"""Inspection of trained networks: kernels, feature maps, parameter counts, attention, Grad-CAM.

All functions return NumPy arrays or plain rows, computed on copies; `zoo.plots` draws them.
"""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from zoo.layers.text import TransformerEncoderBlock

SPARSITY_THRESHOLD = 1e-3


@dataclasses.dataclass(frozen=True)
class LayerParameters:
    """The number of parameters of a layer, with its formula.

    Attributes:
        name: name of the layer.
        formula: for example ``"3·3·32·64"``.
        count: number of weights, non-trainable ones included.
    """

    name: str
    formula: str
    count: int


def conv_layer_names(model: keras.Model) -> list[str]:
    """Return the names of the convolutional layers, from input to output.

    Args:
        model: any model.
    """
    return [layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]


def scaled_kernels(model: keras.Model, layer: str) -> np.ndarray:
    """Return the kernels of a convolution, each min-max scaled to [0, 1].

    Args:
        model: any model.
        layer: name of a convolutional layer.

    Returns:
        A copy, ``(height, width, input_channels, filters)``.
    """
    values = model.get_layer(layer).kernel.numpy()
    minimum = values.min(axis=(0, 1, 2), keepdims=True)
    value_range = values.max(axis=(0, 1, 2), keepdims=True) - minimum
    return (values - minimum) / np.where(value_range == 0, 1, value_range)


def feature_maps(model: keras.Model, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the feature maps of an image after each activation layer.

    Args:
        model: an image model.
        inputs: one preprocessed image, ``(height, width, channels)``.

    Returns:
        Feature maps ``(height, width, channels)`` by the name of the layer.
    """
    activations = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.Activation) and len(layer.output.shape) == 4
    ]
    outputs = keras.Model(model.input, [layer.output for layer in activations])(inputs[None])
    return {
        layer.name: np.asarray(output[0])
        for layer, output in zip(activations, keras.tree.flatten(outputs), strict=True)
    }


def layer_parameters(model: keras.Model) -> list[LayerParameters]:
    """Count the parameters of each layer that has weights, with a formula for the count.

    Formulas are by fan-in and fan-out for convolutions, dense layers and batch normalization, and
    by the shapes of the weights for other layers.

    Args:
        model: any model.

    Example:
        >>> import zoo
        >>> from zoo.evaluation.inspection import layer_parameters
        >>> layer_parameters(zoo.build("simple_cnn", batch_normalization=False))[0].formula
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
            return _fan_formula("·".join(map(str, fan_in)), filters, layer.use_bias)
        case keras.layers.Dense():
            fan_in, units = layer.kernel.shape
            return _fan_formula(str(fan_in), units, layer.use_bias)
        case keras.layers.BatchNormalization():
            return f"4·{layer.gamma.shape[0]}"
        case _:
            return " + ".join("·".join(map(str, w.shape)) or "1" for w in layer.weights)


def _fan_formula(fan_in: str, fan_out: int, use_bias: bool) -> str:
    return f"({fan_in} + 1)·{fan_out}" if use_bias else f"{fan_in}·{fan_out}"


@dataclasses.dataclass(frozen=True)
class KernelStatistics:
    """Norm and sparsity of the kernels of a network.

    Attributes:
        norm: Euclidean norm of all kernels together.
        sparsity: fraction of values with magnitude below `SPARSITY_THRESHOLD`.
    """

    norm: float
    sparsity: float


def kernel_statistics(model: keras.Model) -> KernelStatistics:
    """Compute statistics over the kernels of all dense and convolutional layers.

    Args:
        model: a model with at least one such layer.

    Example:
        >>> import zoo
        >>> from zoo.evaluation.inspection import kernel_statistics
        >>> 0 <= kernel_statistics(zoo.build("mlp")).sparsity < 0.1
        True
    """
    kernels = [layer.kernel.numpy() for layer in model.layers if hasattr(layer, "kernel")]
    values = np.concatenate([kernel.ravel() for kernel in kernels])
    return KernelStatistics(
        norm=float(np.linalg.norm(values)),
        sparsity=float(np.mean(np.abs(values) < SPARSITY_THRESHOLD)),
    )


def attention_scores(model: keras.Model, token_ids: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the attention scores of each Transformer block for one text.

    Args:
        model: a model with Transformer blocks.
        token_ids: token ids, ``(time,)``; 0 is padding.

    Returns:
        Scores ``(num_heads, time, time)`` by the name of the block; rows (queries) sum to 1.
    """
    scores = {}
    for block in model.layers:
        if not isinstance(block, TransformerEncoderBlock):
            continue
        block_input, *_ = keras.tree.flatten(block.input)  # the padding mask is an input, too
        x = block.attention_norm(keras.Model(model.input, block_input)(token_ids[None]))
        mask = (token_ids != 0)[None, None, :]
        _, of_batch = block.attention(x, x, attention_mask=mask, return_attention_scores=True)
        scores[block.name] = np.asarray(of_batch[0])
    return scores


def transformer_block_names(model: keras.Model) -> list[str]:
    """Return the names of the Transformer blocks, from input to output.

    Args:
        model: any model.
    """
    return [layer.name for layer in model.layers if isinstance(layer, TransformerEncoderBlock)]


def recurrent_layer_names(model: keras.Model) -> list[str]:
    """Return the names of the recurrent layers, from input to output.

    Args:
        model: any model.
    """
    kinds = (keras.layers.RNN, keras.layers.Bidirectional)
    return [layer.name for layer in model.layers if isinstance(layer, kinds)]


def hidden_states(model: keras.Model, layer: str, token_ids: np.ndarray) -> np.ndarray:
    """Compute the states of a recurrent layer after each token of a text.

    Args:
        model: a model with recurrent layers.
        layer: name of one.
        token_ids: token ids, ``(time,)``, without padding.

    Returns:
        ``(time, units)``. A bidirectional layer has those of both directions, each after the token
        in its own order; if it returns its last states only, those for the text up to the token.
    """
    output = model.get_layer(layer).output
    states = keras.Model(model.input, output)
    if len(output.shape) == 3:
        return np.asarray(states(token_ids[None])[0])
    beginnings = np.tril(np.broadcast_to(token_ids, (len(token_ids),) * 2))
    return np.asarray(states(beginnings))


def decision_surface(
    model: keras.Model, side: np.ndarray, third: float | None = None
) -> np.ndarray:
    """Compute the output of a network of two or three inputs over the first two.

    Args:
        model: a model of a truth table.
        side: values of the first and of the second input, ``(points,)``.
        third: value of the third input, if there is one.

    Returns:
        Probabilities of 1, ``(points, points)``: the second input in rows, the first in columns.
    """
    x0, x1 = np.meshgrid(side, side)
    columns = [x0, x1] if third is None else [x0, x1, np.full_like(x0, third)]
    inputs = np.stack(columns, axis=-1).reshape(-1, len(columns)).astype(np.float32)
    output = model.predict(inputs, batch_size=len(inputs), verbose=0)[:, -1]
    return output.reshape(x0.shape)


def grad_cam(model: keras.Model, inputs: np.ndarray, labels: Iterable[int]) -> np.ndarray:
    """Compute Grad-CAM heatmaps: the image regions that support a class.

    The last feature maps are summed, weighted by the mean gradient of the class logit with respect
    to each; negative values are clipped to zero.

    Args:
        model: an image model whose last layer is dense.
        inputs: preprocessed images, ``(batch, height, width, channels)``.
        labels: class index for each image.

    Returns:
        Heatmaps ``(batch, map_height, map_width)``, each scaled to a maximum of 1; all zero where
        no region supports the class.

    Reference:
        Selvaraju et al. (2017), Grad-CAM, https://arxiv.org/abs/1610.02391
    """
    output = model.layers[-1]
    last = next(layer for layer in reversed(model.layers) if len(layer.output.shape) == 4)
    backbone = keras.Model(model.input, last.output)
    head = keras.Model(last.output, output.input)
    maps = backbone(inputs, training=False)
    one_hot = ops.one_hot(np.asarray(list(labels)), output.kernel.shape[1])

    def sum_of_class_logits(maps: Any) -> Any:
        logits = ops.matmul(head(maps, training=False), output.kernel) + output.bias
        return ops.sum(logits * one_hot)

    weights = np.mean(_gradient(sum_of_class_logits, maps), axis=(1, 2), keepdims=True)
    heatmaps = np.maximum(np.sum(weights * np.asarray(maps), axis=-1), 0)
    maximum = heatmaps.max(axis=(1, 2), keepdims=True)
    return heatmaps / np.where(maximum == 0, 1, maximum)


def _gradient(function: Callable[[Any], Any], inputs: Any) -> np.ndarray:
    """Return the gradient of a scalar function of one tensor, on TensorFlow or JAX."""
    if keras.config.backend() == "jax":
        import jax

        return np.asarray(jax.grad(function)(inputs))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = function(inputs)
    return tape.gradient(value, inputs).numpy()
