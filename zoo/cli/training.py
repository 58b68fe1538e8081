"""Commands that train, evaluate and time models."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from zoo.cli.completion import complete_runs
from zoo.cli.options import (
    data_dir_option,
    dataset_option,
    file_options,
    json_option,
    model_argument,
    parse_settings,
    pop_file_options,
    run_argument,
    set_option,
    unknown_setting_error,
    worker_options,
)
from zoo.cli.output import format_value, print_mapping, print_result, print_table
from zoo.cli.runtime import load_finished_run, quiet_tensorflow
from zoo.registry import get_spec
from zoo.runs import Run

run_dir_option = click.option(
    "--run-dir",
    type=click.Path(path_type=Path),
    shell_complete=complete_runs,
    help="Run directory.  [default: runs/...]",
)
batch_size_option = click.option(
    "--batch-size", type=click.IntRange(min=1), help="Batch size.  [default: the recipe's]"
)
OWN_OPTIONS = {"name", "progress", "stop_rule", "seeds", "workers", "threads", "directory"}
BENCHMARK_OPTIONS = {"name", "dataset", "data_dir", "steps"}


@click.command("train")
@model_argument
@dataset_option
@file_options
@data_dir_option
@click.option("--epochs", type=click.IntRange(min=1), help="Epochs.  [default: the recipe's]")
@batch_size_option
@click.option("--learning-rate", type=float, help="Learning rate.  [default: the model's]")
@set_option
@click.option(
    "--set-file",
    type=click.Path(path_type=Path),
    help="JSON file with an object of settings, such as `zoo tune` writes; --set takes precedence.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Random seed.  [default: 0]")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    help="Train with so many seeds, from --seed on, in folders of the run directory.",
)
@worker_options
@run_dir_option
@click.option(
    "--resume",
    is_flag=True,
    help="Resume the run in --run-dir; with --seeds, together with other machines.",
)
@click.option("--devices", metavar="N", help="Devices to divide each batch among: all, 2, cpu:2.")
@click.option("--tensorboard", is_flag=True, help="Also write logs for TensorBoard.")
@json_option
def train_command(
    name: str,
    learning_rate: float | None,
    settings: tuple[str, ...],
    set_file: Path | None,
    seeds: int | None,
    workers: int | None,
    threads: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a model with its recipe, and write a run directory."""
    if seeds is None and (workers or threads):
        raise click.UsageError("--workers and --threads require --seeds.")
    get_spec(name)
    if learning_rate is not None:
        options["learning_rate"] = learning_rate
    overrides = parse_settings(settings)
    if set_file:
        from_file = _read_settings(set_file)
        overrides = {k: v for k, v in from_file.items() if not options.get(k)} | overrides
    for key in overrides:
        if options.get(key) is not None:
            raise click.UsageError(f"--set {key}: already set by its own option.")
        if key in {*OWN_OPTIONS, *options} - {"epochs", "batch_size"}:
            raise unknown_setting_error(key)
    options |= pop_file_options(options) | overrides
    with quiet_tensorflow():
        from zoo import training
        from zoo.training.seeds import train_seeds
    if seeds is None:
        document = _summarize(training.train(name, **options))
    else:
        directory = options.pop("run_dir")
        runs = train_seeds(
            name, seeds=seeds, directory=directory, workers=workers or 1, threads=threads, **options
        )
        document = _summarize_seeds(runs)
    shown = {key: value for key, value in document.items() if key != "seeds"}
    print_result(document, as_json, lambda: print_mapping(shown))


@click.command("evaluate")
@run_argument
@click.option(
    "--split",
    default="test",
    show_default=True,
    type=click.Choice(["train", "validation", "test"]),
    help="Split to evaluate on.",
)
@data_dir_option
@json_option
def evaluate_command(run: str, split: str, data_dir: Path | None, as_json: bool) -> None:
    """Evaluate the model of a finished run on a split."""
    finished = load_finished_run(run)
    with quiet_tensorflow():
        from zoo import training
    metrics = training.evaluate(finished, split, data_dir=data_dir)
    prefix = {"validation": "val"}.get(split, split)
    document = {
        "run_dir": run,
        "split": split,
        "metrics": {f"{prefix}_{key}": value for key, value in metrics.items()},
    }
    print_result(document, as_json, lambda: print_mapping(document))


