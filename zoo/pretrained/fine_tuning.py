"""Models that start from trained weights: those of the package, or of a run."""

import hashlib
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.checks import require_choice
from zoo.errors import WeightsError
from zoo.pretrained.catalog import find
from zoo.pretrained.hub import is_reference
from zoo.registry import get_spec
from zoo.runs import PACKED_WEIGHTS, Run, load_run
from zoo.runs.weights import named_weights
from zoo.specs import list_to_tuple
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
            `num_classes` is another, the output layer of a classifier starts at random; if
            `vocab_size` is larger, so do the weights of the new words.

    Raises:
        WeightsError: if there are no such weights, or they do not fit the model.
        ArgumentValueError: if a value is out of range.
    """
    require_choice("freeze", freeze, FREEZES)
    source = source_of(name, weights)
    stored = source.config["arguments"]
    arguments = {key: list_to_tuple(value) for key, value in stored.items()} | overrides
    model = get_spec(name).load_builder()(**arguments)
    _copy_weights(source, model, arguments.get("vocab_size"))
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


def _copy_weights(source: Run, model: keras.Model, vocab_size: int | None) -> None:
    """Copy all weights; those of new words, and of an output layer for other classes, stay random.

    Args:
        source: the run with the weights.
        model: the model that they are copied to.
        vocab_size: size of its vocabulary, which extends that of the run; None if it has none.

    Raises:
        WeightsError: if they do not fit.
    """
    given = named_weights(source.model)
    is_classifier = TASKS[get_spec(model.name).task].target == "label"
    output = f"{model.layers[-1].name}/" if is_classifier else None
    for name, variable in named_weights(model).items():
        shape = tuple(variable.shape)
        found = tuple(given[name].shape) if name in given else None
        if found == shape:
            variable.assign(given[name])
        elif found and shape == (vocab_size, *found[1:]) and shape[0] > found[0]:
            new_words = keras.ops.convert_to_numpy(variable)[found[0] :]
            variable.assign(np.concatenate([keras.ops.convert_to_numpy(given[name]), new_words]))
        elif output is None or not name.startswith(output):
            raise WeightsError(
                f"the weights of {source.directory} do not fit {model.name}: {name} has shape "
                f"{shape} here, and {found or 'none'} there."
            )
