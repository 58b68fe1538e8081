"""View: the output of a network over the plane of a truth table."""

from typing import Any

import numpy as np

from zoo.evaluation.inspection import decision_surface
from zoo.evaluation.prediction import predict
from zoo.playground import panels
from zoo.playground.controls import read_number, slider_control
from zoo.playground.images import color, to_png
from zoo.playground.view import Control, Inputs, Panel, View
from zoo.runs import Run
from zoo.tasks import class_probabilities

MARGIN = 0.3
FIRST_INPUT = (0.5, 0.5, 1.0)
SIDE = np.linspace(-MARGIN, 1 + MARGIN, 81, dtype=np.float32)


def suits(run: Run) -> bool:
    """Return whether a run has learned a truth table.

    Args:
        run: the run.
    """
    return run.dataset.kind == "truth_tables"


def controls(run: Run) -> list[Control]:
    """Return a slider for each input.

    Args:
        run: the run.
    """
    (count,) = run.dataset.input_shape
    return [
        slider_control(f"x{index}", f"input x{index}", -MARGIN, 1 + MARGIN, 0.05, value)
        for index, value in zip(range(count), FIRST_INPUT, strict=False)
    ]


def show(run: Run, inputs: Inputs) -> list[Panel]:
    """Compute the output for an input, for all around it, and for the rows of the table.

    Args:
        run: the run.
        inputs: the inputs of the network.

    Raises:
        InputError: if one is no number, or out of range.
    """
    (count,) = run.dataset.input_shape
    values = [read_number(inputs, f"x{index}", -MARGIN, 1 + MARGIN) for index in range(count)]
    point = np.array([values], np.float32)
    output = np.asarray(class_probabilities(run.model.predict(point, verbose=0)))[0, -1]
    third = values[2] if count > 2 else None
    rows = ["".join(map(str, bits)) for bits in run.predictions["raw"].tolist()]
    answers = predict(run, rows)
    table = {
        f"{row} → {label}": answer["probabilities"][run.dataset.class_names[-1]]
        for row, label, answer in zip(rows, run.predictions["labels"], answers, strict=True)
    }
    title = "Output around it" + ("" if third is None else f" at x2 = {third:g}")
    return [
        panels.bars("Output: probability of 1", {"of this input": float(output)}),
        draw_surface(run, title, decision_surface(run.model, SIDE, third), third, values[:2]),
        panels.bars("Output for each row, and its target", table),
    ]


def draw_surface(
    run: Run, title: str, surface: np.ndarray, third: float | None, mark: list[float] | None
) -> Panel:
    """Return a panel with the output over the first two inputs, and the rows of the table.

    Args:
        run: the run.
        title: the title.
        surface: output by x1 and x0, see `zoo.evaluation.inspection.decision_surface`.
        third: value of the third input, to which the rows shown are closest; None without one.
        mark: an input to mark, if any.
    """
    nearest = None if third is None else round(min(1, max(0, third)))
    targets: list[dict[str, Any]] = [
        {"place": bits[:2], "target": int(label)}
        for bits, label in zip(
            run.predictions["raw"].tolist(), run.predictions["labels"], strict=True
        )
        if nearest is None or bits[2] == nearest
    ]
    pixels = color(2 * surface - 1, limit=1.0)
    above = surface > 0.5
    edges = np.zeros_like(above)
    edges[:-1] |= above[:-1] != above[1:]
    edges[:, :-1] |= above[:, :-1] != above[:, 1:]
    pixels = np.where(edges[..., None], np.uint8(0), pixels)
    return {
        "kind": "surface", "title": title, "source": to_png(pixels[::-1]), "margin": MARGIN,
        "targets": targets, "mark": mark,
    }  # fmt: skip


VIEW = View(
    name="surface",
    title="Decision surface",
    notice="One unit can only cut the plane by a straight line (black: output 0.5); hidden units "
    "bend it. A table that no line separates stays wrong with one unit.",
    origin="Outputs of the rows are those of zoo.predict; between them, the network gets numbers "
    "instead of bits.",
    suits=suits,
    controls=controls,
    show=show,
)
