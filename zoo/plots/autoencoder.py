"""Panels of autoencoders.

They draw on a matplotlib figure or subfigure, from a finished run.
"""

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np

from zoo.plots.curves import autoencoder_curves, draw_curves
from zoo.runs import Run

MAX_IMAGES = 10
GRID_SIDE = 20
STEPS = 10
MAX_TRAVERSALS = 8
TRAVERSAL_LIMIT = 3.0
PCA_LABEL = "PCA fitted to the training split"


def loss_curves(figure: Any, run: Run) -> None:
    """Plot training and validation loss by epoch, and the terms of the loss."""
    losses = autoencoder_curves(run)
    panels = figure.subplots(1, len(losses), squeeze=False)[0]
    for axes, curves in zip(panels, losses, strict=True):
        draw_curves(axes, curves)
    figure.suptitle("Learning curves")


def reconstructions(figure: Any, run: Run) -> None:
    """Show the first test images, the inputs, the reconstructions and the absolute errors."""
    kept = run.predictions
    clean = kept["given"] if "cleared" not in kept else _preprocess(run, kept["raw"])
    images_by_name = {"original": clean}
    if "cleared" in kept:
        images_by_name |= {"noisy": kept["given"], "linear denoiser": kept["cleared"]}
    images_by_name |= {"model": kept["reconstructed"]}
    errors = np.abs(kept["reconstructed"] - clean)
    grid = figure.subplots(len(images_by_name) + 1, min(MAX_IMAGES, len(clean)), squeeze=False)
    for line, (name, images) in zip(grid, images_by_name.items(), strict=False):
        _show_row(line, name, images, vmin=0, vmax=1)
    _show_row(grid[-1], "absolute error", errors.mean(axis=-1, keepdims=True), vmin=0, vmax=0.5)
    figure.suptitle("First test images; means over the test split:\n" + _describe_errors(run))


def _describe_errors(run: Run) -> str:
    metrics = run.metrics
    parts = [f"PSNR {metrics['test_psnr']:.2f} dB", f"SSIM {metrics['test_ssim']:.3f}"]
    if "test_mse" in metrics:
        parts = [f"MSE {metrics['test_mse']:.5f}", *parts]
    if "test_wiener_mse" in metrics:
        parts.append(f"MSE of the linear denoiser {metrics['test_wiener_mse']:.5f}")
        parts.append(f"of the noisy image {metrics['test_noisy_mse']:.5f}")
    return ", ".join(parts)


def rank_curve(figure: Any, run: Run) -> None:
    """Plot the error of PCA on the test split by rank, and that of the model."""
    errors = run.predictions["pca_errors"]
    axes = figure.subplots()
    ranks = np.arange(1, len(errors))
    axes.plot(ranks, np.maximum(errors[1:], 1e-9), label=PCA_LABEL)
    size, error = code_size_and_error(run)
    axes.plot(size, error, "o", markersize=9, label=f"{run.config['model']}, latent code of {size}")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="size of the latent code",
        ylabel="test mean squared error",
        ylim=(max(errors[-2], 1e-5), errors[0] * 1.2),
    )
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.suptitle("Test error compared with PCA, the best linear map")


def code_size_and_error(run: Run) -> tuple[int, float]:
    """Return the size of the latent code of an autoencoder, and its test mean squared error.

    Args:
        run: finished run of an autoencoder.
    """
    size = int(np.prod(run.model.get_layer("decoder").inputs[0].shape[1:]))
    return size, run.metrics.get("test_mse", float(np.mean(run.predictions["errors"])))


def latent_scatter(figure: Any, run: Run) -> None:
    """Plot the means of the test images' latent codes in the two most informative dimensions."""
    from matplotlib import colormaps

    kept, names = run.predictions, run.dataset.class_names
    first, second = most_informative(kept["divergences"], 2)
    axes = figure.subplots()
    colors = colormaps["tab10" if len(names) <= 10 else "hsv"](np.linspace(0, 1, len(names)))
    for number, name in enumerate(names):
        chosen = kept["codes"][kept["labels"] == number]
        axes.plot(chosen[:, first], chosen[:, second], ".", color=colors[number], label=name,
                  markersize=3, alpha=0.6)  # fmt: skip
    axes.set(xlabel=f"mean of dimension {first}", ylabel=f"mean of dimension {second}")
    axes.set_aspect("equal", "datalim")
    axes.legend(markerscale=5, loc="center left", bbox_to_anchor=(1, 0.5), title="class")
    figure.suptitle(f"Latent codes of {len(kept['codes']):,} test images")


