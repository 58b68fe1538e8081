"""Autoencoders: an image to a code of few numbers and back, and the linear bound beside them.

Each model is an ``encoder`` and a ``decoder``, models themselves: ``model.get_layer("encoder")``.
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
    by_layer,
    checked,
)
from zoo.tasks import compile_for


@checked
def truncated_svd(
    *,
    input_shape: Shape = (32, 32, 1),
    rank: PositiveInt = 128,
    centered: bool = False,
) -> keras.Model:
    """The nearest subspace of `rank` dimensions: what no linear autoencoder can surpass.

    Nothing in it is trained by gradients: `zoo.train` gives the training images to the ``adapt`` of
    its layers, and so may you.

    Input and output ``(batch, *input_shape)``; the code is ``(batch, rank)``. The loss is the
    squared error, the mean over pixels.

    Args:
        input_shape: of one image, ``(height, width, channels)``.
        rank: dimensions of the subspace, at most the values of an image.
        centered: whether the subspace passes through the mean image, as in principal component
            analysis, and not through zero.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range.

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
        raise ArgumentValueError(f"truncated_svd: rank={rank}: an image has {features} values.")
    image = keras.Input(input_shape, name="image")
    flat = layers.Flatten(name="flatten")(image)
    codes = TruncatedSVD(rank, centered, name="subspace")(flat)
    code = keras.Input((rank,), name="code")
    pixels = InverseTruncatedSVD(rank, features, centered, name="subspace")(code)
    outputs = layers.Reshape(input_shape, dtype="float32", name="reshape")(pixels)
    return _joined(
        "truncated_svd",
        keras.Model(image, codes, name="encoder"),
        keras.Model(code, outputs, name="decoder"),
        optimizer="sgd",
        learning_rate=0.01,
    )


@checked
def linear_autoencoder(
    *,
    input_shape: Shape = (32, 32, 1),
    latent_dim: PositiveInt = 256,
    optimizer: Optimizer = "muon",
    learning_rate: Positive = 0.02,
) -> keras.Model:
    """One linear layer to the code and one back: at best, the projection on the principal subspace.

    It gets there if it is trained to the end. Directions in which images vary little are learned
    last, and very slowly by Adam; the default optimizer makes equal steps in all directions.

    Input and output ``(batch, *input_shape)``; the code is ``(batch, latent_dim)``. The loss is the
    squared error, the mean over pixels.

    Args:
        input_shape: of one image, ``(height, width, channels)``.
        latent_dim: numbers in a code.
        optimizer: name of the optimizer.
        learning_rate: its learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range.

    Example:
        >>> import zoo
        >>> zoo.build("linear_autoencoder").count_params()
        525568

    Reference:
        Baldi & Hornik (1989), Neural networks and principal component analysis,
        https://doi.org/10.1016/0893-6080(89)90014-2
    """
    return _hourglass(
        name="linear_autoencoder",
        num_layers=0,
        units=0,
        activation="linear",
        output_activation="linear",
        **locals(),
    )


@checked
def nonlinear_autoencoder(
    *,
    input_shape: Shape = (32, 32, 1),
    latent_dim: PositiveInt = 256,
    activation: Activation = "sigmoid",
    output_activation: Activation = "linear",
    optimizer: Optimizer = "muon",
    learning_rate: Positive = 0.002,
) -> keras.Model:
    """One layer of sigmoids to the code, and a linear one back.

    Input and output ``(batch, *input_shape)``; the code is ``(batch, latent_dim)``. The loss is the
    squared error, the mean over pixels.

    Args:
        input_shape: of one image, ``(height, width, channels)``.
        latent_dim: numbers in a code.
        activation: of the code.
        output_activation: of the output.
        optimizer: name of the optimizer.
        learning_rate: its learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range.

    Example:
        >>> import zoo
        >>> zoo.build("nonlinear_autoencoder", latent_dim=2).get_layer("encoder").output_shape
        (None, 2)

    Reference:
        Bourlard & Kamp (1988), Auto-association by multilayer perceptrons and singular value
        decomposition, https://doi.org/10.1007/BF00332918
    """
    return _hourglass(
        name="nonlinear_autoencoder",
        num_layers=0,
        units=0,
        code_activation=activation,
        **locals(),
    )


