"""The model of a run, as training executes it."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from zoo.acceleration import accelerate
from zoo.errors import ArgumentValueError
from zoo.registry import build
from zoo.specs import Recipe, list_to_tuple
from zoo.training.config import RunConfig
from zoo.training.processor import is_compiled


def seed_and_build(config: RunConfig) -> keras.Model:
    """Seed the process and build a run's model as training executes it.

    Args:
        config: configuration of the run.

    Returns:
        The compiled model, in the recipe's precision, with accelerated layers.

    Raises:
        ArgumentValueError: if the builder refuses a value, or the model does not fit into memory.
        WeightsError: if weights cannot be fetched or read, or are another network's.
    """
    keras.utils.set_random_seed(config.seed)
    with _dtype_policy(config.recipe.precision):
        start = vars(config.start) if config.start.weights else {}
        model = accelerate(build_model(config.model, {**config.arguments, **start}))
    average_weights(model, config.recipe.ema_momentum)
    set_execution(model, config.recipe)
    return model


def average_weights(model: keras.Model, momentum: float) -> None:
    """Let the optimizer of a model keep an exponential moving average of the weights.

    Args:
        model: compiled, not trained yet.
        momentum: momentum of the average; 0 for none.
    """
    if momentum and model.trainable_variables:
        model.optimizer.use_ema = True
        model.optimizer.ema_momentum = momentum


def set_execution(model: keras.Model, recipe: Recipe) -> None:
    """Let a model execute its steps as a recipe says.

    That is for TensorFlow. JAX compiles every step, since it would otherwise run operation by
    operation, and gains nothing from several steps per execution.

    Args:
        model: compiled.
        recipe: the recipe.
    """
    is_jax = keras.config.backend() == "jax"
    model.jit_compile = is_compiled(recipe)
    model.steps_per_execution = 1 if is_jax else recipe.steps_per_execution


def build_model(name: str, arguments: Mapping[str, Any]) -> keras.Model:
    """Build a model from arguments as JSON stores them.

    Args:
        name: name of the model.
        arguments: arguments of its builder; a list stands for a tuple.

    Raises:
        ArgumentValueError: if the builder refuses a value, or the model does not fit into memory.
    """
    arguments = {key: list_to_tuple(value) for key, value in arguments.items()}
    try:
        return build(name, **arguments)
    except (tf.errors.OpError, MemoryError, OverflowError) as error:
        raise ArgumentValueError(f"{name} does not fit into memory with {arguments}.") from error


@contextlib.contextmanager
def _dtype_policy(policy: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
