"""The course's networks of images, by our recipe on the course's splits, against its figures.

    python -m benchmarks.course [SYSTEM...] [--seeds 5]

All of `NETWORKS` if none is named. Needs the extra ``benchmark``. Writes one row a seed
to ``benchmarks/results/course.csv``, and ``course.png`` beside it: accuracy against parameters.
"""

import statistics
from collections import defaultdict
from typing import Any

import click

from benchmarks import tables
from benchmarks.quality import copy_option, data_dir_option, measure, seeds_option
from zoo.course.systems import SYSTEMS
from zoo.figures import accuracy_against, save

KEYS = ("system", "copy", "seed")
NETWORKS = {name: system for name, system in SYSTEMS.items() if system.model == "simple_cnn"}


def draw() -> None:
    """Draws accuracy against parameters from the file."""
    from matplotlib.figure import Figure

    ours = defaultdict(list)
    rows = tables.read("course")
    for row in rows:
        ours[row["system"]].append(float(row["test_accuracy"]))
    here = f"here (data: {', '.join({row['copy'] or 'original' for row in rows})})"
    figure = Figure(figsize=(10, 6), dpi=120, layout="constrained")
    accuracy_against(
        figure,
        "parameters",
        {
            "the course": {
                name: (NETWORKS[name].parameters, NETWORKS[name].course) for name in ours
            },
            here: {
                name: (NETWORKS[name].parameters, statistics.mean(accuracies))
                for name, accuracies in ours.items()
            },
        },
    )
    save(figure, tables.FOLDER / "course.png")


@click.command(help=__doc__)
@click.argument("systems", nargs=-1, type=click.Choice(list(NETWORKS)))
@data_dir_option
@copy_option
@seeds_option
def main(systems: tuple[str, ...], data_dir: str | None, copy: str, seeds: int) -> None:
    """Measures the systems."""
    for name in systems or NETWORKS:
        system = NETWORKS[name]
        options = {**system.ours, "dataset": system.dataset}
        for seed in range(seeds):
            row: dict[str, Any] = {"system": name, "copy": copy}
            row |= measure(system.model, seed, data_dir, options)
            row |= {"course_accuracy": system.course, "course_seconds": system.seconds}
            tables.keep("course", row, KEYS)
            click.echo(
                f"{name} seed {seed}: test accuracy {row['test_accuracy']:.4f} in "
                f"{row['seconds']:.0f} s; the course {system.course:.4f} in {system.seconds} s"
            )
    draw()


if __name__ == "__main__":
    main()
