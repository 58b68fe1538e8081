"""Which classes are mistaken for which: counts, recalls and rows."""

import numpy as np


def confusion_matrix(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Count rows by true and predicted class.

    Args:
        labels: true classes, ``(rows,)``.
        probabilities: predicted probabilities, ``(rows, classes)``.

    Returns:
        Integers, ``(classes, classes)``, with a row per true class.

    Example:
        >>> import numpy as np
        >>> from zoo.evaluation.confusions import confusion_matrix
        >>> confusion_matrix(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]))
        array([[1, 0],
               [1, 1]])
    """
    counts = np.zeros((probabilities.shape[1],) * 2, int)
    np.add.at(counts, (labels, probabilities.argmax(axis=1)), 1)
    return counts


def recalls(counts: np.ndarray) -> np.ndarray:
    """Return the recall of each class that occurs, in [0, 1].

    Args:
        counts: confusion matrix.
    """
    occurs = counts.sum(axis=1) > 0
    return np.diag(counts)[occurs] / counts.sum(axis=1)[occurs]


def frequent_confusions(counts: np.ndarray, limit: int) -> list[tuple[int, int]]:
    """Return the pairs of true and predicted class that are confused most often.

    Args:
        counts: confusion matrix.
        limit: number of pairs at most.
    """
    wrong = counts * ~np.eye(len(counts), dtype=bool)
    order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
    pairs = (np.unravel_index(flat, wrong.shape) for flat in order if wrong.flat[flat])
    return [(int(true), int(predicted)) for true, predicted in pairs]


def rows_of_cell(
    labels: np.ndarray, probabilities: np.ndarray, true: int, predicted: int
) -> np.ndarray:
    """Return the rows of a cell of the confusion matrix.

    Args:
        labels: true classes, ``(rows,)``.
        probabilities: predicted probabilities, ``(rows, classes)``.
        true: true class.
        predicted: predicted class.

    Returns:
        Indices of the rows, in ascending order of the probability of the true class.
    """
    rows = np.flatnonzero((labels == true) & (probabilities.argmax(axis=1) == predicted))
    return rows[np.argsort(probabilities[rows, true], kind="stable")]
