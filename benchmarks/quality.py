"""Test results of a model trained by its recipe, over several seeds.

    python -m benchmarks.quality MODEL [--dataset NAME] [--seeds 5] [--set KEY=VALUE]
        [--workers N] [--threads N] [--directory DIR]

Requires the extra ``benchmark``. Writes one row per seed to ``benchmarks/results/quality.csv``,
which replaces an older one of the same model, dataset, settings and seed. The runs are discarded,
unless they are in a directory of yours: there the same command resumes them after it was killed,
and trains them together with other machines that share the directory. Times are those of as many
runs at once as there are workers.
"""

import json
import statistics
import tempfile
from collections.abc import Mapping
from typing import Any

import click
import numpy as np

import zoo
from benchmarks import tables
from zoo.cli.options import parse_settings, worker_options
from zoo.runs import Run
from zoo.training.seeds import train_seeds

KEYS = ("model", "dataset", "copy", "overrides", "seed")
METRICS = (
    "epochs",
    "best_epoch",
    "seconds",
    "val_accuracy",
    "val_loss",
    "test_accuracy",
    "test_loss",
    "test_mse",
)

data_dir_option = click.option("--data-dir", help="TFDS data directory.")
copy_option = click.option(
    "--copy", default="", help='How the data differ from the original, such as "JPEG".'
)
seeds_option = click.option("--seeds", default=5, show_default=True, help="Number of seeds.")


def measure(
    name: str, seed: int, data_dir: str | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Train a model once, and return its results."""
    with tempfile.TemporaryDirectory() as folder:
        run = zoo.train(
            name, seed=seed, data_dir=data_dir, run_dir=f"{folder}/run", progress=False, **options
        )
        return results_of(run)


def results_of(run: Run) -> dict[str, Any]:
    """Return the results of a run."""
    metrics, config, history = run.metrics, run.config, run.history
    return {
        "model": config["model"],
        "dataset": config["dataset_version"],
        "parameters": config["parameters"],
        "seed": config["seed"],
        "seconds_an_epoch": round(statistics.median(np.diff(history["seconds"], prepend=0)), 2),
        **{key: metrics.get(key, "") for key in METRICS},
        **tables.environment(),
        "threads": config["environment"]["threads"],
    }


@click.command(help=__doc__)
@click.argument("model")
@click.option("--dataset", help="Dataset; the model's own by default.")
@data_dir_option
@copy_option
@seeds_option
@worker_options
@click.option("--directory", help="Directory of the runs.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE")
def main(
    model: str,
    dataset: str | None,
    data_dir: str | None,
    copy: str,
    seeds: int,
    workers: int | None,
    threads: int | None,
    directory: str | None,
    settings: tuple[str, ...],
) -> None:
    """Train a model under several seeds."""
    overrides = parse_settings(settings)
    with tempfile.TemporaryDirectory() as folder:
        runs = train_seeds(
            model, seeds=seeds, dataset=dataset, data_dir=data_dir, directory=directory or folder,
            resume=True, workers=workers or 1, threads=threads, **overrides,
        )  # fmt: skip
        rows = [results_of(run) for run in runs]
    keys = {"copy": copy, "overrides": json.dumps(overrides)}
    tables.save_rows("quality", [row | keys for row in rows], KEYS)
    for row in rows:
        results = (f"{key} {row[key]:.5g}" for key in METRICS if isinstance(row[key], float))
        click.echo(f"{model} seed {row['seed']}: {', '.join(results)}")


if __name__ == "__main__":
    main()
