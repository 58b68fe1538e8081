"""Models that start from trained weights: those of the package, or of a run."""

import hashlib
from pathlib import Path
from typing import Any

import keras

from zoo.errors import WeightsError
from zoo.pretrained.catalog import find
from zoo.pretrained.hub import is_reference
from zoo.registry import get_spec
from zoo.runs import PACKED_WEIGHTS, Run, load_run
from zoo.runs.weights import named_weights
from zoo.specs import list_to_tuple, require_choice
from zoo.tasks import TASKS

FREEZES = ("none", "backbone")


def source_of(name: str, weights: str) -> Run:
    """Open the run whose weights a model starts from.

    Args:
        name: name of the model.
        weights: dataset of a trained model of the package, directory of a run, or
            ``hf://USER/NAME``.

    Raises:
        WeightsError: if there is no such run, or it is of another model.
        HubError: if a model of the Hugging Face Hub cannot be read.
    """
    is_run = is_reference(weights) or (Path(weights) / "config.json").is_file()
    run = load_run(weights if is_run else find(name, weights))
    if run.config["model"] != name:
        raise WeightsError(f"weights={weights!r} are those of {run.config['model']}, not {name}.")
    return run


def digest_of_source(run: Run) -> str:
    """Return the SHA-256 digest of the file with the weights of a run.

    Args:
        run: a finished run.
    """
    packed = run.directory / PACKED_WEIGHTS
    path = packed if packed.exists() else run.file("model.keras")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def build_from(name: str, *, weights: str, freeze: str = "none", **overrides: Any) -> keras.Model:
    """Build a model that starts from trained weights; `zoo.build` calls it.

    Args:
        name: name of the model.
        weights: dataset of a trained model of the package, directory of a run, or
            ``hf://USER/NAME``.
        freeze: ``"none"``; or ``"backbone"``, all layers but the output layer.
        **overrides: arguments of the builder where they are not to be those of the run. If
            `num_classes` is another, the output layer of a classifier starts at random.

    Raises:
        WeightsError: if there are no such weights, or they do not fit the model.
        ArgumentValueError: if a value is out of range.
    """
    require_choice("freeze", freeze, FREEZES)
    source = source_of(name, weights)
    stored = source.config["arguments"]
    arguments = {key: list_to_tuple(value) for key, value in stored.items()} | overrides
    model = get_spec(name).load_builder()(**arguments)
    _copy_weights(source, model)
    freeze_layers(model, freeze)
    return model


def freeze_layers(model: keras.Model, freeze: str) -> None:
    """Freeze layers of a model that has not been trained yet.

    Args:
        model: the model.
        freeze: ``"none"`` or ``"backbone"``.
    """
    if freeze == "backbone":
        for layer in model.layers[:-1]:
            layer.trainable = False


def _copy_weights(source: Run, model: keras.Model) -> None:
    """Copy all weights; those of an output layer for other classes stay at random."""
    variables, given = named_weights(model), named_weights(source.model)
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    differing = [name for name in shapes if name not in given or shapes[name] != given[name].shape]
    is_classifier = TASKS[get_spec(model.name).task].target == "label"
    output = f"{model.layers[-1].name}/" if is_classifier else None
    for name in differing:
        if output is None or not name.startswith(output):
            found = tuple(given[name].shape) if name in given else "none"
            raise WeightsError(
                f"the weights of {source.directory} do not fit {model.name}: {name} has shape "
                f"{shapes[name]} here, and {found} there."
            )
    for name, variable in variables.items():
        if not (differing and output and name.startswith(output)):
            variable.assign(given[name])
