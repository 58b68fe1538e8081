"""The HTML report of a run: one file that needs no network and no server.

It holds every figure of `zoo.plots`, most of them also as an interactive chart, the test rows in
each cell of the confusion matrix, and the model card.
"""

from pathlib import Path

from zoo import plots
from zoo.artifacts.reader import CARD
from zoo.reports.page import Figure, figure_section, require_packages, split_markdown, write_page
from zoo.reports.rows import describe_rows, rows_section
from zoo.reports.run_charts import draw_charts, note_of
from zoo.runs import Run

REPORT = "report.html"


def write_report(run: Run) -> list[Path]:
    """Draw the figures of a finished run, and write ``report.html`` beside them.

    Args:
        run: finished run.

    Returns:
        Paths of the report and of the figures.

    Raises:
        ReportError: if a package that it requires is not installed.
        RunError: if the run is unfinished or damaged.
    """
    require_packages()
    figures = [
        Figure(
            name, title, path, draw_charts(name, run), note_of(name, run), describe_rows(name, run)
        )
        for name, title, path in plots.draw_figures(run)
    ]
    card = split_markdown(run.file(CARD).read_text("utf-8"))
    sections = [*map(figure_section, figures), *rows_section(run), *card.sections]
    path = run.figures_directory / REPORT
    write_page(path, plots.title(run), card.introduction, sections)
    return [path, *(figure.picture for figure in figures)]
