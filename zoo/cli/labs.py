"""Commands for the labs: list them, start one, check a notebook."""

import dataclasses
from pathlib import Path

import click

from zoo.cli.options import json_option
from zoo.cli.output import print_result, print_table

FAILED = 1


@click.group("lab")
def lab_command() -> None:
    """Six labs that grade themselves: notebooks with exercises."""


@lab_command.command("list")
@json_option
def lab_list_command(as_json: bool) -> None:
    """List the labs."""
    from zoo.labs import exercises_of
    from zoo.labs.sheets import list_labs

    rows = [
        {"lab": lab.number, "title": lab.title, "exercises": len(exercises_of(lab.number))}
        for lab in list_labs()
    ]
    print_result({"labs": rows}, as_json, lambda: print_table(rows))


@lab_command.command("start")
@click.argument("number", type=int)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@json_option
def lab_start_command(number: int, directory: Path, as_json: bool) -> None:
    """Write the notebook and the one-page handout of a lab to a directory."""
    from zoo.labs.sheets import start_lab

    files = [str(path) for path in start_lab(number, directory)]
    print_result({"files": files}, as_json, lambda: click.echo("\n".join(files)))


@lab_command.command("check")
@click.argument("notebook", type=click.Path(path_type=Path))
@click.option(
    "--seconds",
    type=click.IntRange(min=1),
    default=60,
    show_default=True,
    help="Time limit of each cell, and of each check.",
)
@json_option
@click.pass_context
def lab_check_command(context: click.Context, notebook: Path, seconds: int, as_json: bool) -> None:
    """Run a notebook in a process of its own, and grade each exercise in one line.

    This executes the code of the notebook, with all that you may do: check only notebooks whose
    author you trust. The exit code is 0 if all exercises are passed, and 1 if not.
    """
    from zoo.labs.running import check_notebook

    report = check_notebook(notebook, seconds)
    passed = sum(result.passed for result in report.results)
    lines = [
        *(f"note: {error}" for error in report.errors),
        *map(str, report.results),
        f"{passed} of {len(report.results)} exercises passed",
    ]
    print_result(dataclasses.asdict(report), as_json, lambda: click.echo("\n".join(lines)))
    context.exit(0 if passed == len(report.results) else FAILED)
