"""The input pipeline alone against the rate at which training consumes it.

    python -m benchmarks.pipeline [MODEL...]

Whole epochs of a model's own data by its recipe, once without a network and once through it, taking
turns in one process; those of `MODELS` if none is named. Needs the extra ``benchmark``. Writes one
row a model to ``benchmarks/results/pipeline.csv``: rows a second of each, medians of the passes.
"""

import statistics
from typing import Any

import click
import tensorflow as tf

import zoo
from benchmarks import tables
from benchmarks.quality import data_dir_option
from zoo.cli.process import as_batch_job
from zoo.training.benchmark import seconds_of
from zoo.training.config import load_run_data, resolve_config, seed_and_build

KEYS = ("model",)
MODELS = ("mlp", "simple_cnn", "text_cnn", "simple_rnn")
PASSES = 3


def measure(model: str, data_dir: str | None) -> dict[str, Any]:
    """Measures both for a model."""
    settings = resolve_config(model, None, data_dir, 0, {})
    data = load_run_data(settings, data_dir)
    epoch = data.train_in_epoch(tf.Variable(0, dtype=tf.int64))
    network = seed_and_build(settings)
    seconds: dict[str, list[float]] = {"pipeline": [], "training": []}
    for _ in range(1 + PASSES):
        seconds["pipeline"].append(seconds_of(lambda: epoch.reduce(0, lambda n, *_: n + 1)))
        seconds["training"].append(seconds_of(lambda: network.fit(epoch, verbose=0)))
    rows = len(data.rows["train"])
    rates = {name: rows / statistics.median(passes[1:]) for name, passes in seconds.items()}
    return {
        "model": model,
        "dataset": data.version,
        "batch_size": data.batch_size,
        **{f"{name}_rows_a_second": f"{rate:.4g}" for name, rate in rates.items()},
        **tables.machine(),
    }


@click.command(help=__doc__)
@click.argument("models", nargs=-1, type=click.Choice(zoo.list_models()))
@data_dir_option
def main(models: tuple[str, ...], data_dir: str | None) -> None:
    """Measures the models."""
    as_batch_job()
    for model in models or MODELS:
        row = measure(model, data_dir)
        tables.keep("pipeline", row, KEYS)
        click.echo(", ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
