"""Size, colors and output of all figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.runs import ROWS_SHOWN
from zoo.runs.files import atomic_write

FIGURE_SIZE = (10, 6)
DPI = 120
DIVERGING_COLORMAP = "RdBu_r"


def save_figure(figure: Any, path: Path) -> Path:
    """Save a figure as a PNG file, atomically.

    Args:
        figure: matplotlib figure.
        path: path of the file; its folder is created if necessary.

    Returns:
        The path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as partial:
        figure.savefig(partial)
    return path


def choose_marker(epochs: Sequence[float]) -> str:
    """Return the marker for the points of a learning curve: none if there are many.

    Args:
        epochs: epochs of the run.
    """
    return "." if len(epochs) < ROWS_SHOWN else ""


def squeeze_grayscale(image: np.ndarray) -> np.ndarray:
    """Remove the channel axis of a grayscale image; return a color image unchanged.

    Args:
        image: image of shape ``(height, width, channels)``.

    Returns:
        Image that matplotlib can display.
    """
    return image[..., 0] if image.shape[2] == 1 else image