def manifold(figure: Any, run: Run) -> None:
    """Show decoded images for a grid of latent codes at quantiles of the prior."""
    quantiles = (np.arange(GRID_SIDE) + 0.5) / GRID_SIDE
    values = np.array([NormalDist().inv_cdf(quantile) for quantile in quantiles])
    divergences = run.predictions["divergences"]
    first, second = most_informative(divergences, 2)
    codes = np.zeros((GRID_SIDE * GRID_SIDE, len(divergences)), np.float32)
    codes[:, first] = np.tile(values, GRID_SIDE)
    codes[:, second] = np.repeat(values[::-1], GRID_SIDE)
    axes = figure.subplots()
    _mosaic(axes, decode(run, codes), GRID_SIDE)
    axes.set(xlabel=f"dimension {first}, by quantiles", ylabel=f"dimension {second}, by quantiles")
    rest = "" if len(divergences) == 2 else "; other dimensions at 0"
    figure.suptitle(f"Decoded images at quantiles of the prior{rest}{_class_note(run)}")


def prior_samples(figure: Any, run: Run) -> None:
    """Show images decoded from samples of the prior; a row per class if class-conditional."""
    names = run.dataset.class_names if _is_conditional(run) else [""] * MAX_IMAGES
    rows = min(len(names), MAX_IMAGES)
    size = len(run.predictions["divergences"])
    codes = np.random.default_rng(0).standard_normal((rows * MAX_IMAGES, size)).astype(np.float32)
    images = decode(run, codes, np.repeat(np.arange(rows), MAX_IMAGES))
    grid = figure.subplots(rows, MAX_IMAGES, squeeze=False)
    for line, name, number in zip(grid, names, range(rows), strict=False):
        own = images[number * MAX_IMAGES : (number + 1) * MAX_IMAGES]
        _show_row(line, name, own, vmin=0, vmax=1)
    figure.suptitle("Images decoded from samples of the prior")


def interpolation(figure: Any, run: Run) -> None:
    """Show images decoded along straight lines between the latent codes of test images."""
    codes, labels = run.predictions["codes"], run.predictions["labels"]
    weights = np.linspace(0, 1, STEPS, dtype=np.float32)[:, None]
    count = min(MAX_IMAGES, len(codes))
    pairs = [(first, (first + 1) % count) for first in range(0, count, 2)]
    grid = figure.subplots(len(pairs), STEPS, squeeze=False)
    for line, (first, second) in zip(grid, pairs, strict=True):
        between = (1 - weights) * codes[first] + weights * codes[second]
        _show_row(line, "", decode(run, between, np.full(STEPS, labels[first])), vmin=0, vmax=1)
    figure.suptitle("Interpolation between the latent codes of two test images")


def traversal(figure: Any, run: Run) -> None:
    """Show the first test image decoded with one latent dimension varied."""
    kept = run.predictions
    dimensions = most_informative(kept["divergences"], MAX_TRAVERSALS)
    grid = figure.subplots(len(dimensions), STEPS, squeeze=False)
    for line, dimension in zip(grid, dimensions, strict=True):
        codes = np.repeat(kept["codes"][:1], STEPS, axis=0)
        codes[:, dimension] = np.linspace(-TRAVERSAL_LIMIT, TRAVERSAL_LIMIT, STEPS)
        name = f"dimension {dimension}\n{kept['divergences'][dimension]:.2f} nats"
        _show_row(line, name, decode(run, codes), vmin=0, vmax=1)
    figure.suptitle(f"One latent dimension varied from {-TRAVERSAL_LIMIT:g} to {TRAVERSAL_LIMIT:g}")


