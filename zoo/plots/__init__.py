"""Figures of a run, drawn from its files."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.plots import autoencoder
from zoo.plots.canvas import DOTS_PER_INCH, INCHES, save
from zoo.plots.classification import confusion_matrix, learning_curves, mistakes, samples
from zoo.plots.cnn import augmentations, feature_maps, filters, grad_cam, parameters, weights
from zoo.plots.text import attention, embedding, misread_texts
from zoo.plots.truth_table import decision_surface, row_outputs
from zoo.runs import Run


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
        written.append(save(figure, folder / f"{name}.png"))
    shown = min(len(figures), 4)
    columns = 3 if shown == 3 else 2
    rows = shown // columns
    sheet = Figure(
        figsize=(columns * INCHES[0], rows * INCHES[1]),
        dpi=DOTS_PER_INCH,
        layout="constrained",
    )
    sheet.suptitle(_title(run), fontsize=20)
    parts = sheet.subfigures(rows, columns, squeeze=False).flat
    for part, panel in zip(parts, list(figures.values())[:4], strict=True):
        panel(part, run)
    return [*written, save(sheet, folder / "sheet.png")]


def _figures_for(run: Run) -> dict[str, Callable[[Any, Run], None]]:
    from zoo.evaluation import inspection

    if "reconstructed" in run.predictions:
        return dict(autoencoder.panels(run))
    if run.dataset.kind == "truth_tables":
        return _by_name(learning_curves, decision_surface, row_outputs)
    if run.dataset.kind == "text":
        figures = _by_name(learning_curves, confusion_matrix, misread_texts)
        if any(layer.name == "embedding" for layer in run.model.layers):
            figures |= _by_name(embedding)
        if run.config["model"] == "transformer":
            figures |= _by_name(attention)
        return figures
    figures = _by_name(learning_curves, confusion_matrix, samples, mistakes)
    if run.recipe.images.augmentations:
        figures |= _by_name(augmentations)
    convolutions = inspection.convolutions(run.model)
    if convolutions:
        figures |= _by_name(feature_maps, grad_cam, parameters)
    elif len(inspection.parameters(run.model)) == 1:
        figures |= _by_name(weights)
    for layer in convolutions:
        figures[f"filters_{layer}"] = functools.partial(filters, layer=layer)
    return figures


def _by_name(*panels: Callable[[Any, Run], None]) -> dict[str, Callable[[Any, Run], None]]:
    return {panel.__name__: panel for panel in panels}


def _title(run: Run) -> str:
    if "reconstructed" in run.predictions:
        return autoencoder.title(run)
    rows = "rows" if run.dataset.kind == "truth_tables" else "test rows"
    right = f"{100 * run.metrics['test_accuracy']:.2f} % of the {rows} are right"
    return f"{run.config['model']} on {run.dataset.name}: {right}"
