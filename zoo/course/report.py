"""Writes the report of the course from the files in its directory.

report.md      a table per homework, the flaws, and the questions with their answers
figures/       a figure per homework: learning curves, with the course's result as a line
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.course.definitions import METRICS, WAYS, Experiment, System
from zoo.course.exercises import QUESTIONS, Question
from zoo.course.metrics import CURVES, learning_curve
from zoo.course.results import (
    Comparison,
    Result,
    compare,
    format_metric,
    mean_of,
    read_results,
    results_of,
    run_directory,
)
from zoo.course.systems import SYSTEMS
from zoo.errors import RunError
from zoo.plots.canvas import save_figure
from zoo.runs import load_run
from zoo.runs.files import atomic_write
from zoo.runs.markdown import markdown_table

HOMEWORKS = {
    "hw1": "Perceptrons, and a linear classifier of digits",
    "hw2": "Topic classification of AG News",
    "hw3": "Convolutional networks on CIFAR-10",
    "hw4": "Sequence models on IMDB reviews",
    "hw5": "Autoencoders on grayscale CIFAR-10",
    "hw6": "A variational autoencoder on MNIST",
}
COLUMNS = (
    "system", "model", "metric", "course", "ours", "seeds", "as taught", "test accuracy, ours",
    "training time, course [s]", "training time, ours [s]", "time to course's result, ours [s]",
)  # fmt: skip
PANELS_PER_ROW = 3
PANEL_SIZE = (5.0, 3.4)
MAX_MARKERS = 30
COLORS = {"ours": "tab:blue", "taught": "tab:orange"}
LABELS = {"ours": "ours", "taught": "as taught"}


def write_report(directory: Path) -> list[Path]:
    """Write ``report.md`` and ``figures/``.

    Args:
        directory: directory of the results file.

    Returns:
        Paths of the report and the figures.

    Raises:
        RunError: if a file is damaged.
    """
    results = read_results(directory)
    comparisons = compare_trained(results)
    figures = {}
    for homework in HOMEWORKS:
        own = [row for row in comparisons if row.system.homework == homework]
        figure = _draw_homework(homework, own, directory)
        if figure:
            figures[homework] = figure
    with atomic_write(directory / "report.md") as partial:
        partial.write_text(format_report(comparisons, results, figures, directory))
    return [directory / "report.md", *figures.values()]


def compare_trained(results: Sequence[Result]) -> list[Comparison]:
    """Compare every system that has a result.

    Args:
        results: results of any experiments.
    """
    comparisons = [compare(system, results) for system in SYSTEMS.values()]
    return [row for row in comparisons if row.results or row.taught]


def format_report(
    comparisons: Sequence[Comparison],
    results: Sequence[Result],
    figures: Mapping[str, Path],
    directory: Path,
) -> str:
    """Format the report as Markdown.

    Args:
        comparisons: comparisons of the systems that have a result.
        results: results of all experiments.
        figures: path of the figure of each homework that has one.
        directory: directory that links to the figures are relative to.
    """
    return "\n\n".join(_paragraphs(comparisons, results, figures, directory)) + "\n"


def _paragraphs(
    comparisons: Sequence[Comparison],
    results: Sequence[Result],
    figures: Mapping[str, Path],
    directory: Path,
) -> Iterator[str]:
    yield "# The course's systems, reproduced with the zoo"
    yield _summary(comparisons, results)
    for homework, title in HOMEWORKS.items():
        own = [row for row in comparisons if row.system.homework == homework]
        if not own:
            continue
        yield f"## Homework {homework[2:]}: {title}"
        yield markdown_table(COLUMNS, map(_cells, own), text_columns=3)
        if homework in figures:
            yield f"![Learning curves]({figures[homework].relative_to(directory)})"
        protocols = dict.fromkeys(row.system.protocol for row in own)
        yield f"Splits (training / validation / test): {'; '.join(protocols)}."
        yield "\n".join(_remark(row.system) for row in own)
    answered = [question for question in QUESTIONS.values() if _evidence(question, results)]
    if answered:
        yield "## Questions of the homeworks"
    for question in answered:
        yield f"### {question.question}"
        yield question.answer
        yield _evidence_table(question, results)


def _summary(comparisons: Sequence[Comparison], results: Sequence[Result]) -> str:
    trained = [row for row in comparisons if row.results]
    better = [row for row in trained if row.is_better]
    seconds = sum(result.seconds for result in results)
    machines = sorted({_machine(result) for result in results})
    return (
        f"{len(trained)} of {len(SYSTEMS)} systems are trained. {len(better)} of them are better "
        f"than the course's result, {sum(map(_is_within_error, better))} of these by less than its "
        f"standard error. The {len(results)} training runs took {seconds:,.0f} s on "
        f"{'; '.join(machines)}. The course's results are from single runs, with the standard "
        "error that follows from the number of rows; ours are means over seeds, with standard "
        "deviations. All selection is done on the validation split, and the test split is "
        "evaluated once, after training: the learning curves show when ours reach the course's "
        "result."
    )


def _machine(result: Result) -> str:
    environment = result.environment
    devices = " and ".join(dict.fromkeys(environment["devices"]))
    return f"{environment['cores']} cores ({devices}) with TensorFlow {environment['tensorflow']}"


def _is_within_error(row: Comparison) -> bool:
    error, ours = row.system.standard_error, row.ours
    return bool(error and ours and abs(ours - row.system.course) < error)


def _cells(row: Comparison) -> tuple[str, ...]:
    system, metric = row.system, row.system.metric
    ours = format_metric(metric, row.ours, row.spread)
    return (
        f"`{system.id}`",
        f"`{system.model}`",
        METRICS[metric].summary,
        format_metric(metric, system.course, system.standard_error),
        f"**{ours}**" if row.is_better else ours,
        str(len(row.results)),
        format_metric(metric, mean_of(row.taught, metric)),
        format_metric("test_accuracy", mean_of(row.results, "test_accuracy")),
        format_metric("seconds", system.seconds),
        format_metric("seconds", mean_of(row.results, "seconds")),
        format_metric("seconds", row.seconds_to_course),
    )


def _remark(system: System) -> str:
    differences = f" Reproduction: {system.differences}" if system.differences else ""
    return f"- `{system.id}`: {system.flaw}{differences}"


def _evidence(question: Question, results: Sequence[Result]) -> list[tuple[str, list[Result]]]:
    """Return the label and the results of each experiment that has any."""
    rows = [(each.label, results_of(each.experiment, results)) for each in question.evidence]
    return [(label, own) for label, own in rows if own]


def _evidence_table(question: Question, results: Sequence[Result]) -> str:
    return markdown_table(
        ("", *(name.replace("_", " ") for name in question.metrics), "seeds"),
        (
            (
                label,
                *(format_metric(name, mean_of(own, name)) for name in question.metrics),
                str(len(own)),
            )
            for label, own in _evidence(question, results)
        ),
    )


def _draw_homework(homework: str, rows: Sequence[Comparison], directory: Path) -> Path | None:
    """Draw the learning curves of a homework, one panel per system; None without histories."""
    from matplotlib.figure import Figure

    curves = {row.system.id: read_curves(row, directory) for row in rows}
    systems = [row.system for row in rows if curves[row.system.id]]
    if not systems:
        return None
    columns = min(PANELS_PER_ROW, len(systems))
    lines = -(-len(systems) // columns)
    size = (columns * PANEL_SIZE[0], lines * PANEL_SIZE[1])
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat[len(systems) :]:
        axes.axis("off")
    for axes, system in zip(grid.flat, systems, strict=False):
        _draw_panel(axes, system, curves[system.id])
    figure.suptitle(f"Homework {homework[2:]}: {HOMEWORKS[homework]}")
    return save_figure(figure, directory / "figures" / f"{homework}.png")


def read_curves(row: Comparison, directory: Path) -> list[tuple[str, list[float]]]:
    """Return the way and the learning curve of each run whose directory exists.

    Args:
        row: comparison of the system that was trained.
        directory: directory of the results file.
    """
    curves = []
    for way, results in zip(WAYS, (row.results, row.taught), strict=True):
        experiment = row.system.experiment(way)
        for result in results:
            history = _read_history(directory, experiment, result.seed)
            values = learning_curve(history, row.system.metric)
            if values:
                curves.append((way, values))
    return curves


def _read_history(directory: Path, experiment: Experiment, seed: int) -> dict[str, list[float]]:
    try:
        return load_run(run_directory(directory, experiment, seed)).history
    except RunError:
        return {}


def _draw_panel(axes: Any, system: System, curves: Sequence[tuple[str, list[float]]]) -> None:
    metric = METRICS[system.metric]
    scale = 100 if metric.is_fraction else 1
    labeled = set()
    for way, values in curves:
        axes.plot(
            range(1, len(values) + 1),
            [scale * value for value in values],
            color=COLORS[way],
            marker="." if len(values) <= MAX_MARKERS else "",
            label=None if way in labeled else LABELS[way],
        )
        labeled.add(way)
    axes.axhline(scale * system.course, color="black", linestyle="--", label="course")
    label, _ = CURVES[system.metric]
    axes.set(title=system.id, xlabel="epoch", ylabel=f"{label} [%]" if scale == 100 else label)
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    if not metric.is_fraction:
        axes.set_yscale("log")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
