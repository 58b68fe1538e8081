"""How fast a model trains under each way to run it: XLA or not, precision, steps per execution.

    python -m benchmarks.execution MODEL [--steps 16]

Needs the extra ``benchmark``. Writes one row a way to ``benchmarks/results/execution.csv``: images
a second of the training step alone, the best of three passes over random images, in one process.
"""

import itertools
import time
from collections.abc import Callable
from typing import Any

import click
import keras
import numpy as np
import tensorflow as tf

import zoo
from benchmarks import tables

KEYS = ("model", "batch_size", "precision", "jit_compile", "steps_per_execution")
PASSES = 3


def seconds_of(work: Callable[[], Any]) -> float:
    """Measures one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@click.command(help=__doc__)
@click.argument("model")
@click.option("--steps", default=16, show_default=True)
def main(model: str, steps: int) -> None:
    """Measures every way."""
    batch_size = zoo.get_spec(model).recipe.batch_size
    generator = np.random.default_rng(0)
    ways = itertools.product(("float32", "mixed_bfloat16"), (False, True), (1, 8))
    for precision, jit_compile, steps_per_execution in ways:
        keras.config.set_dtype_policy(precision)
        network = zoo.build(model)
        network.jit_compile = jit_compile
        network.steps_per_execution = steps_per_execution
        rows = (steps * batch_size, *network.input_shape[1:])
        images = generator.random(rows, np.float32)
        labels = generator.integers(0, 2, len(images))
        data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(batch_size).cache()

        def train(network: keras.Model = network, data: tf.data.Dataset = data) -> None:
            network.fit(data, shuffle=False, verbose=0)

        train()
        seconds = min(seconds_of(train) for _ in range(PASSES))
        row = {
            "model": model,
            "batch_size": batch_size,
            "precision": precision,
            "jit_compile": jit_compile,
            "steps_per_execution": steps_per_execution,
            "images_a_second": round(len(images) / seconds),
            **tables.machine(),
        }
        tables.keep("execution", row, KEYS)
        click.echo(", ".join(f"{key} {row[key]}" for key in (*KEYS, "images_a_second")))


if __name__ == "__main__":
    main()
