"""Figures of image classifiers: kernels, feature maps, Grad-CAM."""

from typing import Any

import numpy as np

from zoo.plots.canvas import COLORS, displayed
from zoo.runs import ROWS_SHOWN, Run, worst_mistakes

MOST_FILTERS = 64
MOST_LAYERS = 6
CHANNELS_SHOWN = 10
ALTERED_SHOWN = 5
TIMES_ALTERED = 8


def weights(figure: Any, run: Run) -> None:
    """The weights from each pixel to each class of a linear model, as images."""
    names, shape = run.dataset.class_names, run.dataset.input_shape
    kernel = run.model.get_layer("output").get_weights()[0]
    images = kernel.T.reshape(-1, *shape).sum(axis=-1)
    shown = min(len(images), ROWS_SHOWN)
    limit = np.abs(images[:shown]).max()
    grid = figure.subplots(-(-shown // 5), min(5, shown), squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    of_classes = names[-len(images) :]
    for axes, image, name in zip(grid.flat, images[:shown], of_classes, strict=False):
        drawn = axes.imshow(image, cmap=COLORS, vmin=-limit, vmax=limit)
        axes.set_title(name)
    figure.colorbar(drawn, ax=grid, label="weight [log-odds per full intensity]", shrink=0.8)
    figure.suptitle("Weights of each class: red pixels speak for it, blue ones against")


def filters(figure: Any, run: Run, layer: str = "") -> None:
    """The kernels of a convolution, the first one if none is named, channel by channel."""
    from zoo.evaluation import inspection

    layer = layer or inspection.convolutions(run.model)[0]
    kernels = inspection.kernels(run.model, layer)
    channels, count = kernels.shape[2:]
    shown = kernels[..., :MOST_FILTERS]
    if channels == 3:
        in_color, axes = figure.subplots(2, 1, height_ratios=(1, 3))
        in_color.imshow(np.concatenate([_mosaic(shown[:, :, [c]]) for c in range(3)], axis=-1))
        in_color.set_title("the three channels as one color")
        in_color.axis("off")
    else:
        axes = figure.subplots()
    axes.imshow(_mosaic(shown)[..., 0], cmap="gray", vmin=0, vmax=1)
    side = kernels.shape[0] + 1
    axes.set_yticks([side / 2] if channels == 1 else [])
    axes.set_xticks([])
    axes.set(xlabel="filter", ylabel="input channel")
    those = f"the first {shown.shape[3]} of {count}" if count > shown.shape[3] else f"all {count}"
    figure.suptitle(
        f"Kernels of {layer}: {those} filters, {channels} input channels, each filter black to "
        "white"
    )


def feature_maps(figure: Any, run: Run) -> None:
    """What each activation makes of the first test image."""
    from zoo.evaluation import inspection

    raw = run.predictions["raw"][:1]
    maps = inspection.feature_maps(run.model, np.asarray(run.preprocessor(raw))[0])
    chosen = list(maps)[:: -(-len(maps) // MOST_LAYERS)]
    grid = figure.subplots(len(chosen), 1 + CHANNELS_SHOWN, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for row, name in zip(grid, chosen, strict=True):
        row[0].imshow(displayed(raw[0]), cmap="gray")
        height, width, channels = maps[name].shape
        row[0].set_title(f"{name}\n{height}x{width}x{channels}", fontsize=8)
        reach = {"vmin": maps[name].min(), "vmax": maps[name].max()}
        for axes, channel in zip(row[1:], range(channels), strict=False):
            axes.imshow(maps[name][..., channel], cmap="viridis", **reach)
    figure.suptitle(
        f"Feature maps of one test image: the first {CHANNELS_SHOWN} channels a layer, on one "
        "scale each layer"
    )


def parameters(figure: Any, run: Run) -> None:
    """How many parameters each layer has, and the formula that says so."""
    from zoo.evaluation import inspection

    rows = inspection.parameters(run.model)[::-1]
    axes = figure.subplots()
    bars = axes.barh([row.name for row in rows], [row.count for row in rows], color="steelblue")
    axes.bar_label(
        bars, [f" {row.formula} = {row.count:,}" for row in rows], fontsize=min(9, 220 / len(rows))
    )
    axes.tick_params(axis="y", labelsize=min(9, 220 / len(rows)))
    axes.set(xlabel="parameters", xscale="log")
    axes.set_xlim(right=axes.get_xlim()[1] * 30)
    total = sum(row.count for row in rows)
    figure.suptitle(f"Parameters of each layer, {total:,} in all, running statistics included")


def augmentations(figure: Any, run: Run) -> None:
    """Test images as they are, and altered; a cutout has the mean color of those shown."""
    from zoo.data import reader_of

    options = run.recipe.images
    raw = run.predictions["raw"][:ALTERED_SHOWN]
    layers = reader_of(run.dataset).augmentation(run.dataset, options, raw)
    grid = figure.subplots(len(raw), 1 + TIMES_ALTERED, squeeze=False)
    for time, column in enumerate(grid.T):
        images = raw
        for number, alter in enumerate(layers):
            images = alter(images, seed=(time, number)) if time else images
        for axes, image in zip(column, np.asarray(images), strict=True):
            axes.imshow(displayed(image), cmap="gray")
            axes.axis("off")
        column[0].set_title(f"altered {time}" if time else "as it is", fontsize=9)
    figure.suptitle(f"Augmentation: {options.augmentation}")


def grad_cam(figure: Any, run: Run) -> None:
    """Which parts of test images speak for the class predicted: the first ones, and mistakes."""
    from zoo.evaluation import inspection

    names, answers = run.dataset.class_names, run.predictions
    place = {row: i for i, row in enumerate(answers["index"].tolist())}
    worst = worst_mistakes(answers["labels"], answers["probabilities"]).tolist()
    rows = list(dict.fromkeys([*answers["index"].tolist()[:10], *worst]))[: ALTERED_SHOWN * 4]
    raw = answers["raw"][[place[row] for row in rows]]
    guesses = answers["probabilities"][rows].argmax(axis=1)
    maps = inspection.grad_cam(run.model, np.asarray(run.preprocessor(raw)), guesses)
    grid = figure.subplots(4, 5)
    for axes in grid.flat:
        axes.axis("off")
    for axes, row, image, guess, speaks in zip(grid.flat, rows, raw, guesses, maps, strict=False):
        truth = answers["labels"][row]
        axes.imshow(displayed(image), cmap="gray")
        edges = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
        axes.imshow(
            speaks, cmap="inferno", vmin=0, vmax=1, alpha=0.5, extent=edges,
            interpolation="bilinear",
        )  # fmt: skip
        axes.set_title(
            names[guess] if guess == truth else f"{names[guess]}, is {names[truth]}",
            color="black" if guess == truth else "firebrick",
            fontsize=9,
        )
    figure.suptitle("Grad-CAM: what speaks for the predicted class is bright (red: wrong)")


def _mosaic(kernels: np.ndarray) -> np.ndarray:
    """Lays kernels out: a row an input channel, a column a filter, white between them."""
    framed = np.pad(kernels, [(0, 1), (0, 1), (0, 0), (0, 0)], constant_values=1)
    height, width, channels, count = framed.shape
    return framed.transpose(2, 0, 3, 1).reshape(channels * height, count * width, 1)
