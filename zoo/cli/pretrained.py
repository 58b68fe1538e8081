"""Commands for trained models that come with the package."""

import dataclasses
from pathlib import Path

import click

from zoo.cli.options import data_dir_option, json_option, run_argument
from zoo.cli.output import print_mapping, print_result
from zoo.cli.runtime import quiet_tensorflow


@click.command("verify")
@run_argument
@click.option("--retrain", is_flag=True, help="Train the model again, too, and compare.")
@data_dir_option
@json_option
def verify_command(run: Path, retrain: bool, data_dir: Path | None, as_json: bool) -> None:
    """Verify a trained model: its files, and its figure on the test split if that is prepared."""
    with quiet_tensorflow():
        from zoo.pretrained.verification import verify
    document = dataclasses.asdict(verify(run, data_dir=data_dir, retrain=retrain))
    print_result(document, as_json, lambda: print_mapping(document))
