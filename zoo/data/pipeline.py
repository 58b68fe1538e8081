"""Input pipelines: from raw rows in memory to batches of model inputs and targets."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.data.augmentation import Augmentation
from zoo.data.corruption import GaussianCorruption
from zoo.data.preprocessing import TensorFunction, on_tensorflow
from zoo.data.stored import StoredImages, select
from zoo.errors import DatasetError
from zoo.specs import MAX_INT, DatasetSpec, ImageOptions, TextOptions

SPLIT_SEED = 20_230_116
HOLDOUT_FRACTION = 0.1
PARALLEL_CALLS = 2
PREFETCH = 4


@dataclasses.dataclass(frozen=True)
class Rows:
    """The raw rows of a split.

    Attributes:
        inputs: ``(rows, *raw_shape)``, an array or `zoo.data.stored.StoredImages`.
        labels: class indices ``(rows,)``, int64.
    """

    inputs: Any
    labels: np.ndarray

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.labels)

    def __getitem__(self, index: np.ndarray | slice) -> "Rows":
        """Select rows."""
        return Rows(select(self.inputs, index), self.labels[index])


def hold_out(rows: Rows, salt: int) -> tuple[Rows, Rows]:
    """Hold out a tenth of the rows, stratified by class; the selection is fixed.

    Args:
        rows: rows to split.
        salt: integer that differs between the splits of one dataset.

    Returns:
        The remaining rows and the held-out rows, disjoint and both in the order of `rows`.
    """
    generator = np.random.default_rng([SPLIT_SEED, salt])
    held_out = np.zeros(len(rows), bool)
    for label in np.unique(rows.labels):
        members = np.flatnonzero(rows.labels == label)
        size = max(1, round(HOLDOUT_FRACTION * len(members))) if len(members) > 1 else 0
        held_out[generator.permutation(members)[:size]] = True
    return rows[~held_out], rows[held_out]


def fill_missing_splits(spec: DatasetSpec, splits: Mapping[str, Rows]) -> dict[str, Rows]:
    """Hold out missing splits from the training rows, test first and then validation.

    Splits that the dataset has are left as they are.

    Args:
        spec: spec of the dataset.
        splits: available splits, at least ``train``.

    Returns:
        All three splits.

    Raises:
        DatasetError: if a split is empty.
    """
    all_splits = dict(splits)
    for salt, split in ((1, "test"), (0, "validation")):
        if split not in all_splits:
            all_splits["train"], all_splits[split] = hold_out(all_splits["train"], salt)
    for split, rows in all_splits.items():
        if not len(rows):
            raise DatasetError(f"{spec.name} has too few rows: the {split} split is empty.")
    return all_splits


def concatenate_rows(first: Rows, second: Rows) -> Rows:
    """Concatenate the rows of two splits.

    Args:
        first: rows that come first.
        second: rows that follow.

    Returns:
        All rows.
    """
    if isinstance(first.inputs, StoredImages):
        inputs: Any = first.inputs.joined(second.inputs)
    else:
        inputs = np.concatenate([first.inputs, second.inputs])
    return Rows(inputs, np.concatenate([first.labels, second.labels]))


def split_fold(rows: Rows, number: int, folds: int) -> tuple[Rows, Rows]:
    """Split off one fold of a stratified cross-validation; the folds are fixed.

    Args:
        rows: rows to split.
        number: number of the fold, from 1.
        folds: number of folds; each row is in exactly one.

    Returns:
        The remaining rows and the fold, disjoint and both in the order of `rows`.
    """
    generator = np.random.default_rng([SPLIT_SEED, folds])
    by_class = np.lexsort((generator.permutation(len(rows)), rows.labels))
    fold_of_row = np.empty(len(rows), int)
    fold_of_row[by_class] = np.arange(len(rows)) % folds
    return rows[fold_of_row != number - 1], rows[fold_of_row == number - 1]


@dataclasses.dataclass(frozen=True)
class Data:
    """The input pipelines of a dataset's splits.

    Attributes:
        spec: spec of the dataset.
        version: version of the rows, for example ``"mnist/3.0.1"``.
        rows: raw rows of ``train``, ``validation`` and ``test``.
        preprocessor: layer that maps raw rows to model inputs.
        augmentation: functions that augment raw training rows; not applied to other splits.
        batch_size: number of rows per batch.
        seed: seed of the order and the augmentation of the training rows.
        target: target of the model; see `zoo.specs.Task`.
        corruption: function that adds noise to the inputs of a denoising model: new noise in each
            training epoch, fixed noise for each row elsewhere; None for no noise.
        options: preprocessing and augmentation of images or texts; None for truth tables.
        soft_labels: probabilities of the classes, ``(rows, classes)``, that take the place of the
            labels of a split.
    """

    spec: DatasetSpec
    version: str
    rows: Mapping[str, Rows]
    preprocessor: keras.Layer
    augmentation: tuple[Augmentation, ...]
    batch_size: int
    seed: int
    target: str = "label"
    corruption: GaussianCorruption | None = None
    options: ImageOptions | TextOptions | None = None
    soft_labels: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @property
    def class_counts(self) -> dict[str, dict[str, int]]:
        """The number of rows of each class in each split."""
        names = self.spec.class_names

        def count(rows: Rows) -> dict[str, int]:
            counts = np.bincount(rows.labels, minlength=len(names)).tolist()
            return dict(zip(names, counts, strict=True))

        return {split: count(rows) for split, rows in self.rows.items()}

    @property
    def class_weight(self) -> dict[int, float]:
        """The weight of each class that makes all classes count alike in training."""
        labels = self.rows["train"].labels
        counts = np.bincount(labels, minlength=len(self.spec.class_names))
        weights = len(labels) / (len(counts) * counts)
        return dict(enumerate(weights.tolist()))

    def rebatched(self, batch_size: int, seed: int) -> "Data":
        """Return the same dataset with another batch size and seed; caches are shared.

        Args:
            batch_size: number of rows per batch.
            seed: seed of the order and the augmentation of the training rows.
        """
        return dataclasses.replace(self, batch_size=batch_size, seed=seed)

    @functools.cached_property
    def train(self) -> tf.data.Dataset:
        """The training split, reshuffled each time it is iterated."""
        epoch = tf.data.Dataset.random(self.seed, rerandomize_each_iteration=True)
        return self._shuffled_train(epoch.take(1))

    @functools.cached_property
    def validation(self) -> tf.data.Dataset:
        """The validation split."""
        return self.in_order("validation")

    @functools.cached_property
    def test(self) -> tf.data.Dataset:
        """The test split, in the order of its rows."""
        return self.in_order("test")

    def train_in_epoch(self, epoch: tf.Variable) -> tf.data.Dataset:
        """Return the training split, shuffled in an order that depends on the epoch.

        Order, augmentation and noise are functions of the seed and the epoch number, so a run
        resumed at epoch 7 sees the same batches as an uninterrupted one.

        Args:
            epoch: epoch number, an int64 scalar read at the start of each iteration.

        Returns:
            Batches of ``(inputs, target)``.
        """
        return self._shuffled_train(tf.data.Dataset.range(1).map(lambda _: epoch.value()))

    def train_in_epochs(self, first: int, end: int) -> tf.data.Dataset:
        """Return the training split of several epochs, as `train_in_epoch` gives that of each.

        Args:
            first: number of the first epoch.
            end: number of the epoch after the last.

        Returns:
            Batches of ``(inputs, target)``, equally many for each epoch.
        """
        return self._shuffled_train(tf.data.Dataset.range(first, end))

    def in_order(self, split: str) -> tf.data.Dataset:
        """Return a split in the order of its rows, without augmentation.

        Args:
            split: name of the split.

        Returns:
            Batches of ``(inputs, target)``.
        """
        return self.batches(split, np.arange(len(self.rows[split])))

    def batches(self, split: str, order: np.ndarray) -> tf.data.Dataset:
        """Return rows of a split in a given order, without augmentation.

        Args:
            split: name of the split.
            order: row indices.

        Returns:
            Batches of ``(inputs, target)``.
        """
        gather = self._gather_fn(split)
        salt = tf.constant(-1 - list(self.rows).index(split), tf.int64)

        def make_batch(index: tf.Tensor) -> tuple[Any, tf.Tensor]:
            rows, labels = gather(index)
            return self._inputs_and_target(rows, labels, index, salt)

        return _map_and_prefetch(
            tf.data.Dataset.from_tensor_slices(order).batch(self.batch_size), make_batch
        )

    def cached_rows(self, split: str) -> Any:
        """Return the rows of a split as they are kept: raw.

        Args:
            split: name of the split.
        """
        return self.rows[split].inputs

    @functools.cached_property
    def _preprocess(self) -> TensorFunction:
        return on_tensorflow(self.preprocessor)

    def to_inputs(self, rows: tf.Tensor) -> tf.Tensor:
        """Convert rows of `cached_rows` to model inputs.

        Args:
            rows: ``(batch, ...)``.
        """
        return self._preprocess(rows)

    def shuffled_order(self, seed: tf.Tensor) -> tf.Tensor:
        """Return a random order of the training rows; consecutive rows form a batch.

        Args:
            seed: stateless seed ``(2,)``, int64.

        Returns:
            Permutation ``(rows,)``, int64.
        """
        indices = tf.range(len(self.rows["train"]), dtype=tf.int64)
        return tf.random.experimental.stateless_shuffle(indices, seed)

    def _shuffled_train(self, epochs: tf.data.Dataset) -> tf.data.Dataset:
        """Return the training split for each epoch number in `epochs`, shuffled by it."""
        gather = self._gather_fn("train")
        steps = -(-len(self.rows["train"]) // self.batch_size)

        def batch_indices(epoch: tf.Tensor) -> tf.data.Dataset:
            seed = tf.stack([np.int64(self.seed), epoch])
            step_seeds = tf.random.stateless_uniform((steps,), seed, maxval=MAX_INT, dtype=tf.int64)
            order = tf.data.Dataset.from_tensor_slices(self.shuffled_order(seed))
            return tf.data.Dataset.zip(
                order.batch(self.batch_size), tf.data.Dataset.from_tensor_slices(step_seeds)
            )

        def make_batch(index: tf.Tensor, step_seed: tf.Tensor) -> tuple[Any, tf.Tensor]:
            rows, labels = gather(index)
            for number, augment in enumerate(self.augmentation):
                rows = augment(rows, seed=tf.stack([step_seed, number]))
            return self._inputs_and_target(rows, labels, index, step_seed)

        count = steps * len(epochs)
        indices = epochs.flat_map(batch_indices)
        return _map_and_prefetch(
            indices.apply(tf.data.experimental.assert_cardinality(count)), make_batch
        )

    def _inputs_and_target(
        self, rows: tf.Tensor, labels: tf.Tensor, index: tf.Tensor, noise_seed: tf.Tensor
    ) -> tuple[Any, tf.Tensor]:
        clean = self.to_inputs(rows)
        if self.target == "label":
            return clean, labels
        inputs = clean
        if self.corruption is not None:
            seeds = tf.stack([tf.fill(tf.shape(index), noise_seed), index], 1)
            inputs = self.corruption(clean, seeds)
        return ((inputs, labels) if self.target == "class-conditional image" else inputs), clean

    def _gather_fn(self, split: str) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        inputs = self.cached_rows(split)
        labels = tf.constant(self.soft_labels.get(split, self.rows[split].labels))
        if not isinstance(inputs, StoredImages):
            rows = inputs if tf.is_tensor(inputs) else tf.constant(inputs)
            return lambda index: (tf.gather(rows, index), tf.gather(labels, index))

        def read(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            images = tf.numpy_function(inputs.__getitem__, [index], tf.uint8, stateful=False)
            return tf.ensure_shape(images, (None, *inputs.shape[1:])), tf.gather(labels, index)

        return read


def _map_and_prefetch(indices: tf.data.Dataset, make_batch: Callable[..., Any]) -> tf.data.Dataset:
    batches = indices.map(make_batch, num_parallel_calls=PARALLEL_CALLS).prefetch(PREFETCH)
    options = tf.data.Options()
    options.autotune.enabled = False  # autotuning costs small datasets more than it saves
    return batches.with_options(options)
