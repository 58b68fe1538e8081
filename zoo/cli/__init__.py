"""The ``zoo`` command. TensorFlow and Keras are imported only by the commands that need them."""

import os
import sys
from typing import NoReturn

import click

from zoo.cli.course import course_command
from zoo.cli.datasets import datasets_command, inspect_command
from zoo.cli.labs import lab_command
from zoo.cli.models import list_command, show_command
from zoo.cli.predictions import export_command, predict_command, report_command
from zoo.cli.pretrained import push_command, verify_command
from zoo.cli.searches import tune_command
from zoo.cli.serving import serve_command
from zoo.cli.training import (
    benchmark_command,
    evaluate_command,
    quickstart_command,
    train_command,
)
from zoo.errors import ZooError
from zoo.process import enable_batch_scheduling

PROGRAM = "zoo"
COMPLETION_VARIABLE = "_ZOO_COMPLETE"
ERROR = 2
INTERRUPTED = 130
EPILOG = """\b
Shell completion, for example in ~/.bashrc or ~/.zshrc (fish_source for fish):
  eval "$(_ZOO_COMPLETE=bash_source zoo)"
  eval "$(_ZOO_COMPLETE=zsh_source zoo)"
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)
@click.version_option(package_name="keras-model-zoo")
def cli() -> None:
    """Classic deep learning architectures: train, inspect and export them."""


for command in (
    benchmark_command,
    course_command,
    datasets_command,
    evaluate_command,
    export_command,
    inspect_command,
    lab_command,
    list_command,
    predict_command,
    push_command,
    quickstart_command,
    report_command,
    serve_command,
    show_command,
    train_command,
    tune_command,
    verify_command,
):
    cli.add_command(command)


def main() -> NoReturn:
    """Run the command and exit; an error is one line on standard error and exit code 2."""
    if os.environ.get(COMPLETION_VARIABLE):
        cli.main(prog_name=PROGRAM, complete_var=COMPLETION_VARIABLE)
    enable_batch_scheduling()
    try:
        with cli.make_context(PROGRAM, sys.argv[1:]) as context:
            cli.invoke(context)
        code = 0
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 0
    except click.ClickException as error:
        code = _print_error(error.format_message(), ERROR)
    except (ZooError, OSError) as error:
        code = _print_error(str(error), ERROR)
    except KeyboardInterrupt as error:
        hint = f"; {error}" if str(error) else ""
        code = _print_error(f"interrupted{hint}", INTERRUPTED)
    sys.exit(code)


def _print_error(message: str, code: int) -> int:
    click.echo(f"{PROGRAM}: {' '.join(message.split())}", err=True)
    return code
