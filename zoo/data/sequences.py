"""Encoded texts: token ids cached in memory and length-bucketed batches."""

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.data.pipeline import PARALLEL_CALLS, Data
from zoo.specs import TextOptions

ENCODING_BATCH_SIZE = 4096
NUM_WIDTHS = 8
BUCKET_BATCHES = 50
UINT16_VALUES = 2**16


class SequenceData(Data):
    """Input pipelines of a text dataset whose rows are encoded once and cached.

    Each batch is truncated to its longest sequence, rounded up to an eighth of the full length,
    which limits the number of distinct shapes. Training batches are length-bucketed: within each
    block of 50 batches of the shuffled order, texts are sorted by length; then the batches are
    shuffled.
    """

    def rebatched(self, batch_size: int, seed: int) -> "Data":
        """Return the same dataset with another batch size and seed, without encoding it again.

        Args:
            batch_size: number of rows per batch.
            seed: seed of the order of the training rows.
        """
        other = super().rebatched(batch_size, seed)
        vars(other)["_encoded"] = self._encoded
        return other

    @functools.cached_property
    def _encoded(self) -> dict[str, tf.RaggedTensor]:
        return {}

    def cached_rows(self, split: str) -> tf.RaggedTensor:
        """Return the encoded rows, ``(rows, None)``, without padding.

        Args:
            split: name of the split.

        Returns:
            The token ids of each text, in order; or, with the multi-hot encoding, the columns that
            are 1, in ascending order.
        """
        if split not in self._encoded:
            texts = self.rows[split].inputs
            self._encoded[split] = tf.concat(list(map_texts(texts, self._encode)), axis=0)
        return self._encoded[split]

    def token_ids(self, split: str) -> np.ndarray:
        """Return the token ids of a split, ``(rows, width)``, int32, padded with 0 on the right.

        Args:
            split: name of the split.
        """
        return tf.cast(self.cached_rows(split).to_tensor(), tf.int32).numpy()

    def to_inputs(self, rows: tf.RaggedTensor) -> tf.Tensor:
        """Convert encoded rows to model inputs.

        Args:
            rows: ``(batch, None)``, of `cached_rows`.

        Returns:
            Token ids ``(batch, width)``, int64, where the width is the longest length in the batch
            rounded up to an eighth of the sequence length; or floats ``(batch, vocab_size)``.
        """
        if not self.is_sequence:
            return self._multi_hot(rows)
        longest, step = rows.bounding_shape()[1], self._width_step
        width = tf.minimum(tf.cast(self._max_width, tf.int64), (longest + step - 1) // step * step)
        return tf.cast(rows.to_tensor(shape=tf.stack([rows.nrows(), width])), tf.int64)

    @functools.cached_property
    def validation(self) -> tf.data.Dataset:
        """The validation split, sorted by length."""
        lengths = self.cached_rows("validation").row_lengths().numpy()
        return self.batches("validation", np.argsort(lengths, kind="stable"))

    def shuffled_order(self, seed: tf.Tensor) -> tf.Tensor:
        """Return a length-bucketed random order of the training rows.

        Args:
            seed: stateless seed ``(2,)``, int64.

        Returns:
            Permutation ``(rows,)``, int64; consecutive rows form a batch.
        """
        shuffled = super().shuffled_order(seed)
        if not self.is_sequence:
            return shuffled
        lengths = self.cached_rows("train").row_lengths()
        size = len(self.rows["train"])
        block = tf.range(size, dtype=tf.int64) // (BUCKET_BATCHES * self.batch_size)
        key = block * (self._max_width + 1) + tf.gather(lengths, shuffled)
        bucketed = tf.gather(shuffled, tf.argsort(key, stable=True))
        full_batches = size // self.batch_size
        in_full_batches = full_batches * self.batch_size
        batches = tf.reshape(bucketed[:in_full_batches], (full_batches, self.batch_size))
        batches = tf.gather(
            batches, tf.random.experimental.stateless_shuffle(tf.range(full_batches), seed + 1)
        )
        return tf.concat([tf.reshape(batches, [-1]), bucketed[in_full_batches:]], axis=0)

    @property
    def is_sequence(self) -> bool:
        """Whether texts are encoded as token ids in order, rather than multi-hot."""
        return self.preprocessor.outputs[0].dtype == "int64"

    @property
    def _id_dtype(self) -> tf.DType:
        assert isinstance(self.options, TextOptions)
        return tf.uint16 if self.options.vocab_size <= UINT16_VALUES else tf.int32

    @property
    def _max_width(self) -> int:
        return self.preprocessor.outputs[0].shape[1]

    @property
    def _width_step(self) -> int:
        return -(-self._max_width // NUM_WIDTHS)

    def _encode(self, texts: tf.Tensor) -> tf.RaggedTensor:
        encoded = self._preprocess(texts)
        if self.is_sequence:
            return tf.cast(tf.RaggedTensor.from_tensor(encoded, padding=0), self._id_dtype)
        rows, columns = tf.unstack(tf.where(encoded), axis=1)
        return tf.RaggedTensor.from_value_rowids(
            tf.cast(columns, self._id_dtype), rows, nrows=tf.size(texts, tf.int64)
        )

    def _multi_hot(self, rows: tf.RaggedTensor) -> tf.Tensor:
        width = self._max_width
        rows = tf.math.bincount(
            tf.cast(rows, tf.int32),
            minlength=width,
            maxlength=width,
            dtype=tf.float32,
            axis=-1,
            binary_output=True,
        )
        return tf.ensure_shape(rows, (None, width))


def map_texts(texts: np.ndarray, function: Callable[[tf.Tensor], Any]) -> Iterator[Any]:
    """Apply a function to some thousands of texts at a time, in parallel.

    Args:
        texts: ``(rows,)``, UTF-8.
        function: takes a string tensor ``(batch,)``.

    Yields:
        The results, in order.
    """
    starts = range(0, len(texts), ENCODING_BATCH_SIZE)
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        yield from pool.map(
            lambda start: function(tf.constant(texts[start : start + ENCODING_BATCH_SIZE])), starts
        )
