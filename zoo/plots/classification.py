"""Panels of classifiers, and comparisons of several runs.

The panels draw on a matplotlib figure or subfigure, from a finished run.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.evaluation import confusions
from zoo.plots.canvas import squeeze_grayscale
from zoo.plots.curves import classifier_curves, draw_curves
from zoo.runs import ROWS_SHOWN, Run, worst_mistakes

MAX_LABELED_CLASSES = 20


def learning_curves(figure: Any, run: Run) -> None:
    """Plot training and validation loss and accuracy by epoch."""
    for axes, curves in zip(figure.subplots(1, 2), classifier_curves(run), strict=True):
        draw_curves(axes, curves)
    figure.suptitle("Learning curves")


def confusion_matrix(figure: Any, run: Run) -> None:
    """Plot the number of test rows by true and predicted class.

    Of more classes than can be labeled, the recalls and the most frequent confusions are shown.
    """
    names = run.dataset.class_names
    predictions = run.predictions
    counts = confusions.confusion_matrix(predictions["labels"], predictions["probabilities"])
    accuracy = 100 * np.trace(counts) / counts.sum()
    title = f"accuracy {accuracy:.2f} % on {counts.sum():,} test rows"
    if len(names) > MAX_LABELED_CLASSES:
        _show_recalls_and_confusions(figure, names, counts)
        figure.suptitle(f"Confusions of {len(names):,} classes: {title}")
        return
    axes = figure.subplots()
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(100 * fractions, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(image, ax=axes, label="fraction of the true class [%]")
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.set_xticks(range(len(names)), names, rotation=45 if max(map(len, names)) > 2 else 0)
    axes.set_yticks(range(len(names)), names)
    for (row, column), count in np.ndenumerate(counts):
        color = "white" if fractions[row, column] > 0.5 else "black"
        axes.text(column, row, count, ha="center", va="center", color=color, fontsize=8)
    figure.suptitle(f"Confusion matrix: {title}")


def _show_recalls_and_confusions(figure: Any, names: Sequence[str], counts: np.ndarray) -> None:
    left, right = figure.subplots(1, 2)
    left.hist(100 * confusions.recalls(counts), bins=np.linspace(0, 100, 21))
    left.set(xlabel="recall of a class [%]", ylabel="classes")
    pairs = confusions.frequent_confusions(counts, MAX_LABELED_CLASSES)
    right.barh(range(len(pairs)), [counts[pair] for pair in pairs])
    captions = [f"{names[true]} as {names[predicted]}" for true, predicted in pairs]
    right.set_yticks(range(len(pairs)), captions, fontsize=8)
    right.invert_yaxis()
    right.set(xlabel="test rows", title="most frequent confusions")


def samples(figure: Any, run: Run) -> None:
    """Show the first test images with the predicted class and its probability."""
    _show_images(figure, run, np.arange(min(ROWS_SHOWN, len(run.predictions["labels"]))))
    figure.suptitle("First test images: predicted class and its probability (red: wrong)")


def mistakes(figure: Any, run: Run) -> None:
    """Show the misclassified test images with the lowest probability of the true class."""
    predictions = run.predictions
    labels, probabilities = predictions["labels"], predictions["probabilities"]
    wrong = (probabilities.argmax(axis=1) != labels).sum()
    _show_images(figure, run, worst_mistakes(labels, probabilities))
    figure.suptitle(f"Worst of {wrong} mistakes: predicted class and its probability, true class")


def describe_prediction(names: Sequence[str], probabilities: np.ndarray, label: int) -> str:
    """Return the predicted class, its probability, and the true class if it is another.

    Args:
        names: names of the classes.
        probabilities: probability of each class.
        label: true class.

    Example:
        >>> import numpy as np
        >>> from zoo.plots.classification import describe_prediction
        >>> describe_prediction(["cat", "dog"], np.array([0.2, 0.8]), 0)
        'dog  80 %, is cat'
    """
    predicted = int(probabilities.argmax())
    caption = f"{names[predicted]}  {100 * probabilities[predicted]:.0f} %"
    return caption if predicted == label else f"{caption}, is {names[label]}"


def compare_accuracy(
    figure: Any, quantity: str, series: Mapping[str, Mapping[str, tuple[float, float]]]
) -> None:
    """Plot test accuracy against a quantity, one color per series and one point per network.

    Args:
        figure: matplotlib figure.
        quantity: name of the quantity, with its unit if it has one.
        series: quantity and accuracy, in [0, 1], by series and network.
    """
    from matplotlib.ticker import LogFormatter

    axes = figure.subplots()
    highest: dict[tuple[str, float], float] = {}
    for label, points in series.items():
        x, y = zip(*sorted(points.values()), strict=True)
        axes.plot(x, 100 * np.array(y), "o", label=label, alpha=0.8)
        for name, (value, accuracy) in points.items():
            highest[name, value] = max(accuracy, highest.get((name, value), 0))
    for (name, value), accuracy in highest.items():
        axes.annotate(
            name,
            (value, 100 * accuracy),
            (0, 8),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    axes.set(xscale="log", xlabel=quantity, ylabel="test accuracy [%]")
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.xaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.5)))
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.suptitle(f"Test accuracy by {quantity}")


def compare_losses(figure: Any, series: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Plot training and validation losses of several runs.

    Args:
        figure: matplotlib figure.
        series: ``loss`` and ``val_loss`` by epoch, in nats, of each run.
    """
    panels = figure.subplots(1, 2, sharey=True)
    for axes, key, title in zip(
        panels, ("loss", "val_loss"), ("training", "validation"), strict=True
    ):
        for label, history in series.items():
            axes.plot(range(1, len(history[key]) + 1), history[key], label=label, alpha=0.8)
        axes.set(xlabel="epoch", title=title, yscale="log")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("loss, without penalties [nats]")
    panels[1].legend()
    figure.suptitle("Learning curves")


def _show_images(figure: Any, run: Run, rows: np.ndarray) -> None:
    names, predictions = run.dataset.class_names, run.predictions
    raw_of = dict(zip(predictions["index"].tolist(), predictions["raw"], strict=True))
    grid = figure.subplots(4, 5)
    for axes in grid.flat:
        axes.axis("off")
    for axes, row in zip(grid.flat, rows.tolist(), strict=False):
        image = raw_of[row]
        axes.imshow(squeeze_grayscale(image), cmap="gray")
        probabilities, label = predictions["probabilities"][row], predictions["labels"][row]
        axes.set_title(
            describe_prediction(names, probabilities, label),
            color="black" if probabilities.argmax() == label else "firebrick",
            fontsize=9,
        )
