"""The pictures of models that give images, drawn from the files of a run.

Each function draws one panel: it takes a matplotlib figure or subfigure to draw on, and a finished
run. `zoo.plots.classification.draw` makes them all.
"""

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np

from zoo.runs import Run

SHOWN = 10
GRID = 20
STEPS = 10
TRAVERSED = 8
REACH = 3.0
NATS = "nats an image"
PARTS = {"loss": "loss", "reconstruction_loss": "reconstruction", "kl_loss": "divergence"}


def loss_curves(figure: Any, run: Run) -> None:
    """The loss of training and validation, epoch by epoch, and the parts that it is the sum of."""
    history = run.history
    parts = {key: title for key, title in PARTS.items() if key in history}
    unit = NATS if len(parts) > 1 else "mean squared error"
    panels = figure.subplots(1, len(parts), squeeze=False)[0]
    for axes, (key, title) in zip(panels, parts.items(), strict=True):
        for prefix, label in (("", "training"), ("val_", "validation")):
            axes.plot(history["epoch"], history[prefix + key], marker=".", label=label)
        axes.set(xlabel="epoch", ylabel=f"{title} [{unit}]")
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(alpha=0.3)
        axes.legend()
        if unit != NATS:
            axes.set_yscale("log")
    figure.suptitle("Learning curves")


def reconstructions(figure: Any, run: Run) -> None:
    """The first test images, what the model was given of them and gave back, and the error."""
    kept = run.predictions
    clean = kept["given"] if "cleared" not in kept else _fractions(run, kept["raw"])
    rows = {"original": clean}
    if "cleared" in kept:
        rows |= {"noisy": kept["given"], "linear denoiser": kept["cleared"]}
    rows |= {"model": kept["reconstructed"]}
    errors = np.abs(kept["reconstructed"] - clean)
    grid = figure.subplots(len(rows) + 1, min(SHOWN, len(clean)), squeeze=False)
    for line, (name, images) in zip(grid, rows.items(), strict=False):
        _row(line, name, images, vmin=0, vmax=1)
    _row(grid[-1], "size of the error", errors.mean(axis=-1, keepdims=True), vmin=0, vmax=0.5)
    metrics = run.metrics
    facts = [
        f"{metrics['test_psnr']:.2f} dB",
        f"structural similarity {metrics['test_ssim']:.3f}",
    ]
    if "test_mse" in metrics:
        facts = [f"squared error {metrics['test_mse']:.5f}", *facts]
    if "test_wiener_mse" in metrics:
        facts.append(f"the linear denoiser {metrics['test_wiener_mse']:.5f}")
        facts.append(f"the noisy image itself {metrics['test_noisy_mse']:.5f}")
    figure.suptitle("First test images; means over all:\n" + ", ".join(facts))


def rank_curve(figure: Any, run: Run) -> None:
    """The error of projecting test images on principal components, and where the model lies."""
    errors, metrics = run.predictions["pca_errors"], run.metrics
    axes = figure.subplots()
    ranks = np.arange(1, len(errors))
    axes.plot(
        ranks, np.maximum(errors[1:], 1e-9), label="principal components of the training rows"
    )
    size = int(np.prod(run.model.get_layer("decoder").inputs[0].shape[1:]))
    error = metrics.get("test_mse", float(np.mean(run.predictions["errors"])))
    axes.plot(size, error, "o", markersize=9, label=f"{run.config['model']}, code of {size}")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="numbers in the code",
        ylabel="mean squared error on test",
        ylim=(max(errors[-2], 1e-5), errors[0] * 1.2),
    )
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.suptitle("What linear maps can do with a code of that length")


def latent_scatter(figure: Any, run: Run) -> None:
    """Where the test images lie, by the means of their codes, along the two fullest dimensions."""
    from matplotlib import colormaps

    kept, names = run.predictions, run.dataset.class_names
    first, second = _fullest(kept["divergences"], 2)
    axes = figure.subplots()
    colors = colormaps["tab10" if len(names) <= 10 else "hsv"](np.linspace(0, 1, len(names)))
    for number, name in enumerate(names):
        chosen = kept["codes"][kept["labels"] == number]
        axes.plot(chosen[:, first], chosen[:, second], ".", color=colors[number], label=name,
                  markersize=3, alpha=0.6)  # fmt: skip
    axes.set(xlabel=f"mean of dimension {first}", ylabel=f"mean of dimension {second}")
    axes.set_aspect("equal", "datalim")
    axes.legend(markerscale=5, loc="center left", bbox_to_anchor=(1, 0.5), title="class")
    figure.suptitle(f"Codes of {len(kept['codes']):,} test images")


def manifold(figure: Any, run: Run) -> None:
    """What the decoder makes of a grid of codes, as dense as the prior is."""
    quantiles = (np.arange(GRID) + 0.5) / GRID
    values = np.array([NormalDist().inv_cdf(share) for share in quantiles])
    divergences = run.predictions["divergences"]
    first, second = _fullest(divergences, 2)
    codes = np.zeros((GRID * GRID, len(divergences)), np.float32)
    codes[:, first] = np.tile(values, GRID)
    codes[:, second] = np.repeat(values[::-1], GRID)
    axes = figure.subplots()
    _mosaic(axes, _decode(run, codes), GRID)
    axes.set(xlabel=f"dimension {first}, by quantiles", ylabel=f"dimension {second}, by quantiles")
    rest = "" if len(divergences) == 2 else "; all other dimensions at 0"
    figure.suptitle(f"What codes become, each cell as likely as the other{rest}{_told(run)}")


