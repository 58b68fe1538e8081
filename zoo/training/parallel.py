"""Training steps on several devices: each computes a part of the rows of a batch."""

import contextlib
import functools
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.data.pipeline import Data
from zoo.training.building import seed_and_build
from zoo.training.callbacks import EpochNumber
from zoo.training.config import RunConfig
from zoo.training.devices import Placement, strategy_of


@contextlib.contextmanager
def partitioned_batches(
    placement: Placement,
    model: keras.Model,
    data: Data,
    epoch: EpochNumber,
    epochs: range,
    class_weight: Mapping[int, float] | None,
) -> Iterator[dict[str, Any]]:
    """Let each device compute a part of the rows of each batch.

    Args:
        placement: the devices.
        model: compiled, and built in their scope.
        data: what it is trained on.
        epoch: the number of the current epoch.
        epochs: the numbers of the epochs to train.
        class_weight: weights of the classes in training.

    Yields:
        The arguments of ``model.fit`` that are about data.
    """
    if placement.is_parallel and keras.config.backend() == "tensorflow":
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Your input ran out of data")  # that of validation
            yield _distribute(placement, data, epochs, class_weight)
        return
    if placement.is_parallel:
        _partition_steps(placement, model)
    yield {
        "x": data.train_in_epoch(epoch.number),
        "validation_data": data.validation,
        "class_weight": class_weight,
    }


def gather(model: keras.Model, config: RunConfig) -> keras.Model:
    """Return a model that was trained on several devices on the default one.

    Args:
        model: the trained model.
        config: configuration of its run.
    """
    gathered = seed_and_build(config)
    gathered.optimizer.build(gathered.trainable_variables)
    for ours, trained in zip(_state(gathered), _state(model), strict=True):
        ours.assign(np.array(trained))
    return gathered


def _state(model: keras.Model) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _partition_steps(placement: Placement, model: keras.Model) -> None:
    """Let JAX partition the rows; the rest of each step follows from that."""
    import jax

    mesh = jax.sharding.Mesh(np.array(placement.jax_devices), ["rows"])
    rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("rows"))

    def partitioned(step: Any) -> Any:
        def on_all_devices(state: Any, batch: Any) -> Any:
            batch = jax.tree.map(lambda a: jax.lax.with_sharding_constraint(a, rows), batch)
            return step(state, batch)

        return on_all_devices

    model.train_step = partitioned(model.train_step)
    model.test_step = partitioned(model.test_step)


def _distribute(
    placement: Placement,
    data: Data,
    epochs: range,
    class_weight: Mapping[int, float] | None,
) -> dict[str, Any]:
    """Give each replica of TensorFlow its part; in validation all rows, so that all count alike.

    The training batches of all epochs are one dataset, whose steps are counted. Otherwise Keras
    would find the end of each epoch by a step without data, in which the optimizer still counts the
    step, decays the weights and averages them.
    """
    train = data.train_in_epochs(epochs.start, epochs.stop)
    steps = len(train) // len(epochs)
    if class_weight:
        weights = tf.constant([class_weight[label] for label in sorted(class_weight)], tf.float32)
        train = train.map(lambda x, y: (x, y, tf.gather(weights, y)))
    parts = train.flat_map(functools.partial(_parts, placement.count))
    copies = data.validation.flat_map(
        lambda *batch: tf.data.Dataset.from_tensors(batch).repeat(placement.count)
    )
    distribute = strategy_of(placement).distribute_datasets_from_function
    return {
        "x": distribute(lambda _: parts),
        "steps_per_epoch": steps,
        "validation_data": distribute(lambda _: copies),
    }


def _parts(count: int, *batch: Any) -> tf.data.Dataset:
    """Return the equal parts of a batch; as many copies if its rows do not divide."""
    rows = tf.shape(tf.nest.flatten(batch)[0], tf.int64)[0]
    size = tf.where(rows % count == 0, rows // count, rows)

    def part(number: tf.Tensor) -> Any:
        start = number * size % rows
        return tf.nest.map_structure(lambda values: values[start : start + size], batch)

    return tf.data.Dataset.range(count).map(part)
