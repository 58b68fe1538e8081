"""Figures of a finished run, drawn from its files."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from zoo.plots import autoencoder
from zoo.plots.canvas import DPI, FIGURE_SIZE, save_figure
from zoo.plots.classification import confusion_matrix, learning_curves, mistakes, samples
from zoo.plots.cnn import augmentations, feature_maps, filters, grad_cam, parameters, weights
from zoo.plots.text import attention, embedding, misread_texts
from zoo.plots.truth_table import decision_surface, row_outputs
from zoo.runs import Run

Panel = Callable[[Any, Run], None]
SHEET_PANELS = 4


class Drawing(NamedTuple):
    """A figure that has been drawn: its name, its title, and its PNG file."""

    name: str
    title: str
    path: Path


def draw(run: Run) -> list[Path]:
    """Draw all figures that apply to a finished run into its `figures_directory`.

    Args:
        run: finished run.

    Returns:
        Paths of the PNG files: one per figure, and ``sheet.png`` with the first figures combined.

    Raises:
        RunError: if the run is unfinished or damaged.
    """
    paths = [drawing.path for drawing in draw_figures(run)]
    sheet = _draw_sheet(list(_panels_for(run).values())[:SHEET_PANELS], run)
    return [*paths, save_figure(sheet, run.figures_directory / "sheet.png")]


def draw_figures(run: Run) -> list[Drawing]:
    """Draw the figures that apply to a finished run, without the sheet that combines them.

    Args:
        run: finished run.

    Raises:
        RunError: if the run is unfinished or damaged.
    """
    from matplotlib.figure import Figure

    drawings = []
    for name, panel in _panels_for(run).items():
        figure = Figure(figsize=FIGURE_SIZE, dpi=DPI, layout="constrained")
        panel(figure, run)
        path = save_figure(figure, run.figures_directory / f"{name}.png")
        drawings.append(Drawing(name, figure.get_suptitle(), path))
    return drawings


def _draw_sheet(panels: Sequence[Panel], run: Run) -> Any:
    from matplotlib.figure import Figure

    columns = 3 if len(panels) == 3 else 2
    rows = len(panels) // columns
    sheet = Figure(
        figsize=(columns * FIGURE_SIZE[0], rows * FIGURE_SIZE[1]),
        dpi=DPI,
        layout="constrained",
    )
    sheet.suptitle(title(run), fontsize=20)
    parts = sheet.subfigures(rows, columns, squeeze=False).flat
    for part, panel in zip(parts, panels, strict=True):
        panel(part, run)
    return sheet


def _panels_for(run: Run) -> dict[str, Panel]:
    from zoo.evaluation import inspection

    if "reconstructed" in run.predictions:
        return dict(autoencoder.panels(run))
    if run.dataset.kind == "truth_tables":
        return _by_name(learning_curves, decision_surface, row_outputs)
    if run.dataset.kind == "text":
        panels = _by_name(learning_curves, confusion_matrix, misread_texts)
        if any(layer.name == "embedding" for layer in run.model.layers):
            panels |= _by_name(embedding)
        if run.config["model"] == "transformer":
            panels |= _by_name(attention)
        return panels
    panels = _by_name(learning_curves, confusion_matrix, samples, mistakes)
    if run.recipe.images.augmentations:
        panels |= _by_name(augmentations)
    conv_layers = inspection.conv_layer_names(run.model)
    if conv_layers:
        panels |= _by_name(feature_maps, grad_cam, parameters)
    elif len(inspection.layer_parameters(run.model)) == 1:
        panels |= _by_name(weights)
    for layer in conv_layers:
        panels[f"filters_{layer}"] = functools.partial(filters, layer=layer)
    return panels


def _by_name(*panels: Panel) -> dict[str, Panel]:
    return {panel.__name__: panel for panel in panels}


def title(run: Run) -> str:
    """Return a title with the model, the dataset and the main test metric.

    Args:
        run: finished run.
    """
    if "reconstructed" in run.predictions:
        return autoencoder.title(run)
    label = "accuracy" if run.dataset.kind == "truth_tables" else "test accuracy"
    accuracy = f"{label} {100 * run.metrics['test_accuracy']:.2f} %"
    return f"{run.config['model']} on {run.dataset.name}: {accuracy}"
