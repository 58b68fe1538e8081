"""What all figures share: size, colors, and how they are written."""

from pathlib import Path
from typing import Any

import numpy as np

from zoo.runs import ROWS_SHOWN
from zoo.runs.files import atomic_write

INCHES = (10, 6)
DOTS_PER_INCH = 120
COLORS = "RdBu_r"


def save(figure: Any, path: Path) -> Path:
    """Writes a figure as PNG, whole or not at all.

    Args:
        figure: the figure.
        path: the file.

    Returns:
        The path.
    """
    path.parent.mkdir(exist_ok=True)
    with atomic_write(path) as partial:
        figure.savefig(partial)
    return path


def marker(history: dict[str, list[float]]) -> str:
    return "." if len(history["epoch"]) < ROWS_SHOWN else ""


def displayed(image: np.ndarray) -> np.ndarray:
    return image[..., 0] if image.shape[2] == 1 else image
