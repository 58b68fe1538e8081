"""Figures of classifiers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.plots.canvas import displayed, marker
from zoo.runs import ROWS_SHOWN, Run, worst_mistakes

MOST_NUMBERED_CLASSES = 20


def learning_curves(figure: Any, run: Run) -> None:
    """Loss and accuracy of training and validation, epoch by epoch."""
    history = run.history
    for axes, quantity, unit in zip(
        figure.subplots(1, 2), ("loss", "accuracy"), ("nats, penalties included", "%"), strict=True
    ):
        scale = 100 if unit == "%" else 1
        for prefix, label in (("", "training"), ("val_", "validation")):
            values = scale * np.array(history[prefix + quantity])
            axes.plot(history["epoch"], values, marker=marker(history), label=label)
        axes.set(xlabel="epoch", ylabel=f"{quantity} [{unit}]")
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(alpha=0.3)
        axes.legend()
    if run.config["arguments"].get("loss") == "mean_squared_error":
        figure.axes[0].set_ylabel("loss [squared error]")
    figure.suptitle("Learning curves")


def confusion_matrix(figure: Any, run: Run) -> None:
    """How many test rows of each class were taken for which."""
    names = run.dataset.class_names
    answers = run.predictions
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, (answers["labels"], answers["probabilities"].argmax(axis=1)), 1)
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(image, ax=axes, label="share of the true class [%]")
    axes.set(xlabel="predicted class", ylabel="true class")
    if len(names) <= MOST_NUMBERED_CLASSES:
        axes.set_xticks(range(len(names)), names, rotation=45 if max(map(len, names)) > 2 else 0)
        axes.set_yticks(range(len(names)), names)
        for (row, column), count in np.ndenumerate(counts):
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, count, ha="center", va="center", color=color, fontsize=8)
    correct = 100 * np.trace(counts) / counts.sum()
    figure.suptitle(f"Confusion matrix: {correct:.2f} % of {counts.sum():,} test rows are right")


def samples(figure: Any, run: Run) -> None:
    """The first test images, with the predicted class and its probability."""
    _sheet(figure, run, np.arange(min(ROWS_SHOWN, len(run.predictions["labels"]))))
    figure.suptitle("First test images: predicted class and its probability (red: wrong)")


def mistakes(figure: Any, run: Run) -> None:
    """The test images whose true class got the smallest probability."""
    answers = run.predictions
    labels, probabilities = answers["labels"], answers["probabilities"]
    wrong = (probabilities.argmax(axis=1) != labels).sum()
    _sheet(figure, run, worst_mistakes(labels, probabilities))
    figure.suptitle(f"Worst of {wrong} mistakes: predicted class and its probability, truth")


def accuracy_against(
    figure: Any, quantity: str, series: Mapping[str, Mapping[str, tuple[float, float]]]
) -> None:
    """Draws test accuracy over a quantity, a color a series, a point a network.

    Args:
        figure: to draw on.
        quantity: its name, and unit if it has one.
        series: for each label and network the quantity and the accuracy, in [0, 1].
    """
    from matplotlib.ticker import LogFormatter

    axes = figure.subplots()
    tops: dict[tuple[str, float], float] = {}
    for label, points in series.items():
        x, y = zip(*sorted(points.values()), strict=True)
        axes.plot(x, 100 * np.array(y), "o", label=label, alpha=0.8)
        for name, (value, accuracy) in points.items():
            tops[name, value] = max(accuracy, tops.get((name, value), 0))
    for (name, value), top in tops.items():
        axes.annotate(
            name, (value, 100 * top), (0, 8), textcoords="offset points", ha="center", fontsize=8
        )
    axes.set(xscale="log", xlabel=quantity, ylabel="test accuracy [%]")
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.xaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.5)))
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.suptitle(f"Accuracy against {quantity}")


def losses(figure: Any, series: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Draws the training and validation losses of several runs over each other.

    Args:
        figure: to draw on.
        series: for each label ``loss`` and ``val_loss``, epoch by epoch, in nats.
    """
    panels = figure.subplots(1, 2, sharey=True)
    for axes, key, title in zip(
        panels, ("loss", "val_loss"), ("training", "validation"), strict=True
    ):
        for label, history in series.items():
            axes.plot(range(1, len(history[key]) + 1), history[key], label=label, alpha=0.8)
        axes.set(xlabel="epoch", title=title, yscale="log")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("loss without penalties [nats]")
    panels[1].legend()
    figure.suptitle("Losses")


def _sheet(figure: Any, run: Run, rows: np.ndarray) -> None:
    names, answers = run.dataset.class_names, run.predictions
    raw_of = dict(zip(answers["index"].tolist(), answers["raw"], strict=True))
    grid = figure.subplots(4, 5)
    for axes in grid.flat:
        axes.axis("off")
    for axes, row in zip(grid.flat, rows.tolist(), strict=False):
        image = raw_of[row]
        axes.imshow(displayed(image), cmap="gray")
        probabilities, truth = answers["probabilities"][row], answers["labels"][row]
        guess = probabilities.argmax()
        wrong = guess != truth
        caption = f"{names[guess]}  {100 * probabilities[guess]:.0f} %"
        axes.set_title(
            f"{caption}, is {names[truth]}" if wrong else caption,
            color="firebrick" if wrong else "black",
            fontsize=9,
        )
