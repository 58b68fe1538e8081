"""Test results of a model trained by its recipe, over several seeds.

    python -m benchmarks.quality MODEL [--dataset NAME] [--seeds 5] [--set KEY=VALUE]

Requires the extra ``benchmark``. Writes one row per seed to ``benchmarks/results/quality.csv``,
which replaces an older one of the same model, dataset, settings and seed. The runs are discarded.
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
from zoo.cli.options import parse_settings

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
        metrics, config, history = run.metrics, run.config, run.history
    return {
        "model": name,
        "dataset": config["dataset_version"],
        "parameters": config["parameters"],
        "seed": seed,
        "seconds_an_epoch": round(statistics.median(np.diff(history["seconds"], prepend=0)), 2),
        **{key: metrics.get(key, "") for key in METRICS},
        **tables.environment(),
    }


@click.command(help=__doc__)
@click.argument("model")
@click.option("--dataset", help="Dataset; the model's own by default.")
@data_dir_option
@copy_option
@seeds_option
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE")
def main(
    model: str,
    dataset: str | None,
    data_dir: str | None,
    copy: str,
    seeds: int,
    settings: tuple[str, ...],
) -> None:
    """Train a model under several seeds."""
    overrides = parse_settings(settings)
    for seed in range(seeds):
        row = measure(model, seed, data_dir, {**overrides, "dataset": dataset})
        row |= {"copy": copy, "overrides": json.dumps(overrides)}
        tables.save_row("quality", row, KEYS)
        results = (f"{key} {row[key]:.5g}" for key in METRICS if isinstance(row[key], float))
        click.echo(f"{model} seed {seed}: {', '.join(results)}")


if __name__ == "__main__":
    main()
