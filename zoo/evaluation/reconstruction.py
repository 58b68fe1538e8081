"""How near a model that gives images comes to them, and how near linear maps would come.

What a variational autoencoder draws at random is taken at its mean here, as it is when it is
served.
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
MOST_FEATURES = 4096


def deterministic_model(model: keras.Model) -> keras.Model:
    """Gives the model without chance: each code is the mean of those that might be drawn.

    Args:
        model: with an ``encoder`` and a ``decoder``.

    Returns:
        A model of the same inputs and layers that gives ``[code, image]``.

    Example:
        >>> import zoo
        >>> from zoo.evaluation.reconstruction import deterministic_model
        >>> [part.shape for part in at_the_mean(zoo.build("vae")).outputs]
        [(None, 2), (None, 28, 28, 1)]
    """
    encoder, decoder = model.get_layer("encoder"), model.get_layer("decoder")
    inputs = [
        keras.Input(part.shape[1:], dtype=part.dtype, name=part.name) for part in model.inputs
    ]
    code = encoder(unwrap_single(inputs))
    code = code[0] if is_variational(model) else code
    image = decoder(unwrap_single([code, *inputs[1:]]))
    return keras.Model(unwrap_single(inputs), [code, image], name=f"{model.name}_at_the_mean")


@dataclasses.dataclass(frozen=True)
class Reconstructions:
    """What a model makes of a split.

    Attributes:
        given: ``(rows, height, width, channels)``: what the model saw.
        clean: what it was to give, of the same shape.
        images: what it gave.
        codes: ``(rows, ...)``.
    """

    given: np.ndarray
    clean: np.ndarray
    images: np.ndarray
    codes: np.ndarray

    @classmethod
    def of(cls, model: keras.Model, data: Data, split: str) -> "Reconstructions":
        """Reads a split once.

        Args:
            model: that gives images.
            data: what it is trained on.
            split: name of the split.
        """
        mean = deterministic_model(model)
        batches = []
        for given, clean in getattr(data, split):
            codes, images = mean.predict_on_batch(given)
            image = given[0] if isinstance(given, tuple) else given
            batches.append((image, clean, images, codes))
        return cls(*(np.concatenate(parts) for parts in zip(*batches, strict=True)))

    @property
    def errors(self) -> np.ndarray:
        """The mean squared error of each image, ``(rows,)``."""
        return squared_errors(self.clean, self.images)


def evaluate_reconstruction(
    model: keras.Model, data: Data
) -> tuple[dict[str, Any], dict[str, float]]:
    """Reads the test split, and says what a model makes of it.

    Args:
        model: that gives images.
        data: what it was trained on.

    Returns:
        Arrays to be kept: ``labels``; ``errors``, the squared error of each image; rows ``index``
        as they are ``raw``, ``given`` to the model and ``reconstructed``; and what `bounds`
        computes. And figures: ``test_psnr`` and ``test_ssim``, their means over images, and those
        of `bounds`.
    """
    rows, found = data.rows["test"], Reconstructions.of(model, data, "test")
    index = np.arange(min(ROWS_SHOWN, len(rows)))
    arrays = {
        "labels": rows.labels,
        "errors": found.errors,
        "index": index,
        "raw": rows.inputs[index],
        "given": found.given[index],
        "reconstructed": found.images[index],
    }
    figures = {
        "test_psnr": float(np.mean(psnr(found.clean, found.images))),
        "test_ssim": float(np.mean(structural_similarity(found.clean, found.images))),
    }
    for more_arrays, more_figures in (bounds(data, found), _of_codes(model, data, found)):
        arrays |= more_arrays
        figures |= more_figures
    return arrays, figures


def bounds(data: Data, found: Reconstructions) -> tuple[dict[str, Any], dict[str, float]]:
    """Computes how near linear maps come that are fitted to the same training images.

    Args:
        data: what the model was trained on.
        found: what it makes of the test split.

    Returns:
        For a model that clears noise ``cleared``, what the linear denoiser makes of the first
        images, and the figures ``test_noisy_mse``, of the noisy images as they are, and
        ``test_wiener_mse``, of the linear denoiser. For one that does not, ``pca_errors``, the
        error of projecting on principal components, for none of them, one, two and so on; and,
        where the code is shorter than the image, ``test_pca_mse`` of as many as the code is long.
        Nothing for images of more than 4096 values.
    """
    features = found.clean[0].size
    if features > MOST_FEATURES:
        return {}, {}
    given, clean = _flat(found.given), _flat(found.clean)
    train_given, train_clean = training_images(data)
    if data.corruption is not None:
        cleared = np.clip(linear_denoiser(train_given, train_clean)(given), 0, 1)
        return (
            {"cleared": cleared[:ROWS_SHOWN].reshape(found.given[:ROWS_SHOWN].shape)},
            {
                "test_noisy_mse": float(np.mean(squared_errors(clean, given))),
                "test_wiener_mse": float(np.mean(squared_errors(clean, cleared))),
            },
        )
    errors = principal_subspace(train_clean, min(train_clean.shape)).errors(clean)
    size = found.codes[0].size
    figures = {"test_pca_mse": float(errors[size])} if size < len(errors) else {}
    return {"pca_errors": errors}, figures


def training_images(data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Gives the training images in a row each, as a model sees them and as they are.

    Args:
        data: for a model that gives images.

    Returns:
        Two arrays ``(rows, features)``.
    """
    batches = [
        (given[0] if isinstance(given, tuple) else given, clean)
        for given, clean in data.in_order("train").as_numpy_iterator()
    ]
    given, clean = (_flat(np.concatenate(parts)) for parts in zip(*batches, strict=True))
    return given, clean


