"""Arrays as pictures that a page can show."""

import base64
import io
from typing import Any

import numpy as np

DIVERGING_COLORMAP = "RdBu_r"
SEQUENTIAL_COLORMAP = "viridis"
FOR, AGAINST = (230, 40, 30), (30, 110, 230)  # red and blue that stay clear on black and white
MAX_OPACITY = 0.8


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Return an image with 8 bits per channel.

    Args:
        image: ``(height, width)`` or ``(height, width, channels)``: uint8, or intensities in
            [0, 1], which are clipped to that range.
    """
    if image.dtype == np.uint8:
        return image
    return np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)


def to_png(image: np.ndarray) -> str:
    """Return an image as a PNG file in a ``data:`` address.

    Args:
        image: as `to_uint8` takes it, with 1 or 3 channels.
    """
    from PIL import Image

    pixels = to_uint8(image)
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels).save(file, "png")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def scale_to_unit(values: np.ndarray) -> np.ndarray:
    """Map the smallest value to 0 and the largest to 1, or all to 0 if they are equal.

    Args:
        values: array of any shape.
    """
    values = np.asarray(values, np.float64)
    extent = np.ptp(values)
    return (values - values.min()) / (extent or 1)


def color(values: np.ndarray, limit: float | None = None) -> np.ndarray:
    """Color values: red above 0, blue below.

    Args:
        values: ``(height, width)``.
        limit: the magnitude that has the full color; the largest in `values` if None.

    Returns:
        ``(height, width, 3)``, uint8.
    """
    limit = float(np.abs(values).max()) if limit is None else limit
    return _apply(DIVERGING_COLORMAP, 0.5 + values / (2 * (limit or 1)))


def color_from_dark(values: np.ndarray) -> np.ndarray:
    """Color values in [0, 1], from dark to bright.

    Args:
        values: ``(height, width)``.

    Returns:
        ``(height, width, 3)``, uint8.
    """
    return _apply(SEQUENTIAL_COLORMAP, values)


def overlay(image: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Lay values over an image in gray: red above 0, blue below, opaque where they are large.

    Args:
        image: as `to_uint8` takes it.
        values: ``(height, width)``.

    Returns:
        ``(height, width, 3)``, uint8.
    """
    gray = np.atleast_3d(to_uint8(image)).mean(axis=-1, keepdims=True)
    opacity = MAX_OPACITY * np.abs(values)[..., None] / (np.abs(values).max() or 1)
    hue = np.where(values[..., None] > 0, FOR, AGAINST)
    return np.round((1 - opacity) * gray + opacity * hue).astype(np.uint8)


def _apply(colormap: Any, values: np.ndarray) -> np.ndarray:
    from matplotlib import colormaps

    return colormaps[colormap](np.clip(values, 0, 1), bytes=True)[..., :3]
