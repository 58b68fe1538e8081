"""Encoded texts: token ids cached in memory and length-bucketed batches."""

import functools

import numpy as np
import tensorflow as tf

from zoo.data.pipeline import PARALLEL_CALLS, PREFETCH, Data

ENCODING_BATCH_SIZE = 4096
NUM_WIDTHS = 8
BUCKET_BATCHES = 50


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
    def _encoded(self) -> dict[str, np.ndarray]:
        return {}

    def cached_rows(self, split: str) -> np.ndarray:
        """Return the encoded rows, ``(rows, width)`` or ``(rows, vocab_size)``.

        Of token ids only the columns are kept that `to_inputs` can ask for.

        Args:
            split: name of the split.
        """
        if split not in self._encoded:
            texts = tf.data.Dataset.from_tensor_slices(self.rows[split].inputs)
            batches = texts.batch(ENCODING_BATCH_SIZE).map(
                lambda batch: tf.cast(self.preprocessor(batch), self._cache_dtype),
                num_parallel_calls=PARALLEL_CALLS,
            )
            parts = [self._trim(part) for part in batches.prefetch(PREFETCH).as_numpy_iterator()]
            width = max(part.shape[1] for part in parts)
            encoded = np.zeros((len(self.rows[split]), width), parts[0].dtype)
            stop = len(encoded)
            while parts:
                part = parts.pop()
                encoded[stop - len(part) : stop, : part.shape[1]] = part
                stop -= len(part)
            self._encoded[split] = encoded
        return self._encoded[split]

    def to_inputs(self, rows: tf.Tensor) -> tf.Tensor:
        """Convert encoded rows to model inputs.

        Args:
            rows: ``(batch, sequence_length)`` or ``(batch, vocab_size)``.

        Returns:
            Token ids ``(batch, width)``, int64, where the width is the longest length in the batch
            rounded up to an eighth of the sequence length; or floats ``(batch, vocab_size)``.
        """
        if not self.is_sequence:
            return tf.cast(rows, tf.float32)
        longest = tf.reduce_max(tf.math.count_nonzero(rows, axis=1))
        step = self._width_step
        width = tf.minimum(tf.cast(self._max_width, tf.int64), (longest + step - 1) // step * step)
        return tf.cast(rows[:, :width], tf.int64)

    @functools.cached_property
    def validation(self) -> tf.data.Dataset:
        """The validation split, sorted by length."""
        return self.batches("validation", np.argsort(self._lengths("validation"), kind="stable"))

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
        lengths = tf.constant(self._lengths("train"), tf.int64)
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
    def _cache_dtype(self) -> tf.DType:
        return tf.int32 if self.is_sequence else tf.uint8

    @property
    def _max_width(self) -> int:
        return self.preprocessor.outputs[0].shape[1]

    @property
    def _width_step(self) -> int:
        return -(-self._max_width // NUM_WIDTHS)

    def _trim(self, encoded: np.ndarray) -> np.ndarray:
        """Return token ids without the columns on the right that are padding in every row."""
        if not self.is_sequence:
            return encoded
        longest = np.flatnonzero(encoded.any(axis=0))[-1] + 1
        return encoded[:, : -(-longest // self._width_step) * self._width_step].copy()

    def _lengths(self, split: str) -> np.ndarray:
        return np.count_nonzero(self.cached_rows(split), axis=1)
