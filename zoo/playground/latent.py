"""View: a walk through the latent space of a variational autoencoder."""

from typing import Any

import numpy as np

from zoo.evaluation.latent import decode, is_variational
from zoo.playground import panels
from zoo.playground.controls import choice_control, read_choice
from zoo.playground.view import Control, Inputs, Panel, View
from zoo.registry import get_spec
from zoo.runs import Run
from zoo.serving.rows import CONVERTERS
from zoo.tasks import TASKS

MAX_POINTS = 1000
MAX_SLIDERS = 8
MIN_LIMIT = 3.0
QUANTILE = 0.995


def suits(run: Run) -> bool:
    """Return whether a run has a variational autoencoder with two or more latent dimensions.

    Args:
        run: the run.
    """
    task = TASKS[get_spec(run.config["model"]).task]
    if task.target == "label" or not is_variational(run.model):
        return False
    return len(run.predictions["divergences"]) > 1


def scatter(run: Run) -> dict[str, Any]:
    """Return the latent codes of test images in the two most informative dimensions.

    Args:
        run: a run that `suits`.

    Returns:
        ``points``; ``labels``, the index of the class of each; ``names`` of the classes; and
        ``limit``, the largest coordinate shown.
    """
    stored = run.predictions
    chosen = stored["codes"][:MAX_POINTS, informative_dimensions(run)[:2]]
    limit = np.ceil(max(MIN_LIMIT, np.quantile(np.abs(chosen), QUANTILE)))
    return {
        "points": np.round(chosen, 3).tolist(),
        "labels": stored["labels"][:MAX_POINTS].tolist(),
        "names": list(run.dataset.class_names),
        "limit": float(limit),
    }


def informative_dimensions(run: Run) -> list[int]:
    """Return the latent dimensions by their mean KL divergence, the largest first.

    Args:
        run: a run that `suits`.
    """
    return np.argsort(-run.predictions["divergences"], kind="stable").tolist()


def controls(run: Run) -> list[Control]:
    """Return the control for the code, and for the class if there is one.

    Args:
        run: the run.
    """
    dimensions, shown = informative_dimensions(run), scatter(run)
    plane = {
        "kind": "plane",
        "name": "code",
        "axes": dimensions[:2],
        "dimensions": dimensions[:MAX_SLIDERS],
        "limit": shown["limit"],
        "scatter": shown,
        "value": [0.0] * len(dimensions),
    }
    names = run.dataset.class_names
    return [plane, *([choice_control("label", "Class", names, names[0])] if _of_class(run) else [])]


def show(run: Run, inputs: Inputs) -> list[Panel]:
    """Decode a latent code, under every class if the model is class-conditional.

    Args:
        run: the run.
        inputs: the code, and the class.

    Raises:
        InputError: if the code is no list of as many numbers as the model has dimensions.
    """
    size = len(run.predictions["divergences"])
    code = np.asarray(CONVERTERS["code"]([inputs.get("code")], (size,), {}, 0))
    if not _of_class(run):
        (image,) = decode(run.model, code)
        return [panels.pictures("Decoded image", {"": image})]
    names = run.dataset.class_names
    label = read_choice(inputs, "label", names)
    images = decode(run.model, np.repeat(code, len(names), axis=0), np.arange(len(names)))
    by_class = dict(zip(names, images, strict=True))
    return [
        panels.pictures("Decoded image", {label: by_class[label]}),
        panels.pictures("The same code under every class", by_class, small=True),
    ]


def _of_class(run: Run) -> bool:
    """Return whether the model is class-conditional."""
    return len(run.model.inputs) > 1


VIEW = View(
    name="walk",
    title="Walk through the latent space",
    notice="Drag slowly from one cluster to another: the images change without a break, also where "
    "no image was ever encoded. The dots are test images, colored by class.",
    origin="The image is what the decoder gives for the code, as the artifact's decode does. The "
    "plane has the two dimensions with the largest mean KL divergence.",
    suits=suits,
    controls=controls,
    show=show,
)