@checked
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
    """An hourglass: layers that narrow to the code, and the same layers back.

    The code itself is linear.

    Input and output ``(batch, *input_shape)``; the code is ``(batch, latent_dim)``. The loss is the
    squared error, the mean over pixels.

    Args:
        input_shape: of one image, ``(height, width, channels)``.
        num_layers: hidden layers on either side of the code.
        units: of the encoder's hidden layers: a number, or one a layer, as in ``"512-256-128"``;
            the decoder has them in reverse.
        latent_dim: numbers in a code.
        activation: of the hidden layers.
        output_activation: of the output.
        optimizer: name of the optimizer.
        learning_rate: its learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range.

    Example:
        >>> import zoo
        >>> zoo.build("deep_autoencoder").count_params()
        1395520

    Reference:
        Hinton & Salakhutdinov (2006), Reducing the dimensionality of data with neural networks,
        https://doi.org/10.1126/science.1127647
    """
    return _hourglass(name="deep_autoencoder", **locals())


@checked
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
    """An hourglass that is given noisy images, and learns to give them back without the noise.

    How much noise there is, the recipe's ``noise_stddev`` says.

    Input and output ``(batch, *input_shape)``; the code is ``(batch, latent_dim)``. The loss is the
    squared error, the mean over pixels.

    Args:
        input_shape: of one image, ``(height, width, channels)``.
        num_layers: hidden layers on either side of the code.
        units: of the encoder's hidden layers: a number, or one a layer, as in ``"1024-512"``; the
            decoder has them in reverse.
        latent_dim: numbers in a code.
        activation: of the hidden layers.
        output_activation: of the output.
        optimizer: name of the optimizer.
        learning_rate: its learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range.

    Example:
        >>> import zoo
        >>> zoo.build("denoising_autoencoder", units=64).get_layer("decoder").input_shape
        (None, 256)

    Reference:
        Vincent et al. (2008), Extracting and composing robust features with denoising autoencoders,
        https://doi.org/10.1145/1390156.1390294
    """
    return _hourglass(name="denoising_autoencoder", **locals())


@checked
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
    """Convolutions that halve the image, a code of maps, and convolutions that double it again.

    Input and output ``(batch, *input_shape)``, whose height and width ``2 ** num_layers`` must
    divide; the code is ``(batch, height / 2 ** num_layers, width / 2 ** num_layers, latent_dim)``.
    The loss is the squared error, the mean over pixels.

    Args:
        input_shape: of one image, ``(height, width, channels)``.
        num_layers: halvings.
        num_convs: convolutions at each size, of which one halves the image or doubles it.
        filters: of the encoder's convolutions: a number, or one a halving, as in ``"32-64"``; the
            decoder has them in reverse.
        kernel_size: side of every kernel in pixels.
        latent_dim: maps of the code.
        activation: of the hidden layers.
        batch_normalization: whether each hidden layer is normalized before its activation.
        output_activation: of the output.
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
        >>> zoo.build("conv_autoencoder", latent_dim=2).get_layer("encoder").output_shape
        (None, 8, 8, 2)

    Reference:
        Masci, Meier, Ciresan & Schmidhuber (2011), Stacked convolutional auto-encoders for
        hierarchical feature extraction, https://doi.org/10.1007/978-3-642-21735-7_7
    """
    height, width, channels = halved(input_shape, num_layers)
    widths = by_layer("filters", filters, num_layers)
    hide = functools.partial(hidden, activation=activation, batch_normalization=batch_normalization)
    x = image = keras.Input(input_shape, name="image")
    for number, maps in enumerate(widths, 1):
        x = hide(x, layers.Conv2D(maps, kernel_size, 2, "same", name=f"conv_{number}"))
        for again in range(2, num_convs + 1):
            same = layers.Conv2D(maps, kernel_size, padding="same", name=f"conv_{number}_{again}")
            x = hide(x, same)
    encoder = keras.Model(image, layers.Conv2D(latent_dim, 1, name="code")(x), name="encoder")
    x = code = keras.Input((height, width, latent_dim), name="code")
    for number, maps in enumerate(widths[::-1], 1):
        for again in range(2, num_convs + 1):
            same = layers.Conv2D(maps, kernel_size, padding="same", name=f"conv_{number}_{again}")
            x = hide(x, same)
        double = layers.Conv2DTranspose(maps, kernel_size, 2, "same", name=f"deconv_{number}")
        x = hide(x, double)
    x = layers.Conv2D(channels, kernel_size, padding="same", name="output")(x)
    outputs = layers.Activation(output_activation, dtype="float32", name="pixels")(x)
    decoder = keras.Model(code, outputs, name="decoder")
    return _joined("conv_autoencoder", encoder, decoder, optimizer, learning_rate)