def squared_errors(clean: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Gives the mean squared error of each image.

    Args:
        clean: ``(rows, ...)``.
        images: of the same shape.

    Returns:
        ``(rows,)``.
    """
    return np.square(_flat(clean) - _flat(images)).mean(axis=1)


def psnr(clean: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Gives the peak signal-to-noise ratio of each image, in decibels, for intensities in [0, 1].

    Args:
        clean: ``(rows, ...)``.
        images: of the same shape; an image without error is given 100 dB.

    Example:
        >>> import numpy as np
        >>> from zoo.evaluation.reconstruction import psnr
        >>> psnr(np.zeros((1, 2, 2, 1)), np.full((1, 2, 2, 1), 0.1)).round(3).tolist()
        [20.0]
    """
    return -10 * np.log10(np.maximum(squared_errors(clean, images), 1e-10))


def structural_similarity(clean: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Gives the structural similarity of each image, 1 for the same, for intensities in [0, 1].

    Args:
        clean: ``(rows, height, width, channels)``.
        images: of the same shape.

    Returns:
        ``(rows,)``, by windows of 11 pixels a side, or of the image's side if that is shorter.

    Reference:
        Wang, Bovik, Sheikh & Simoncelli (2004), Image quality assessment: from error visibility to
        structural similarity, https://doi.org/10.1109/TIP.2003.819861
    """
    window = min(SSIM_WINDOW, *clean.shape[1:3])
    parts = [
        tf.image.ssim(one, other, max_val=1.0, filter_size=window).numpy()
        for one, other in zip(_in_parts(clean), _in_parts(images), strict=True)
    ]
    return np.concatenate(parts)


def _of_codes(
    model: keras.Model, data: Data, found: Reconstructions
) -> tuple[dict[str, Any], dict[str, float]]:
    if not is_variational(model):
        return {}, {}
    return (
        {"codes": found.codes, "divergences": kl_per_dimension(model, data.test).mean(axis=0)},
        {"test_active_units": float(active_units(found.codes))},
    )


def _in_parts(images: np.ndarray) -> list[np.ndarray]:
    return np.array_split(images.astype(np.float32), -(-len(images) // MOST_FEATURES))


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1)