@click.command("benchmark")
@model_argument
@dataset_option
@data_dir_option
@batch_size_option
@set_option
@click.option("--steps", default=16, show_default=True, help="Batches per pass.")
@json_option
def benchmark_command(
    name: str,
    dataset: str | None,
    data_dir: Path | None,
    batch_size: int | None,
    settings: tuple[str, ...],
    steps: int,
    as_json: bool,
) -> None:
    """Measure the training speed of a model on this machine.

    Compares the precision, compilation and steps per execution of its recipe with the alternatives.
    """
    spec = get_spec(name)
    overrides = parse_settings(settings)
    for key in overrides.keys() & BENCHMARK_OPTIONS:
        raise unknown_setting_error(key)
    if batch_size is not None:
        overrides["batch_size"] = batch_size
    with quiet_tensorflow():
        from zoo.training.benchmark import benchmark
        from zoo.training.execution import remembered_mode
    rows: list[dict[str, Any]] = []
    for measured in benchmark(name, dataset=dataset, data_dir=data_dir, steps=steps, **overrides):
        rows.append({"of": "another way" if rows else "the recipe", **measured})
        line = "  ".join(f"{key} {format_value(value)}" for key, value in measured.items())
        click.echo(line, err=True)
    document = {
        "model": name,
        "batch_size": overrides.get("batch_size", spec.recipe.batch_size),
        "ways": rows,
        "fastest": max(rows, key=lambda row: row["rows_a_second"]),
        "chosen": remembered_mode(name),
    }
    print_result(document, as_json, lambda: _print_modes(document))


@click.command("quickstart")
@data_dir_option
@run_dir_option
@json_option
def quickstart_command(data_dir: Path | None, run_dir: Path | None, as_json: bool) -> None:
    """Train, plot and export a classifier of digits in a minute."""
    with quiet_tensorflow():
        from zoo import plots, training
        from zoo.artifacts.export import export
        from zoo.data.tfds_store import default_data_dir
        from zoo.evaluation import prediction
    run = training.train("mlp", dataset="digits", data_dir=data_dir, run_dir=run_dir)
    sheet = plots.draw(run)[-1]
    artifact = export(run, run.directory / "saved_model")
    image, label = run.predictions["raw"][0], run.predictions["labels"][0]
    (predicted,) = prediction.predict(artifact, image[None])
    document = {
        **_summarize(run),
        "data": str((data_dir or default_data_dir()) / "digits"),
        "figures": str(sheet),
        "saved_model": str(artifact),
        "prediction": {
            "truth": run.dataset.class_names[label],
            "label": predicted["label"],
            "probability": predicted["probability"],
        },
    }
    print_result(document, as_json, lambda: print_mapping(document))


def _print_modes(document: Mapping[str, Any]) -> None:
    print_table(document["ways"])
    if document["chosen"]:
        shown = ", ".join(
            f"{key} {format_value(value)}" for key, value in document["chosen"].items()
        )
        click.echo(f"chosen for training on this machine: {shown}")


def _summarize(run: Run) -> dict[str, Any]:
    metrics = run.metrics
    return {
        "run_dir": str(run.directory),
        "model": run.config["model"],
        "dataset": run.dataset.name,
        "parameters": run.config["parameters"],
        "epochs": metrics["epochs"],
        "seconds": metrics["seconds"],
        "metrics": {k: v for k, v in metrics.items() if k.startswith(("val_", "test_"))},
    }


def _summarize_seeds(runs: Sequence[Run]) -> dict[str, Any]:
    from zoo.training.seeds import average_metrics

    summaries = [_summarize(run) for run in runs]
    averages = average_metrics(runs)
    return {
        **summaries[0],
        "run_dir": str(runs[0].directory.parent),
        "epochs": [summary["epochs"] for summary in summaries],
        "seconds": [summary["seconds"] for summary in summaries],
        "metrics": {key: mean for key, (mean, _) in averages.items()}
        | {f"{key}_std": spread for key, (_, spread) in averages.items()},
        "seeds": [
            {"seed": run.config["seed"], **summary}
            for run, summary in zip(runs, summaries, strict=True)
        ],
    }


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text())
    except ValueError as error:
        raise click.UsageError(f"--set-file {path}: {error}.") from error
    if not isinstance(settings, dict):
        raise click.UsageError(f"--set-file {path}: must contain a JSON object.")
    return settings
