"""Test rows in a report: galleries of images, lists of texts, and the rows of each confusion."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from zoo.evaluation.confusions import confusion_matrix, frequent_confusions, rows_of_cell
from zoo.plots.classification import MAX_LABELED_CLASSES, describe_prediction
from zoo.reports.images import image_uri
from zoo.reports.page import Section, render
from zoo.runs import ROWS_SHOWN, Run, worst_mistakes

MAX_ROWS = 50
MAX_CHARACTERS = 600


@dataclasses.dataclass(frozen=True)
class Row:
    """A test row as a report shows it.

    Attributes:
        number: its index in the test split.
        caption: predicted class with its probability, and the true class if it is another.
        anchor: anchor of its cell of the confusion matrix; empty if the cell is not shown.
        is_wrong: whether the predicted class is not the true one.
        predicted: probability of the predicted class.
        true: probability of the true class.
        image: URI of its image; empty if it is not stored or not an image.
        text: its text or bits; empty if it is not stored or an image.
    """

    number: int
    caption: str
    anchor: str
    is_wrong: bool
    predicted: float
    true: float
    image: str
    text: str


class ClassifiedRows:
    """The test rows of a classifier, as far as its run has stored them.

    Args:
        run: finished run of a classifier.
    """

    def __init__(self, run: Run) -> None:
        predictions = run.predictions
        self.kind = run.dataset.kind
        self.names = run.dataset.class_names
        self.labels = predictions["labels"]
        self.probabilities = predictions["probabilities"]
        self.raw = dict(zip(predictions["index"].tolist(), predictions["raw"], strict=True))

    @functools.cached_property
    def counts(self) -> np.ndarray:
        """The confusion matrix."""
        return confusion_matrix(self.labels, self.probabilities)

    @functools.cached_property
    def cells(self) -> list[tuple[int, int]]:
        """True and predicted class of each cell that is shown.

        These are the nonempty cells, or of more classes than can be labeled the most frequent
        confusions.
        """
        if len(self.names) > MAX_LABELED_CLASSES:
            return frequent_confusions(self.counts, MAX_LABELED_CLASSES)
        return [(int(true), int(predicted)) for true, predicted in np.argwhere(self.counts)]

    def __getitem__(self, number: int) -> Row:
        label, probabilities = self.labels[number], self.probabilities[number]
        predicted = int(probabilities.argmax())
        raw = self.raw.get(number)
        is_image = self.kind == "images"
        return Row(
            number=number,
            caption=describe_prediction(self.names, probabilities, label),
            anchor=cell_anchor(label, predicted) if (label, predicted) in self.cells else "",
            is_wrong=predicted != label,
            predicted=float(probabilities[predicted]),
            true=float(probabilities[label]),
            image=image_uri(raw) if raw is not None and is_image else "",
            text="" if raw is None or is_image else _as_text(raw),
        )

    def of_cell(self, true: int, predicted: int) -> list[Row]:
        """Return the rows of a cell of the confusion matrix that are shown.

        Args:
            true: true class.
            predicted: predicted class.
        """
        numbers = rows_of_cell(self.labels, self.probabilities, true, predicted).tolist()
        stored_first = sorted(numbers, key=lambda number: number not in self.raw)[:MAX_ROWS]
        shown = set(stored_first)
        return [self[number] for number in numbers if number in shown]


def cell_anchor(true: int, predicted: int) -> str:
    """Return the anchor of the rows of a cell of the confusion matrix.

    Args:
        true: true class.
        predicted: predicted class.
    """
    return f"rows-{true}-{predicted}"


def rows_section(run: Run) -> Iterator[Section]:
    """Yield the section with the rows of each cell of the confusion matrix, of a classifier.

    Args:
        run: finished run.
    """
    if "probabilities" not in run.predictions:
        return
    rows = ClassifiedRows(run)
    cells = [
        {
            "true": rows.names[true],
            "predicted": rows.names[predicted],
            "count": int(rows.counts[true, predicted]),
            "anchor": cell_anchor(true, predicted),
            "rows": rows.of_cell(true, predicted),
        }
        for true, predicted in rows.cells
    ]
    has_matrix = rows.kind != "truth_tables"
    body = render("cells.html", cells=cells, limit=MAX_ROWS, has_matrix=has_matrix)
    yield Section("rows", "Test rows by true and predicted class", body)


def describe_rows(name: str, run: Run) -> str:
    """Return HTML with the test rows that a figure shows; empty if it shows none.

    Args:
        name: name of the figure.
        run: finished run.
    """
    if name not in ("samples", "mistakes", "misread_texts"):
        return ""
    rows = ClassifiedRows(run)
    if name == "samples":
        numbers = range(min(ROWS_SHOWN, len(rows.labels)))
    else:
        numbers = worst_mistakes(rows.labels, rows.probabilities).tolist()
    template = "texts.html" if name == "misread_texts" else "gallery.html"
    return render(template, rows=[rows[number] for number in numbers])


def matrix_rows(rows: ClassifiedRows) -> list[dict[str, Any]]:
    """Return the cells of the confusion matrix for a chart.

    Args:
        rows: test rows of a classifier.
    """
    totals = rows.counts.sum(axis=1)
    return [
        {
            "true": rows.names[true],
            "predicted": rows.names[predicted],
            "rows": int(rows.counts[true, predicted]),
            "percent": 100 * rows.counts[true, predicted] / totals[true],
            "link": f"#{cell_anchor(true, predicted)}",
        }
        for true, predicted in rows.cells
    ]


def _as_text(raw: Any) -> str:
    if isinstance(raw, bytes):
        text = " ".join(raw.decode("utf-8", "replace").split())
        return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]} …"
    return "".join(map(str, raw))
