"""HTML of a run for notebooks: a table of metrics, and the figures or the learning curves."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

MAX_CURVES = 3
PANEL_INCHES = (4, 3)


class FigureList(list[Path]):
    """PNG files of a run; in a notebook the last one, the sheet, is displayed."""

    def _repr_png_(self) -> bytes:
        return self[-1].read_bytes()


def render_run(
    directory: Path,
    sheet: Path,
    description: str,
    metrics: Mapping[str, Any],
    history: Mapping[str, Sequence[float]],
) -> str:
    """Return the HTML of a run.

    Args:
        directory: its run directory.
        sheet: its sheet of figures, which is shown if it has been drawn.
        description: one line below the directory.
        metrics: metrics of a finished run; empty if the run is unfinished, whose last epoch is
            shown instead.
        history: values by epoch; empty before the first epoch.
    """
    image = sheet.read_bytes() if sheet.is_file() else _draw_learning_curves(history)
    parts = [
        f"<b>{html.escape(str(directory))}</b><br>{html.escape(description)}",
        _metrics_table(metrics, history),
        _image_tag(image),
    ]
    return f"<div>{''.join(parts)}</div>"


def _metrics_table(metrics: Mapping[str, Any], history: Mapping[str, Sequence[float]]) -> str:
    """Return one row per metric and one column per split."""
    if metrics:
        values, splits = metrics, {"validation": "val_", "test": "test_"}
    else:
        values = {key: column[-1] for key, column in history.items()}
        splits = {"training": "", "validation": "val_"}
    names = dict.fromkeys(
        key.removeprefix(prefix)
        for prefix in ("val_", "test_")
        for key in values
        if key.startswith(prefix)
    )
    if not names:
        return ""
    head = "".join(f"<th>{split}</th>" for split in splits)
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th>"
        + "".join(f"<td>{_cell(values.get(prefix + name))}</td>" for prefix in splits.values())
        + "</tr>"
        for name in names
    )
    return f"<table><tr><th></th>{head}</tr>{rows}</table>"


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"


def _draw_learning_curves(history: Mapping[str, Sequence[float]]) -> bytes:
    """Return a PNG with a panel for each metric that has a validation curve; empty if none has."""
    names = [name for name in history if f"val_{name}" in history][:MAX_CURVES]
    if not names:
        return b""
    from matplotlib.figure import Figure

    width, height = PANEL_INCHES
    figure = Figure(figsize=(width * len(names), height), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False).flat, names, strict=True):
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            axes.plot(history["epoch"], history[key], marker=".", label=label)
        axes.set(xlabel="epoch", ylabel=name)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(alpha=0.3)
        axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _image_tag(png: bytes) -> str:
    if not png:
        return ""
    encoded = base64.b64encode(png).decode("ascii")
    return f'<img style="max-width: 100%" src="data:image/png;base64,{encoded}">'
