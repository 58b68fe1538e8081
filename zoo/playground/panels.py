"""What the page can show. Each panel has a ``kind``, which the page renders, and a ``title``."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.evaluation.occlusion import OccludedPart
from zoo.playground.images import to_png
from zoo.playground.view import Panel


def bars(title: str, values: Mapping[str, float]) -> Panel:
    """Return a bar for each of several probabilities.

    Args:
        title: the title.
        values: probabilities by name.
    """
    return {"kind": "bars", "title": title, "values": dict(values)}


def pictures(title: str, images: Mapping[str, np.ndarray], *, small: bool = False) -> Panel:
    """Return pictures with captions.

    Args:
        title: the title.
        images: arrays by caption, as `zoo.playground.images.to_uint8` takes them.
        small: whether they are many, and shown small.
    """
    sources = [{"caption": caption, "source": to_png(image)} for caption, image in images.items()]
    return {"kind": "pictures", "title": title, "pictures": sources, "small": small}


def words(title: str, parts: Sequence[OccludedPart]) -> Panel:
    """Return a text whose words are colored by a value: red above 0, blue below.

    Args:
        title: the title.
        parts: the words and their values.
    """
    return {
        "kind": "words",
        "title": title,
        "words": [{"text": part.text, "value": part.drop} for part in parts],
    }


def numbers(title: str, values: Mapping[str, float | str]) -> Panel:
    """Return a table of numbers.

    Args:
        title: the title.
        values: numbers by name, with their unit in the name.
    """
    return {"kind": "numbers", "title": title, "values": dict(values)}


def lines(title: str, steps: Sequence[str], series: Mapping[str, Sequence[float]]) -> Panel:
    """Return probabilities that change from step to step, as lines.

    Args:
        title: the title.
        steps: names of the steps.
        series: probabilities of each step by the name of the line.
    """
    values = {name: [float(value) for value in line] for name, line in series.items()}
    return {"kind": "lines", "title": title, "steps": list(steps), "series": values}


def matrix(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: np.ndarray,
    *,
    signed: bool = False,
) -> Panel:
    """Return a table whose cells are colored by their values.

    Args:
        title: the title.
        rows: names of the rows.
        columns: names of the columns.
        values: ``(rows, columns)``.
        signed: whether values may be negative, and are colored in red and blue.
    """
    return {
        "kind": "matrix", "title": title, "rows": list(rows), "columns": list(columns),
        "values": np.round(values, 4).tolist(), "signed": signed,
    }  # fmt: skip


def points(title: str, scatter: Mapping[str, Any], mark: Sequence[float]) -> Panel:
    """Return points of several classes, and a mark among them.

    Args:
        title: the title.
        scatter: points as `zoo.playground.latent.scatter` returns them.
        mark: coordinates of the mark.
    """
    return {"kind": "points", "title": title, "scatter": dict(scatter), "mark": list(mark)}
