"""The report of the course as one HTML file, with interactive learning curves."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.course.definitions import METRICS
from zoo.course.errors import CourseError
from zoo.course.metrics import CURVES
from zoo.course.report import HOMEWORKS, LABELS, compare_trained, read_curves, write_report
from zoo.course.results import Comparison, read_results
from zoo.plots.curves import Curves
from zoo.reports.charts import curve_chart
from zoo.reports.page import Figure, require_packages, split_markdown, write_page


def write_html_report(directory: Path) -> Path:
    """Write ``report.html``, which contains ``report.md`` and its figures.

    Args:
        directory: directory of the results file.

    Returns:
        Path of the HTML file.

    Raises:
        ReportError: if a package that it requires is not installed.
        CourseError: if there are no results.
        RunError: if a file is damaged.
    """
    require_packages()
    results = read_results(directory)
    if not results:
        raise CourseError(f"{directory} holds no results to report on.")
    report = directory / "report.md"
    if not report.exists():
        write_report(directory)
    comparisons, figures = compare_trained(results), {}
    for picture in (directory / "figures").glob("hw?.png"):
        own = [row for row in comparisons if row.system.homework == picture.stem]
        title = f"Homework {picture.stem[2:]}: {HOMEWORKS[picture.stem]}"
        figures[f"figures/{picture.name}"] = Figure(
            picture.stem, title, picture, _draw_charts(own, directory)
        )
    document = split_markdown(report.read_text(), figures)
    path = directory / "report.html"
    return write_page(path, document.title, document.introduction, document.sections)


def _draw_charts(rows: Sequence[Comparison], directory: Path) -> list[Any]:
    """Return a chart of the learning curves of each system that has any."""
    charts = []
    for row in rows:
        system = row.system
        runs = read_curves(row, directory)
        if not runs:
            continue
        metric, (label, _) = METRICS[system.metric], CURVES[system.metric]
        scale = 100 if metric.is_fraction else 1
        length = max(len(values) for _, values in runs)
        values = {
            f"{LABELS[way]} {number}" if len(runs) > 1 else LABELS[way]: [
                *(scale * value for value in curve),
                *[math.nan] * (length - len(curve)),
            ]
            for number, (way, curve) in enumerate(runs, start=1)
        }
        curves = Curves(
            f"{label} [%]" if metric.is_fraction else label,
            range(1, length + 1),
            values,
            is_log=not metric.is_fraction,
        )
        charts.append(curve_chart(curves, title=system.id, reference=scale * system.course))
    return charts
