"""How fast a model trains on this machine under each way to execute its training step."""

import dataclasses
import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.errors import ArgumentValueError
from zoo.registry import get_spec
from zoo.specs import PRECISIONS, require_integer
from zoo.tasks import TASKS
from zoo.training.config import RunConfig, resolve_config, seed_and_build

PASSES = 3
LEAST_SECONDS = 0.5
MOST_STEPS = 100_000
STEPS_PER_EXECUTION = (1, 8)
WAYS = tuple(
    {"precision": precision, "jit_compile": compiled, "steps_per_execution": steps}
    for precision, compiled, steps in itertools.product(
        PRECISIONS, (False, True), STEPS_PER_EXECUTION
    )
)


def benchmark(
    name: str,
    *,
    dataset: str | Path | None = None,
    data_dir: str | Path | None = None,
    steps: int = 16,
    **overrides: Any,
) -> Iterator[dict[str, Any]]:
    """Measures the recipe's way to execute a training step, and the others.

    The steps run on random rows of the shape that the data set's have, texts at their full length,
    so that no data are read; what prepares rows is not measured.

    Args:
        name: the model.
        dataset: what its rows look like; the model's own data set if None.
        data_dir: where TFDS keeps its data.
        steps: of a pass, at least 1, or as many as are executed at a time.
        **overrides: arguments of the model's builder and fields of `Recipe`.

    Yields:
        The recipe's way first, and then each of `WAYS` that is another: its fields, and what
        `speed` gives.

    Raises:
        ArgumentValueError: if a value is of the wrong type or out of range, or if nothing in the
            model is trained by steps.
        ZooError: as `zoo.train` says.

    Example:
        >>> from zoo.training.benchmark import benchmark
        >>> first = next(benchmark("perceptron", steps=2))
        >>> first["precision"], first["jit_compile"], first["rows_a_second"] > 0
        ('float32', True, True)
    """
    require_integer("steps", steps, 1, MOST_STEPS)
    settings = resolve_config(name, dataset, data_dir, 0, overrides)
    recipe = settings.recipe
    own = {key: getattr(recipe, key) for key in WAYS[0]}
    for way in (own, *(way for way in WAYS if way != own)):
        network = executed(settings, way)
        if not network.trainable_variables:
            raise ArgumentValueError(f"{name} has nothing that is trained by steps.")
        fewest = max(steps, way["steps_per_execution"])
        rows = random_rows(network, settings, fewest * recipe.batch_size)
        yield {**way, **speed(network, rows.batch(recipe.batch_size).cache())}


def executed(settings: RunConfig, way: Mapping[str, Any]) -> keras.Model:
    """Builds a model to be executed in some way.

    Args:
        settings: of a run, as `zoo.training.resolve_config` gives them.
        way: fields of the recipe.
    """
    return seed_and_build(dataclasses.replace(settings, recipe=settings.recipe.replace(**way)))


def random_rows(network: keras.Model, settings: RunConfig, number: int) -> tf.data.Dataset:
    """Makes random rows of what a model takes and is to give.

    Args:
        network: the model.
        settings: of a run with it.
        number: of rows.

    Returns:
        ``(inputs, target)``, row by row.
    """
    generator = np.random.default_rng(0)
    arguments = settings.arguments
    length = settings.recipe.text.sequence_length

    def rows_of(part: keras.KerasTensor) -> np.ndarray:
        shape = (number, *(length if side is None else side for side in part.shape[1:]))
        if part.dtype == "int64":
            return generator.integers(
                arguments["vocab_size" if len(shape) > 1 else "num_classes"], size=shape
            )
        return generator.random(shape, np.float32)

    inputs = tuple(map(rows_of, network.inputs))
    target: np.ndarray = inputs[0]
    if TASKS[get_spec(settings.model).task].target == "label":
        target = generator.integers(max(2, network.output_shape[-1]), size=number)
    given = inputs if len(inputs) > 1 else inputs[0]
    return tf.data.Dataset.from_tensor_slices((given, target))


def speed(network: keras.Model, batches: tf.data.Dataset) -> dict[str, float]:
    """Measures training steps: a pass to compile, one to see how long it takes, some that count.

    Args:
        network: compiled.
        batches: of a pass, in memory; it is repeated until that takes half a second.

    Returns:
        ``rows_a_second``, of the best pass; and ``seconds_to_compile``, by which the first one took
        longer than the second.
    """
    rows = sum(len(tf.nest.flatten(batch)[0]) for batch in batches)

    def train(times: int = 1) -> None:
        network.fit(batches.repeat(times), shuffle=False, verbose=0)

    first, second = seconds_of(train), seconds_of(train)
    times = math.ceil(LEAST_SECONDS / second)
    best = min(seconds_of(lambda: train(times)) for _ in range(PASSES)) / times
    return {"rows_a_second": round(rows / best), "seconds_to_compile": round(first - second, 1)}


def seconds_of(work: Callable[[], Any]) -> float:
    """Measures one call.

    Args:
        work: what to call.
    """
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
