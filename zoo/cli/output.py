"""Output of the commands: JSON documents, CSV, and tables for a terminal."""

import csv
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

REDIRECTED_WIDTH = 120


def print_result(
    document: Mapping[str, Any], as_json: bool, print_text: Callable[[], object]
) -> None:
    """Print the result of a command to standard output.

    Args:
        document: the result, serializable as JSON.
        as_json: whether to print the document as one line of JSON.
        print_text: prints the result as text; called unless `as_json`.
    """
    if as_json:
        click.echo(json.dumps(document))
    else:
        print_text()


def print_mapping(values: Mapping[str, Any], indent: str = "") -> None:
    """Print one line per key, and nested mappings indented.

    Args:
        values: the mapping.
        indent: prefix of every line.
    """
    width = max(map(len, values))
    for key, value in values.items():
        if isinstance(value, Mapping):
            click.echo(f"{indent}{key}")
            print_mapping(value, indent + "  ")
        else:
            click.echo(f"{indent}{key:<{width}}  {format_value(value)}")


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a table whose columns of numbers are right-aligned.

    Args:
        rows: at least one row, all with the keys of the first.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for key, value in rows[0].items():
        table.add_column(key, justify="right" if isinstance(value, int | float) else "left")
    for row in rows:
        table.add_row(*map(format_value, row.values()))
    Console(width=None if sys.stdout.isatty() else REDIRECTED_WIDTH, markup=False).print(table)


def print_predictions_csv(predictions: Sequence[Mapping[str, Any]]) -> None:
    """Print one row of CSV per prediction.

    Lists are written as JSON, and class probabilities as one column per class.

    Args:
        predictions: predictions as `zoo.predict` returns them, each with its input.
    """
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for number, prediction in enumerate(predictions):
        row = dict(prediction)
        per_class = {f"p({name})": p for name, p in row.pop("probabilities", {}).items()}
        if number == 0:
            writer.writerow([*row, *per_class])
        values = (json.dumps(value) if isinstance(value, list) else value for value in row.values())
        writer.writerow([*values, *per_class.values()])


def format_value(value: Any) -> str:
    """Return a value as text.

    Args:
        value: a number, a tuple, or anything else that `str` takes.

    Example:
        >>> from zoo.cli.output import format_value
        >>> format_value(0.123456789), format_value(669706), format_value((28, 28, 1))
        ('0.12346', '669,706', '28x28x1')
    """
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return f"{value:,}" if is_number else str(value)
