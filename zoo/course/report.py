"""What the course came to, drawn and told from the files in its directory alone.

report.md      a table a homework, what was wrong, the questions with what shows their answers
figures/       a picture a homework: learning curves, and the course's figure as a line
"""

import html
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from zoo.course.definitions import QUANTITIES, WAYS, System, Training
from zoo.course.exercises import QUESTIONS, Question
from zoo.course.experiments import CURVES, curve
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
from zoo.plots.canvas import save
from zoo.runs import load_run
from zoo.runs.files import atomic_write

HOMEWORKS = {
    "hw1": "Perceptrons, and a linear classifier of digits",
    "hw2": "News by the words they have",
    "hw3": "Convolutional networks on CIFAR-10",
    "hw4": "Reviews of films, word by word",
    "hw5": "Autoencoders on CIFAR-10 in gray",
    "hw6": "A variational autoencoder on MNIST",
}
COLUMNS = 3
INCHES = (5.0, 3.4)
MOST_MARKED = 30
COLORS = {"ours": "tab:blue", "taught": "tab:orange"}
LABELS = {"ours": "ours", "taught": "as taught"}


def write_report(directory: Path) -> list[Path]:
    """Writes what has been reached: ``report.md`` and ``figures/``.

    Args:
        directory: of the course.

    Returns:
        The page and the pictures.

    Raises:
        RunError: if a file is damaged.
    """
    results = read_results(directory)
    standings = [compare(system, results) for system in SYSTEMS.values()]
    known = [row for row in standings if row.results or row.taught]
    pictures = {}
    for homework in HOMEWORKS:
        rows = [row for row in known if row.system.homework == homework]
        drawn = _draw(homework, rows, directory)
        if drawn:
            pictures[homework] = drawn
    with atomic_write(directory / "report.md") as partial:
        partial.write_text("\n\n".join(_page(known, results, pictures, directory)) + "\n")
    return [directory / "report.md", *pictures.values()]


def _page(
    known: Sequence[Comparison],
    results: Sequence[Result],
    pictures: dict[str, Path],
    directory: Path,
) -> Iterator[str]:
    """Gives the page, paragraph by paragraph."""
    yield "# The course, and what the zoo makes of it"
    yield _summary(known, results)
    for homework, title in HOMEWORKS.items():
        rows = [row for row in known if row.system.homework == homework]
        if not rows:
            continue
        yield f"## Homework {homework[2:]}: {title}"
        yield _table_of(rows)
        if homework in pictures:
            yield f"![Learning curves]({pictures[homework].relative_to(directory)})"
        yield f"Rows: {'; '.join(dict.fromkeys(row.system.protocol for row in rows))}."
        yield "\n".join(_remark(row.system) for row in rows)
    shown = [question for question in QUESTIONS.values() if _rows_of(question, results)]
    if shown:
        yield "## Questions of the homeworks"
    for question in shown:
        yield f"### {question.question}"
        yield question.answer
        yield _evidence(question, results)


def _summary(known: Sequence[Comparison], results: Sequence[Result]) -> str:
    ours = [row for row in known if row.results]
    seconds = sum(result.seconds for result in results)
    machines = sorted({_machine(result) for result in results})
    return (
        f"{len(ours)} of {len(SYSTEMS)} systems are trained, and {sum(map(_beaten, ours))} of them "
        f"are better than the course's figure, {sum(map(_is_within_noise, ours))} of those by less "
        f"than its standard error. {len(results)} trainings took {seconds:,.0f} s on "
        f"{'; '.join(machines)}. The course's figures are one run each, with the standard error "
        "that the number of rows gives them; ours are means over seeds, with their standard "
        "deviation. Validation decides, and the test split is read once, after training: how soon "
        "ours reach the course's figure is told by the curves drawn."
    )


def _machine(result: Result) -> str:
    environment = result.environment
    devices = " and ".join(dict.fromkeys(environment["devices"]))
    return f"{environment['cores']} cores ({devices}) with TensorFlow {environment['tensorflow']}"


def _beaten(row: Comparison) -> bool:
    return bool(row.beaten)


def _is_within_noise(row: Comparison) -> bool:
    noise, ours = row.system.noise, row.ours
    return bool(row.beaten and noise and ours and abs(ours - row.system.course) < noise)