def hidden(
    x: keras.KerasTensor, layer: keras.Layer, *, activation: str, batch_normalization: bool
) -> keras.KerasTensor:
    """Puts a layer on a tensor, perhaps a normalization, and an activation.

    Args:
        x: what the layer takes.
        layer: without an activation.
        activation: name of one.
        batch_normalization: whether what the layer gives is normalized before it.
    """
    x = layer(x)
    if batch_normalization:
        x = layers.BatchNormalization(name=f"{layer.name}_normalization")(x)
    return layers.Activation(activation, name=f"{layer.name}_activation")(x)


def halved(shape: tuple[int, ...], times: int) -> tuple[int, int, int]:
    """Gives the shape of images whose sides are halved some times.

    Args:
        shape: ``(height, width, channels)``.
        times: how often.

    Raises:
        ArgumentValueError: if there are not three, or a side cannot be halved so often.
    """
    if len(shape) != 3:
        raise ArgumentValueError(f"input_shape={shape}: must be (height, width, channels).")
    height, width, channels = shape
    if height % 2**times or width % 2**times:
        raise ArgumentValueError(
            f"num_layers={times}: an image of {height}x{width} pixels cannot be halved so often."
        )
    return height // 2**times, width // 2**times, channels


def hidden_layers(
    x: keras.KerasTensor, widths: Sequence[int], activation: str
) -> keras.KerasTensor:
    """Puts dense layers on a tensor, ``hidden_1`` and so on.

    Args:
        x: ``(batch, features)``.
        widths: of the layers.
        activation: of each.
    """
    for number, width in enumerate(widths, 1):
        x = layers.Dense(width, activation=activation, name=f"hidden_{number}")(x)
    return x


def _hourglass(
    *,
    name: str,
    input_shape: tuple[int, ...],
    num_layers: int,
    units: int | str,
    latent_dim: int,
    activation: str,
    output_activation: str,
    optimizer: str,
    learning_rate: float,
    code_activation: str = "linear",
) -> keras.Model:
    widths = by_layer("units", units, num_layers) if num_layers else []
    image = keras.Input(input_shape, name="image")
    narrowed = hidden_layers(layers.Flatten(name="flatten")(image), widths, activation)
    codes = layers.Dense(latent_dim, activation=code_activation, name="code")(narrowed)
    code = keras.Input((latent_dim,), name="code")
    pixels = layers.Dense(math.prod(input_shape), name="output")(
        hidden_layers(code, widths[::-1], activation)
    )
    pixels = layers.Reshape(input_shape, name="reshape")(pixels)
    outputs = layers.Activation(output_activation, dtype="float32", name="pixels")(pixels)
    return _joined(
        name,
        keras.Model(image, codes, name="encoder"),
        keras.Model(code, outputs, name="decoder"),
        optimizer,
        learning_rate,
    )


def _joined(
    name: str, encoder: keras.Model, decoder: keras.Model, optimizer: str, learning_rate: float
) -> keras.Model:
    inputs = keras.Input(encoder.input_shape[1:], name="image")
    return compile_for(
        "reconstruction",
        keras.Model(inputs, decoder(encoder(inputs)), name=name),
        optimizer=optimizer,
        learning_rate=learning_rate,
    )
