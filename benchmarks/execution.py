"""Training speed of a model, for each way to execute its training step.

    python -m benchmarks.execution MODEL [--steps 16]

For image models, what ``zoo benchmark`` measures: with XLA and without, each precision, one step
and several per execution; on random images. For text models, on their own dataset: with XLA and
without, one step and several per execution, length-bucketed batches and batches padded to the full
length. Requires the extra ``benchmark``. Writes one row per mode to
``benchmarks/results/execution.csv``: rows per second of the training step alone, the best of three
passes in one process, after one that compiles.
"""

from collections.abc import Iterator
from typing import Any

import click
import tensorflow as tf

import zoo
from benchmarks import tables
from benchmarks.quality import data_dir_option
from zoo.data import get_dataset, load_data
from zoo.training.benchmark import (
    EXECUTION_MODES,
    benchmark,
    build_in_mode,
    measure_speed,
)
from zoo.training.config import resolve_config

KEYS = ("model", "batch_size", "precision", "jit_compile", "steps_per_execution", "bucketed")


def load_texts(model: str, steps: int, data_dir: str | None) -> tf.data.Dataset:
    """Return the first training batches of a model's own dataset."""
    spec = zoo.get_spec(model)
    data = load_data(
        get_dataset(spec.dataset),
        batch_size=spec.recipe.batch_size,
        data_dir=data_dir,
        text=spec.recipe.text,
    )
    return data.train.take(steps)


def pad_batches(batches: tf.data.Dataset, length: int) -> tf.data.Dataset:
    """Pad every batch to one length."""

    def pad(texts: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.pad(texts, [[0, 0], [0, length - tf.shape(texts)[1]]]), labels

    return batches.map(pad)


def benchmark_on_texts(model: str, steps: int, data_dir: str | None) -> Iterator[dict[str, Any]]:
    """Measure each execution mode of a text model, in float32."""
    config = resolve_config(model, None, data_dir)
    options = zoo.get_spec(model).recipe.text
    texts = load_texts(model, steps, data_dir).cache()
    batches: dict[Any, tf.data.Dataset] = {"": texts}
    if options.encoding == "sequence":
        batches = {True: texts, False: pad_batches(texts, options.sequence_length).cache()}
    for mode in EXECUTION_MODES:
        if mode["precision"] == "float32":
            for bucketed, rows in batches.items():
                speed = measure_speed(build_in_mode(config, mode), rows)
                yield {**mode, "bucketed": bucketed, **speed}


@click.command(help=__doc__)
@click.argument("model")
@data_dir_option
@click.option("--steps", default=16, show_default=True)
def main(model: str, data_dir: str | None, steps: int) -> None:
    """Measure every execution mode."""
    spec = zoo.get_spec(model)
    is_text = get_dataset(spec.dataset).kind == "text"
    results = (
        benchmark_on_texts(model, steps, data_dir) if is_text else benchmark(model, steps=steps)
    )
    for result in results:
        row = {"model": model, "batch_size": spec.recipe.batch_size, "bucketed": "", **result}
        tables.save_row("execution", {**row, **tables.environment()}, KEYS)
        click.echo(", ".join(f"{key} {row[key]}" for key in (*KEYS, "rows_a_second")))


if __name__ == "__main__":
    main()
