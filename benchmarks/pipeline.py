"""The input pipeline alone against the rate at which training consumes it.

    python -m benchmarks.pipeline [--dataset mnist] [--model mlp]

Both in one process, alternating; writes ``benchmarks/results/pipeline.csv``: rows a second of each,
the medians of five passes.
"""

import datetime
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import click
import tensorflow as tf

import zoo
from zoo.runs import write_csv

RESULTS = Path(__file__).parent / "results" / "pipeline.csv"
PASSES = 5


def seconds_of(work: Callable[[], object]) -> float:
    """Measures one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@click.command(help=__doc__)
@click.option("--dataset", default="mnist", show_default=True)
@click.option("--model", default="mlp", show_default=True)
@click.option("--data-dir")
def main(dataset: str, model: str, data_dir: str | None) -> None:
    """Measures both."""
    recipe = zoo.get_spec(model).recipe
    data = zoo.load_data(dataset, batch_size=recipe.batch_size, data_dir=data_dir)
    train = data.train_in_epoch(tf.Variable(0, dtype=tf.int64))
    network = zoo.build(model, **data.spec.model_arguments(recipe))
    network.jit_compile = recipe.jit_compile
    network.steps_per_execution = recipe.steps_per_execution
    network.fit(train, verbose=0)
    alone, training = [], []
    for _ in range(PASSES):
        alone.append(seconds_of(lambda: list(train.map(lambda x, y: tf.shape(x)[0]))))
        training.append(seconds_of(lambda: network.fit(train, verbose=0)))
    rows = len(data.rows["train"])
    rates = {
        "pipeline_rows_a_second": round(rows / statistics.median(alone)),
        "training_rows_a_second": round(rows / statistics.median(training)),
    }
    row = {
        "model": model,
        "dataset": data.version,
        "batch_size": recipe.batch_size,
        **rates,
        "ratio": round(statistics.median(training) / statistics.median(alone), 1),
        "cores": os.cpu_count(),
        "tensorflow": tf.__version__,
        "date": datetime.date.today().isoformat(),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    write_csv(RESULTS, [row])
    click.echo(", ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
