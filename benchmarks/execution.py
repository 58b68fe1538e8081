"""How fast a model trains under each way to run it.

    python -m benchmarks.execution MODEL [--steps 16]

For networks of images, what ``zoo benchmark`` measures: XLA or not, precision, steps per execution;
on random images. For networks of texts: XLA or not, steps per execution, batches of texts of like
length or all padded to the full one; on the model's own data. Needs the extra ``benchmark``. Writes
one row a way to ``benchmarks/results/execution.csv``: rows a second of the training step alone, the
best of three passes in one process, after one that compiles.
"""

from collections.abc import Iterator
from typing import Any

import click
import tensorflow as tf

import zoo
from benchmarks import tables
from benchmarks.quality import data_dir_option
from zoo.data import get_dataset, load_data
from zoo.training.benchmark import WAYS, benchmark, executed, speed
from zoo.training.config import resolve_config

KEYS = ("model", "batch_size", "precision", "jit_compile", "steps_per_execution", "bucketed")


def own_texts(model: str, steps: int, data_dir: str | None) -> tf.data.Dataset:
    """Takes the first batches of an epoch of the model's own data."""
    spec = zoo.get_spec(model)
    data = load_data(
        get_dataset(spec.dataset),
        batch_size=spec.recipe.batch_size,
        data_dir=data_dir,
        text=spec.recipe.text,
    )
    return data.train.take(steps)


def padded(batches: tf.data.Dataset, length: int) -> tf.data.Dataset:
    """Pads every batch to one length."""

    def pad(texts: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.pad(texts, [[0, 0], [0, length - tf.shape(texts)[1]]]), labels

    return batches.map(pad)


def ways_with_texts(model: str, steps: int, data_dir: str | None) -> Iterator[dict[str, Any]]:
    """Measures each way with a model's own texts."""
    settings = resolve_config(model, None, data_dir)
    options = zoo.get_spec(model).recipe.text
    texts = own_texts(model, steps, data_dir).cache()
    batches = {"": texts}
    if options.encoding == "sequence":
        batches = {True: texts, False: padded(texts, options.sequence_length).cache()}
    for way in WAYS:
        if way["precision"] == "float32":
            for bucketed, rows in batches.items():
                yield {**way, "bucketed": bucketed, **speed(executed(settings, way), rows)}


@click.command(help=__doc__)
@click.argument("model")
@data_dir_option
@click.option("--steps", default=16, show_default=True)
def main(model: str, data_dir: str | None, steps: int) -> None:
    """Measures every way."""
    spec = zoo.get_spec(model)
    of_texts = get_dataset(spec.dataset).kind == "text"
    measured = (
        ways_with_texts(model, steps, data_dir) if of_texts else benchmark(model, steps=steps)
    )
    for way in measured:
        row = {"model": model, "batch_size": spec.recipe.batch_size, "bucketed": "", **way}
        tables.keep("execution", {**row, **tables.machine()}, KEYS)
        click.echo(", ".join(f"{key} {row[key]}" for key in (*KEYS, "rows_a_second")))


if __name__ == "__main__":
    main()
