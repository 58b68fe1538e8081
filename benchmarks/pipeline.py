"""Rate of the input pipeline alone, and the rate at which training consumes its batches.

    python -m benchmarks.pipeline [MODEL...]

Iterates over whole epochs of a model's own dataset by its recipe, alternating between the pipeline
alone and training, in one process. The models are those of `MODELS` by default. Requires the extra
``benchmark``. Writes one row per model to ``benchmarks/results/pipeline.csv``: rows per second of
each, medians of the passes.
"""

import statistics
from typing import Any

import click
import tensorflow as tf

import zoo
from benchmarks import tables
from benchmarks.quality import data_dir_option
from zoo.process import enable_batch_scheduling
from zoo.training.benchmark import seconds_of
from zoo.training.building import seed_and_build
from zoo.training.config import load_run_data, resolve_config

KEYS = ("model",)
MODELS = ("mlp", "simple_cnn", "text_cnn", "simple_rnn")
PASSES = 3


def measure(name: str, data_dir: str | None) -> dict[str, Any]:
    """Measure the pipeline and the training of a model."""
    config = resolve_config(name, None, data_dir)
    data = load_run_data(config, data_dir)
    epoch = data.train_in_epoch(tf.Variable(0, dtype=tf.int64))
    model = seed_and_build(config)
    seconds: dict[str, list[float]] = {"pipeline": [], "training": []}
    for _ in range(1 + PASSES):
        seconds["pipeline"].append(seconds_of(lambda: epoch.reduce(0, lambda n, *_: n + 1)))
        seconds["training"].append(seconds_of(lambda: model.fit(epoch, verbose=0)))
    rows = len(data.rows["train"])
    rates = {part: rows / statistics.median(passes[1:]) for part, passes in seconds.items()}
    return {
        "model": name,
        "dataset": data.version,
        "batch_size": data.batch_size,
        **{f"{part}_rows_a_second": f"{rate:.4g}" for part, rate in rates.items()},
        **tables.environment(),
    }


@click.command(help=__doc__)
@click.argument("models", nargs=-1, type=click.Choice(zoo.list_models()))
@data_dir_option
def main(models: tuple[str, ...], data_dir: str | None) -> None:
    """Measure the models."""
    enable_batch_scheduling()
    for model in models or MODELS:
        row = measure(model, data_dir)
        tables.save_row("pipeline", row, KEYS)
        click.echo(", ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
