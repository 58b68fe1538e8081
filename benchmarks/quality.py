"""Test figures of every model by its own recipe, over seeds.

    python -m benchmarks.quality MODEL [--dataset NAME] [--seeds 5] [--set KEY=VALUE]

Needs the extra ``benchmark``. Writes one row a seed to ``benchmarks/results/quality.csv``, in place
of the row that was there for the same model, data set, settings and seed. The runs are discarded.
"""

import csv
import datetime
import json
import tempfile
from pathlib import Path
from typing import Any

import click

import zoo
from zoo.cli import setting
from zoo.runs import write_csv

RESULTS = Path(__file__).parent / "results" / "quality.csv"
COLUMNS = (
    "model",
    "dataset",
    "overrides",
    "seed",
    "parameters",
    "epochs",
    "seconds",
    "val_accuracy",
    "val_loss",
    "test_accuracy",
    "test_loss",
    "test_mse",
    "cores",
    "processor",
    "keras",
    "tensorflow",
    "date",
)


def measure(name: str, seed: int, data_dir: str | None, options: dict[str, Any]) -> dict[str, Any]:
    """Trains a model once and gives its row of the table."""
    import cpuinfo  # of the extra: reading the results takes none

    with tempfile.TemporaryDirectory() as folder:
        run = zoo.train(
            name, seed=seed, data_dir=data_dir, run_dir=f"{folder}/run", progress=False, **options
        )
        metrics, config = run.metrics, run.config
    environment = config["environment"]
    row = {
        "model": name,
        "dataset": config["dataset_version"],
        "overrides": json.dumps({k: v for k, v in options.items() if k != "dataset"}),
        "seed": seed,
        "parameters": config["parameters"],
        **metrics,
        "cores": environment["cores"],
        "processor": cpuinfo.get_cpu_info()["brand_raw"],
        "keras": environment["keras"],
        "tensorflow": environment["tensorflow"],
        "date": datetime.date.today().isoformat(),
    }
    return {key: row.get(key, "") for key in COLUMNS}


def read_results() -> list[dict[str, Any]]:
    """Reads all rows that were ever measured."""
    if not RESULTS.exists():
        return []
    with RESULTS.open(newline="") as file:
        return list(csv.DictReader(file))


def keep(row: dict[str, Any]) -> None:
    """Puts a row among the results, in place of an older one of the same run."""

    def run_of(row: dict[str, Any]) -> list[str]:
        return [str(row[key]) for key in ("model", "dataset", "overrides", "seed")]

    RESULTS.parent.mkdir(exist_ok=True)
    others = [other for other in read_results() if run_of(other) != run_of(row)]
    write_csv(RESULTS, [*others, row])


@click.command(help=__doc__)
@click.argument("model")
@click.option("--dataset")
@click.option("--data-dir")
@click.option("--seeds", default=5, show_default=True)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE")
def main(
    model: str, dataset: str | None, data_dir: str | None, seeds: int, settings: tuple[str, ...]
) -> None:
    """Measures a model over seeds."""
    options = dict(map(setting, settings))
    if dataset:
        options["dataset"] = dataset
    for seed in range(seeds):
        row = measure(model, seed, data_dir, options)
        keep(row)
        click.echo(f"{model} seed {seed}: test accuracy {row['test_accuracy']:.4f}")


if __name__ == "__main__":
    main()
