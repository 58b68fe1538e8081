"""Variational autoencoders.

Each model is composed of the submodels ``encoder``, which outputs ``[z_mean, z_log_var]``, and
``decoder``, such as ``model.get_layer("decoder")``. Between them, the layer ``kl`` adds the KL
divergence to the loss and the layer ``z`` samples latent codes. The loss is the negative evidence
lower bound in nats per image: ``reconstruction_loss``, summed over pixels, plus `beta` times
``kl_loss``, summed over latent dimensions.
"""

import math
from collections.abc import Sequence
from typing import Literal

import keras
from keras import layers, ops

from zoo.layers.losses import BernoulliLoss, GaussianLoss
from zoo.layers.variational import KLDivergenceAddLoss, Sampling
from zoo.models._arguments import (
    Activation,
    NonNegative,
    NonNegativeInt,
    NumClasses,
    NumLayers,
    Optimizer,
    PerLayer,
    Positive,
    PositiveInt,
    Shape,
    downsampled_shape,
    expand_per_layer,
    validate_arguments,
)
from zoo.tasks import compile_for, unwrap_single

Likelihood = Literal["bernoulli", "gaussian"]


@validate_arguments
def vae(
    *,
    input_shape: Shape = (28, 28, 1),
    num_layers: NumLayers = 2,
    units: PerLayer = "512-256",
    latent_dim: PositiveInt = 2,
    activation: Activation = "gelu",
    likelihood: Likelihood = "bernoulli",
    stddev: Positive = 0.1,
    beta: NonNegative = 1.0,
    warmup_steps: NonNegativeInt = 0,
    optimizer: Optimizer = "adam",
    learning_rate: Positive = 1e-3,
) -> keras.Model:
    """Build a variational autoencoder with dense layers.

    Input ``(batch, *input_shape)`` in [0, 1]; output of the same shape, the means of the pixels.

    Args:
        input_shape: shape of one image, ``(height, width, channels)``.
        num_layers: number of hidden layers in the encoder, and in the decoder.
        units: width of the encoder's hidden layers: one number, or one per layer, such as
            ``"512-256"``; the decoder has the reverse order.
        latent_dim: size of the latent code.
        activation: activation of the hidden layers.
        likelihood: distribution of a pixel given the latent code: ``"bernoulli"`` or
            ``"gaussian"``.
        stddev: standard deviation of the Gaussian likelihood, for pixels in [0, 1].
        beta: weight of the KL divergence; with 1 the loss is the negative ELBO, with 0 the latent
            codes are not regularized.
        warmup_steps: training steps over which the weight increases linearly from 0 to `beta`.
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range.

    Example:
        >>> import zoo
        >>> zoo.build("vae", units="256-128").count_params()
        469268

    Reference:
        Kingma & Welling (2014), Auto-encoding variational Bayes, https://arxiv.org/abs/1312.6114
    """
    widths = expand_per_layer("units", units, num_layers)
    image = keras.Input(input_shape, name="image")
    encoded = _dense_layers(layers.Flatten(name="flatten")(image), widths, activation)
    code = keras.Input((latent_dim,), name="code")
    decoded = _dense_layers(code, widths[::-1], activation)
    pixels = layers.Dense(math.prod(input_shape), name="output")(decoded)
    return _build_vae(
        "generation",
        "vae",
        _build_encoder([image], encoded, latent_dim),
        _build_decoder([code], layers.Reshape(input_shape, name="reshape")(pixels), likelihood),
        beta=beta,
        warmup_steps=warmup_steps,
        loss=_reconstruction_loss(likelihood, stddev),
        optimizer=optimizer,
        learning_rate=learning_rate,
    )


