"""Drawings brought to the size and place of the images that a network was trained on."""

import numpy as np

INK = 32  # of 255: fainter pixels are not part of the figure


def fit_drawing(drawing: np.ndarray, examples: np.ndarray) -> np.ndarray:
    """Scale and move the figure of a drawing to where the figures of examples are.

    The longer side of the figure gets the median length that it has in the examples. Its center
    goes to the mean of theirs: the center of mass, as for MNIST, or the center of the bounding box,
    whichever varies less among the examples.

    Args:
        drawing: uint8 ``(height, width, 1)``, bright on black.
        examples: uint8 ``(rows, height, width, 1)``, bright on black.

    Returns:
        uint8, of the shape of an example; black if nothing was drawn.

    Reference:
        LeCun, Cortes & Burges (1998), The MNIST database of handwritten digits,
        http://yann.lecun.com/exdb/mnist/
    """
    from scipy.ndimage import center_of_mass, shift

    height, width = examples.shape[1:3]
    fitted = np.zeros((height, width))
    if drawing.max() < INK:
        return fitted.astype(np.uint8)[..., None]
    figures = [image for image in examples[..., 0] if image.max() >= INK]
    side = np.median([max(figure[_box(figure)].shape) for figure in figures])
    drawn = _scale(drawing[..., 0][_box(drawing[..., 0])], float(side))[:height, :width]
    fitted[: drawn.shape[0], : drawn.shape[1]] = drawn
    centers = {
        center: np.array([center(figure) for figure in figures])
        for center in (center_of_mass, _box_center)
    }
    steadier = min(centers, key=lambda center: centers[center].std(axis=0).sum())
    moved = shift(fitted, centers[steadier].mean(axis=0) - steadier(fitted), order=1)
    return np.clip(np.round(moved), 0, 255).astype(np.uint8)[..., None]


def _scale(figure: np.ndarray, side: float) -> np.ndarray:
    """Scale a figure so that its longer side has a length."""
    from PIL import Image

    height, width = (max(1, round(n * side / max(figure.shape))) for n in figure.shape)
    return np.asarray(Image.fromarray(figure).resize((width, height), Image.Resampling.BOX))


def _box(image: np.ndarray) -> tuple[slice, slice]:
    """Return the smallest rectangle that holds the figure."""
    ink = image >= INK
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _box_center(image: np.ndarray) -> tuple[float, float]:
    rows, columns = _box(image)
    return (rows.start + rows.stop - 1) / 2, (columns.start + columns.stop - 1) / 2
