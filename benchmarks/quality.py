"""Test figures of every model by its own recipe, over seeds.

    python -m benchmarks.quality MODEL [--dataset NAME] [--seeds 5] [--set KEY=VALUE]

Appends one row a seed to ``benchmarks/results/quality.csv``. The runs themselves are discarded.
"""

import csv
import datetime
import json
import platform
import tempfile
from pathlib import Path

import click

import zoo

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
    "platform",
    "keras",
    "tensorflow",
    "date",
)


def measure(name: str, seed: int, data_dir: str | None = None, **options: object) -> dict:
    """Trains a model once and gives its row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        run = zoo.train(
            name, seed=seed, data_dir=data_dir, run_dir=f"{folder}/run", progress=False, **options
        )
        metrics, config = run.metrics, run.config
    environment = config["environment"]
    return {
        "model": name,
        "dataset": config["dataset_version"],
        "overrides": json.dumps({k: v for k, v in options.items() if k != "dataset"}),
        "seed": seed,
        "parameters": config["parameters"],
        **{key: metrics.get(key, "") for key in COLUMNS[5:12]},
        "cores": environment["cores"],
        "platform": platform.machine(),
        "keras": environment["keras"],
        "tensorflow": environment["tensorflow"],
        "date": datetime.date.today().isoformat(),
    }


def append(path: Path, row: dict) -> None:
    """Adds a row to a results file, with a header if it is the first."""
    path.parent.mkdir(exist_ok=True)
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


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
    options = {key: json.loads(value) for key, _, value in (s.partition("=") for s in settings)}
    if dataset:
        options["dataset"] = dataset
    for seed in range(seeds):
        row = measure(model, seed, data_dir, **options)
        append(RESULTS, row)
        click.echo(f"{model} seed {seed}: test accuracy {row['test_accuracy']:.4f}")


if __name__ == "__main__":
    main()
