"""Weights by name: what ``weights.safetensors`` of a packed run holds, and what fine-tuning copies.

A weight is named by the layers that contain it, such as ``encoder/hidden_1/kernel``.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from zoo.errors import WeightsError
from zoo.runs.files import atomic_write

STORED_DTYPE = np.float16
LARGEST = float(np.finfo(STORED_DTYPE).max)


def named_weights(model: keras.Model, prefix: str = "") -> dict[str, keras.Variable]:
    """Return the weights of a model by name, in the order of its layers.

    Args:
        model: a model whose layers are named by its builder.
        prefix: put in front of each name.
    """
    named: dict[str, keras.Variable] = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            named |= named_weights(layer, f"{prefix}{layer.name}/")
        else:
            named |= {prefix + _name_within(layer, each): each for each in layer.weights}
    return named


def _name_within(layer: keras.Layer, variable: keras.Variable) -> str:
    """Return the path of a variable, which in a loaded file may begin within a wrapper."""
    begins_with_layer = variable.path.startswith(f"{layer.name}/")
    return variable.path if begins_with_layer else f"{layer.name}/{variable.path}"


def write_weights(model: keras.Model, path: Path) -> None:
    """Write the weights of a model as a safetensors file, in half precision but for scalars.

    Args:
        model: the model.
        path: the file.

    Raises:
        WeightsError: if a weight is not finite or too large for half precision.
    """
    from safetensors.numpy import save_file

    arrays = {name: variable.numpy() for name, variable in named_weights(model).items()}
    for name, array in arrays.items():
        if array.ndim and not (np.abs(array) <= LARGEST).all():
            raise WeightsError(f"{name} of {model.name}: half precision ends at {LARGEST:g}.")
    stored = {name: _round(array) for name, array in arrays.items()}
    with atomic_write(path) as partial:
        save_file(stored, partial)


def digest_of_weights(model: keras.Model) -> str:
    """Return the SHA-256 digest of the weights of a model, of all their bits.

    Args:
        model: the model.
    """
    digest = hashlib.sha256()
    for name, variable in named_weights(model).items():
        digest.update(name.encode() + np.ascontiguousarray(variable.numpy()).tobytes())
    return digest.hexdigest()


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Read a safetensors file, in single precision.

    Args:
        path: the file.

    Raises:
        WeightsError: if it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a readable weights file: {error}.") from error
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def assign_weights(model: keras.Model, arrays: Mapping[str, np.ndarray], source: str) -> None:
    """Set all weights of a model, or none.

    Args:
        model: the model.
        arrays: its weights by name.
        source: where they come from, for messages.

    Raises:
        WeightsError: if they are not those of this model.
    """
    variables = named_weights(model)
    for name in sorted(variables.keys() ^ arrays.keys()):
        problem = "lack" if name in variables else "have"
        raise WeightsError(
            f"the weights of {source} do not fit {model.name}: they {problem} {name}."
        )
    for name, variable in variables.items():
        if tuple(variable.shape) != arrays[name].shape:
            raise WeightsError(
                f"the weights of {source} do not fit {model.name}: {name} has shape "
                f"{arrays[name].shape}, expected {tuple(variable.shape)}."
            )
    for name, variable in variables.items():
        variable.assign(arrays[name])


def _round(array: np.ndarray) -> np.ndarray:
    return array.astype(STORED_DTYPE) if array.ndim else array
