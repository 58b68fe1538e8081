"""Every picture, drawn from the files of a run.

`draw` makes them all. Each of the other public functions draws one panel: it takes a matplotlib
figure or subfigure to draw on, and a finished run.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from zoo.runs import ROWS_SHOWN, Run, whole, worst_mistakes

INCHES = (10, 6)
DOTS_PER_INCH = 120
MOST_NUMBERED_CLASSES = 20
BOUNDARY_MARGIN = 0.3
COLOURS = "RdBu_r"


def draw(run: Run) -> list[Path]:
    """Draws every figure that fits a finished run, into its ``figures/``.

    Args:
        run: the run.

    Returns:
        The PNG files: one a figure, and ``sheet.png`` with the main ones together.

    Raises:
        RunError: if the run is unfinished or damaged.
    """
    from matplotlib.figure import Figure

    folder = run.directory / "figures"
    figures = _figures_for(run)
    written = []
    for name, panel in figures.items():
        figure = Figure(figsize=INCHES, dpi=DOTS_PER_INCH, layout="constrained")
        panel(figure, run)
        written.append(_save(figure, folder / f"{name}.png"))
    columns = 2 if len(figures) > 3 else 3
    rows = min(len(figures), 4) // columns
    sheet = Figure(
        figsize=(columns * INCHES[0], rows * INCHES[1]),
        dpi=DOTS_PER_INCH,
        layout="constrained",
    )
    sheet.suptitle(_title(run), fontsize=20)
    parts = sheet.subfigures(rows, columns, squeeze=False).flat
    for part, panel in zip(parts, list(figures.values())[:4], strict=True):
        panel(part, run)
    return [*written, _save(sheet, folder / "sheet.png")]


def learning_curves(figure: Any, run: Run) -> None:
    """Loss and accuracy of training and validation, epoch by epoch."""
    history = run.history
    for axes, quantity, unit in zip(
        figure.subplots(1, 2), ("loss", "accuracy"), ("nats, penalties included", "%"), strict=True
    ):
        scale = 100 if unit == "%" else 1
        for prefix, label in (("", "training"), ("val_", "validation")):
            values = scale * np.array(history[prefix + quantity])
            axes.plot(history["epoch"], values, marker=_marker(history), label=label)
        axes.set(xlabel="epoch", ylabel=f"{quantity} [{unit}]")
        axes.xaxis.get_major_locator().set_params(integer=True)
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
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, count, ha="center", va="center", color=colour, fontsize=8)
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
        drawn = axes.imshow(image, cmap=COLOURS, vmin=-limit, vmax=limit)
        axes.set_title(name)
    figure.colorbar(drawn, ax=grid, label="weight [log-odds per full intensity]", shrink=0.8)
    figure.suptitle("Weights of each class: red pixels speak for it, blue ones against")


def decision_surface(figure: Any, run: Run) -> None:
    """The output over the square of the first two inputs, a panel a value of the third."""
    thirds = (0, 1) if run.dataset.input_shape == (3,) else (None,)
    answers = run.predictions
    side = np.linspace(-BOUNDARY_MARGIN, 1 + BOUNDARY_MARGIN, 101)
    x0, x1 = np.meshgrid(side, side)
    panels = figure.subplots(1, len(thirds), squeeze=False)[0]
    for axes, third in zip(panels, thirds, strict=True):
        points = [x0, x1] if third is None else [x0, x1, np.full_like(x0, third)]
        inputs = np.stack(points, axis=-1).reshape(-1, len(points)).astype("float32")
        output = run.model.predict(inputs, batch_size=len(inputs), verbose=0)[:, -1]
        output = output.reshape(x0.shape)
        surface = axes.contourf(x0, x1, output, levels=np.linspace(0, 1, 11), cmap=COLOURS)
        if output.min() < 0.5 < output.max():
            axes.contour(x0, x1, output, levels=[0.5], colors="black", linewidths=2)
        for bits, label in zip(answers["raw"], answers["labels"], strict=True):
            if third is None or bits[2] == third:
                axes.plot(*bits[:2], "o", markersize=16, color="white", markeredgecolor="black")
                axes.text(*bits[:2], str(label), ha="center", va="center")
        axes.set(xlabel="x0", ylabel="x1", aspect="equal")
        axes.set_title("" if third is None else f"x2 = {third}")
    figure.colorbar(surface, ax=list(panels), label="output: probability of 1")
    figure.suptitle("Decision surface: circles hold the targets, the black line is at 0.5")


def row_outputs(figure: Any, run: Run) -> None:
    """The output for each row of the truth table, epoch by epoch."""
    history, answers = run.history, run.predictions
    axes = figure.subplots()
    for bits, label in zip(answers["raw"], answers["labels"], strict=True):
        name = "".join(map(str, bits))
        style = "-" if label else "--"
        axes.plot(
            history["epoch"],
            history[f"output_{name}"],
            style,
            marker=_marker(history),
            label=f"{name} → {label}",
        )
    axes.axhline(0.5, color="grey", linewidth=0.8)
    axes.set(xlabel="epoch", ylabel="output: probability of 1", ylim=(-0.02, 1.02))
    axes.legend(title="row → target", loc="center left", bbox_to_anchor=(1, 0.5))
    axes.grid(alpha=0.3)
    figure.suptitle("Output for each row over training" + _why_half(run))


def _marker(history: dict[str, list[float]]) -> str:
    return "." if len(history["epoch"]) < ROWS_SHOWN else ""


def _why_half(run: Run) -> str:
    without_bias = run.config["arguments"].get("use_bias") is False
    if run.config["model"] == "perceptron" and without_bias:
        return "\nAll-zero row: without a bias its weighted sum is 0, so the output stays 0.5"
    return ""


def _figures_for(run: Run) -> dict[str, Callable[[Any, Run], None]]:
    if run.dataset.kind == "truth_tables":
        return {
            figure.__name__: figure for figure in (learning_curves, decision_surface, row_outputs)
        }
    dense = [layer for layer in run.model.layers if type(layer).__name__ == "Dense"]
    linear = [weights] if len(dense) == 1 else []
    return {
        figure.__name__: figure
        for figure in (learning_curves, confusion_matrix, samples, mistakes, *linear)
    }


def _sheet(figure: Any, run: Run, rows: np.ndarray) -> None:
    names, answers = run.dataset.class_names, run.predictions
    raw_of = dict(zip(answers["index"].tolist(), answers["raw"], strict=True))
    grid = figure.subplots(4, 5)
    for axes in grid.flat:
        axes.axis("off")
    for axes, row in zip(grid.flat, rows.tolist(), strict=False):
        image = raw_of[row]
        axes.imshow(image[..., 0] if image.shape[2] == 1 else image, cmap="gray")
        probabilities, truth = answers["probabilities"][row], answers["labels"][row]
        guess = probabilities.argmax()
        wrong = guess != truth
        caption = f"{names[guess]}  {100 * probabilities[guess]:.0f} %"
        axes.set_title(
            f"{caption}, is {names[truth]}" if wrong else caption,
            color="firebrick" if wrong else "black",
            fontsize=9,
        )


def _title(run: Run) -> str:
    rows = "rows" if run.dataset.kind == "truth_tables" else "test rows"
    right = f"{100 * run.metrics['test_accuracy']:.2f} % of the {rows} are right"
    return f"{run.config['model']} on {run.dataset.name}: {right}"


def _save(figure: Any, path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    with whole(path) as partial:
        figure.savefig(partial)
    return path
