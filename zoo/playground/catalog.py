"""The views of the playground, in the order in which a page offers them."""

from typing import Any

from zoo.errors import InputError, unknown_name_message
from zoo.playground import (
    attention,
    classify_image,
    classify_text,
    denoise,
    feature_maps,
    film,
    hidden_states,
    latent,
    reconstruct,
    truth_table,
)
from zoo.playground.view import Inputs, Panel, View
from zoo.runs import Run

VIEWS: tuple[View, ...] = (
    classify_image.VIEW,
    classify_text.VIEW,
    latent.VIEW,
    denoise.VIEW,
    reconstruct.VIEW,
    truth_table.VIEW,
    film.VIEW,
    feature_maps.VIEW,
    hidden_states.VIEW,
    attention.VIEW,
)


def describe(run: Run) -> dict[str, Any]:
    """Return what the page needs to offer a run.

    Args:
        run: a finished run.
    """
    views = [view.describe(run) for view in VIEWS if view.suits(run)]
    return {"summary": _summarize(run), "views": views}


def show(run: Run, name: str, inputs: Inputs) -> list[Panel]:
    """Return the panels of a view.

    Args:
        run: a finished run.
        name: name of the view.
        inputs: values of its controls by name.

    Raises:
        InputError: if the run has no such view, or a value is invalid.
    """
    views = {view.name: view for view in VIEWS if view.suits(run)}
    if name not in views:
        raise InputError(unknown_name_message("view", name, views))
    return views[name].show(run, inputs)


def _summarize(run: Run) -> str:
    """Return one line: model, dataset and main test metric."""
    metrics = run.metrics
    for key, text in (
        ("test_accuracy", "test accuracy {:.2%}"),
        ("test_mse", "test mean squared error {:.5f}"),
        ("test_loss", "test loss {:.2f} nats per image"),
    ):
        if key in metrics:
            return f"{run.config['model']} on {run.dataset.name}, {text.format(metrics[key])}"
    return f"{run.config['model']} on {run.dataset.name}"
