"""The command that reproduces the systems of the course."""

from pathlib import Path
from typing import Any

import click

from zoo.cli.completion import complete_systems
from zoo.cli.options import data_dir_option, html_option, json_option, worker_options
from zoo.cli.output import print_result, print_table
from zoo.cli.runtime import quiet_tensorflow
from zoo.course.errors import UnavailableError


@click.command("course")
@click.argument("systems", nargs=-1, metavar="[SYSTEM...]", shell_complete=complete_systems)
@click.option("--all", "train_all", is_flag=True, help="Train all systems and comparisons.")
@click.option("--as-taught", is_flag=True, help="Use the course's settings, with errors corrected.")
@click.option("--seeds", type=click.IntRange(min=1), help="Runs of each system.  [default: 1]")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("course"),
    show_default=True,
    help="Directory of the results; runs finished there are not repeated.",
)
@data_dir_option
@worker_options
@html_option
@json_option
def course_command(
    systems: tuple[str, ...],
    train_all: bool,
    as_taught: bool,
    seeds: int | None,
    directory: Path,
    data_dir: Path | None,
    workers: int | None,
    threads: int | None,
    as_html: bool,
    as_json: bool,
) -> None:
    """Compare the course's systems with ours.

    Trains the systems that are named, and writes a report. The same command on another machine
    that shares the directory takes part.
    """
    from zoo.course.results import compare, read_results, table_row
    from zoo.course.systems import SYSTEMS, get_system

    if systems and train_all:
        raise click.UsageError("--all cannot be combined with SYSTEM arguments.")
    chosen = [get_system(name) for name in dict.fromkeys(systems)] or list(SYSTEMS.values())
    if as_html:
        from zoo.reports.page import require_packages

        require_packages()
    document: dict[str, Any] = {"directory": str(directory)}
    if systems or train_all:
        with quiet_tensorflow():
            from zoo.course.experiments import collect_experiments, run_experiments
            from zoo.course.report import write_report
        experiments = collect_experiments(chosen, "taught" if as_taught else "ours")
        try:
            run_experiments(
                experiments, directory, seeds=seeds or 1, data_dir=data_dir, workers=workers or 1,
                threads=threads,
            )  # fmt: skip
        except UnavailableError:
            write_report(directory)
            raise
        document["report"] = str(write_report(directory)[0])
    elif as_taught or seeds or workers or threads:
        raise click.UsageError(
            "--as-taught, --seeds, --workers and --threads require SYSTEM arguments or --all."
        )
    if as_html:
        with quiet_tensorflow():
            from zoo.course.html_report import write_html_report
        document["html"] = str(write_html_report(directory))
    results = read_results(directory)
    comparisons = [compare(system, results) for system in chosen]
    document["systems"] = [comparison.as_json() for comparison in comparisons]
    print_result(
        document,
        as_json,
        lambda: print_table([table_row(comparison) for comparison in comparisons]),
    )
