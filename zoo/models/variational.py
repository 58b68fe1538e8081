"""Variational autoencoders: images from codes that are drawn at random.

Each model is an ``encoder``, which gives ``[z_mean, z_log_var]``, and a ``decoder``, models
themselves: ``model.get_layer("decoder")``. Between them the layer ``kl`` adds the divergence to the
loss, and ``z`` draws. The loss is the negative evidence lower bound in nats an image:
``reconstruction_loss``, summed over pixels, and `beta` times ``kl_loss``, summed over the code.
"""

import math
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
    by_layer,
    checked,
)
from zoo.models.autoencoders import halved, hidden_layers
from zoo.tasks import compile_for, unwrap_single

Likelihood = Literal["bernoulli", "gaussian"]


@checked
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
    """The variational autoencoder, of dense layers.

    Input ``(batch, *input_shape)`` in [0, 1]; output of the same shape, the means of the pixels.

    Args:
        input_shape: of one image, ``(height, width, channels)``.
        num_layers: hidden layers of encoder and decoder each.
        units: of the encoder's hidden layers: a number, or one a layer, as in ``"512-256"``; the
            decoder has them in reverse.
        latent_dim: dimensions of a code.
        activation: of the hidden layers.
        likelihood: of an image given its code: ``"bernoulli"``, in which pixels are coins, or
            ``"gaussian"``, in which they are normally distributed.
        stddev: the normal distributions' standard deviation, of full intensity 1.
        beta: weight of the divergence; with 1 the loss is the bound, with 0 nothing holds the
            codes together.
        warmup_steps: training steps over which that weight rises from 0 to `beta`.
        optimizer: name of the optimizer.
        learning_rate: its learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range.

    Example:
        >>> import zoo
        >>> zoo.build("vae", units="256-128").count_params()
        469268

    Reference:
        Kingma & Welling (2014), Auto-encoding variational Bayes, https://arxiv.org/abs/1312.6114
    """
    widths = by_layer("units", units, num_layers)
    image = keras.Input(input_shape, name="image")
    encoded = hidden_layers(layers.Flatten(name="flatten")(image), widths, activation)
    code = keras.Input((latent_dim,), name="code")
    decoded = hidden_layers(code, widths[::-1], activation)
    pixels = layers.Dense(math.prod(input_shape), name="output")(decoded)
    return _variational(
        "generation",
        "vae",
        _encoder([image], encoded, latent_dim),
        _decoder([code], layers.Reshape(input_shape, name="reshape")(pixels), likelihood),
        beta=beta,
        warmup_steps=warmup_steps,
        loss=_loss(likelihood, stddev),
        optimizer=optimizer,
        learning_rate=learning_rate,
    )


@checked
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
    """The variational autoencoder, of convolutions that halve the image and double it again.

    Input ``(batch, *input_shape)`` in [0, 1], whose height and width ``2 ** num_layers`` must
    divide; output of the same shape, the means of the pixels.

    Args:
        input_shape: of one image, ``(height, width, channels)``.
        num_layers: halvings.
        filters: of the encoder's convolutions: a number, or one a layer, as in ``"16-32"``; the
            decoder has them in reverse.
        kernel_size: side of every kernel in pixels.
        units: of the dense layer between the maps and the code, on either side.
        latent_dim: dimensions of a code.
        activation: of the hidden layers.
        likelihood: of an image given its code: ``"bernoulli"``, in which pixels are coins, or
            ``"gaussian"``, in which they are normally distributed.
        stddev: the normal distributions' standard deviation, of full intensity 1.
        beta: weight of the divergence; with 1 the loss is the bound, with 0 nothing holds the
            codes together.
        warmup_steps: training steps over which that weight rises from 0 to `beta`.
        optimizer: name of the optimizer.
        learning_rate: its learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range, or if the image cannot be
            halved so often.

    Example:
        >>> import zoo
        >>> zoo.build("conv_vae", latent_dim=8).get_layer("decoder").input_shape
        (None, 8)

    Reference:
        Kingma & Welling (2014), Auto-encoding variational Bayes, https://arxiv.org/abs/1312.6114;
        the convolutions are those of Radford, Metz & Chintala (2016),
        https://arxiv.org/abs/1511.06434
    """
    height, width, channels = halved(input_shape, num_layers)
    widths = by_layer("filters", filters, num_layers)
    x = image = keras.Input(input_shape, name="image")
    for number, maps in enumerate(widths, 1):
        x = layers.Conv2D(
            maps, kernel_size, 2, "same", activation=activation, name=f"conv_{number}"
        )(x)
    encoded = hidden_layers(layers.Flatten(name="flatten")(x), [units], activation)
    code = keras.Input((latent_dim,), name="code")
    x = hidden_layers(code, [units, height * width * widths[-1]], activation)
    x = layers.Reshape((height, width, widths[-1]), name="maps")(x)
    for number, maps in enumerate(widths[::-1], 1):
        x = layers.Conv2DTranspose(
            maps, kernel_size, 2, "same", activation=activation, name=f"deconv_{number}"
        )(x)
    pixels = layers.Conv2D(channels, kernel_size, padding="same", name="output")(x)
    return _variational(
        "generation",
        "conv_vae",
        _encoder([image], encoded, latent_dim),
        _decoder([code], pixels, likelihood),
        beta=beta,
        warmup_steps=warmup_steps,
        loss=_loss(likelihood, stddev),
        optimizer=optimizer,
        learning_rate=learning_rate,
    )


