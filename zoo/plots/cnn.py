"""Panels of image classifiers: weights, kernels, feature maps, Grad-CAM.

They draw on a matplotlib figure or subfigure, from a finished run.
"""

from typing import Any

import numpy as np

from zoo.plots.canvas import DIVERGING_COLORMAP, squeeze_grayscale
from zoo.runs import ROWS_SHOWN, Run, worst_mistakes

MAX_FILTERS = 64
MAX_LAYERS = 6
MAX_CHANNELS = 10
MAX_AUGMENTED = 5
MAX_HEATMAPS = 20
AUGMENTED_COPIES = 8


def weights(figure: Any, run: Run) -> None:
    """Show the weights of each class of a linear model as an image."""
    names, shape = run.dataset.class_names, run.dataset.input_shape
    kernel = run.model.get_layer("output").get_weights()[0]
    images = kernel.T.reshape(-1, *shape).sum(axis=-1)
    shown = min(len(images), ROWS_SHOWN)
    limit = np.abs(images[:shown]).max()
    grid = figure.subplots(-(-shown // 5), min(5, shown), squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    class_names = names[-len(images) :]
    for axes, image, name in zip(grid.flat, images[:shown], class_names, strict=False):
        mappable = axes.imshow(image, cmap=DIVERGING_COLORMAP, vmin=-limit, vmax=limit)
        axes.set_title(name)
    figure.colorbar(mappable, ax=grid, label="weight [logit per unit of intensity]", shrink=0.8)
    figure.suptitle("Weights of each class: positive in red, negative in blue")


def filters(figure: Any, run: Run, layer: str = "") -> None:
    """Show the kernels of a convolutional layer, by default the first, by input channel."""
    from zoo.evaluation import inspection

    layer = layer or inspection.conv_layer_names(run.model)[0]
    kernels = inspection.scaled_kernels(run.model, layer)
    channels, count = kernels.shape[2:]
    shown = kernels[..., :MAX_FILTERS]
    if channels == 3:
        color_axes, axes = figure.subplots(2, 1, height_ratios=(1, 3))
        color_axes.imshow(np.concatenate([_mosaic(shown[:, :, [c]]) for c in range(3)], axis=-1))
        color_axes.set_title("RGB")
        color_axes.axis("off")
    else:
        axes = figure.subplots()
    axes.imshow(_mosaic(shown)[..., 0], cmap="gray", vmin=0, vmax=1)
    side = kernels.shape[0] + 1
    axes.set_yticks([side / 2] if channels == 1 else [])
    axes.set_xticks([])
    axes.set(xlabel="filter", ylabel="input channel")
    those = f"first {shown.shape[3]} of {count}" if count > shown.shape[3] else f"{count}"
    figure.suptitle(
        f"Kernels of {layer}: {those} filters, {channels} input channels, each filter scaled from "
        "black to white"
    )


def feature_maps(figure: Any, run: Run) -> None:
    """Show the feature maps of the first test image."""
    from zoo.data.preprocessing import apply_preprocessor
    from zoo.evaluation import inspection

    raw = run.predictions["raw"][:1]
    maps = inspection.feature_maps(run.model, apply_preprocessor(run.preprocessor, raw)[0])
    names = list(maps)[:: -(-len(maps) // MAX_LAYERS)]
    grid = figure.subplots(len(names), 1 + MAX_CHANNELS, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for row, name in zip(grid, names, strict=True):
        row[0].imshow(squeeze_grayscale(raw[0]), cmap="gray")
        height, width, channels = maps[name].shape
        row[0].set_title(f"{name}\n{height}x{width}x{channels}", fontsize=8)
        limits = {"vmin": maps[name].min(), "vmax": maps[name].max()}
        for axes, channel in zip(row[1:], range(channels), strict=False):
            axes.imshow(maps[name][..., channel], cmap="viridis", **limits)
    figure.suptitle(
        f"Feature maps of the first test image: first {MAX_CHANNELS} channels of each layer, "
        "one color scale per layer"
    )


def parameters(figure: Any, run: Run) -> None:
    """Plot the number of parameters of each layer, with its formula."""
    from zoo.evaluation import inspection

    rows = inspection.layer_parameters(run.model)[::-1]
    axes = figure.subplots()
    bars = axes.barh([row.name for row in rows], [row.count for row in rows], color="steelblue")
    axes.bar_label(
        bars, [f" {row.formula} = {row.count:,}" for row in rows], fontsize=min(9, 220 / len(rows))
    )
    axes.tick_params(axis="y", labelsize=min(9, 220 / len(rows)))
    axes.set(xlabel="parameters", xscale="log")
    axes.set_xlim(right=axes.get_xlim()[1] * 30)
    total = sum(row.count for row in rows)
    figure.suptitle(f"Parameters by layer: {total:,} in total, including running statistics")


def augmentations(figure: Any, run: Run) -> None:
    """Show test images and augmented copies; a cutout has their mean color."""
    from zoo.data import reader_of

    options = run.recipe.images
    raw = run.predictions["raw"][:MAX_AUGMENTED]
    layers = reader_of(run.dataset).augmentation(run.dataset, options, raw)
    grid = figure.subplots(len(raw), 1 + AUGMENTED_COPIES, squeeze=False)
    for copy, column in enumerate(grid.T):
        images = raw
        for number, layer in enumerate(layers):
            images = layer(images, seed=(copy, number)) if copy else images
        for axes, image in zip(column, np.asarray(images), strict=True):
            axes.imshow(squeeze_grayscale(image), cmap="gray")
            axes.axis("off")
        column[0].set_title(f"augmented {copy}" if copy else "original", fontsize=9)
    figure.suptitle(f"Augmentation: {options.augmentation}")


def grad_cam(figure: Any, run: Run) -> None:
    """Show Grad-CAM of the predicted class on the first test images and the worst mistakes."""
    from zoo.data.preprocessing import apply_preprocessor
    from zoo.evaluation import inspection

    names, predictions = run.dataset.class_names, run.predictions
    position = {row: i for i, row in enumerate(predictions["index"].tolist())}
    worst = worst_mistakes(predictions["labels"], predictions["probabilities"]).tolist()
    rows = list(dict.fromkeys([*predictions["index"].tolist()[:10], *worst]))[:MAX_HEATMAPS]
    raw = predictions["raw"][[position[row] for row in rows]]
    predicted = predictions["probabilities"][rows].argmax(axis=1)
    heatmaps = inspection.grad_cam(run.model, apply_preprocessor(run.preprocessor, raw), predicted)
    grid = figure.subplots(4, 5)
    for axes in grid.flat:
        axes.axis("off")
    for axes, row, image, guess, heatmap in zip(
        grid.flat, rows, raw, predicted, heatmaps, strict=False
    ):
        label = predictions["labels"][row]
        axes.imshow(squeeze_grayscale(image), cmap="gray")
        edges = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
        axes.imshow(
            heatmap, cmap="inferno", vmin=0, vmax=1, alpha=0.5, extent=edges,
            interpolation="bilinear",
        )  # fmt: skip
        axes.set_title(
            names[guess] if guess == label else f"{names[guess]}, is {names[label]}",
            color="black" if guess == label else "firebrick",
            fontsize=9,
        )
    figure.suptitle("Grad-CAM of the predicted class (red title: wrong)")


def _mosaic(kernels: np.ndarray) -> np.ndarray:
    """Tile kernels: a row per input channel, a column per filter, with white borders."""
    padded = np.pad(kernels, [(0, 1), (0, 1), (0, 0), (0, 0)], constant_values=1)
    height, width, channels, count = padded.shape
    return padded.transpose(2, 0, 3, 1).reshape(channels * height, count * width, 1)