def code_use(figure: Any, run: Run) -> None:
    """Plot the mean KL divergence of each latent dimension; it is 0 if the dimension collapsed."""
    divergences = np.sort(run.predictions["divergences"])[::-1]
    axes = figure.subplots()
    axes.bar(np.arange(1, len(divergences) + 1), divergences, color="steelblue")
    axes.set(xlabel="latent dimension, by rank", ylabel="mean KL divergence [nats]")
    axes.xaxis.get_major_locator().set_params(integer=True)
    active = int(run.metrics["test_active_units"])
    figure.suptitle(f"KL divergence by latent dimension: {active} of {len(divergences)} are active")


def panels(run: Run) -> Mapping[str, Any]:
    """Return the panels that apply to a run, by name.

    Args:
        run: finished run of an autoencoder.
    """
    kept = run.predictions
    chosen = [loss_curves, reconstructions]
    if len(run.history["epoch"]) == 1:
        chosen.remove(loss_curves)
    if "codes" in kept:
        is_multidimensional = len(kept["divergences"]) > 1
        chosen += [latent_scatter, manifold] if is_multidimensional else []
        chosen += [prior_samples, interpolation, traversal, code_use]
    if "pca_errors" in kept:
        chosen.append(rank_curve)
    return {panel.__name__: panel for panel in chosen}


def title(run: Run) -> str:
    """Return a title with the model, the dataset and the main test metric.

    Args:
        run: finished run of an autoencoder.
    """
    metrics = run.metrics
    result = (
        f"test loss {metrics['test_loss']:.2f} nats/image"
        if "test_kl_loss" in metrics
        else f"test MSE {metrics['test_mse']:.5f}"
    )
    return f"{run.config['model']} on {run.dataset.name}: {result}"


def _preprocess(run: Run, raw: np.ndarray) -> np.ndarray:
    from zoo.data.preprocessing import apply_preprocessor

    return apply_preprocessor(run.preprocessor, raw)


def most_informative(divergences: np.ndarray, count: int) -> list[int]:
    """Return the latent dimensions with the largest KL divergence.

    Args:
        divergences: mean KL divergence of each dimension.
        count: number of dimensions at most.
    """
    return np.argsort(-divergences, kind="stable")[:count].tolist()


def _is_conditional(run: Run) -> bool:
    return len(run.model.inputs) > 1


def _class_note(run: Run) -> str:
    if not _is_conditional(run):
        return ""
    return f"; class {run.dataset.class_names[run.predictions['labels'][0]]}"


def decode(run: Run, codes: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
    """Decode latent codes.

    Args:
        run: finished run of a variational autoencoder.
        codes: latent codes, ``(rows, latent_dim)``.
        labels: classes that a class-conditional model is given; the first test label by default.

    Returns:
        Images in [0, 1], ``(rows, height, width, channels)``.
    """
    from zoo.evaluation import latent

    if not _is_conditional(run):
        return latent.decode(run.model, codes)
    if labels is None:
        labels = np.full(len(codes), run.predictions["labels"][0])
    return latent.decode(run.model, codes, labels)


def _show_row(line: Any, name: str, images: np.ndarray, **limits: float) -> None:
    for axes in line:
        axes.set_xticks([])
        axes.set_yticks([])
    for axes, image in zip(line, images, strict=False):
        axes.imshow(_to_displayable(image), cmap="gray", **limits)
    line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)


def _mosaic(axes: Any, images: np.ndarray, side: int) -> None:
    _, height, width, channels = images.shape
    sheet = images.reshape(side, side, height, width, channels).transpose(0, 2, 1, 3, 4)
    axes.imshow(
        _to_displayable(sheet.reshape(side * height, side * width, channels)),
        cmap="gray",
        vmin=0,
        vmax=1,
    )
    axes.set_xticks([])
    axes.set_yticks([])


def _to_displayable(image: np.ndarray) -> np.ndarray:
    return image[..., 0] if image.shape[2] == 1 else np.clip(image, 0, 1)