@validate_arguments
def conv_vae(
    *,
    input_shape: Shape = (28, 28, 1),
    num_layers: NumLayers = 2,
    filters: PerLayer = "16-32",
    kernel_size: PositiveInt = 3,
    units: PositiveInt = 256,
    latent_dim: PositiveInt = 2,
    activation: Activation = "gelu",
    likelihood: Likelihood = "bernoulli",
    stddev: Positive = 0.1,
    beta: NonNegative = 1.0,
    warmup_steps: NonNegativeInt = 0,
    optimizer: Optimizer = "adam",
    learning_rate: Positive = 1e-3,
) -> keras.Model:
    """Build a variational autoencoder with strided and transposed convolutions.

    Input ``(batch, *input_shape)`` in [0, 1], where ``2 ** num_layers`` must divide height and
    width; output of the same shape, the means of the pixels.

    Args:
        input_shape: shape of one image, ``(height, width, channels)``.
        num_layers: number of convolutions with stride 2 in the encoder, and in the decoder.
        filters: number of filters of the encoder: one number, or one per layer, such as
            ``"16-32"``; the decoder has the reverse order.
        kernel_size: side of the kernels in pixels.
        units: width of the dense layer between feature maps and latent code, in encoder and
            decoder.
        latent_dim: size of the latent code.
        activation: activation of the hidden layers.
        likelihood: distribution of a pixel given the latent code: ``"bernoulli"`` or
            ``"gaussian"``.
        stddev: standard deviation of the Gaussian likelihood, for pixels in [0, 1].
        beta: weight of the KL divergence; with 1 the loss is the negative ELBO, with 0 the latent
            codes are not regularized.
        warmup_steps: training steps over which the weight increases linearly from 0 to `beta`.
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range, or if
            ``2 ** num_layers`` does not divide height and width.

    Example:
        >>> import zoo
        >>> zoo.build("conv_vae", latent_dim=8).get_layer("decoder").input_shape
        (None, 8)

    Reference:
        Kingma & Welling (2014), Auto-encoding variational Bayes, https://arxiv.org/abs/1312.6114;
        with the convolutions of Radford, Metz & Chintala (2016), https://arxiv.org/abs/1511.06434
    """
    height, width, channels = downsampled_shape(input_shape, num_layers)
    widths = expand_per_layer("filters", filters, num_layers)
    x = image = keras.Input(input_shape, name="image")
    for i, maps in enumerate(widths, 1):
        x = layers.Conv2D(maps, kernel_size, 2, "same", activation=activation, name=f"conv_{i}")(x)
    encoded = _dense_layers(layers.Flatten(name="flatten")(x), [units], activation)
    code = keras.Input((latent_dim,), name="code")
    x = _dense_layers(code, [units, height * width * widths[-1]], activation)
    x = layers.Reshape((height, width, widths[-1]), name="maps")(x)
    for i, maps in enumerate(widths[::-1], 1):
        x = layers.Conv2DTranspose(
            maps, kernel_size, 2, "same", activation=activation, name=f"deconv_{i}"
        )(x)
    pixels = layers.Conv2D(channels, kernel_size, padding="same", name="output")(x)
    return _build_vae(
        "generation",
        "conv_vae",
        _build_encoder([image], encoded, latent_dim),
        _build_decoder([code], pixels, likelihood),
        beta=beta,
        warmup_steps=warmup_steps,
        loss=_reconstruction_loss(likelihood, stddev),
        optimizer=optimizer,
        learning_rate=learning_rate,
    )


