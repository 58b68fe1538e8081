"""View: noise is added to an image and removed, by the network and by the best linear filter."""

import functools
from pathlib import Path

import numpy as np

from zoo.data.corruption import GaussianCorruption
from zoo.data.preprocessing import apply_preprocessor
from zoo.errors import ZooError
from zoo.evaluation.prediction import predict
from zoo.evaluation.reconstruction import squared_errors, training_images
from zoo.layers.pca import LinearDenoiser, linear_denoiser
from zoo.playground import panels
from zoo.playground.controls import image_control, read_image, read_number, slider_control
from zoo.playground.images import to_uint8
from zoo.playground.view import Control, Inputs, Panel, View
from zoo.runs import Run, load_run
from zoo.training.config import RunConfig, load_run_data

MAX_STDDEV = 1.0
MAX_FEATURES = 1024
ROWS_PER_FEATURE = 20
SEED = (0, 0)


def suits(run: Run) -> bool:
    """Return whether a run was trained to remove noise.

    Args:
        run: the run.
    """
    return run.recipe.images.noise_stddev > 0


def controls(run: Run) -> list[Control]:
    """Return the controls for the image and the noise.

    Args:
        run: the run.
    """
    trained = run.recipe.images.noise_stddev
    label = f"standard deviation of the noise (trained with {trained:g})"
    slider = slider_control("stddev", label, 0.0, MAX_STDDEV, 0.05, round(trained, 2))
    return [slider, image_control(run)]


def show(run: Run, inputs: Inputs) -> list[Panel]:
    """Add noise to an image, and remove it in both ways.

    Args:
        run: the run.
        inputs: the image and the standard deviation.

    Raises:
        InputError: if the image cannot be read, or the number is out of range.
    """
    stddev = read_number(inputs, "stddev", 0, MAX_STDDEV)
    image = read_image(run, inputs)
    clean = apply_preprocessor(run.preprocessor, image[None])
    noisy = to_uint8(np.asarray(GaussianCorruption(stddev)(clean, np.array([SEED]))))
    (answer,) = predict(run, list(noisy))
    images = {
        "clean": clean[0],
        "with noise": noisy[0],
        "network": np.array(answer["reconstruction"]),
    }
    try:
        denoiser = _fit_linear(run.directory, stddev)
        linear = denoiser(noisy.reshape(1, -1) / 255)
        images["linear filter"] = np.clip(linear, 0, 1).reshape(clean.shape[1:])
    except ZooError as error:
        note = {"linear filter": f"not fitted: {error}"}
    else:
        note = {}
    errors = {
        f"{name}: mean squared error": float(squared_errors(clean, to_float(each)[None])[0])
        for name, each in images.items()
        if name != "clean"
    }
    return [
        panels.pictures("Noise, and what is left after its removal", images),
        panels.numbers("Distance from the clean image", errors | note | _recorded(run)),
    ]


def to_float(image: np.ndarray) -> np.ndarray:
    """Return an image with intensities in [0, 1].

    Args:
        image: uint8, or intensities in [0, 1].
    """
    return image / 255 if image.dtype == np.uint8 else image


def _recorded(run: Run) -> dict[str, float]:
    """Return the means over the test split, with the noise of training."""
    names = {"test_mse": "network", "test_wiener_mse": "linear filter"}
    metrics = run.metrics
    return {
        f"{name}, mean over the test split": metrics[key]
        for key, name in names.items()
        if key in metrics
    }


@functools.lru_cache(maxsize=2)
def _read_training_images(directory: Path) -> np.ndarray:
    """Return clean training images ``(rows, features)``, enough to fit a linear filter."""
    config = RunConfig.of(load_run(directory))
    _, targets = training_images(load_run_data(config, config.data_dir))
    return targets[: ROWS_PER_FEATURE * targets.shape[1]]


@functools.lru_cache(maxsize=32)
def _fit_linear(directory: Path, stddev: float) -> LinearDenoiser:
    """Fit the linear filter to training images with noise."""
    clean = _read_training_images(directory)
    if clean.shape[1] > MAX_FEATURES:
        raise ZooError(f"images have more than {MAX_FEATURES} values.")
    noise = np.random.default_rng(0).normal(0, stddev, clean.shape)
    return linear_denoiser(np.clip(clean + noise, 0, 1), clean)


VIEW = View(
    name="denoise",
    title="Remove noise",
    notice="Below the noise of training the linear filter wins, since the network smooths what "
    "was never noisy; above it, both fail, but in different ways.",
    origin="The network's image is that of zoo.predict for the noisy picture; the linear filter is "
    "the least-squares map from noisy to clean training images at this noise, fitted here.",
    suits=suits,
    controls=controls,
    show=show,
)
