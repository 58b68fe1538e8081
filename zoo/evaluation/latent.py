"""Latent-space diagnostics of variational autoencoders: active units and likelihood bounds.

A variational autoencoder has an ``encoder`` that returns ``[z_mean, z_log_var]``, and a
``decoder``.
"""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.layers.losses import kl_divergence
from zoo.tasks import unwrap_single

MIN_ACTIVE_VARIANCE = 0.01


def is_variational(model: keras.Model) -> bool:
    """Return whether an autoencoder samples its latent code.

    Args:
        model: a model with an ``encoder``.
    """
    return isinstance(model.get_layer("encoder").output, list)


def decode(model: keras.Model, codes: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
    """Decode latent codes.

    Args:
        model: an autoencoder.
        codes: latent codes, ``(rows, latent_dim)``.
        labels: class index of each, ``(rows,)``, for a class-conditional model.

    Returns:
        Images, ``(rows, height, width, channels)``.
    """
    inputs = [codes] if labels is None else [codes, labels.astype(np.int64)]
    return model.get_layer("decoder").predict(unwrap_single(inputs), verbose=0)


def kl_per_dimension(model: keras.Model, batches: Any) -> np.ndarray:
    """Compute the KL divergence of each latent dimension from the prior, in nats.

    Args:
        model: a variational autoencoder.
        batches: dataset of ``(inputs, target)``, as for training.

    Returns:
        Array ``(rows, latent_dim)``; a dimension at 0 has collapsed to the prior.
    """
    encoder = model.get_layer("encoder")
    moments = (encoder.predict_on_batch(inputs) for inputs, _ in batches.as_numpy_iterator())
    return np.concatenate([np.asarray(kl_divergence(*pair)) for pair in moments])


def active_units(codes: np.ndarray) -> int:
    """Count the latent dimensions whose mean varies between images.

    Args:
        codes: mean latent codes, ``(rows, latent_dim)``.

    Returns:
        Number of dimensions with a variance above 0.01; 0 after posterior collapse.

    Example:
        >>> import numpy as np
        >>> from zoo.evaluation.latent import active_units
        >>> active_units(np.array([[1.0, 0.0], [-1.0, 0.0]]))
        1

    Reference:
        Burda, Grosse & Salakhutdinov (2016), Importance weighted autoencoders, section 5.1,
        https://arxiv.org/abs/1509.00519
    """
    return int(np.sum(np.var(codes, axis=0) > MIN_ACTIVE_VARIANCE))


def log_likelihood(
    model: keras.Model, inputs: Any, images: np.ndarray, *, samples: int = 100, seed: int = 0
) -> np.ndarray:
    """Estimate a lower bound of the log-likelihood of images by importance sampling.

    With one sample, this is the evidence lower bound (ELBO); with more, the bound is tighter.

    Args:
        model: a variational autoencoder.
        inputs: model inputs for these images.
        images: target images, ``(rows, height, width, channels)``.
        samples: latent codes sampled per image, at least 1.
        seed: random seed.

    Returns:
        Array ``(rows,)``, in nats.

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
    z_mean, z_log_var = model.get_layer("encoder")(inputs)
    labels = [ops.convert_to_tensor(inputs[1])] if isinstance(inputs, list | tuple) else []
    generator = keras.random.SeedGenerator(seed)
    weights = []
    for _ in range(samples):
        noise = keras.random.normal(ops.shape(z_mean), seed=generator)
        z = z_mean + ops.exp(z_log_var / 2) * noise
        outputs = model.get_layer("decoder")(unwrap_single([z, *labels]))
        log_ratio = ops.sum(_log_normal(z) + (ops.square(noise) + z_log_var) / 2, axis=-1)
        log_ratio += z_mean.shape[-1] * math.log(2 * math.pi) / 2
        weights.append(log_ratio - model.loss.call(images, outputs))
    return np.asarray(ops.logsumexp(ops.stack(weights), axis=0)) - math.log(samples)


def most_likely_labels(model: keras.Model, images: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the label of each image that maximizes the ELBO, evaluated at the mean code.

    Args:
        model: a class-conditional variational autoencoder.
        images: preprocessed images, ``(rows, height, width, channels)``.
        num_classes: number of classes.

    Returns:
        Class indices, ``(rows,)``.
    """
    encoder, decoder = model.get_layer("encoder"), model.get_layer("decoder")
    images, bounds = ops.convert_to_tensor(images), []
    for label in range(num_classes):
        labels = ops.full((len(images),), label, dtype="int64")
        z_mean, z_log_var = encoder([images, labels])
        nats = model.loss.call(images, decoder([z_mean, labels]))
        bounds.append(-nats - ops.sum(kl_divergence(z_mean, z_log_var), axis=-1))
    return np.asarray(ops.argmax(ops.stack(bounds), axis=0))


def _log_normal(z: Any) -> Any:
    return -(ops.square(z) + math.log(2 * math.pi)) / 2
