"""Commands for trained models: those of the package, and those of the Hugging Face Hub."""

import dataclasses
from pathlib import Path

import click

from zoo.cli.options import data_dir_option, json_option, run_argument
from zoo.cli.output import print_mapping, print_result
from zoo.cli.runtime import load_finished_run, quiet_tensorflow


@click.command("verify")
@run_argument
@click.option("--retrain", is_flag=True, help="Train the model again, too, and compare.")
@data_dir_option
@json_option
def verify_command(run: str, retrain: bool, data_dir: Path | None, as_json: bool) -> None:
    """Verify a trained model: its files, and its figure on the test split if that is prepared."""
    with quiet_tensorflow():
        from zoo.pretrained.verification import verify
    document = dataclasses.asdict(verify(run, data_dir=data_dir, retrain=retrain))
    print_result(document, as_json, lambda: print_mapping(document))


@click.command("push")
@run_argument
@click.argument("repository", metavar="USER/NAME")
@click.option("--private", is_flag=True, help="Let nobody else read the repository.")
@click.option("--license", help="License of the weights, as the hub names it: apache-2.0, mit, ...")
@click.option("--onnx/--no-onnx", default=True, help="Add the model as ONNX.  [default: --onnx]")
@data_dir_option
@json_option
def push_command(
    run: str,
    repository: str,
    private: bool,
    license: str | None,
    onnx: bool,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Push a finished run to the Hugging Face Hub, from where hf://USER/NAME reads it.

    Log in with `hf auth login`, or set HF_TOKEN. Some rows of the test split are pushed, too.
    """
    finished = load_finished_run(run)
    with quiet_tensorflow():
        from zoo.pretrained.pushing import push
    url = push(finished, repository, private=private, license=license, onnx=onnx, data_dir=data_dir)
    print_result({"run_dir": run, "url": url}, as_json, lambda: click.echo(url))
