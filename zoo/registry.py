"""Registry of models by name; importing it imports neither Keras nor TensorFlow."""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

from zoo.errors import ArgumentValueError, UnknownModelError, unknown_name_message
from zoo.specs import ModelSpec

_SPECS: dict[str, ModelSpec] = {}


def register(spec: ModelSpec) -> ModelSpec:
    """Register a model.

    Args:
        spec: catalog entry of the model; its name is that of its builder.

    Returns:
        The spec, unchanged.

    Raises:
        ValueError: if the name is already registered.

    Example:
        >>> import zoo
        >>> zoo.register(zoo.get_spec("mlp"))
        Traceback (most recent call last):
        ...
        ValueError: model 'mlp' is already registered, by zoo.models.dense:mlp.
    """
    if spec.name in _SPECS:
        raise ValueError(
            f"model {spec.name!r} is already registered, by {_SPECS[spec.name].builder}."
        )
    _SPECS[spec.name] = spec
    return spec


def get_spec(name: str) -> ModelSpec:
    """Return the catalog entry of a model.

    Args:
        name: name of the model.

    Returns:
        The entry: builder, task, default dataset, parameter count and training recipe.

    Raises:
        UnknownModelError: if there is no such model; the message suggests the closest name.

    Example:
        >>> import zoo
        >>> zoo.get_spec("mlp").dataset
        'mnist'
    """
    if name not in _SPECS:
        raise UnknownModelError(unknown_name_message("model", name, _SPECS))
    return _SPECS[name]


def list_models(task: str | None = None) -> list[str]:
    """Return the names of the registered models.

    Args:
        task: task by which to filter, for example ``"binary_classification"``; None for all.

    Returns:
        The names, sorted.

    Raises:
        ArgumentValueError: if no model has this task.

    Example:
        >>> import zoo
        >>> zoo.list_models(task="binary_classification")
        ['perceptron', 'two_layer_perceptron']
    """
    tasks = {spec.task for spec in _SPECS.values()}
    if task is not None and task not in tasks:
        raise ArgumentValueError(unknown_name_message("task", task, tasks))
    return sorted(name for name, spec in _SPECS.items() if task in (None, spec.task))


def build(name: str, **overrides: Any) -> Any:
    """Build a compiled model by calling its builder.

    The model consists of stock Keras layers and the layers in `zoo.layers`. `zoo.train` and
    `zoo.accelerate` swap faster layers in for training. No data is read, and nothing is downloaded
    unless pretrained weights are requested.

    Args:
        name: name of the model.
        **overrides: arguments of the builder: hyperparameters, compile settings and data-dependent
            sizes. The command ``zoo show NAME`` lists them. Every model also takes ``weights``, the
            dataset on which a model of the package was trained, or the directory of a run, from
            which the model starts; and then ``freeze="backbone"``, which freezes all layers but the
            output layer.

    Returns:
        A compiled `keras.Model`.

    Raises:
        UnknownModelError: if there is no such model; the message suggests the closest name.
        UnknownArgumentError: if the builder has no such argument; likewise.
        ArgumentValueError: if a value has the wrong type or is out of range.
        WeightsError: if weights cannot be downloaded or read, or do not match the model.

    Example:
        >>> import zoo
        >>> zoo.build("mlp", units=64).name
        'mlp'
    """
    builder = get_spec(name).load_builder()
    if overrides.get("weights") is None or has_own_weights(builder):
        return builder(**overrides)
    fine_tuning = importlib.import_module("zoo.pretrained.fine_tuning")  # which imports this module
    return fine_tuning.build_from(name, **overrides)


def has_own_weights(builder: Callable[..., Any]) -> bool:
    """Return whether a builder itself has an argument ``weights``.

    Args:
        builder: the builder of a model.
    """
    return "weights" in inspect.signature(builder).parameters


def get_defaults(name: str) -> dict[str, Any]:
    """Return the default values of all settings of a model.

    Args:
        name: name of the model.

    Returns:
        The defaults of the builder's arguments and of the recipe's settings, by name.

    Raises:
        UnknownModelError: if there is no such model.

    Example:
        >>> from zoo.registry import get_defaults
        >>> get_defaults("mlp")["units"], get_defaults("mlp")["batch_size"]
        (512, 128)
    """
    spec = get_spec(name)
    parameters = inspect.signature(spec.load_builder()).parameters
    arguments = {key: parameter.default for key, parameter in parameters.items()}
    return {**spec.recipe.settings(), **arguments}
