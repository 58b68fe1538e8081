"""Training speed of a model on this machine, for each way to execute its training step."""

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

from zoo.checks import require_integer
from zoo.errors import ArgumentValueError
from zoo.specs import PRECISIONS
from zoo.training.building import seed_and_build
from zoo.training.config import RunConfig, resolve_config

PASSES = 3
MIN_SECONDS = 0.5
MAX_STEPS = 100_000
STEPS_PER_EXECUTION = (1, 8)
EXECUTION_MODES = tuple(
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
    """Measure the execution mode of a model's recipe, and then the other modes.

    The steps run on random rows of the dataset's shape, texts at full length, so that no data are
    read. The input pipeline is not measured.

    Args:
        name: name of the model.
        dataset: dataset whose rows are imitated; the model's own if None.
        data_dir: TFDS data directory.
        steps: steps a pass, at least 1; raised to the steps of one execution where those are more.
        **overrides: arguments of the model's builder and fields of `Recipe`.

    Yields:
        The recipe's mode first, then each other one of `EXECUTION_MODES`: its fields, and what
        `measure_speed` returns.

    Raises:
        ArgumentValueError: if a value is of the wrong type or out of range, or if the model has
            nothing to train step by step.
        ZooError: as `zoo.train` does.

    Example:
        >>> from zoo.training.benchmark import benchmark
        >>> first = next(benchmark("perceptron", steps=2))
        >>> first["precision"], first["jit_compile"], first["rows_a_second"] > 0
        ('float32', True, True)
    """
    require_integer("steps", steps, 1, MAX_STEPS)
    config = resolve_config(name, dataset, data_dir, 0, overrides)
    own = {key: getattr(config.recipe, key) for key in EXECUTION_MODES[0]}
    for mode in (own, *(mode for mode in EXECUTION_MODES if mode != own)):
        model = build_in_mode(config, mode)
        if not model.trainable_variables:
            raise ArgumentValueError(f"{name} has nothing to train step by step.")
        batch_size = config.recipe.batch_size
        rows = random_rows(model, config, max(steps, mode["steps_per_execution"]) * batch_size)
        yield {**mode, **measure_speed(model, rows.batch(batch_size).cache())}


def build_in_mode(config: RunConfig, mode: Mapping[str, Any]) -> keras.Model:
    """Build a model to be executed in a mode.

    Args:
        config: configuration of a run.
        mode: fields of the recipe that replace its own.
    """
    recipe = config.recipe.replace(**mode)
    return seed_and_build(dataclasses.replace(config, recipe=recipe))


def random_rows(model: keras.Model, config: RunConfig, count: int) -> tf.data.Dataset:
    """Return random rows of the shapes and ranges that a model trains on.

    Args:
        model: the model.
        config: configuration of a run with it.
        count: number of rows.

    Returns:
        ``(inputs, target)``, row by row.
    """
    generator = np.random.default_rng(0)
    length = config.recipe.text.sequence_length

    def random_input(tensor: keras.KerasTensor) -> np.ndarray:
        shape = (count, *(length if side is None else side for side in tensor.shape[1:]))
        if tensor.dtype == "int64":
            bound = config.arguments["vocab_size" if len(shape) > 1 else "num_classes"]
            return generator.integers(bound, size=shape)
        return generator.random(shape, np.float32)

    inputs = tuple(map(random_input, model.inputs))
    target: np.ndarray = inputs[0]
    if config.target == "label":
        target = generator.integers(max(2, model.output_shape[-1]), size=count)
    model_input = inputs if len(inputs) > 1 else inputs[0]
    return tf.data.Dataset.from_tensor_slices((model_input, target))


def measure_speed(model: keras.Model, batches: tf.data.Dataset) -> dict[str, float]:
    """Measure training steps: one pass to compile, one to see how long it takes, some that count.

    Args:
        model: compiled.
        batches: the batches of a pass, in memory; they are repeated for half a second.

    Returns:
        ``rows_a_second`` of the best pass, and ``seconds_to_compile``, the difference between the
        first pass and the second.
    """
    rows = sum(len(tf.nest.flatten(batch)[0]) for batch in batches)

    def train(times: int = 1) -> None:
        model.fit(batches.repeat(times), shuffle=False, verbose=0)

    first, second = seconds_of(train), seconds_of(train)
    times = math.ceil(MIN_SECONDS / second)
    best = min(seconds_of(lambda: train(times)) for _ in range(PASSES)) / times
    return {"rows_a_second": round(rows / best), "seconds_to_compile": round(first - second, 1)}


def seconds_of(call: Callable[[], Any]) -> float:
    """Return the seconds that a call takes.

    Args:
        call: a function without arguments.
    """
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
