"""How fast a model trains under each way to run it.

    python -m benchmarks.execution MODEL [--steps 16]

For networks of images: XLA or not, precision, steps per execution; on random images. For networks
of texts: XLA or not, steps per execution, batches of texts of like length or all padded to the full
one; on the model's own data. Needs the extra ``benchmark``. Writes one row a way to
``benchmarks/results/execution.csv``: rows a second of the training step alone, the best of three
passes in one process, after one that compiles.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import click
import keras
import numpy as np
import tensorflow as tf

import zoo
from benchmarks import tables
from benchmarks.quality import data_dir_option
from zoo.data import get_dataset, load_data

KEYS = ("model", "batch_size", "precision", "jit_compile", "steps_per_execution", "bucketed")
PASSES = 3
COMPILATION, STEPS = (False, True), (1, 8)
PRECISIONS, BUCKETING = ("float32", "mixed_bfloat16"), (True, False)


def seconds_of(work: Callable[[], Any]) -> float:
    """Measures one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def speed(network: keras.Model, batches: tf.data.Dataset, rows: int) -> dict[str, float]:
    """Measures training steps: once to compile, and then the best of some passes."""

    def train() -> None:
        network.fit(batches, shuffle=False, verbose=0)

    compiling = seconds_of(train)
    seconds = min(seconds_of(train) for _ in range(PASSES))
    return {
        "rows_a_second": round(rows / seconds),
        "seconds_to_compile": round(compiling - seconds, 1),
    }


def random_images(model: str, steps: int) -> tf.data.Dataset:
    """Makes batches of random images."""
    generator = np.random.default_rng(0)
    batch_size = zoo.get_spec(model).recipe.batch_size
    images = generator.random((steps * batch_size, *zoo.build(model).input_shape[1:]), np.float32)
    labels = generator.integers(0, 2, len(images))
    return tf.data.Dataset.from_tensor_slices((images, labels)).batch(batch_size)


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


def ways(
    model: str, steps: int, data_dir: str | None
) -> Iterator[tuple[tf.data.Dataset, dict[str, Any]]]:
    """Gives the batches of each way, and the way."""
    recipe = zoo.get_spec(model).recipe
    if get_dataset(zoo.get_spec(model).dataset).kind == "images":
        images = random_images(model, steps).cache()
        for way in itertools.product(PRECISIONS, COMPILATION, STEPS):
            yield images, dict(zip(KEYS[2:], (*way, ""), strict=True))
        return
    texts = own_texts(model, steps, data_dir).cache()
    if recipe.text.encoding == "sequence":
        full = padded(texts, recipe.text.sequence_length).cache()
        batches = dict(zip(BUCKETING, (texts, full), strict=True))
    else:
        batches = {"": texts}
    for *way, bucketed in itertools.product(COMPILATION, STEPS, batches):
        yield batches[bucketed], dict(zip(KEYS[2:], ("float32", *way, bucketed), strict=True))


@click.command(help=__doc__)
@click.argument("model")
@data_dir_option
@click.option("--steps", default=16, show_default=True)
def main(model: str, data_dir: str | None, steps: int) -> None:
    """Measures every way."""
    recipe = zoo.get_spec(model).recipe
    for batches, way in ways(model, steps, data_dir):
        keras.config.set_dtype_policy(way["precision"])
        network = zoo.build(model)
        network.jit_compile = way["jit_compile"]
        network.steps_per_execution = way["steps_per_execution"]
        row = {
            "model": model,
            "batch_size": recipe.batch_size,
            **way,
            **speed(network, batches, steps * recipe.batch_size),
            **tables.machine(),
        }
        tables.keep("execution", row, KEYS)
        click.echo(", ".join(f"{key} {row[key]}" for key in (*KEYS, "rows_a_second")))


if __name__ == "__main__":
    main()
