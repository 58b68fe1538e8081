"""Panels of truth tables.

They draw on a matplotlib figure or subfigure, from a finished run.
"""

from typing import Any

import numpy as np

from zoo.plots.canvas import DIVERGING_COLORMAP, choose_marker
from zoo.plots.curves import Curves
from zoo.runs import Run

BOUNDARY_MARGIN = 0.3


def decision_surface(figure: Any, run: Run) -> None:
    """Plot the output over the first two inputs, one panel per value of the third."""
    from zoo.evaluation import inspection

    thirds = (0, 1) if run.dataset.input_shape == (3,) else (None,)
    predictions = run.predictions
    side = np.linspace(-BOUNDARY_MARGIN, 1 + BOUNDARY_MARGIN, 101)
    panels = figure.subplots(1, len(thirds), squeeze=False)[0]
    for axes, third in zip(panels, thirds, strict=True):
        output = inspection.decision_surface(run.model, side, third)
        surface = axes.contourf(
            side, side, output, levels=np.linspace(0, 1, 11), cmap=DIVERGING_COLORMAP
        )
        if output.min() < 0.5 < output.max():
            axes.contour(side, side, output, levels=[0.5], colors="black", linewidths=2)
        for bits, label in zip(predictions["raw"], predictions["labels"], strict=True):
            if third is None or bits[2] == third:
                axes.plot(*bits[:2], "o", markersize=16, color="white", markeredgecolor="black")
                axes.text(*bits[:2], str(label), ha="center", va="center")
        axes.set(xlabel="x0", ylabel="x1", aspect="equal")
        axes.set_title("" if third is None else f"x2 = {third}")
    figure.colorbar(surface, ax=list(panels), label="output: probability of 1")
    figure.suptitle("Decision surface: targets in circles, decision boundary in black")


def row_outputs(figure: Any, run: Run) -> None:
    """Plot the output for each row of the truth table by epoch."""
    curves = output_curves(run)
    axes = figure.subplots()
    for name, values in curves.values.items():
        style, marker = "-" if name.endswith("1") else "--", choose_marker(curves.epochs)
        axes.plot(curves.epochs, values, style, marker=marker, label=name)
    axes.axhline(0.5, color="gray", linewidth=0.8)
    axes.set(xlabel="epoch", ylabel=curves.label, ylim=(-0.02, 1.02))
    axes.legend(title="row → target", loc="center left", bbox_to_anchor=(1, 0.5))
    axes.grid(alpha=0.3)
    figure.suptitle("Output for each row by epoch" + _explain_zero_row(run))


def output_curves(run: Run) -> Curves:
    """Return the output for each row of the truth table, by row and target.

    Args:
        run: finished run on a truth table.
    """
    history, predictions = run.history, run.predictions
    values = {}
    for bits, label in zip(predictions["raw"], predictions["labels"], strict=True):
        row = "".join(map(str, bits))
        values[f"{row} → {label}"] = history[f"output_{row}"]
    return Curves("output: probability of 1", history["epoch"], values)


def _explain_zero_row(run: Run) -> str:
    without_bias = run.config["arguments"].get("use_bias") is False
    if run.config["model"] == "perceptron" and without_bias:
        return "\nAll-zero row: without a bias its weighted sum is 0, so its output stays at 0.5"
    return ""
