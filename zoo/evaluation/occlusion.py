"""Occlusion: how much a prediction changes when a part of the input is hidden.

Every number is a difference between two answers of `zoo.evaluation.prediction.predict`.
"""

import dataclasses

import numpy as np

from zoo.artifacts.reader import Artifact
from zoo.evaluation.prediction import predict
from zoo.runs import Run

MAX_PARTS = 100
PATCHES_PER_SIDE = 4


@dataclasses.dataclass(frozen=True)
class OccludedPart:
    """A part of a text, and what the prediction loses without it.

    Attributes:
        text: one word; several in texts of more than `MAX_PARTS` words.
        drop: probability of the predicted class with the part minus that without it.
    """

    text: str
    drop: float


def occlude_words(source: Run | Artifact, text: str) -> list[OccludedPart]:
    """Leave out each word of a text in turn.

    Args:
        source: a text classifier.
        text: the text.

    Returns:
        The parts in the order of the text; the only part of a text of one word is left out, too.

    Reference:
        Li, Monroe & Jurafsky (2016), Understanding neural networks through representation erasure,
        https://arxiv.org/abs/1612.08220
    """
    words = text.split()
    step = max(1, -(-len(words) // MAX_PARTS))
    starts = range(0, len(words), step)
    without = [" ".join(words[:start] + words[start + step :]) for start in starts]
    answer, *others = predict(source, [text, *without])
    label, probability = answer["label"], answer["probability"]
    return [
        OccludedPart(
            " ".join(words[start : start + step]), probability - other["probabilities"][label]
        )
        for start, other in zip(starts, others, strict=True)
    ]


def occlude_patches(source: Run | Artifact, image: np.ndarray) -> np.ndarray:
    """Cover each part of an image in turn with its median color.

    The square that covers has a quarter of the shorter side, and moves by half its own.

    Args:
        source: an image classifier.
        image: raw image, uint8 ``(height, width, channels)``.

    Returns:
        ``(height, width)``: for each pixel the probability of the predicted class minus that with
        the pixel covered, a mean over the positions of the square that cover it.

    Reference:
        Zeiler & Fergus (2014), Visualizing and understanding convolutional networks,
        https://arxiv.org/abs/1311.2901
    """
    side = max(1, min(image.shape[:2]) // PATCHES_PER_SIDE)
    windows = [
        (slice(top, top + side), slice(left, left + side))
        for top in _starts(image.shape[0], side)
        for left in _starts(image.shape[1], side)
    ]
    covered = np.repeat(image[None], len(windows), axis=0)
    for copy, window in zip(covered, windows, strict=True):
        copy[window] = np.median(image, axis=(0, 1))
    answer, *others = predict(source, np.concatenate([image[None], covered]))
    total, count = np.zeros(image.shape[:2]), np.zeros(image.shape[:2])
    for window, other in zip(windows, others, strict=True):
        total[window] += answer["probability"] - other["probabilities"][answer["label"]]
        count[window] += 1
    return total / count


def _starts(length: int, side: int) -> list[int]:
    """Return where a window begins that moves over a line and ends with it."""
    last = length - side
    return sorted({*range(0, last, max(1, side // 2)), last})