def prior_samples(figure: Any, run: Run) -> None:
    """Images of codes drawn from the prior; a row a class where the model is told classes."""
    names = run.dataset.class_names if _is_told(run) else [""] * SHOWN
    rows = min(len(names), SHOWN)
    size = len(run.predictions["divergences"])
    codes = np.random.default_rng(0).standard_normal((rows * SHOWN, size)).astype(np.float32)
    images = _decode(run, codes, np.repeat(np.arange(rows), SHOWN))
    grid = figure.subplots(rows, SHOWN, squeeze=False)
    for line, name, number in zip(grid, names, range(rows), strict=False):
        _row(line, name, images[number * SHOWN : (number + 1) * SHOWN], vmin=0, vmax=1)
    figure.suptitle("Images of codes drawn at random from the prior")


def interpolation(figure: Any, run: Run) -> None:
    """From one test image to the next along the straight line between their codes."""
    codes, labels = run.predictions["codes"], run.predictions["labels"]
    shares = np.linspace(0, 1, STEPS, dtype=np.float32)[:, None]
    count = min(SHOWN, len(codes))
    pairs = [(one, (one + 1) % count) for one in range(0, count, 2)]
    grid = figure.subplots(len(pairs), STEPS, squeeze=False)
    for line, (one, other) in zip(grid, pairs, strict=True):
        between = (1 - shares) * codes[one] + shares * codes[other]
        _row(line, "", _decode(run, between, np.full(STEPS, labels[one])), vmin=0, vmax=1)
    figure.suptitle("Between the codes of two test images, in equal steps")


def traversal(figure: Any, run: Run) -> None:
    """What each dimension does: the code of the first test image with one number changed."""
    kept = run.predictions
    dimensions = _fullest(kept["divergences"], TRAVERSED)
    grid = figure.subplots(len(dimensions), STEPS, squeeze=False)
    for line, dimension in zip(grid, dimensions, strict=True):
        codes = np.repeat(kept["codes"][:1], STEPS, axis=0)
        codes[:, dimension] = np.linspace(-REACH, REACH, STEPS)
        name = f"dimension {dimension}\n{kept['divergences'][dimension]:.2f} nats"
        _row(line, name, _decode(run, codes), vmin=0, vmax=1)
    figure.suptitle(f"One number of the code from {-REACH:g} to {REACH:g}, the others as they are")


def code_use(figure: Any, run: Run) -> None:
    """How many nats each dimension of the code tells on average; none if it has collapsed."""
    divergences = np.sort(run.predictions["divergences"])[::-1]
    axes = figure.subplots()
    axes.bar(np.arange(1, len(divergences) + 1), divergences, color="steelblue")
    axes.set(xlabel="dimension of the code, the fullest first", ylabel="mean divergence [nats]")
    axes.xaxis.get_major_locator().set_params(integer=True)
    active = int(run.metrics["test_active_units"])
    figure.suptitle(f"What the code tells: {active} of {len(divergences)} dimensions are active")


def panels(run: Run) -> Mapping[str, Any]:
    """Gives the panels that fit a run of a model of images, by their names.

    Args:
        run: finished.
    """
    kept = run.predictions
    chosen = [loss_curves, reconstructions]
    if len(run.history["epoch"]) == 1:
        chosen.remove(loss_curves)
    if "codes" in kept:
        several = len(kept["divergences"]) > 1
        chosen += [latent_scatter, manifold] if several else []
        chosen += [prior_samples, interpolation, traversal, code_use]
    if "pca_errors" in kept:
        chosen.append(rank_curve)
    return {panel.__name__: panel for panel in chosen}


def title(run: Run) -> str:
    """Says what a run is, and what it reached.

    Args:
        run: finished.
    """
    metrics = run.metrics
    reached = (
        f"{metrics['test_loss']:.2f} nats an image on test"
        if "test_kl_loss" in metrics
        else f"squared error {metrics['test_mse']:.5f} on test"
    )
    return f"{run.config['model']} on {run.dataset.name}: {reached}"


def _fractions(run: Run, raw: np.ndarray) -> np.ndarray:
    return np.asarray(run.preprocessor(raw))


def _fullest(divergences: np.ndarray, count: int) -> list[int]:
    return np.argsort(-divergences, kind="stable")[:count].tolist()


def _is_told(run: Run) -> bool:
    return len(run.model.inputs) > 1


def _told(run: Run) -> str:
    if not _is_told(run):
        return ""
    return f"; class {run.dataset.class_names[run.predictions['labels'][0]]}"


def _decode(run: Run, codes: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
    """Decodes; a model that is told labels is told the first test image's if none is given."""
    decoder = run.model.get_layer("decoder")
    if not _is_told(run):
        return decoder.predict(codes, verbose=0)
    if labels is None:
        labels = np.full(len(codes), run.predictions["labels"][0])
    return decoder.predict([codes, labels.astype(np.int64)], verbose=0)


def _row(line: Any, name: str, images: np.ndarray, **limits: float) -> None:
    for axes in line:
        axes.set_xticks([])
        axes.set_yticks([])
    for axes, image in zip(line, images, strict=False):
        axes.imshow(_displayed(image), cmap="gray", **limits)
    line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)


def _mosaic(axes: Any, images: np.ndarray, side: int) -> None:
    _, height, width, channels = images.shape
    sheet = images.reshape(side, side, height, width, channels).transpose(0, 2, 1, 3, 4)
    axes.imshow(
        _displayed(sheet.reshape(side * height, side * width, channels)),
        cmap="gray",
        vmin=0,
        vmax=1,
    )
    axes.set_xticks([])
    axes.set_yticks([])


def _displayed(image: np.ndarray) -> np.ndarray:
    return image[..., 0] if image.shape[2] == 1 else np.clip(image, 0, 1)