@validate_arguments
def cvae(
    *,
    input_shape: Shape = (28, 28, 1),
    num_classes: NumClasses = 10,
    num_layers: NumLayers = 2,
    units: PerLayer = "512-256",
    latent_dim: PositiveInt = 2,
    activation: Activation = "gelu",
    likelihood: Likelihood = "bernoulli",
    stddev: Positive = 0.1,
    beta: NonNegative = 1.0,
    warmup_steps: NonNegativeInt = 0,
    optimizer: Optimizer = "adam",
    learning_rate: Positive = 1e-3,
) -> keras.Model:
    """Build a class-conditional variational autoencoder with dense layers.

    Inputs ``[image, label]``: ``(batch, *input_shape)`` in [0, 1], and class indices ``(batch,)``.
    Output of the shape of the images, the means of the pixels. The encoder takes
    ``[image, label]`` and the decoder ``[code, label]``.

    Args:
        input_shape: shape of one image, ``(height, width, channels)``.
        num_classes: number of classes, at least 2.
        num_layers: number of hidden layers in the encoder, and in the decoder.
        units: width of the encoder's hidden layers: one number, or one per layer, such as
            ``"512-256"``; the decoder has the reverse order.
        latent_dim: size of the latent code.
        activation: activation of the hidden layers.
        likelihood: distribution of a pixel given the latent code: ``"bernoulli"`` or
            ``"gaussian"``.
        stddev: standard deviation of the Gaussian likelihood, for pixels in [0, 1].
        beta: weight of the KL divergence; with 1 the loss is the negative ELBO, with 0 the latent
            codes are not regularized.
        warmup_steps: training steps over which the weight increases linearly from 0 to `beta`.
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range.

    Example:
        >>> import zoo
        >>> [tuple(part.shape) for part in zoo.build("cvae").inputs]
        [(None, 28, 28, 1), (None,)]

    Reference:
        Sohn, Yan & Lee (2015), Learning structured output representation using deep conditional
        generative models, https://papers.nips.cc/paper/5775
    """
    widths = expand_per_layer("units", units, num_layers)
    label = keras.Input((), dtype="int64", name="label")
    image = keras.Input(input_shape, name="image")
    x = _concatenate_label(layers.Flatten(name="flatten")(image), label, num_classes)
    encoder = _build_encoder([image, label], _dense_layers(x, widths, activation), latent_dim)
    label = keras.Input((), dtype="int64", name="label")
    code = keras.Input((latent_dim,), name="code")
    x = _dense_layers(_concatenate_label(code, label, num_classes), widths[::-1], activation)
    pixels = layers.Dense(math.prod(input_shape), name="output")(x)
    pixels = layers.Reshape(input_shape, name="reshape")(pixels)
    return _build_vae(
        "conditional_generation",
        "cvae",
        encoder,
        _build_decoder([code, label], pixels, likelihood),
        beta=beta,
        warmup_steps=warmup_steps,
        loss=_reconstruction_loss(likelihood, stddev),
        optimizer=optimizer,
        learning_rate=learning_rate,
    )


def _dense_layers(
    x: keras.KerasTensor, widths: Sequence[int], activation: str
) -> keras.KerasTensor:
    for i, width in enumerate(widths, 1):
        x = layers.Dense(width, activation=activation, name=f"hidden_{i}")(x)
    return x


def _concatenate_label(
    x: keras.KerasTensor, label: keras.KerasTensor, num_classes: int
) -> keras.KerasTensor:
    return layers.Concatenate(name="told")([x, ops.one_hot(label, num_classes)])


def _build_encoder(
    inputs: list[keras.KerasTensor], encoded: keras.KerasTensor, latent_dim: int
) -> keras.Model:
    moments = [layers.Dense(latent_dim, name=name)(encoded) for name in ("z_mean", "z_log_var")]
    return keras.Model(unwrap_single(inputs), moments, name="encoder")


def _build_decoder(
    inputs: list[keras.KerasTensor], pixels: keras.KerasTensor, likelihood: Likelihood
) -> keras.Model:
    activation = "sigmoid" if likelihood == "bernoulli" else "linear"
    outputs = layers.Activation(activation, dtype="float32", name="pixels")(pixels)
    return keras.Model(unwrap_single(inputs), outputs, name="decoder")


def _reconstruction_loss(likelihood: Likelihood, stddev: float) -> keras.Loss:
    return BernoulliLoss() if likelihood == "bernoulli" else GaussianLoss(stddev)


def _build_vae(
    task: str,
    name: str,
    encoder: keras.Model,
    decoder: keras.Model,
    *,
    beta: float,
    warmup_steps: int,
    loss: keras.Loss,
    optimizer: str,
    learning_rate: float,
) -> keras.Model:
    image, *label = (
        keras.Input(part.shape[1:], dtype=part.dtype, name=part.name) for part in encoder.inputs
    )
    inputs = unwrap_single([image, *label])
    moments = encoder(inputs)
    moments = KLDivergenceAddLoss(beta, warmup_steps, dtype="float32", name="kl")(moments)
    code = Sampling(dtype="float32", name="z")(moments)
    outputs = decoder(unwrap_single([code, *label]))
    return compile_for(
        task,
        keras.Model(inputs, outputs, name=name),
        optimizer=optimizer,
        learning_rate=learning_rate,
        loss=loss,
    )
