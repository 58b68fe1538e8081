"""The space of one search: what its model may vary, narrowed or widened by the user."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuning import spaces
from zoo.errors import ArgumentValueError, UnknownArgumentError, unknown_name_message
from zoo.registry import defaults_of

if TYPE_CHECKING:
    import keras_tuner

RANGE = {"min", "max", "step", "sampling"}
SAMPLINGS = ("linear", "log")


def space_of(name: str, changes: Mapping[str, Any] | None = None) -> "keras_tuner.HyperParameters":
    """Gives what a search varies.

    Args:
        name: the model.
        changes: for each setting that is to vary otherwise than in `tuning.spaces`: a list of
            its values; a range, such as ``{"min": 16, "max": 256, "sampling": "log"}`` or with a
            ``"step"``, of integers if both its ends are; or one value, which does not vary.

    Returns:
        keras-tuner's description of the space, its values at the defaults.

    Raises:
        UnknownModelError: if there is no such model, or it has no space.
        UnknownArgumentError: if a change is of no setting of the model.
        ArgumentValueError: if a change is none of the three.

    Example:
        >>> from tuning.space import space_of
        >>> space_of("softmax_regression", {"l2": 0.0, "batch_size": [16, 32]}).values
        {'l2': 0.0, 'batch_size': 32, 'learning_rate': 0.03}
    """
    import keras_tuner

    defaults = defaults_of(name)
    if not hasattr(spaces, name):
        raise UnknownArgumentError(
            f"{name} has no space: give tuning.spaces a function of this name, or use --space."
        )
    space = keras_tuner.HyperParameters()
    for key, change in (changes or {}).items():
        if key not in defaults:
            raise UnknownArgumentError(unknown_name_message(f"setting of {name}", key, defaults))
        _declare(space, key, change, defaults[key])
    getattr(spaces, name)(space, defaults)  # what is declared already stays as it is
    return space


def read_changes(path: Path) -> dict[str, Any]:
    """Reads changes of a space from a file.

    Args:
        path: TOML or JSON, by its ending: a table of what `space_of` takes.

    Returns:
        The changes.

    Raises:
        ArgumentValueError: if it cannot be read as such.
    """
    try:
        text = path.read_text()
        changes = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise ArgumentValueError(f"{path}: {error}") from error
    if not isinstance(changes, dict):
        raise ArgumentValueError(f"{path}: must be a table of settings.")
    return changes


def described(space: "keras_tuner.HyperParameters") -> list[dict[str, Any]]:
    """Describes a space in plain data.

    Args:
        space: the space.

    Returns:
        One entry a setting: its ``name``, its ``kind`` as keras-tuner calls it, and what that
        kind holds.

    Example:
        >>> from tuning.space import described, space_of
        >>> described(space_of("perceptron", {"learning_rate": 0.1}))[0]
        {'name': 'learning_rate', 'kind': 'Fixed', 'value': 0.1}
    """
    kept = {"min_value": "min", "max_value": "max"}
    rows = []
    for setting in space.space:
        config = setting.get_config()
        kind = type(setting).__name__
        held = {
            kept.get(key, key): value
            for key, value in config.items()
            if value is not None and key not in ("name", "conditions", "ordered")
        }
        rows.append({"name": setting.name, "kind": kind, **held})
    return rows


def extremes(space: "keras_tuner.HyperParameters") -> list[dict[str, Any]]:
    """Gives for each setting its ends, or all its choices, with the others at their defaults.

    Args:
        space: the space.

    Returns:
        The values of one model each; the first is of defaults alone.
    """
    found = [dict(space.values)]
    for setting in space.space:
        values = getattr(setting, "values", [])
        numbers = hasattr(setting, "min_value")
        for value in (setting.min_value, setting.max_value) if numbers else values:
            if value != space.values[setting.name]:
                found.append({**space.values, setting.name: value})
    return found


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
            f"space of {key}: {change!r} must be one value, a list of values of one type, or a "
            f"range such as {{min = 1, max = 8}} with perhaps a step or sampling = 'log'."
        ) from error


def _declare_range(space: Any, key: str, change: dict[str, Any], default: Any) -> None:
    least, most = change["min"], change["max"]
    sampling = change.get("sampling", "linear")
    if not change.keys() <= RANGE or sampling not in SAMPLINGS or not least < most:
        raise ValueError
    whole = isinstance(least, int) and isinstance(most, int)
    fitting = default if isinstance(default, int | float) else least
    declare = space.Int if whole else space.Float
    declare(
        key,
        least,
        most,
        step=change.get("step"),
        sampling=sampling,
        default=min(max(fitting, least), most),
    )
