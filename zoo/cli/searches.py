"""The command that searches for hyperparameters."""

from pathlib import Path
from typing import Any

import click

from zoo.cli.options import (
    data_dir_option,
    dataset_option,
    file_options,
    html_option,
    json_option,
    model_argument,
    parse_settings,
    pop_file_options,
    set_option,
    unknown_setting_error,
)
from zoo.cli.output import print_mapping, print_result
from zoo.cli.runtime import quiet_tensorflow
from zoo.registry import get_spec
from zoo.specs import FileOptions


@click.command("tune")
@model_argument
@dataset_option
@file_options
@data_dir_option
@click.option(
    "--engine", default="keras-tuner", show_default=True,
    help="Library that proposes the trials: keras-tuner or optuna.",
)  # fmt: skip
@click.option(
    "--algorithm", default="random", show_default=True, help="random, grid, bayesian or hyperband."
)
@click.option(
    "--trials", "max_trials", type=int,
    help="Maximum number of trials.  [default: 20; grid and hyperband: all]",
)  # fmt: skip
@click.option("--minutes", "max_minutes", type=float, help="Start no trial after so many minutes.")
@click.option(
    "--workers", default=1, show_default=True,
    help="Worker processes; 0 runs every trial in this process.",
)  # fmt: skip
@click.option("--folds", default=1, show_default=True, help="Folds of cross-validation.")
@click.option(
    "--executions", default=1, show_default=True, help="Training runs per trial and fold."
)
@click.option("--objective", help="Metric of the history to optimize.  [default: the task's]")
@click.option("--direction", help="max or min.  [default: inferred from the objective]")
@click.option(
    "--space", type=click.Path(path_type=Path),
    help="TOML or JSON file with changes to the search space.",
)  # fmt: skip
@set_option
@click.option(
    "--epochs", type=click.IntRange(min=1), help="Epochs of a full run.  [default: the recipe's]"
)
@click.option(
    "--max-parameters", default=0,
    help="Number of parameters above which a model is not trained.  [default: no limit]",
)  # fmt: skip
@click.option("--keep", default=1, show_default=True, help="Best trials whose weights are kept.")
@click.option(
    "--retrain", default=3, show_default=True, help="Seeds to retrain the best values with."
)
@click.option("--seed", default=0, show_default=True, help="Seed of the search and of training.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    help="Search directory.  [default: searches/...]",
)
@click.option("--resume", is_flag=True, help="Resume the search in --directory.")
@click.option("--keep-going", is_flag=True, help="Continue after a trial that fails.")
@click.option(
    "--role", type=click.Choice(["chief", "worker"]), help="Role in a search over several machines."
)
@click.option("--address", help="HOST:PORT of the chief.")
@click.option("--worker-name", help="Name of this worker.  [default: host and process id]")
@html_option
@json_option
def tune_command(
    name: str,
    settings: tuple[str, ...],
    epochs: int | None,
    role: str | None,
    address: str | None,
    worker_name: str | None,
    as_html: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Search for the best hyperparameters of a model.

    Retrains the model with the best values, and writes a report.
    """
    get_spec(name)
    if bool(role) != bool(address):
        raise click.UsageError("--role and --address must be given together.")
    fixed = parse_settings(settings)
    for key in fixed.keys() & options.keys():
        raise unknown_setting_error(key)
    if epochs is not None:
        fixed["epochs"] = epochs
    if role == "worker" and address:
        document = _run_worker(options["directory"], address, worker_name)
        print_result(document, as_json, lambda: print_mapping(document))
        return
    files = pop_file_options(options)
    with quiet_tensorflow():
        import tuning
        from tuning.html_report import write_html_report
        from zoo.data import get_dataset
        from zoo.reports.page import require_packages

        if as_html:
            require_packages()
        if files and options["dataset"]:
            options["dataset"] = get_dataset(
                options["dataset"], options["data_dir"], FileOptions(**files)
            )
    result = tuning.search(name, address=address, **options, **fixed)
    summary = {
        "best_values": result.best_values,
        "best_recipe": result.best_recipe,
        "directory": str(result.directory),
        "metrics": result.metrics,
    }
    if as_html:
        summary["html"] = str(write_html_report(result.directory))
    report = {**summary, "report": str(result.directory / "report.md")}
    print_result(
        {"trials": result.trials, **summary}, as_json, lambda: print_mapping(report)
    )  # fmt: skip


def _run_worker(directory: Path | None, address: str, name: str | None) -> dict[str, Any]:
    if directory is None:
        raise click.UsageError("--role worker requires --directory, the chief's search directory.")
    with quiet_tensorflow():
        from tuning import workers
    return workers.run_as_worker(directory, address, name or workers.default_worker_name())
