"""From raw rows in memory to the batches that a model takes."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.errors import DatasetError
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


def fill_missing_splits(spec: DatasetSpec, splits: Mapping[str, Rows]) -> dict[str, Rows]:
    """Cuts the splits that a data set lacks off its training rows: test first, then validation.

    Args:
        spec: the data set.
        splits: those that it has, ``train`` at least.

    Returns:
        All three.

    Raises:
        DatasetError: if one has no row.
    """
    all_three = dict(splits)
    for salt, split in ((1, "test"), (0, "validation")):
        if split not in all_three:
            all_three["train"], all_three[split] = hold_out(all_three["train"], salt)
    for split, rows in all_three.items():
        if not len(rows):
            raise DatasetError(f"{spec.name}: the {split} split has no row; give more rows.")
    return all_three


def concatenate_rows(first: Rows, second: Rows) -> Rows:
    """Puts the rows of two splits one after the other.

    Args:
        first: the one.
        second: the other.

    Returns:
        All of them.
    """
    inputs = np.concatenate([first.inputs, second.inputs])
    return Rows(inputs, np.concatenate([first.labels, second.labels]))


def split_fold(rows: Rows, number: int, folds: int) -> tuple[Rows, Rows]:
    """Cuts one of several folds off: equal shares of every class, the same rows each time.

    Args:
        rows: what to cut.
        number: of the fold, from 1.
        folds: how many there are; each row is in one of them.

    Returns:
        What is left, and the fold: disjoint, both in the order of `rows`.
    """
    generator = np.random.default_rng([SPLIT_SEED, folds])
    by_class = np.lexsort((generator.permutation(len(rows)), rows.labels))
    fold = np.empty(len(rows), int)
    fold[by_class] = np.arange(len(rows)) % folds
    return rows[fold != number - 1], rows[fold == number - 1]


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
        target: what a model is to give: see `zoo.specs.Task`.
        corruption: the layer that adds noise to what a model is to clear of it, by a seed a row:
            anew in each epoch of training, and always alike elsewhere; None for no noise.
    """

    spec: DatasetSpec
    version: str
    rows: Mapping[str, Rows]
    preprocessor: keras.Layer
    augmentation: tuple[keras.Layer, ...]
    batch_size: int
    seed: int
    target: str = "label"
    corruption: keras.Layer | None = None

    @property
    def class_counts(self) -> dict[str, dict[str, int]]:
        """How many rows of each class there are in each split."""
        names = self.spec.class_names

        def count(rows: Rows) -> dict[str, int]:
            counts = np.bincount(rows.labels, minlength=len(names)).tolist()
            return dict(zip(names, counts, strict=True))

        return {split: count(rows) for split, rows in self.rows.items()}

    def rebatched(self, batch_size: int, seed: int) -> "Data":
        """Gives the same rows in other batches; what has been computed of them is kept.

        Args:
            batch_size: rows a batch.
            seed: of the order of the training rows, and of their alteration.
        """
        return dataclasses.replace(self, batch_size=batch_size, seed=seed)

    @functools.cached_property
    def train(self) -> tf.data.Dataset:
        """One pass over the training split, in another order each time it is iterated."""
        number = tf.data.Dataset.random(self.seed, rerandomize_each_iteration=True)
        return self._train_by(number.take(1))

    @functools.cached_property
    def validation(self) -> tf.data.Dataset:
        """One pass over the validation split."""
        return self.in_order("validation")

    @functools.cached_property
    def test(self) -> tf.data.Dataset:
        """One pass over the test split, in the order of its rows."""
        return self.in_order("test")

    def train_in_epoch(self, number: tf.Variable) -> tf.data.Dataset:
        """Gives one pass over the training split, in an order that its epoch's number decides.

        The order follows from the seed and the number alone, so that a training that starts again
        at epoch 7 sees what it would have seen without the break. So do augmentation and noise.

        Args:
            number: int64 scalar, read each time that an iteration begins.

        Returns:
            Batches of ``(inputs, target)``.
        """
        return self._train_by(tf.data.Dataset.range(1).map(lambda _: number.value()))

    def in_order(self, split: str) -> tf.data.Dataset:
        """Gives one pass over a split in the order of its rows, none of them augmented.

        Args:
            split: its name.

        Returns:
            Batches of ``(inputs, target)``.
        """
        return self.batches(split, np.arange(len(self.rows[split])))

    def batches(self, split: str, order: np.ndarray) -> tf.data.Dataset:
        """Gives rows of a split, none of them augmented.

        Args:
            split: its name.
            order: numbers of the rows.

        Returns:
            Batches of ``(inputs, target)``.
        """
        take = self._taker(split)
        salt = tf.constant(-1 - list(self.rows).index(split), tf.int64)

        def batch(index: tf.Tensor) -> tuple[Any, tf.Tensor]:
            rows, labels = take(index)
            return self._pair(rows, labels, index, salt)

        return _ahead(tf.data.Dataset.from_tensor_slices(order).batch(self.batch_size), batch)

    def cached_rows(self, split: str) -> np.ndarray:
        """Gives a split's rows as they are kept in memory: raw.

        Args:
            split: its name.
        """
        return self.rows[split].inputs

    def to_inputs(self, stored: tf.Tensor) -> tf.Tensor:
        """Makes the model's input of rows as they are kept.

        Args:
            stored: ``(batch, ...)``.
        """
        return self.preprocessor(stored)

    def order(self, seed: tf.Tensor) -> tf.Tensor:
        """Gives the order of a pass over the training rows, batches being cut from it in turn.

        Args:
            seed: ``(2,)``, int64.

        Returns:
            ``(rows,)``, int64, a permutation.
        """
        numbers = tf.range(len(self.rows["train"]), dtype=tf.int64)
        return tf.random.experimental.stateless_shuffle(numbers, seed)

    def _train_by(self, number: tf.data.Dataset) -> tf.data.Dataset:
        """Gives one pass over the training split, by the number that is the only element."""
        take = self._taker("train")
        steps = -(-len(self.rows["train"]) // self.batch_size)

        def batches_of(number: tf.Tensor) -> tf.data.Dataset:
            seed = tf.stack([np.int64(self.seed), number])
            noise = tf.random.stateless_uniform((steps,), seed, maxval=MOST, dtype=tf.int64)
            order = tf.data.Dataset.from_tensor_slices(self.order(seed)).batch(self.batch_size)
            return tf.data.Dataset.zip(order, tf.data.Dataset.from_tensor_slices(noise))

        def batch(index: tf.Tensor, noise: tf.Tensor) -> tuple[Any, tf.Tensor]:
            rows, labels = take(index)
            for layer, alter in enumerate(self.augmentation):
                rows = alter(rows, seed=tf.stack([noise, layer]))
            return self._pair(rows, labels, index, noise)

        batches = number.flat_map(batches_of)
        return _ahead(batches.apply(tf.data.experimental.assert_cardinality(steps)), batch)

    def _pair(
        self, stored: tf.Tensor, labels: tf.Tensor, index: tf.Tensor, noise: tf.Tensor
    ) -> tuple[Any, tf.Tensor]:
        """Gives what the model takes of rows, and what it is to give."""
        inputs = self.to_inputs(stored)
        if self.target == "label":
            return inputs, labels
        given = inputs
        if self.corruption is not None:
            given = self.corruption(inputs, tf.stack([tf.fill(tf.shape(index), noise), index], 1))
        return ((given, labels) if self.target == "image given label" else given), inputs

    def _taker(self, split: str) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        inputs, labels = tf.constant(self.cached_rows(split)), tf.constant(self.rows[split].labels)
        return lambda index: (tf.gather(inputs, index), tf.gather(labels, index))


def _ahead(order: tf.data.Dataset, batch: Callable[..., Any]) -> tf.data.Dataset:
    batches = order.map(batch, num_parallel_calls=PARALLEL_CALLS).prefetch(AHEAD)
    return batches.with_options(_fixed_parallelism())


def _fixed_parallelism() -> tf.data.Options:
    """Spares small data sets the tuning of tf.data, which costs more than it brings them."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return options
