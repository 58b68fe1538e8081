"""The search space of one search: a model's default space with the user's changes."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuning import spaces
from zoo.errors import ArgumentValueError, UnknownArgumentError, unknown_name_message
from zoo.registry import get_defaults

if TYPE_CHECKING:
    import keras_tuner

RANGE_KEYS = {"min", "max", "step", "sampling"}
SAMPLINGS = ("linear", "log")


def search_space(
    name: str, changes: Mapping[str, Any] | None = None
) -> "keras_tuner.HyperParameters":
    """Return the search space of a model.

    Args:
        name: name of the model.
        changes: replacements for entries of `tuning.spaces`, by hyperparameter: a list of values;
            a range such as ``{"min": 16, "max": 256, "sampling": "log"}``, with an optional
            ``"step"``, of integers if both ends are integers; or a single value, which is fixed.

    Returns:
        The space as keras-tuner describes it, with its values at the defaults.

    Raises:
        UnknownModelError: if there is no such model.
        UnknownArgumentError: if the model has no search space, or no hyperparameter of a name in
            `changes`.
        ArgumentValueError: if a change is not a list, a range or a value.

    Example:
        >>> from tuning.space import search_space
        >>> search_space("softmax_regression", {"l2": 0.0, "batch_size": [16, 32]}).values
        {'l2': 0.0, 'batch_size': 32, 'learning_rate': 0.03}
    """
    import keras_tuner

    defaults = get_defaults(name)
    if not hasattr(spaces, name):
        raise UnknownArgumentError(
            f"{name} has no search space: add a function of this name to tuning.spaces."
        )
    space = keras_tuner.HyperParameters()
    for key, change in (changes or {}).items():
        if key not in defaults:
            message = unknown_name_message(f"hyperparameter of {name}", key, defaults)
            raise UnknownArgumentError(message)
        _declare(space, key, change, defaults[key])
    getattr(spaces, name)(space, defaults)  # keras-tuner keeps what is declared already
    return space


def read_changes(path: Path) -> dict[str, Any]:
    """Read changes of a search space from a file.

    Args:
        path: TOML file if it ends in ``.toml``, JSON file otherwise, with a table such as
            `search_space` takes.

    Returns:
        The changes, by hyperparameter.

    Raises:
        ArgumentValueError: if the file cannot be read, or does not hold a table.
    """
    try:
        text = path.read_text()
        changes = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise ArgumentValueError(f"{path}: {error}") from error
    if not isinstance(changes, dict):
        raise ArgumentValueError(f"{path}: must be a table of hyperparameters.")
    return changes


def describe_space(space: "keras_tuner.HyperParameters") -> list[dict[str, Any]]:
    """Return a search space as plain data.

    Args:
        space: search space.

    Returns:
        One entry per hyperparameter: its ``name``, its ``kind`` as keras-tuner calls it, and the
        fields of that kind.

    Example:
        >>> from tuning.space import describe_space, search_space
        >>> describe_space(search_space("perceptron", {"learning_rate": 0.1}))[0]
        {'name': 'learning_rate', 'kind': 'Fixed', 'value': 0.1}
    """
    renamed = {"min_value": "min", "max_value": "max"}
    rows = []
    for hyperparameter in space.space:
        fields = {
            renamed.get(key, key): value
            for key, value in hyperparameter.get_config().items()
            if value is not None and key not in ("name", "conditions", "ordered")
        }
        kind = type(hyperparameter).__name__
        rows.append({"name": hyperparameter.name, "kind": kind, **fields})
    return rows


def boundary_points(space: "keras_tuner.HyperParameters") -> list[dict[str, Any]]:
    """Return points of a search space that between them reach every end and choice of it.

    Args:
        space: search space.

    Returns:
        The values of each point. The first has the defaults; each of the others differs from it
        in one hyperparameter, which is at an end of its range or at one of its choices.
    """
    points = [dict(space.values)]
    for hyperparameter in space.space:
        values = getattr(hyperparameter, "values", ())
        if hasattr(hyperparameter, "min_value"):
            values = (hyperparameter.min_value, hyperparameter.max_value)
        points += [
            {**space.values, hyperparameter.name: value}
            for value in values
            if value != space.values[hyperparameter.name]
        ]
    return points


def _declare(space: Any, key: str, change: Any, default: Any) -> None:
    try:
        if isinstance(change, list):
            space.Choice(key, change, default=default if default in change else change[0])
        elif isinstance(change, Mapping):
            _declare_range(space, key, dict(change), default)
        else:
            space.Fixed(key, change)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise ArgumentValueError(
            f"space of {key}: {change!r} must be a single value, a list of values of one type, or "
            f"a range such as {{min = 1, max = 8}} with an optional step or sampling = 'log'."
        ) from error


def _declare_range(space: Any, key: str, change: dict[str, Any], default: Any) -> None:
    minimum, maximum = change["min"], change["max"]
    sampling = change.get("sampling", "linear")
    if not change.keys() <= RANGE_KEYS or sampling not in SAMPLINGS or not minimum < maximum:
        raise ValueError
    is_integer = isinstance(minimum, int) and isinstance(maximum, int)
    nearest = default if isinstance(default, int | float) else minimum
    declare = space.Int if is_integer else space.Float
    declare(
        key,
        minimum,
        maximum,
        step=change.get("step"),
        sampling=sampling,
        default=min(max(nearest, minimum), maximum),
    )