def _table_of(rows: Sequence[Comparison]) -> str:
    head = (
        "system", "model", "measured", "the course", "ours", "seeds", "as taught", "on test, ours",
        "the course [s]", "ours [s]", "ours, to the course's figure [s]",
    )  # fmt: skip
    return _table(head, map(_cells, rows), texts=3)


def _cells(row: Comparison) -> tuple[str, ...]:
    system, quantity = row.system, row.system.quantity
    ours = format_metric(quantity, row.ours, row.spread)
    return (
        f"`{system.id}`",
        f"`{system.model}`",
        QUANTITIES[quantity].summary,
        format_metric(quantity, system.course, system.noise),
        f"**{ours}**" if row.beaten else ours,
        str(len(row.results)),
        format_metric(quantity, mean_of(row.taught, quantity)),
        format_metric("test_accuracy", mean_of(row.results, "test_accuracy")),
        format_metric("seconds", system.seconds),
        format_metric("seconds", mean_of(row.results, "seconds")),
        format_metric("seconds", row.seconds_to_course),
    )


def _remark(system: System) -> str:
    mended = f" As taught here: {system.mended}" if system.mended else ""
    return f"- `{system.id}`: {system.flaw}{mended}"


def _rows_of(question: Question, results: Sequence[Result]) -> list[tuple[str, list[Result]]]:
    rows = [(shown.label, results_of(shown.training, results)) for shown in question.shown]
    return [(label, found) for label, found in rows if found]


def _evidence(question: Question, results: Sequence[Result]) -> str:
    rows = _rows_of(question, results)
    head = ("", *(name.replace("_", " ") for name in question.columns), "seeds")
    return _table(
        head,
        (
            (
                label,
                *(format_metric(name, mean_of(found, name)) for name in question.columns),
                str(len(found)),
            )
            for label, found in rows
        ),
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[str]], texts: int = 1) -> str:
    """Gives a table whose first columns are texts, and the others numbers."""
    names = list(head)
    marks = ["---"] * texts + ["---:"] * (len(names) - texts)
    lines = [names, marks, *map(list, rows)]
    return "\n".join(
        f"| {' | '.join(html.escape(cell, quote=False) for cell in row)} |" for row in lines
    )


def _draw(homework: str, rows: Sequence[Comparison], directory: Path) -> Path | None:
    """Draws the learning curves of a homework, a panel a system; None if no history is left."""
    from matplotlib.figure import Figure

    curves = {row.system.id: _curves(row, directory) for row in rows}
    shown = [row.system for row in rows if curves[row.system.id]]
    if not shown:
        return None
    columns = min(COLUMNS, len(shown))
    lines = -(-len(shown) // columns)
    figure = Figure(figsize=(columns * INCHES[0], lines * INCHES[1]), dpi=100, layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat[len(shown) :]:
        axes.axis("off")
    for axes, system in zip(grid.flat, shown, strict=False):
        _panel(axes, system, curves[system.id])
    figure.suptitle(f"Homework {homework[2:]}: {HOMEWORKS[homework]}")
    return save(figure, directory / "figures" / f"{homework}.png")


def _curves(row: Comparison, directory: Path) -> list[tuple[str, list[float]]]:
    """Gives the way and the curve of each run whose directory is left."""
    found = []
    for way, results in zip(WAYS, (row.results, row.taught), strict=True):
        training = row.system.training(way)
        for result in results:
            history = _history(directory, training, result.seed)
            values = curve(history, row.system.quantity)
            if values:
                found.append((way, values))
    return found


def _history(directory: Path, training: Training, seed: int) -> dict[str, list[float]]:
    try:
        return load_run(run_directory(directory, training, seed)).history
    except RunError:
        return {}


def _panel(axes: Any, system: System, curves: Sequence[tuple[str, list[float]]]) -> None:
    quantity = QUANTITIES[system.quantity]
    scale = 100 if quantity.share else 1
    told_of = set()
    for way, values in curves:
        axes.plot(
            range(1, len(values) + 1),
            [scale * value for value in values],
            color=COLORS[way],
            marker="." if len(values) <= MOST_MARKED else "",
            label=None if way in told_of else LABELS[way],
        )
        told_of.add(way)
    axes.axhline(scale * system.course, color="black", linestyle="--", label="the course")
    label, _ = CURVES[system.quantity]
    axes.set(title=system.id, xlabel="epoch", ylabel=f"{label} [%]" if quantity.share else label)
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    if not quantity.share:
        axes.set_yscale("log")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
