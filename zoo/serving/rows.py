"""Conversion of received values to the rows of an input, refusing those that it cannot be."""

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from zoo.artifacts import reader
from zoo.data.readers import reraise_reader_errors
from zoo.errors import InputError

Values = np.ndarray | Sequence[Any]
Converter = Callable[[Values, tuple[int, ...], Mapping[str, Any], int], Values]
MAX_TEXT_BYTES = 2**20
BYTES_PER_PIXEL = 4


class _ImageFile(io.BytesIO):
    """The content of an image file, which messages describe by its size."""

    def __str__(self) -> str:
        return f"image: a file of {self.getbuffer().nbytes} bytes"

    def decode(self, channels: int, max_bytes: int) -> np.ndarray:
        """Decode the image, unless it would have more than a number of bytes."""
        width, height = self._read_size()
        if width * height * BYTES_PER_PIXEL > max_bytes:
            raise InputError(
                f"{self} has {width} x {height} pixels; expected at most "
                f"{max_bytes // BYTES_PER_PIXEL}."
            )
        self.seek(0)
        try:
            return reader.decode_image(self, channels)
        except reader.ReaderError:
            raise
        except Exception as error:  # Pillow's decoders raise anything
            raise InputError(f"{self} cannot be read as an image: {error}.") from None

    def _read_size(self) -> tuple[int, int]:
        from PIL import Image

        try:
            with warnings.catch_warnings(action="ignore"):
                return Image.open(self).size  # reads the header only
        except Exception:
            return 0, 0  # decoding says what is wrong


def num_rows(values: Values) -> int:
    """Return the number of rows of what was received for an input.

    Args:
        values: the values.

    Raises:
        InputError: if it is not a list.
    """
    if isinstance(values, np.ndarray) and values.ndim == 0:
        raise InputError("received a single number; expected one value per row.")
    return len(values)


def _to_texts(
    values: Values, shape: tuple[int, ...], facts: Mapping[str, Any], max_bytes: int
) -> Values:
    for text in values:
        if not isinstance(text, str | bytes):
            raise InputError(f"text: received {_describe(text)}; expected a string.")
        if len(text) > MAX_TEXT_BYTES:
            raise InputError(
                f"text: received {len(text)} characters; expected at most {MAX_TEXT_BYTES}."
            )
    texts = np.empty(len(values), object)
    texts[:] = [
        text.encode("utf-8", "replace") if isinstance(text, str) else text for text in values
    ]
    return texts


def _to_images(
    values: Values, shape: tuple[int, ...], facts: Mapping[str, Any], max_bytes: int
) -> Values:
    channels = shape[-1]
    if (
        isinstance(values, np.ndarray)
        and values.ndim == 4
        and values.size
        and (values.dtype == np.uint8 and values.shape[3] == channels)
    ):
        return values
    with reraise_reader_errors(InputError):
        return [_to_image(value, channels, max_bytes) for value in values]


def _to_image(value: Any, channels: int, max_bytes: int) -> np.ndarray:
    if isinstance(value, bytes):
        return _ImageFile(value).decode(channels, max_bytes)
    if isinstance(value, str):
        raise InputError('image: received a string; expected {"b64": "..."} or nested lists.')
    array = value if isinstance(value, np.ndarray) else to_array(value, "image")
    if array.dtype.kind == "i" and array.size and array.min() >= 0 and array.max() <= 255:
        array = array.astype(np.uint8)
    if array.dtype.kind in "if":
        raise InputError(
            f"image: received {_describe(array)}; expected uint8, integers from 0 to 255."
        )
    return reader.decode_image(array, channels)


def _to_bits(
    values: Values, shape: tuple[int, ...], facts: Mapping[str, Any], max_bytes: int
) -> Values:
    (count,) = shape
    with reraise_reader_errors(InputError):
        return np.stack([reader.parse_bits(_to_plain(value), count) for value in values])


def _to_plain(value: Any) -> Any:
    """Return a row of bits as a string or a list of integers."""
    if isinstance(value, np.ndarray):
        return value.astype(int).tolist() if value.dtype.kind in "bui" else value.tolist()
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value


def _to_codes(
    values: Values, shape: tuple[int, ...], facts: Mapping[str, Any], max_bytes: int
) -> Values:
    array = values if isinstance(values, np.ndarray) else to_array(values, "code")
    if array.dtype.kind not in "uif" or array.shape[1:] != shape:
        raise InputError(
            f"code: received {_describe(array)}; expected numbers of shape (batch, "
            f"{', '.join(map(str, shape))})."
        )
    with np.errstate(over="ignore"):
        codes = array.astype(np.float32)
    if not np.isfinite(codes).all():
        raise InputError("code: received NaN or infinite values; expected finite numbers.")
    return codes


def _to_labels(
    values: Values, shape: tuple[int, ...], facts: Mapping[str, Any], max_bytes: int
) -> Values:
    array = values if isinstance(values, np.ndarray) else to_array(values, "label")
    highest = len(facts["class_names"]) - 1
    if array.dtype.kind not in "ui" or array.ndim != 1:
        raise InputError(
            f"label: received {_describe(array)}; expected integers of shape (batch,)."
        )
    if array.min() < 0 or array.max() > highest:
        raise InputError(
            f"label: received {array.min()} to {array.max()}; expected 0 to {highest}."
        )
    return array.astype(np.int64)


def to_array(values: Any, name: str) -> np.ndarray:
    """Return nested lists of numbers as an array.

    Args:
        values: the nested lists.
        name: name of the input.

    Raises:
        InputError: if they are ragged, or not numbers.
    """
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError):
        raise InputError(f"{name}: received lists of different lengths.") from None
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name}: received {_describe(values)}; expected numbers.")
    return array


def _describe(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return f"{type(value).__name__} {repr(value)[:40]}"


CONVERTERS: dict[str, Converter] = {
    "text": _to_texts,
    "image": _to_images,
    "bits": _to_bits,
    "code": _to_codes,
    "label": _to_labels,
}
