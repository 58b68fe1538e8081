"""The input pipeline alone against the rate at which training consumes it.

    python -m benchmarks.pipeline [--dataset mnist] [--model mlp]

Both in one process, alternating. Needs the extra ``benchmark``. Writes one row a model and data set
to ``benchmarks/results/pipeline.csv``: rows a second of each, the medians of five passes.
"""

import statistics

import click
import tensorflow as tf

import zoo
from benchmarks import tables
from benchmarks.quality import data_dir_option
from zoo.execution import seconds_of

KEYS = ("model", "dataset")
PASSES = 5


@click.command(help=__doc__)
@click.option("--dataset", default="mnist", show_default=True)
@click.option("--model", default="mlp", show_default=True)
@data_dir_option
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
    row = {
        "model": model,
        "dataset": data.version,
        "batch_size": recipe.batch_size,
        "pipeline_rows_a_second": round(rows / statistics.median(alone)),
        "training_rows_a_second": round(rows / statistics.median(training)),
        "ratio": round(statistics.median(training) / statistics.median(alone), 1),
        **tables.machine(),
    }
    tables.keep("pipeline", row, KEYS)
    click.echo(", ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
