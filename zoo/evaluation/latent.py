"""What the codes of a variational autoencoder are worth: which are used, and how likely images are.

A variational autoencoder has an ``encoder`` to ``[z_mean, z_log_var]`` and a ``decoder``.
"""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.layers.losses import kl_divergence
from zoo.tasks import unwrap_single

ACTIVE = 0.01


def is_variational(model: keras.Model) -> bool:
    """Tells whether a model's codes are drawn at random.

    Args:
        model: with an ``encoder``.
    """
    return isinstance(model.get_layer("encoder").output, list)


def kl_per_dimension(model: keras.Model, batches: Any) -> np.ndarray:
    """Gives what each dimension of the code of each image tells, in nats.

    Args:
        model: a variational autoencoder.
        batches: of ``(inputs, target)``, as it is trained on.

    Returns:
        ``(rows, latent_dim)``; a dimension of 0 has collapsed to the prior.
    """
    encoder = model.get_layer("encoder")
    moments = (encoder.predict_on_batch(given) for given, _ in batches)
    return np.concatenate([np.asarray(kl_divergence(*pair)) for pair in moments])


def active_units(codes: np.ndarray) -> int:
    """Counts the dimensions of the code whose mean varies with the image.

    Args:
        codes: ``(rows, latent_dim)``, means.

    Returns:
        How many have a variance above 0.01. A model with none has collapsed.

    Example:
        >>> import numpy as np
        >>> from zoo.evaluation.latent import active_units
        >>> active_units(np.array([[1.0, 0.0], [-1.0, 0.0]]))
        1

    Reference:
        Burda, Grosse & Salakhutdinov (2016), Importance weighted autoencoders, section 5.1,
        https://arxiv.org/abs/1509.00519
    """
    return int(np.sum(np.var(codes, axis=0) > ACTIVE))


def log_likelihood(
    model: keras.Model, given: Any, images: np.ndarray, *, samples: int = 100, seed: int = 0
) -> np.ndarray:
    """Bounds from below how likely images are, by weighing codes drawn by the encoder.

    With one sample it is the evidence lower bound; with more it is tighter.

    Args:
        model: a variational autoencoder.
        given: its input for these images.
        images: ``(rows, height, width, channels)``, what it is to give.
        samples: codes drawn an image, at least 1.
        seed: of the draws.

    Returns:
        ``(rows,)``, in nats.

    Example:
        >>> import numpy as np
        >>> import zoo
        >>> from zoo.evaluation.latent import log_likelihood
        >>> images = np.zeros((2, 28, 28, 1), "float32")
        >>> log_likelihood(zoo.build("vae"), images, images, samples=2).shape
        (2,)

    Reference:
        Burda, Grosse & Salakhutdinov (2016), Importance weighted autoencoders,
        https://arxiv.org/abs/1509.00519
    """
    z_mean, z_log_var = model.get_layer("encoder")(given)
    labels = [ops.convert_to_tensor(given[1])] if isinstance(given, list | tuple) else []
    generator = keras.random.SeedGenerator(seed)
    weights = []
    for _ in range(samples):
        noise = keras.random.normal(ops.shape(z_mean), seed=generator)
        code = z_mean + ops.exp(z_log_var / 2) * noise
        means = model.get_layer("decoder")(unwrap_single([code, *labels]))
        of_code = ops.sum(_log_normal(code) + (ops.square(noise) + z_log_var) / 2, axis=-1)
        of_code += z_mean.shape[-1] * math.log(2 * math.pi) / 2
        weights.append(of_code - model.loss.call(images, means))
    return np.asarray(ops.logsumexp(ops.stack(weights), axis=0)) - math.log(samples)


def most_likely_labels(model: keras.Model, images: np.ndarray, num_classes: int) -> np.ndarray:
    """Gives the label under which each image is likeliest, by the bound at the mean of its code.

    Args:
        model: a variational autoencoder that is told labels.
        images: ``(rows, height, width, channels)``, as it takes them.
        num_classes: how many labels there are.

    Returns:
        ``(rows,)``, numbers of classes.
    """
    encoder, decoder = model.get_layer("encoder"), model.get_layer("decoder")
    images, bounds = ops.convert_to_tensor(images), []
    for label in range(num_classes):
        labels = ops.full((len(images),), label, dtype="int64")
        z_mean, z_log_var = encoder([images, labels])
        nats = model.loss.call(images, decoder([z_mean, labels]))
        bounds.append(-nats - ops.sum(kl_divergence(z_mean, z_log_var), axis=-1))
    return np.asarray(ops.argmax(ops.stack(bounds), axis=0))


def _log_normal(code: Any) -> Any:
    return -(ops.square(code) + math.log(2 * math.pi)) / 2
