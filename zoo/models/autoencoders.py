"""Autoencoders, and truncated SVD, which bounds the linear ones.

Each model is the composition of two submodels, ``model.get_layer("encoder")`` and
``model.get_layer("decoder")``.
"""

import functools
import math
from collections.abc import Sequence

import keras
from keras import layers

from zoo.errors import ArgumentValueError
from zoo.layers.svd import InverseTruncatedSVD, TruncatedSVD
from zoo.models._arguments import (
    Activation,
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
from zoo.tasks import compile_for


@validate_arguments
def truncated_svd(
    *,
    input_shape: Shape = (32, 32, 1),
    rank: PositiveInt = 128,
    centered: bool = False,
) -> keras.Model:
    """Build a truncated SVD: projection on the best-fitting subspace of `rank` dimensions.

    No linear autoencoder with a latent code of this size has a smaller squared error on the
    training images. The model has no trainable weights: `zoo.train` passes the training images to
    the ``adapt`` methods of its layers.

    Input and output ``(batch, *input_shape)``; the latent code is ``(batch, rank)``. The loss is
    the mean squared error.

    Args:
        input_shape: shape of one image, ``(height, width, channels)``.
        rank: dimension of the subspace, at most the number of values in an image.
        centered: whether the mean image is subtracted first, as in principal component analysis.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range.

    Example:
        >>> import zoo
        >>> zoo.build("truncated_svd", rank=2).get_layer("encoder").output_shape
        (None, 2)

    Reference:
        Eckart & Young (1936), The approximation of one matrix by another of lower rank,
        https://doi.org/10.1007/BF02288367
    """
    features = math.prod(input_shape)
    if rank > features:
        raise ArgumentValueError(
            f"truncated_svd: rank={rank}: must be at most {features}, the size of an image."
        )
    image = keras.Input(input_shape, name="image")
    flat = layers.Flatten(name="flatten")(image)
    codes = TruncatedSVD(rank, centered, name="subspace")(flat)
    code = keras.Input((rank,), name="code")
    pixels = InverseTruncatedSVD(rank, features, centered, name="subspace")(code)
    outputs = layers.Reshape(input_shape, dtype="float32", name="reshape")(pixels)
    encoder = keras.Model(image, codes, name="encoder")
    decoder = keras.Model(code, outputs, name="decoder")
    return _build_autoencoder("truncated_svd", encoder, decoder, "sgd", 0.01)


@validate_arguments
def linear_autoencoder(
    *,
    input_shape: Shape = (32, 32, 1),
    latent_dim: PositiveInt = 256,
    optimizer: Optimizer = "muon",
    learning_rate: Positive = 0.02,
) -> keras.Model:
    """Build a linear autoencoder: one linear layer as encoder and one as decoder.

    Its optimum is the projection on the principal subspace. Directions of low variance converge
    last, and very slowly with Adam; Muon, the default, takes steps of equal size in all directions.

    Input and output ``(batch, *input_shape)``; the latent code is ``(batch, latent_dim)``. The loss
    is the mean squared error.

    Args:
        input_shape: shape of one image, ``(height, width, channels)``.
        latent_dim: size of the latent code.
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range.

    Example:
        >>> import zoo
        >>> zoo.build("linear_autoencoder").count_params()
        525568

    Reference:
        Baldi & Hornik (1989), Neural networks and principal component analysis,
        https://doi.org/10.1016/0893-6080(89)90014-2
    """
    encoder = _build_encoder(input_shape, [], latent_dim)
    decoder = _build_decoder(latent_dim, [], input_shape)
    return _build_autoencoder("linear_autoencoder", encoder, decoder, optimizer, learning_rate)


@validate_arguments
def nonlinear_autoencoder(
    *,
    input_shape: Shape = (32, 32, 1),
    latent_dim: PositiveInt = 256,
    activation: Activation = "sigmoid",
    output_activation: Activation = "linear",
    optimizer: Optimizer = "muon",
    learning_rate: Positive = 0.002,
) -> keras.Model:
    """Build an autoencoder with one nonlinear layer as encoder and one layer as decoder.

    Input and output ``(batch, *input_shape)``; the latent code is ``(batch, latent_dim)``. The loss
    is the mean squared error.

    Args:
        input_shape: shape of one image, ``(height, width, channels)``.
        latent_dim: size of the latent code.
        activation: activation of the latent code.
        output_activation: activation of the output.
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range.

    Example:
        >>> import zoo
        >>> zoo.build("nonlinear_autoencoder", latent_dim=2).get_layer("encoder").output_shape
        (None, 2)

    Reference:
        Bourlard & Kamp (1988), Auto-association by multilayer perceptrons and singular value
        decomposition, https://doi.org/10.1007/BF00332918
    """
    encoder = _build_encoder(input_shape, [], latent_dim, code_activation=activation)
    decoder = _build_decoder(latent_dim, [], input_shape, output_activation=output_activation)
    return _build_autoencoder("nonlinear_autoencoder", encoder, decoder, optimizer, learning_rate)


@validate_arguments
def deep_autoencoder(
    *,
    input_shape: Shape = (32, 32, 1),
    num_layers: NumLayers = 3,
    units: PerLayer = "512-256-128",
    latent_dim: PositiveInt = 64,
    activation: Activation = "gelu",
    output_activation: Activation = "linear",
    optimizer: Optimizer = "muon",
    learning_rate: Positive = 0.003,
) -> keras.Model:
    """Build a deep autoencoder whose decoder mirrors the encoder.

    The latent code has no activation.

    Input and output ``(batch, *input_shape)``; the latent code is ``(batch, latent_dim)``. The loss
    is the mean squared error.

    Args:
        input_shape: shape of one image, ``(height, width, channels)``.
        num_layers: number of hidden layers in the encoder, and in the decoder.
        units: width of the encoder's hidden layers: one number, or one per layer, such as
            ``"512-256-128"``; the decoder has the reverse order.
        latent_dim: size of the latent code.
        activation: activation of the hidden layers.
        output_activation: activation of the output.
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range.

    Example:
        >>> import zoo
        >>> zoo.build("deep_autoencoder").count_params()
        1395520

    Reference:
        Hinton & Salakhutdinov (2006), Reducing the dimensionality of data with neural networks,
        https://doi.org/10.1126/science.1127647
    """
    widths = expand_per_layer("units", units, num_layers)
    encoder = _build_encoder(input_shape, widths, latent_dim, activation)
    decoder = _build_decoder(latent_dim, widths[::-1], input_shape, activation, output_activation)
    return _build_autoencoder("deep_autoencoder", encoder, decoder, optimizer, learning_rate)


@validate_arguments
def denoising_autoencoder(
    *,
    input_shape: Shape = (32, 32, 1),
    num_layers: NumLayers = 1,
    units: PerLayer = 512,
    latent_dim: PositiveInt = 256,
    activation: Activation = "gelu",
    output_activation: Activation = "linear",
    optimizer: Optimizer = "muon",
    learning_rate: Positive = 0.005,
) -> keras.Model:
    """Build a denoising autoencoder, which is trained to remove noise from images.

    The architecture is that of `deep_autoencoder`. The recipe's ``noise_stddev`` is the standard
    deviation of the noise added to its inputs.

    Input and output ``(batch, *input_shape)``; the latent code is ``(batch, latent_dim)``. The loss
    is the mean squared error.

    Args:
        input_shape: shape of one image, ``(height, width, channels)``.
        num_layers: number of hidden layers in the encoder, and in the decoder.
        units: width of the encoder's hidden layers: one number, or one per layer, such as
            ``"1024-512"``; the decoder has the reverse order.
        latent_dim: size of the latent code.
        activation: activation of the hidden layers.
        output_activation: activation of the output.
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range.

    Example:
        >>> import zoo
        >>> zoo.build("denoising_autoencoder", units=64).get_layer("decoder").input_shape
        (None, 256)

    Reference:
        Vincent et al. (2008), Extracting and composing robust features with denoising autoencoders,
        https://doi.org/10.1145/1390156.1390294
    """
    widths = expand_per_layer("units", units, num_layers)
    encoder = _build_encoder(input_shape, widths, latent_dim, activation)
    decoder = _build_decoder(latent_dim, widths[::-1], input_shape, activation, output_activation)
    return _build_autoencoder("denoising_autoencoder", encoder, decoder, optimizer, learning_rate)


@validate_arguments
def conv_autoencoder(
    *,
    input_shape: Shape = (32, 32, 1),
    num_layers: NumLayers = 2,
    num_convs: PositiveInt = 1,
    filters: PerLayer = "32-64",
    kernel_size: PositiveInt = 3,
    latent_dim: PositiveInt = 64,
    activation: Activation = "relu",
    batch_normalization: bool = False,
    output_activation: Activation = "sigmoid",
    optimizer: Optimizer = "adam",
    learning_rate: Positive = 2e-3,
) -> keras.Model:
    """Build a convolutional autoencoder: strided convolutions, then transposed convolutions.

    Input and output ``(batch, *input_shape)``; ``2 ** num_layers`` must divide height and width.
    The latent code is ``(batch, height / 2 ** num_layers, width / 2 ** num_layers, latent_dim)``.
    The loss is the mean squared error.

    Args:
        input_shape: shape of one image, ``(height, width, channels)``.
        num_layers: number of layers with stride 2 in the encoder, and in the decoder.
        num_convs: number of convolutions per resolution, of which one has stride 2.
        filters: number of filters of the encoder: one number, or one per resolution, such as
            ``"32-64"``; the decoder has the reverse order.
        kernel_size: side of the kernels in pixels.
        latent_dim: number of channels of the latent code.
        activation: activation of the hidden layers.
        batch_normalization: whether to apply batch normalization before each activation.
        output_activation: activation of the output.
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
        >>> zoo.build("conv_autoencoder", latent_dim=2).get_layer("encoder").output_shape
        (None, 8, 8, 2)

    Reference:
        Masci, Meier, Ciresan & Schmidhuber (2011), Stacked convolutional auto-encoders for
        hierarchical feature extraction, https://doi.org/10.1007/978-3-642-21735-7_7
    """
    height, width, channels = downsampled_shape(input_shape, num_layers)
    widths = expand_per_layer("filters", filters, num_layers)
    hidden = functools.partial(
        _apply_hidden, activation=activation, batch_normalization=batch_normalization
    )
    x = image = keras.Input(input_shape, name="image")
    for i, maps in enumerate(widths, 1):
        x = hidden(x, layers.Conv2D(maps, kernel_size, 2, "same", name=f"conv_{i}"))
        for j in range(2, num_convs + 1):
            x = hidden(x, layers.Conv2D(maps, kernel_size, padding="same", name=f"conv_{i}_{j}"))
    encoder = keras.Model(image, layers.Conv2D(latent_dim, 1, name="code")(x), name="encoder")
    x = code = keras.Input((height, width, latent_dim), name="code")
    for i, maps in enumerate(widths[::-1], 1):
        for j in range(2, num_convs + 1):
            x = hidden(x, layers.Conv2D(maps, kernel_size, padding="same", name=f"conv_{i}_{j}"))
        x = hidden(x, layers.Conv2DTranspose(maps, kernel_size, 2, "same", name=f"deconv_{i}"))
    x = layers.Conv2D(channels, kernel_size, padding="same", name="output")(x)
    outputs = layers.Activation(output_activation, dtype="float32", name="pixels")(x)
    decoder = keras.Model(code, outputs, name="decoder")
    return _build_autoencoder("conv_autoencoder", encoder, decoder, optimizer, learning_rate)


def _apply_hidden(
    x: keras.KerasTensor, layer: keras.Layer, *, activation: str, batch_normalization: bool
) -> keras.KerasTensor:
    x = layer(x)
    if batch_normalization:
        x = layers.BatchNormalization(name=f"{layer.name}_normalization")(x)
    return layers.Activation(activation, name=f"{layer.name}_activation")(x)


def _build_encoder(
    input_shape: tuple[int, ...],
    widths: Sequence[int],
    latent_dim: int,
    activation: str = "linear",
    code_activation: str = "linear",
) -> keras.Model:
    image = keras.Input(input_shape, name="image")
    x = layers.Flatten(name="flatten")(image)
    for i, width in enumerate(widths, 1):
        x = layers.Dense(width, activation=activation, name=f"hidden_{i}")(x)
    code = layers.Dense(latent_dim, activation=code_activation, name="code")(x)
    return keras.Model(image, code, name="encoder")


def _build_decoder(
    latent_dim: int,
    widths: Sequence[int],
    output_shape: tuple[int, ...],
    activation: str = "linear",
    output_activation: str = "linear",
) -> keras.Model:
    # Created first to keep the order in which initializers are seeded.
    output_layer = layers.Dense(math.prod(output_shape), name="output")
    x = code = keras.Input((latent_dim,), name="code")
    for i, width in enumerate(widths, 1):
        x = layers.Dense(width, activation=activation, name=f"hidden_{i}")(x)
    x = layers.Reshape(output_shape, name="reshape")(output_layer(x))
    outputs = layers.Activation(output_activation, dtype="float32", name="pixels")(x)
    return keras.Model(code, outputs, name="decoder")


def _build_autoencoder(
    name: str, encoder: keras.Model, decoder: keras.Model, optimizer: str, learning_rate: float
) -> keras.Model:
    inputs = keras.Input(encoder.input_shape[1:], name="image")
    return compile_for(
        "reconstruction",
        keras.Model(inputs, decoder(encoder(inputs)), name=name),
        optimizer=optimizer,
        learning_rate=learning_rate,
    )
