"""Arguments and options that several commands share."""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from zoo.cli.completion import complete_datasets, complete_models, complete_runs
from zoo.specs import FileOptions

model_argument = click.argument("name", shell_complete=complete_models)
run_argument = click.argument("run", metavar="RUN|MODEL", shell_complete=complete_runs)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document to standard output."
)
html_option = click.option(
    "--html", "as_html", is_flag=True, help="Also write the report as one HTML file."
)
dataset_option = click.option(
    "--dataset",
    shell_complete=complete_datasets,
    help="A dataset of the zoo or of TFDS, a folder of images, or a table of texts.  "
    "[default: the model's own]",
)
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="TFDS data directory.  [default: $TFDS_DATA_DIR or ~/tensorflow_datasets]",
)
set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set an argument of the model or a field of its recipe; may be repeated.",
)


def file_options(command: Any) -> Any:
    """Add the options that say how a user's files are read.

    Args:
        command: function of the command.
    """
    for option in reversed(
        (
            click.option("--text-column", help="Column of the texts.  [default: detected]"),
            click.option("--label-column", help="Column of the labels.  [default: detected]"),
            click.option(
                "--encoding", "file_encoding",
                help="Encoding of a table.  [default: UTF-8 or detected]",
            ),
            click.option(
                "--skip-unreadable", is_flag=True, default=None,
                help="Leave out files of an image folder that are not images.",
            ),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def worker_options(command: Any) -> Any:
    """Add the options that say how many runs are trained at once.

    Args:
        command: function of the command.
    """
    threads = click.option(
        "--threads", type=click.IntRange(min=1),
        help="Threads of each worker.  [default: cores / workers]",
    )  # fmt: skip
    workers = click.option(
        "--workers", type=click.IntRange(min=1), help="Runs trained at once.  [default: 1]"
    )
    return workers(threads(command))


def pop_file_options(options: dict[str, Any]) -> dict[str, Any]:
    """Remove the options of `file_options` from those of a command, and return the given ones.

    Args:
        options: options of the command, by name.
    """
    names = [field.name for field in dataclasses.fields(FileOptions)]
    given = {name: options.pop(name) for name in names}
    return {name: value for name, value in given.items() if value is not None}


def parse_settings(texts: Iterable[str]) -> dict[str, Any]:
    """Parse ``KEY=VALUE`` strings; a value that is not valid JSON is a string.

    Args:
        texts: the strings, for example ``["units=64", "activation=tanh"]``.

    Returns:
        The values by key.

    Raises:
        click.UsageError: if a string has no key or no ``=``.

    Example:
        >>> from zoo.cli.options import parse_settings
        >>> parse_settings(["units=64", "activation=tanh"])
        {'units': 64, 'activation': 'tanh'}
    """
    return dict(map(_parse_setting, texts))


def unknown_setting_error(key: str) -> click.UsageError:
    """Return the error for a ``--set`` whose key is an option of the command or unknown.

    Args:
        key: the key.
    """
    return click.UsageError(
        f"--set {key}: not an argument of the model and not a field of its recipe."
    )


def _parse_setting(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise click.UsageError(f"--set {text!r}: must be KEY=VALUE, for example units=64.")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
