"""Reconstruction error of autoencoders, with the best linear models as bounds.

Variational autoencoders are evaluated at the mean of the latent code, as they are when served.
"""

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.data.pipeline import Data
from zoo.evaluation.latent import active_units, is_variational, kl_per_dimension
from zoo.layers.pca import linear_denoiser, principal_subspace
from zoo.runs import ROWS_SHOWN
from zoo.tasks import unwrap_single

SSIM_WINDOW = 11
SSIM_BATCH_SIZE = 4096
MAX_BOUND_FEATURES = 4096
MIN_MSE = 1e-10


def deterministic_model(model: keras.Model) -> keras.Model:
    """Build a deterministic autoencoder that uses the mean of the latent code.

    Args:
        model: a model with an ``encoder`` and a ``decoder``.

    Returns:
        A model with the same inputs and layers, and the outputs ``[code, image]``.

    Example:
        >>> import zoo
        >>> from zoo.evaluation.reconstruction import deterministic_model
        >>> [part.shape for part in deterministic_model(zoo.build("vae")).outputs]
        [(None, 2), (None, 28, 28, 1)]
    """
    encoder, decoder = model.get_layer("encoder"), model.get_layer("decoder")
    inputs = [
        keras.Input(part.shape[1:], dtype=part.dtype, name=part.name) for part in model.inputs
    ]
    code = encoder(unwrap_single(inputs))
    code = code[0] if is_variational(model) else code
    image = decoder(unwrap_single([code, *inputs[1:]]))
    return keras.Model(unwrap_single(inputs), [code, image], name=f"{model.name}_deterministic")


@dataclasses.dataclass(frozen=True)
class Reconstructions:
    """Reconstructions of a split.

    Attributes:
        inputs: images as passed to the model, ``(rows, height, width, channels)``.
        targets: clean images, of the same shape.
        outputs: reconstructed images, of the same shape.
        codes: latent codes, ``(rows, ...)``.
    """

    inputs: np.ndarray
    targets: np.ndarray
    outputs: np.ndarray
    codes: np.ndarray

    @classmethod
    def from_model(cls, model: keras.Model, data: Data, split: str) -> "Reconstructions":
        """Compute the reconstructions of a split, which is read once.

        Args:
            model: an autoencoder.
            data: its dataset.
            split: name of the split.
        """
        model = deterministic_model(model)
        batches = []
        for inputs, targets in getattr(data, split).as_numpy_iterator():
            codes, outputs = model.predict_on_batch(inputs)
            images = inputs[0] if isinstance(inputs, tuple) else inputs
            batches.append((images, targets, outputs, codes))
        return cls(*(np.concatenate(parts) for parts in zip(*batches, strict=True)))

    @property
    def errors(self) -> np.ndarray:
        """Mean squared error of each image, ``(rows,)``."""
        return squared_errors(self.targets, self.outputs)


def evaluate_reconstruction(
    model: keras.Model, data: Data
) -> tuple[dict[str, Any], dict[str, float]]:
    """Evaluate an autoencoder on the test split.

    Args:
        model: an autoencoder.
        data: its dataset.

    Returns:
        Arrays for ``predictions.npz``: ``labels``; ``errors``, the mean squared error of each
        image; for the rows ``index``, the ``raw`` image, the model input ``given`` and the image
        ``reconstructed``; and those of `linear_bounds`. And metrics: ``test_psnr`` and
        ``test_ssim``, means over images, and those of `linear_bounds`. A variational autoencoder
        also has the arrays ``codes`` and ``divergences``, and the metric ``test_active_units``.
    """
    rows, results = data.rows["test"], Reconstructions.from_model(model, data, "test")
    index = np.arange(min(ROWS_SHOWN, len(rows)))
    arrays = {
        "labels": rows.labels,
        "errors": results.errors,
        "index": index,
        "raw": rows.inputs[index],
        "given": results.inputs[index],
        "reconstructed": results.outputs[index],
    }
    metrics = {
        "test_psnr": float(np.mean(psnr(results.targets, results.outputs))),
        "test_ssim": float(np.mean(structural_similarity(results.targets, results.outputs))),
    }
    bound_arrays, bound_metrics = linear_bounds(data, results)
    arrays, metrics = arrays | bound_arrays, metrics | bound_metrics
    if is_variational(model):
        arrays["codes"] = results.codes
        arrays["divergences"] = kl_per_dimension(model, data.test).mean(axis=0)
        metrics["test_active_units"] = float(active_units(results.codes))
    return arrays, metrics


