"""The models by name. Importing it imports neither Keras nor TensorFlow."""

import inspect
from typing import Any

from zoo.errors import ArgumentValueError, UnknownModelError, unknown_name_message
from zoo.specs import ModelSpec

_SPECS: dict[str, ModelSpec] = {}


def register(spec: ModelSpec) -> ModelSpec:
    """Adds a model to the zoo.

    Args:
        spec: the model; its name is that of its builder.

    Returns:
        The spec, unchanged.

    Raises:
        ValueError: if the name is taken.

    Example:
        >>> import zoo
        >>> zoo.register(zoo.get_spec("mlp"))
        Traceback (most recent call last):
        ...
        ValueError: model 'mlp' is registered already, by zoo.models.dense:mlp.
    """
    if spec.name in _SPECS:
        raise ValueError(
            f"model {spec.name!r} is registered already, by {_SPECS[spec.name].builder}."
        )
    _SPECS[spec.name] = spec
    return spec


def get_spec(name: str) -> ModelSpec:
    """Looks a model up.

    Args:
        name: the model's name.

    Returns:
        What the zoo knows of it.

    Raises:
        UnknownModelError: if there is no such model; names the near miss and all there are.

    Example:
        >>> import zoo
        >>> zoo.get_spec("mlp").dataset
        'mnist'
    """
    if name not in _SPECS:
        raise UnknownModelError(unknown_name_message("model", name, _SPECS))
    return _SPECS[name]


def list_models(task: str | None = None) -> list[str]:
    """Lists the models' names, sorted.

    Args:
        task: keep the models of this task only, for example ``"binary_classification"``.

    Returns:
        The names.

    Raises:
        ArgumentValueError: if no model has such a task.

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
    """Builds a model: the same as calling its builder.

    Args:
        name: the model's name.
        **overrides: arguments of its builder, hyperparameters, compile settings and the shapes
            that follow from the data alike. `zoo show NAME` lists them.

    Returns:
        A compiled `keras.Model`; needs no data, and no network unless weights are to be fetched.

    Raises:
        UnknownModelError: if there is no such model; names the near miss and all there are.
        UnknownArgumentError: if its builder takes no such argument; likewise.
        ArgumentValueError: if a value is of the wrong type or out of range.
        WeightsError: if weights cannot be fetched or read, or are another network's.

    Example:
        >>> import zoo
        >>> zoo.build("mlp", units=64).name
        'mlp'
    """
    return get_spec(name).load_builder()(**overrides)


def defaults_of(name: str) -> dict[str, Any]:
    """Gives every setting of a model with its default.

    Args:
        name: the model.

    Returns:
        The arguments of its builder, and the fields of its recipe.

    Raises:
        UnknownModelError: if there is no such model.

    Example:
        >>> from zoo.registry import defaults_of
        >>> defaults_of("mlp")["units"], defaults_of("mlp")["batch_size"]
        (512, 128)
    """
    spec = get_spec(name)
    parameters = inspect.signature(spec.load_builder()).parameters
    arguments = {key: parameter.default for key, parameter in parameters.items()}
    return {**spec.recipe.settings(), **arguments}
