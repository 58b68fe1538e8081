"""Truth tables: every row of a Boolean function, which is all that there is to know of it.

Training, validation and test are the same rows: the question is whether a network can represent
the function and find it, not whether it generalizes.
"""

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import keras
import numpy as np

from zoo.artifacts.reader import bits
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
_SOME_ROWS = {"first_input": ((1, 1, 0), (1, 0, 0), (0, 1, 0), (0, 0, 0))}


def read(spec: DatasetSpec, data_dir: str | Path | None) -> tuple[dict[str, Rows], str]:
    """Computes the table.

    Args:
        spec: the data set.
        data_dir: plays no part.

    Returns:
        The same rows as ``train``, ``validation`` and ``test``, and the version.
    """
    bits = _SOME_ROWS.get(spec.name) or tuple(product((0, 1), repeat=spec.input_shape[0]))
    labels = [_FUNCTIONS[spec.name](*row) for row in bits]
    table = Rows(np.array(bits, np.uint8), np.array(labels, np.int64))
    return dict.fromkeys(("train", "validation", "test"), table), f"{spec.name}/1.0.0"


def raw_shape(spec: DatasetSpec) -> tuple[int | None, ...]:
    """Gives the shape of a raw row: ``(bits,)``.

    Args:
        spec: the data set.
    """
    return spec.input_shape


def preprocessor(spec: DatasetSpec, options: None, train: np.ndarray) -> keras.Layer:
    """Makes the layer from bits to floats, ``(batch, bits)`` each.

    Args:
        spec: the data set.
        options: there are none.
        train: plays no part.
    """
    return keras.Sequential(
        [
            keras.Input(raw_shape(spec), dtype=INPUT_DTYPE, name=INPUT_NAME),
            keras.layers.Rescaling(1.0, name="as_float"),
        ],
        name="preprocessor",
    )


def augmentation(spec: DatasetSpec, options: None, train: np.ndarray) -> tuple[keras.Layer, ...]:
    """Alters nothing.

    Args:
        spec: the data set.
        options: there are none.
        train: plays no part.
    """
    return ()


def parse(spec: DatasetSpec, inputs: Sequence[str] | np.ndarray) -> list[np.ndarray]:
    """Turns strings of 0 and 1, such as ``"110"``, or sequences of bits into raw rows.

    Args:
        spec: the data set.
        inputs: the rows.

    Returns:
        One array of shape ``(bits,)`` a row.

    Raises:
        InputError: if a row has another number of bits, or anything but 0 and 1.
    """
    if isinstance(inputs, str):
        raise InputError(f"{inputs}: give a list of rows, even of one.")
    with reraise_reader_errors(InputError):
        return [bits(row, *spec.input_shape) for row in inputs]
