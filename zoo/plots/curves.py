"""Curves by epoch: what they are of each kind of run, and how they are drawn."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.plots.canvas import choose_marker
from zoo.runs import Run

SPLITS = {"": "training", "val_": "validation"}
NATS = "nats/image"
LOSSES = {"loss": "loss", "reconstruction_loss": "reconstruction", "kl_loss": "KL divergence"}


@dataclasses.dataclass(frozen=True)
class Curves:
    """Curves by epoch that share an axis.

    Attributes:
        label: label of the axis, with the unit.
        epochs: the epochs.
        values: one value per epoch of each curve, by name.
        is_log: whether the axis is logarithmic.
    """

    label: str
    epochs: Sequence[float]
    values: Mapping[str, Sequence[float]]
    is_log: bool = False


def classifier_curves(run: Run) -> list[Curves]:
    """Return the loss and the accuracy of a classifier.

    Args:
        run: finished run of a classifier.
    """
    is_squared = run.config["arguments"].get("loss") == "mean_squared_error"
    unit = "squared error" if is_squared else "nats, with penalties"
    return [_by_split(run, "loss", f"loss [{unit}]"), _by_split(run, "accuracy", "accuracy [%]")]


def autoencoder_curves(run: Run) -> list[Curves]:
    """Return the loss of an autoencoder, and its terms if it has several.

    Args:
        run: finished run of an autoencoder.
    """
    losses = {key: title for key, title in LOSSES.items() if key in run.history}
    unit = NATS if len(losses) > 1 else "mean squared error"
    return [
        _by_split(run, key, f"{title} [{unit}]", is_log=unit != NATS)
        for key, title in losses.items()
    ]


def draw_curves(axes: Any, curves: Curves) -> None:
    """Draw curves on the axes of matplotlib.

    Args:
        axes: where to draw.
        curves: what to draw.
    """
    marker = choose_marker(curves.epochs)
    for label, values in curves.values.items():
        axes.plot(curves.epochs, values, marker=marker, label=label)
    axes.set(xlabel="epoch", ylabel=curves.label)
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.grid(alpha=0.3)
    axes.legend()
    if curves.is_log:
        axes.set_yscale("log")


def _by_split(run: Run, key: str, label: str, *, is_log: bool = False) -> Curves:
    history, scale = run.history, 100 if label.endswith("[%]") else 1
    values = {
        name: (scale * np.array(history[prefix + key])).tolist() for prefix, name in SPLITS.items()
    }
    return Curves(label, history["epoch"], values, is_log)
