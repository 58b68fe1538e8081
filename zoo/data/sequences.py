"""Texts as numbers: encoded once, and batched with others of their length."""

import functools

import numpy as np
import tensorflow as tf

from zoo.data.pipeline import AHEAD, PARALLEL_CALLS, Data

ENCODED_AT_ONCE = 512
WIDTHS = 8
CHUNK = 50


class SequenceData(Data):
    """Texts, encoded by their preprocessor once and for all.

    Sequences are cut to the longest of their batch, rounded up to an eighth of the full length, so
    that few shapes occur. In training, batches are made of texts of about the same length: within
    each stretch of 50 batches of the shuffled order texts are sorted by length, and then the
    batches are shuffled.
    """

    def rebatched(self, batch_size: int, seed: int) -> "Data":
        """Gives the same texts in other batches, without encoding them again.

        Args:
            batch_size: rows a batch.
            seed: of the order of the training rows.
        """
        other = super().rebatched(batch_size, seed)
        vars(other)["_encoded"] = self._encoded
        return other

    @functools.cached_property
    def _encoded(self) -> dict[str, np.ndarray]:
        return {}

    def cached_rows(self, split: str) -> np.ndarray:
        """Gives a split's rows encoded: ``(rows, sequence_length)`` or ``(rows, vocab_size)``.

        Args:
            split: its name.
        """
        if split not in self._encoded:
            texts = tf.data.Dataset.from_tensor_slices(self.rows[split].inputs)
            batches = texts.batch(ENCODED_AT_ONCE).map(
                lambda batch: tf.cast(self.preprocessor(batch), self._small_type),
                num_parallel_calls=PARALLEL_CALLS,
            )
            encoded = list(batches.prefetch(AHEAD).as_numpy_iterator())
            self._encoded[split] = np.concatenate(encoded)
        return self._encoded[split]

    def to_inputs(self, stored: tf.Tensor) -> tf.Tensor:
        """Makes the model's input of encoded rows.

        Args:
            stored: ``(batch, sequence_length)`` or ``(batch, vocab_size)``.

        Returns:
            int64 ``(batch, length of the longest)``, or floats ``(batch, vocab_size)``.
        """
        if not self.is_sequence:
            return tf.cast(stored, tf.float32)
        longest = tf.reduce_max(tf.math.count_nonzero(stored, axis=1))
        full = stored.shape[1]
        step = -(-full // WIDTHS)
        width = tf.minimum(tf.cast(full, tf.int64), (longest + step - 1) // step * step)
        return tf.cast(stored[:, :width], tf.int64)

    @functools.cached_property
    def validation(self) -> tf.data.Dataset:
        """One pass over the validation split, from short texts to long ones."""
        return self.batches("validation", np.argsort(self._lengths("validation"), kind="stable"))

    def order(self, seed: tf.Tensor) -> tf.Tensor:
        """Gives the order of a pass over the training rows, batches being cut from it in turn.

        Args:
            seed: ``(2,)``, int64.

        Returns:
            ``(rows,)``, int64, a permutation.
        """
        shuffled = super().order(seed)
        if not self.is_sequence:
            return shuffled
        lengths = tf.constant(self._lengths("train"), tf.int64)
        size = len(self.rows["train"])
        stretch = tf.range(size, dtype=tf.int64) // (CHUNK * self.batch_size)
        key = stretch * (self.cached_rows("train").shape[1] + 1) + tf.gather(lengths, shuffled)
        alike = tf.gather(shuffled, tf.argsort(key, stable=True))
        whole = size // self.batch_size
        batches = tf.reshape(alike[: whole * self.batch_size], (whole, self.batch_size))
        batches = tf.gather(
            batches, tf.random.experimental.stateless_shuffle(tf.range(whole), seed + 1)
        )
        return tf.concat([tf.reshape(batches, [-1]), alike[whole * self.batch_size :]], axis=0)

    @property
    def is_sequence(self) -> bool:
        """Whether a text is the numbers of its words, in order, and not which words it has."""
        return self.preprocessor.outputs[0].dtype == "int64"

    @property
    def _small_type(self) -> tf.DType:
        return tf.int32 if self.is_sequence else tf.uint8

    def _lengths(self, split: str) -> np.ndarray:
        return np.count_nonzero(self.cached_rows(split), axis=1)
