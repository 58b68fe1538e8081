"""Small images that are embedded in a page."""

import io
from typing import Any

import numpy as np

from zoo.plots.canvas import squeeze_grayscale
from zoo.reports.page import data_uri

THUMBNAIL_SIDE = 64


def image_uri(image: np.ndarray, side: int = THUMBNAIL_SIDE) -> str:
    """Return a data URI of an image.

    Args:
        image: uint8 pixels, or intensities in [0, 1], ``(height, width, channels)``.
        side: longest side in pixels; a larger image is scaled down.
    """
    from PIL import Image

    if image.dtype != np.uint8:
        image = np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)
    picture: Any = Image.fromarray(squeeze_grayscale(image))
    picture.thumbnail((side, side))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", lossless=True, method=4)
    return data_uri(buffer.getvalue(), "image/webp")
