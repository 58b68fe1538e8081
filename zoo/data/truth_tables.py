"""Truth tables of Boolean functions.

The training, validation and test splits are the same rows: the question is whether a network can
represent and learn the function, not whether it generalizes.
"""

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import keras
import numpy as np

from zoo.artifacts.reader import parse_bits
from zoo.data.augmentation import Augmentation
from zoo.data.pipeline import Data, Rows
from zoo.data.readers import reraise_reader_errors
from zoo.errors import InputError
from zoo.specs import DatasetSpec

DATA = Data
INPUT_NAME = "bits"
INPUT_DTYPE = "uint8"

_FUNCTIONS: dict[str, Callable[..., bool]] = {
    "and": lambda x0, x1: x0 and x1,
    "or": lambda x0, x1: x0 or x1,
    "xor": lambda x0, x1: x0 != x1,
    "nand": lambda x0, x1: not (x0 and x1),
    "first_input": lambda x0, x1, x2: x0,
    "xor_nand": lambda x0, x1, x2: not ((x0 != x1) and x2),
}
_PARTIAL_TABLES = {"first_input": ((1, 1, 0), (1, 0, 0), (0, 1, 0), (0, 0, 0))}


def read(spec: DatasetSpec, data_dir: str | Path | None) -> tuple[dict[str, Rows], str]:
    """Compute the truth table.

    Args:
        spec: spec of the dataset.
        data_dir: unused.

    Returns:
        The same rows as ``train``, ``validation`` and ``test``, and the dataset version.
    """
    inputs = _PARTIAL_TABLES.get(spec.name) or tuple(product((0, 1), repeat=spec.input_shape[0]))
    labels = [_FUNCTIONS[spec.name](*row) for row in inputs]
    table = Rows(np.array(inputs, np.uint8), np.array(labels, np.int64))
    return dict.fromkeys(("train", "validation", "test"), table), f"{spec.name}/1.0.0"


def raw_shape(spec: DatasetSpec) -> tuple[int | None, ...]:
    """Return the shape of a raw row, ``(bits,)``.

    Args:
        spec: spec of the dataset.
    """
    return spec.input_shape


def preprocessor(spec: DatasetSpec, options: None, train: np.ndarray) -> keras.Layer:
    """Build the layer that casts bits to floats, ``(batch, bits)`` each.

    Args:
        spec: spec of the dataset.
        options: unused.
        train: unused.
    """
    return keras.Sequential(
        [
            keras.Input(raw_shape(spec), dtype=INPUT_DTYPE, name=INPUT_NAME),
            keras.layers.Rescaling(1.0, name="as_float"),
        ],
        name="preprocessor",
    )


def augmentation(spec: DatasetSpec, options: None, train: np.ndarray) -> tuple[Augmentation, ...]:
    """Return no functions: truth tables are not augmented.

    Args:
        spec: spec of the dataset.
        options: unused.
        train: unused.
    """
    return ()


def parse(spec: DatasetSpec, inputs: Sequence[str] | np.ndarray) -> list[np.ndarray]:
    """Convert strings of bits, such as ``"110"``, or sequences of bits to raw rows.

    Args:
        spec: spec of the dataset.
        inputs: the rows.

    Returns:
        One array ``(bits,)`` per row.

    Raises:
        InputError: if a row has the wrong number of bits or contains anything but 0 and 1.
    """
    if isinstance(inputs, str):
        raise InputError(f"expected a list of rows, got the single row {inputs!r}.")
    with reraise_reader_errors(InputError):
        return [parse_bits(row, *spec.input_shape) for row in inputs]
