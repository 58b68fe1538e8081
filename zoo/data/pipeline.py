"""From raw rows in memory to the batches that a model takes."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.specs import MOST, DatasetSpec

SPLIT_SEED = 20_230_116
HELD_OUT = 0.1
PARALLEL_CALLS = 2
AHEAD = 4


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows of one split as they were read.

    Attributes:
        inputs: ``(rows, *raw shape)``.
        labels: ``(rows,)``, int64, indices of the class names.
    """

    inputs: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        """Counts the rows."""
        return len(self.labels)

    def __getitem__(self, index: np.ndarray | slice) -> "Rows":
        """Picks rows."""
        return Rows(self.inputs[index], self.labels[index])


def hold_out(rows: Rows, salt: int) -> tuple[Rows, Rows]:
    """Cuts a tenth of every class off, the same rows each time.

    Args:
        rows: what to cut.
        salt: different for each cut of one data set.

    Returns:
        What is left, and what was cut off: disjoint, both in the order of `rows`.
    """
    generator = np.random.default_rng([SPLIT_SEED, salt])
    cut = np.zeros(len(rows), bool)
    for label in np.unique(rows.labels):
        members = np.flatnonzero(rows.labels == label)
        size = max(1, round(HELD_OUT * len(members))) if len(members) > 1 else 0
        cut[generator.permutation(members)[:size]] = True
    return rows[~cut], rows[cut]


@dataclasses.dataclass(frozen=True)
class Data:
    """A data set, ready to feed a model.

    Attributes:
        spec: what was known of it beforehand.
        version: of what was read, for example ``"mnist/3.0.1"``.
        rows: the raw rows of ``train``, ``validation`` and ``test``.
        preprocessor: the layer from raw rows to the model's input.
        augmentation: layers that alter raw training rows by a seed; they see no other split.
        batch_size: rows a batch.
        seed: of the order of the training rows, and of their alteration.
    """

    spec: DatasetSpec
    version: str
    rows: Mapping[str, Rows]
    preprocessor: keras.Layer
    augmentation: tuple[keras.Layer, ...]
    batch_size: int
    seed: int

    @property
    def class_counts(self) -> dict[str, dict[str, int]]:
        """How many rows of each class there are in each split."""
        names = self.spec.class_names

        def count(rows: Rows) -> dict[str, int]:
            counts = np.bincount(rows.labels, minlength=len(names)).tolist()
            return dict(zip(names, counts, strict=True))

        return {split: count(rows) for split, rows in self.rows.items()}

    @functools.cached_property
    def train(self) -> tf.data.Dataset:
        """One pass over the training split, in another order each time it is iterated."""
        order = tf.data.Dataset.range(len(self.rows["train"])).shuffle(
            len(self.rows["train"]), seed=self.seed, reshuffle_each_iteration=True
        )
        noise = tf.data.Dataset.random(self.seed, rerandomize_each_iteration=True)
        return self._gather_altered(tf.data.Dataset.zip(order.batch(self.batch_size), noise))

    @functools.cached_property
    def validation(self) -> tf.data.Dataset:
        """One pass over the validation split, in the order of its rows."""
        return self.in_order("validation")

    @functools.cached_property
    def test(self) -> tf.data.Dataset:
        """One pass over the test split, in the order of its rows."""
        return self.in_order("test")

    def train_in_epoch(self, number: tf.Variable) -> tf.data.Dataset:
        """Gives one pass over the training split, in an order that its epoch's number decides.

        The order follows from the seed and the number alone, so that a training that starts again
        at epoch 7 sees what it would have seen without the break.

        Args:
            number: int64 scalar, read each time that an iteration begins.

        Returns:
            Batches of ``(inputs, label)``.
        """
        size = len(self.rows["train"])
        steps = -(-size // self.batch_size)

        def order_of(_: tf.Tensor) -> tf.data.Dataset:
            seed = tf.stack([np.int64(self.seed), number])
            order = tf.random.experimental.stateless_shuffle(tf.range(size, dtype=tf.int64), seed)
            noise = tf.random.stateless_uniform((steps,), seed, maxval=MOST, dtype=tf.int64)
            batches = tf.data.Dataset.from_tensor_slices(order).batch(self.batch_size)
            return tf.data.Dataset.zip(batches, tf.data.Dataset.from_tensor_slices(noise))

        order = tf.data.Dataset.range(1).flat_map(order_of)
        return self._gather_altered(order.apply(tf.data.experimental.assert_cardinality(steps)))

    def in_order(self, split: str) -> tf.data.Dataset:
        """Gives one pass over a split in the order of its rows, none of them altered.

        Args:
            split: its name.

        Returns:
            Batches of ``(inputs, label)``.
        """
        order = tf.data.Dataset.range(len(self.rows[split])).batch(self.batch_size)
        take = self._taker(split)

        def batch(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            rows, labels = take(index)
            return self.preprocessor(rows), labels

        return _ahead(order, batch)

    def _gather_altered(self, order: tf.data.Dataset) -> tf.data.Dataset:
        take = self._taker("train")

        def batch(index: tf.Tensor, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            rows, labels = take(index)
            for number, alter in enumerate(self.augmentation):
                rows = alter(rows, seed=tf.stack([noise, number]))
            return self.preprocessor(rows), labels

        return _ahead(order, batch)

    def _taker(self, split: str) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        inputs = tf.constant(self.rows[split].inputs)
        labels = tf.constant(self.rows[split].labels)
        return lambda index: (tf.gather(inputs, index), tf.gather(labels, index))


def _ahead(order: tf.data.Dataset, batch: Callable[..., Any]) -> tf.data.Dataset:
    batches = order.map(batch, num_parallel_calls=PARALLEL_CALLS).prefetch(AHEAD)
    return batches.with_options(_fixed_parallelism())


def _fixed_parallelism() -> tf.data.Options:
    """Spares small data sets the tuning of tf.data, which costs more than it brings them."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return options
