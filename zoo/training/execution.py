"""The way training executes a step: measured once per model and machine, and remembered.

Whether XLA and bfloat16 make a step faster or slower depends on the model and on the processor.
"""

import contextlib
import dataclasses
import importlib.metadata
import itertools
import json
import math
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import platformdirs
import tensorflow as tf

from zoo.data.pipeline import Data
from zoo.runs.files import shared_lock, write_json
from zoo.specs import Recipe
from zoo.training.benchmark import build_in_mode, seconds_of
from zoo.training.config import RunConfig
from zoo.training.frozen import is_frozen_below_output
from zoo.training.processor import describe_processor

MIN_ROWS = 100_000
MIN_GAIN = 1.15
SAMPLED_BATCHES = 40
MIN_SECONDS = 0.5
FIELDS = ("precision", "jit_compile")

Mode = dict[str, Any]


def choose_execution(
    config: RunConfig,
    model: keras.Model,
    data: Data,
    *,
    given: Collection[str] = (),
    progress: bool = False,
) -> RunConfig:
    """Choose the execution mode in which training will take the least time on this machine.

    The mode of the recipe is kept unless another is faster by 15 percent, compilation included;
    and without measuring if `execution` is ``"recipe"``, if precision or compilation are given,
    if another backend than TensorFlow computes, or if training is so short that measuring would
    take longer than it saves.

    Args:
        config: configuration of a run.
        model: its model.
        data: what it is trained on.
        given: names of the settings that the user has chosen.
        progress: whether to say on standard error what was chosen.

    Returns:
        The configuration, with the mode in its recipe.
    """
    recipe, steps = config.recipe, _steps(config.recipe, data)
    is_short = steps * recipe.batch_size < MIN_ROWS
    is_fixed = recipe.execution == "recipe" or not set(given).isdisjoint(FIELDS)
    is_fixed = is_fixed or keras.config.backend() != "tensorflow"
    if is_short or is_fixed or not model.trainable_variables or is_frozen_below_output(model):
        return config
    modes = candidates(recipe)
    with _one_at_a_time():
        mode = remembered_mode(config.model)
        if mode not in modes:
            try:
                seconds = [estimate_seconds(config, mode, data) for mode in modes]
            except tf.errors.OpError:  # training will fail in the same way, and say so
                return config
            mode = _choose(modes, seconds)
            _remember(config.model, mode)
            if progress:
                print(_describe(mode, seconds[0] / seconds[modes.index(mode)]), file=sys.stderr)
    return dataclasses.replace(config, recipe=recipe.replace(**mode))


def candidates(recipe: Recipe) -> list[Mode]:
    """Return the execution modes that are compared, that of the recipe first.

    Args:
        recipe: a recipe; only one in bfloat16 is tried in bfloat16.
    """
    precisions = dict.fromkeys((recipe.precision, "float32"))
    compilations = (recipe.jit_compile, not recipe.jit_compile)
    pairs = itertools.product(precisions, compilations)
    return [dict(zip(FIELDS, pair, strict=True)) for pair in pairs]


def estimate_seconds(config: RunConfig, mode: Mapping[str, Any], data: Data) -> float:
    """Measure a few steps, and estimate how long a training run takes, compilation included.

    Args:
        config: configuration of the run.
        mode: the execution mode.
        data: what the model is trained on.
    """
    model = build_in_mode(config, mode)
    batches = list(data.train.take(SAMPLED_BATCHES))
    widths = Counter(_shape(batch) for batch in batches)
    ((common, _),) = widths.most_common(1)
    batch = next(batch for batch in batches if _shape(batch) == common)
    execution = tf.data.Dataset.from_tensors(batch).repeat(config.recipe.steps_per_execution)

    def train(times: int = 1) -> None:
        model.fit(execution.repeat(times), shuffle=False, verbose=0)

    first, second = seconds_of(train), seconds_of(train)
    times = math.ceil(MIN_SECONDS / second)
    step = seconds_of(lambda: train(times)) / times / config.recipe.steps_per_execution
    return len(widths) * max(0.0, first - second) + _steps(config.recipe, data) * step


def remembered_mode(model: str) -> Mode | None:
    """Return the execution mode that was chosen for a model on this machine; None if none was.

    Args:
        model: name of the model.
    """
    return _read().get(_key(model))


def cache_path() -> Path:
    """Return the file in which the modes are remembered."""
    return platformdirs.user_cache_path("keras-model-zoo") / "execution.json"


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Let others that train the same model at once wait, and then find what was remembered."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # then each measures for itself
            cache_path().parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(shared_lock(cache_path().parent))
        yield


def _remember(model: str, mode: Mode) -> None:
    with contextlib.suppress(OSError):  # then it is measured again the next time
        cache_path().parent.mkdir(parents=True, exist_ok=True)
        write_json(cache_path(), {**_read(), _key(model): mode})


def _read() -> dict[str, Any]:
    try:
        return dict(json.loads(cache_path().read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _key(model: str) -> str:
    versions = ", ".join(
        f"{package} {importlib.metadata.version(package)}"
        for package in ("keras-model-zoo", "keras", "tensorflow")
    )
    return f"{model} on {describe_processor()}, {versions}"


def _choose(modes: Sequence[Mode], seconds: Sequence[float]) -> Mode:
    fastest = int(np.argmin(seconds))
    return modes[fastest] if seconds[0] > MIN_GAIN * seconds[fastest] else modes[0]


def _steps(recipe: Recipe, data: Data) -> int:
    return recipe.epochs * math.ceil(len(data.rows["train"]) / recipe.batch_size)


def _shape(batch: Any) -> tuple[int, ...]:
    return tuple(tf.nest.flatten(batch)[0].shape[1:])


def _describe(mode: Mode, ratio: float) -> str:
    compiled = "with XLA" if mode["jit_compile"] else "without XLA"
    return (
        f"execution: {mode['precision']} {compiled}, estimated at {ratio:.2f} times the speed of "
        f"the recipe's mode; remembered in {cache_path()}"
    )