def linear_bounds(data: Data, results: Reconstructions) -> tuple[dict[str, Any], dict[str, float]]:
    """Compute the test error of the best linear models fitted to the training images.

    Args:
        data: dataset of the autoencoder.
        results: its reconstructions of the test split.

    Returns:
        Arrays and metrics. For a denoising autoencoder, the array ``cleared``, the first images as
        denoised by the linear (Wiener) filter, and the metrics ``test_noisy_mse``, the error of the
        noisy images themselves, and ``test_wiener_mse``, that of the linear filter. For others,
        the array ``pca_errors``, the error of PCA with 0, 1, 2, ... components, and, if the latent
        code is shorter than the image, the metric ``test_pca_mse``, that of PCA with as many
        components as the code has dimensions. Both empty for images of more than 4096 values.
    """
    if results.targets[0].size > MAX_BOUND_FEATURES:
        return {}, {}
    inputs, targets = _flatten(results.inputs), _flatten(results.targets)
    train_inputs, train_targets = training_images(data)
    if data.corruption is not None:
        denoised = np.clip(linear_denoiser(train_inputs, train_targets)(inputs), 0, 1)
        return (
            {"cleared": denoised[:ROWS_SHOWN].reshape(results.inputs[:ROWS_SHOWN].shape)},
            {
                "test_noisy_mse": float(np.mean(squared_errors(targets, inputs))),
                "test_wiener_mse": float(np.mean(squared_errors(targets, denoised))),
            },
        )
    errors = principal_subspace(train_targets, min(train_targets.shape)).errors(targets)
    latent_size = results.codes[0].size
    metrics = {"test_pca_mse": float(errors[latent_size])} if latent_size < len(errors) else {}
    return {"pca_errors": errors}, metrics


def training_images(data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Return the training images, flattened: model inputs and targets.

    Args:
        data: dataset of an autoencoder.

    Returns:
        Two arrays ``(rows, features)``.
    """
    batches = [
        (inputs[0] if isinstance(inputs, tuple) else inputs, targets)
        for inputs, targets in data.in_order("train").as_numpy_iterator()
    ]
    inputs, targets = (_flatten(np.concatenate(parts)) for parts in zip(*batches, strict=True))
    return inputs, targets


def squared_errors(targets: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Compute the mean squared error of each image.

    Args:
        targets: reference images, ``(rows, ...)``.
        images: images of the same shape.

    Returns:
        Array ``(rows,)``.
    """
    return np.square(_flatten(targets) - _flatten(images)).mean(axis=1)


def psnr(targets: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Compute the peak signal-to-noise ratio of each image, in decibels.

    Args:
        targets: reference images with intensities in [0, 1], ``(rows, ...)``.
        images: images of the same shape.

    Returns:
        Array ``(rows,)``, at most 100 dB.

    Example:
        >>> import numpy as np
        >>> from zoo.evaluation.reconstruction import psnr
        >>> psnr(np.zeros((1, 2, 2, 1)), np.full((1, 2, 2, 1), 0.1)).round(3).tolist()
        [20.0]
    """
    return -10 * np.log10(np.maximum(squared_errors(targets, images), MIN_MSE))


def structural_similarity(targets: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Compute the structural similarity index (SSIM) of each image, 1 for identical images.

    Windows are 11 pixels wide, or as wide as the shorter side of the image.

    Args:
        targets: reference images with intensities in [0, 1], ``(rows, height, width, channels)``.
        images: images of the same shape.

    Returns:
        Array ``(rows,)``.

    Reference:
        Wang, Bovik, Sheikh & Simoncelli (2004), Image quality assessment: from error visibility to
        structural similarity, https://doi.org/10.1109/TIP.2003.819861
    """
    window = min(SSIM_WINDOW, *targets.shape[1:3])
    batches = zip(_split_batches(targets), _split_batches(images), strict=True)
    return np.concatenate(
        [tf.image.ssim(*pair, max_val=1.0, filter_size=window).numpy() for pair in batches]
    )


def _split_batches(images: np.ndarray) -> list[np.ndarray]:
    return np.array_split(images.astype(np.float32), -(-len(images) // SSIM_BATCH_SIZE))


def _flatten(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1)