@checked
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
    """The variational autoencoder that is told the class: codes need only say the rest.

    Inputs ``[image, label]``, ``(batch, *input_shape)`` in [0, 1] and ``(batch,)``, numbers of
    classes; output of the image's shape, the means of the pixels. The encoder takes ``[image,
    label]`` and the decoder ``[code, label]``.

    Args:
        input_shape: of one image, ``(height, width, channels)``.
        num_classes: how many classes, at least 2.
        num_layers: hidden layers of encoder and decoder each.
        units: of the encoder's hidden layers: a number, or one a layer, as in ``"512-256"``; the
            decoder has them in reverse.
        latent_dim: dimensions of a code.
        activation: of the hidden layers.
        likelihood: of an image given its code: ``"bernoulli"``, in which pixels are coins, or
            ``"gaussian"``, in which they are normally distributed.
        stddev: the normal distributions' standard deviation, of full intensity 1.
        beta: weight of the divergence; with 1 the loss is the bound, with 0 nothing holds the
            codes together.
        warmup_steps: training steps over which that weight rises from 0 to `beta`.
        optimizer: name of the optimizer.
        learning_rate: its learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range.

    Example:
        >>> import zoo
        >>> [tuple(part.shape) for part in zoo.build("cvae").inputs]
        [(None, 28, 28, 1), (None,)]

    Reference:
        Sohn, Yan & Lee (2015), Learning structured output representation using deep conditional
        generative models, https://papers.nips.cc/paper/5775
    """
    widths = by_layer("units", units, num_layers)
    label = keras.Input((), dtype="int64", name="label")
    image = keras.Input(input_shape, name="image")
    told = [layers.Flatten(name="flatten")(image), ops.one_hot(label, num_classes)]
    encoded = hidden_layers(layers.Concatenate(name="told")(told), widths, activation)
    encoder = _encoder([image, label], encoded, latent_dim)
    label = keras.Input((), dtype="int64", name="label")
    code = keras.Input((latent_dim,), name="code")
    told = [code, ops.one_hot(label, num_classes)]
    decoded = hidden_layers(layers.Concatenate(name="told")(told), widths[::-1], activation)
    pixels = layers.Dense(math.prod(input_shape), name="output")(decoded)
    return _variational(
        "conditional_generation",
        "cvae",
        encoder,
        _decoder([code, label], layers.Reshape(input_shape, name="reshape")(pixels), likelihood),
        beta=beta,
        warmup_steps=warmup_steps,
        loss=_loss(likelihood, stddev),
        optimizer=optimizer,
        learning_rate=learning_rate,
    )


def _loss(likelihood: Likelihood, stddev: float) -> keras.Loss:
    return BernoulliLoss() if likelihood == "bernoulli" else GaussianLoss(stddev)


def _encoder(
    inputs: list[keras.KerasTensor], encoded: keras.KerasTensor, latent_dim: int
) -> keras.Model:
    moments = [layers.Dense(latent_dim, name=name)(encoded) for name in ("z_mean", "z_log_var")]
    return keras.Model(unwrap_single(inputs), moments, name="encoder")


def _decoder(
    inputs: list[keras.KerasTensor], pixels: keras.KerasTensor, likelihood: Likelihood
) -> keras.Model:
    activation = "sigmoid" if likelihood == "bernoulli" else "linear"
    outputs = layers.Activation(activation, dtype="float32", name="pixels")(pixels)
    return keras.Model(unwrap_single(inputs), outputs, name="decoder")


def _variational(
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
    moments = encoder(unwrap_single([image, *label]))
    moments = KLDivergenceAddLoss(beta, warmup_steps, dtype="float32", name="kl")(moments)
    code = Sampling(dtype="float32", name="z")(moments)
    return compile_for(
        task,
        keras.Model(
            unwrap_single([image, *label]), decoder(unwrap_single([code, *label])), name=name
        ),
        optimizer=optimizer,
        learning_rate=learning_rate,
        loss=loss,
    )
