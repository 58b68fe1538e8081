"""Recurrent layers with gradients made by hand. Importing it registers the layers.

TensorFlow derives the gradient of a loop step by step: at each word it stores every intermediate
value, and adds what the word contributes to the gradient of each kernel. Here the loops over time
hold only what must wait for the last state: words are projected before the loop, and kernels get
their gradient after it, in one product for all words. A loop of small steps occupies one core:
in training a half of the batch goes through each of two, side by side and each compiled by XLA,
unless all of the model is, since XLA runs one loop after the other. How much faster that is on a
CPU, ``python -m benchmarks.layers`` measures.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import ops

from zoo.acceleration.devices import is_tensorflow_on_cpu, is_within_xla

Tensors = Sequence[tf.Tensor]
SATURATED = 1e4  # here a sigmoid is 0 or 1, in every precision


class CustomGradientRNN(keras.layers.RNN):
    """What the three layers share: their words go through `run`."""

    factors: ClassVar[tuple[float, ...]]
    shut: ClassVar[tuple[float, ...]]
    num_gates: ClassVar[int]

    @staticmethod
    def word(sums: tf.Tensor, known: tf.Tensor, before: Tensors) -> tuple[Tensors, Tensors]:
        """Gives what is carried on, the state first, and the gates."""
        raise NotImplementedError

    @staticmethod
    def back(
        known: tf.Tensor, gates: Tensors, before: Tensors, after: Tensors, d_after: Tensors
    ) -> tuple[Tensors, Tensors]:
        """Gives the gradients of the sums, and of what came without them from before the word."""
        raise NotImplementedError

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Any, Any, list[Any]]:
        """Gives the last output, the outputs ``(batch, time, units)``, and the last states."""
        if not (self._is_plain() and is_tensorflow_on_cpu()):
            return super().inner_loop(sequences, initial_state, mask, training)
        if mask is None:
            mask = tf.ones(tf.shape(sequences)[:2], tf.bool)
        state = map(tf.convert_to_tensor, initial_state)  # a variable will have changed by then
        go = self._run_in_halves if training and not is_within_xla() else self._run
        return go(sequences, mask, *state)

    def _run(
        self, sequences: tf.Tensor, mask: tf.Tensor, *state: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        words = ops.transpose(sequences, (1, 0, 2))
        known = ops.cast(ops.transpose(mask), sequences.dtype)[..., None]
        if self.go_backwards:
            words, known = tf.reverse(words, [0]), tf.reverse(known, [0])
        states, *last = run(type(self), words, known, *self._kernel_and_bias(), state)
        shown = known if self.zero_output_for_mask else _from_first(known)
        outputs = states * shown if self.return_sequences else (last[0] * shown[-1])[None]
        return outputs[-1], ops.transpose(outputs, (1, 0, 2)), last

    def _run_in_halves(self, *rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        batch = tf.shape(rows[0])[0]
        sizes = [batch // 2, batch - batch // 2]
        halves = zip(*(tf.split(part, sizes) for part in rows), strict=True)
        found = [self._run_by_xla(*half) for half in halves]
        return tf.nest.map_structure(lambda *parts: tf.concat(parts, 0), *found)

    @functools.cached_property
    def _run_by_xla(self) -> Callable[..., Any]:
        return tf.function(self._run, jit_compile=True, reduce_retracing=True)

    def _is_plain(self) -> bool:
        usual = self.activation == keras.activations.tanh
        return usual and not (self.dropout or self.recurrent_dropout or self.unroll)

    def _is_gated_by_sigmoids(self) -> bool:
        return self.recurrent_activation == keras.activations.sigmoid

    def _kernel_and_bias(self) -> tuple[tf.Tensor, tf.Tensor]:
        kernel = tf.concat([self.cell.kernel, self.cell.recurrent_kernel], 0)
        bias = tf.convert_to_tensor(self.cell.bias) if self.use_bias else tf.zeros_like(kernel[0])
        return kernel, bias


@keras.saving.register_keras_serializable(package="zoo")
class SimpleRNN(CustomGradientRNN, keras.layers.SimpleRNN):
    """Keras' layer of the same name, faster to train on a CPU.

    Arguments, weights and answers are those of `keras.layers.SimpleRNN`, to rounding; the weights
    of one fit into the other. What is not the network of the books (other activations, dropout
    inside the cell, an unrolled loop), and other devices and backends, it leaves to Keras.

    Example:
        >>> import numpy as np
        >>> from zoo.acceleration.recurrent import SimpleRNN
        >>> SimpleRNN(4)(np.ones((2, 3, 5), "float32")).shape
        TensorShape([2, 4])

    Reference:
        Elman (1990), Finding structure in time, https://doi.org/10.1207/s15516709cog1402_1
    """

    factors = (1.0,)
    shut = (0.0,)
    num_gates = 0

    @staticmethod
    def word(sums: tf.Tensor, known: tf.Tensor, before: Tensors) -> tuple[Tensors, Tensors]:
        """Squashes the sum."""
        (state,) = before
        return (tf.tanh(sums) * known + (1 - known) * state,), ()

    @staticmethod
    def back(
        known: tf.Tensor, gates: Tensors, before: Tensors, after: Tensors, d_after: Tensors
    ) -> tuple[Tensors, Tensors]:
        """Goes back through the word."""
        (state,), (d_state,) = after, d_after
        return (d_state * (1 - state**2) * known,), (d_state * (1 - known),)


@keras.saving.register_keras_serializable(package="zoo")
class GRU(CustomGradientRNN, keras.layers.GRU):
    """Keras' layer of the same name, faster to train on a CPU.

    Arguments, weights and answers are those of `keras.layers.GRU`, to rounding; the weights of one
    fit into the other. What is not Keras' usual variant (other activations, dropout inside the
    cell, one bias or none, a reset before the product, an unrolled loop), and other devices and
    backends, it leaves to Keras.

    Example:
        >>> import numpy as np
        >>> from zoo.acceleration.recurrent import GRU
        >>> GRU(4)(np.ones((2, 3, 5), "float32")).shape
        TensorShape([2, 4])

    Reference:
        Cho et al. (2014), Learning phrase representations using RNN encoder-decoder,
        https://arxiv.org/abs/1406.1078
    """

    factors = (0.5, 0.5, 1.0, 1.0)
    shut = (SATURATED, 0.0, 0.0, 0.0)
    num_gates = 4

    def _is_plain(self) -> bool:
        has_two_biases = self.use_bias and self.reset_after
        return super()._is_plain() and self._is_gated_by_sigmoids() and has_two_biases

    def _kernel_and_bias(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Gives the candidate two sums: of the word, and of the state, which is to be reset."""
        kernel, bias = super()._kernel_and_bias()
        gates, features = 2 * self.units, kernel.shape[0] - self.units
        of_word, of_state = tf.split(kernel[:, gates:], [features, self.units])
        from_word, from_state = tf.unstack(bias)
        return (
            tf.concat(
                [
                    kernel[:, :gates],
                    tf.pad(of_word, [[0, self.units], [0, 0]]),
                    tf.pad(of_state, [[features, 0], [0, 0]]),
                ],
                axis=1,
            ),
            tf.concat(
                [from_word[:gates] + from_state[:gates], from_word[gates:], from_state[gates:]], 0
            ),
        )

    @staticmethod
    def word(sums: tf.Tensor, known: tf.Tensor, before: Tensors) -> tuple[Tensors, Tensors]:
        """Keeps of the state what the gate `update` says, and takes the rest of the candidate."""
        (state,) = before
        update, reset, from_word, from_state = tf.split(sums, 4, -1)
        update, reset = _sigmoid(tf.tanh(update)), _sigmoid(tf.tanh(reset))
        candidate = tf.tanh(from_word + reset * from_state)
        state = update * state + (1 - update) * candidate
        return (state,), (update, reset, candidate, from_state)

    @staticmethod
    def back(
        known: tf.Tensor, gates: Tensors, before: Tensors, after: Tensors, d_after: Tensors
    ) -> tuple[Tensors, Tensors]:
        """Goes back through the word."""
        update, reset, candidate, from_state = gates
        (state,), (d_state,) = before, d_after
        d_candidate = d_state * (1 - update) * (1 - candidate**2)
        d_sums = (
            d_state * (state - candidate) * update * (1 - update),
            d_candidate * from_state * reset * (1 - reset),
            d_candidate,
            d_candidate * reset,
        )
        return d_sums, (d_state * update,)


@keras.saving.register_keras_serializable(package="zoo")
class LSTM(CustomGradientRNN, keras.layers.LSTM):
    """Keras' layer of the same name, faster to train on a CPU.

    Arguments, weights and answers are those of `keras.layers.LSTM`, to rounding; the weights of one
    fit into the other. What is not the LSTM of the books (other activations, dropout inside the
    cell, an unrolled loop), and other devices and backends, it leaves to Keras.

    Example:
        >>> import numpy as np
        >>> from zoo.acceleration.recurrent import LSTM
        >>> LSTM(4)(np.ones((2, 3, 5), "float32")).shape
        TensorShape([2, 4])

    Reference:
        Hochreiter & Schmidhuber (1997), Long short-term memory,
        https://doi.org/10.1162/neco.1997.9.8.1735; with the forget gate: Gers, Schmidhuber &
        Cummins (2000), Learning to forget, https://doi.org/10.1162/089976600300015015
    """

    factors = (0.5, 0.5, 1.0, 0.5)
    shut = (-SATURATED, SATURATED, 0.0, -SATURATED)
    num_gates = 4

    def _is_plain(self) -> bool:
        return super()._is_plain() and self._is_gated_by_sigmoids()

    @staticmethod
    def word(sums: tf.Tensor, known: tf.Tensor, before: Tensors) -> tuple[Tensors, Tensors]:
        """Writes to the cell, keeps it and reads it, as the gates say."""
        state, cell = before
        write, keep, candidate, read = tf.split(tf.tanh(sums), 4, -1)
        write, keep, read = _sigmoid(write), _sigmoid(keep), _sigmoid(read)
        cell = keep * cell + write * candidate
        state = read * tf.tanh(cell) + (1 - known) * state
        return (state, cell), (write, keep, candidate, read)

    @staticmethod
    def back(
        known: tf.Tensor, gates: Tensors, before: Tensors, after: Tensors, d_after: Tensors
    ) -> tuple[Tensors, Tensors]:
        """Goes back through the word."""
        write, keep, candidate, read = gates
        (_, cell_before), (_, cell), (d_state, d_cell) = before, after, d_after
        squashed = tf.tanh(cell)
        d_cell = d_cell + d_state * read * (1 - squashed**2)
        d_sums = (
            d_cell * candidate * write * (1 - write),
            d_cell * cell_before * keep * (1 - keep),
            d_cell * write * (1 - candidate**2),
            d_state * squashed * read * (1 - read),
        )
        return d_sums, (d_state * (1 - known), d_cell * keep)


def run(
    layer: type[CustomGradientRNN],
    words: tf.Tensor,
    known: tf.Tensor,
    kernel: tf.Tensor,
    bias: tf.Tensor,
    first: Tensors,
) -> tuple[tf.Tensor, ...]:
    """Goes through the words.

    Args:
        layer: whose recurrence it is. Its ``word`` takes the sums of all its gates, multiplied by
            their ``factors``: half of a sigmoid's, ``sigmoid(x) = tanh(x / 2) / 2 + 1 / 2``, so
            that one tangent does for all. Of what is not known it takes the sums ``shut``.
        words: ``(time, batch, features)``.
        known: ``(time, batch, 1)``, 1 for a word and 0 for what leaves the state as it is.
        kernel: from the word and the state to the sums, ``(features + units, sums units)``.
        bias: ``(sums units,)``.
        first: what is carried to the first word, the state first: ``(batch, units)`` each.

    Returns:
        The states after each word, ``(time, batch, units)``, and what is carried out of the last.
    """
    length, features, units = tf.shape(words)[0], words.shape[-1], first[0].shape[-1]

    @tf.custom_gradient
    def states(
        words: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, *first: tf.Tensor
    ) -> tuple[Tensors, Callable[..., Tensors]]:
        factors, shut = (
            tf.repeat(tf.constant(numbers, words.dtype), units)
            for numbers in (layer.factors, layer.shut)
        )
        from_word, from_state = tf.split(kernel * factors, [features, units])
        sums_of_words = tf.matmul(words, from_word) + bias * factors
        sums_of_words = tf.where(known > 0, sums_of_words, shut)

        def go(time: tf.Tensor, *before: tf.Tensor) -> tuple[Tensors, Tensors]:
            sums = sums_of_words[time] + tf.matmul(before[0], from_state)
            after, gates = layer.word(sums, known[time], before)
            return after, (*after, *gates)

        last, rows = _scan(go, first, length, [units] * (len(first) + layer.num_gates))
        after, gates = rows[: len(first)], rows[len(first) :]

        def gradient(d_states: tf.Tensor, *d_last: tf.Tensor) -> Tensors:
            before = [
                tf.concat([row[None], rows[:-1]], 0) for row, rows in zip(first, after, strict=True)
            ]
            to_word, to_state = tf.split(tf.transpose(kernel), [features, units], 1)

            def go_back(
                time: tf.Tensor, d_bias: tf.Tensor, *d_after: tf.Tensor
            ) -> tuple[Tensors, Tensors]:
                gates_now, before_now, after_now = (
                    [row[time] for row in rows] for rows in (gates, before, after)
                )
                d_after = d_after[0] + d_states[time], *d_after[1:]
                d_gates, (d_state, *d_others) = layer.back(
                    known[time], gates_now, before_now, after_now, d_after
                )
                d_sums = tf.concat(d_gates, -1)
                d_state = d_state + tf.matmul(d_sums, to_state)
                return (d_bias + tf.reduce_sum(d_sums, 0), d_state, *d_others), (d_sums,)

            (d_bias, *d_first), (d_sums,) = _scan(
                go_back, (tf.zeros_like(bias), *d_last), length, [bias.shape[0]], back=True
            )
            d_kernel = [_product_of_rows(rows, d_sums) for rows in (words, before[0])]
            return tf.matmul(d_sums, to_word), tf.concat(d_kernel, 0), d_bias, *d_first

        return (after[0], *last), gradient

    return states(words, kernel, bias, *first)


def _scan(
    word: Callable[..., tuple[Tensors, Tensors]],
    carried: Tensors,
    length: tf.Tensor,
    widths: Sequence[int],
    *,
    back: bool = False,
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Goes through the words, or back through them.

    Args:
        word: takes the time and what is carried; gives what is carried on, and the rows to keep.
        carried: to the first word; the last of them ``(batch, units)``.
        length: number of words.
        widths: of the rows that `word` keeps. Each has an array to itself: XLA is far slower where
            a loop joins them into one that is wider.
        back: whether the last word comes first.

    Returns:
        What is carried out of the last one; and each row over time, ``(time, batch, width)``.
    """
    count, batch = len(carried), carried[-1].shape[0]

    def step(done: tf.Tensor, *loop: Any) -> tuple[Any, ...]:
        time = length - 1 - done if back else done
        new, kept = word(time, *loop[:count])
        arrays = (a.write(time, row) for a, row in zip(loop[count:], kept, strict=True))
        return done + 1, *new, *arrays

    arrays = (
        tf.TensorArray(carried[0].dtype, length, element_shape=(batch, width)) for width in widths
    )
    _, *loop = tf.while_loop(
        lambda done, *_: done < length, step, (0, *carried, *arrays), maximum_iterations=length
    )
    return loop[:count], [array.stack() for array in loop[count:]]


def _sigmoid(tangent: tf.Tensor) -> tf.Tensor:
    """Gives a sigmoid, of the hyperbolic tangent of half its argument."""
    return 0.5 * tangent + 0.5


def _from_first(known: tf.Tensor) -> tf.Tensor:
    """Gives 1 from the first known word on."""
    time = tf.range(tf.shape(known)[0])[:, None, None]
    has_begun = time >= tf.argmax(known, axis=0, output_type=tf.int32)
    return tf.cast(has_begun, known.dtype) * tf.reduce_max(known, axis=0)


def _product_of_rows(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Sums, over words and batch, the products of each row with each."""
    left, right = (tf.reshape(rows, (-1, rows.shape[-1])) for rows in (left, right))
    return tf.matmul(left, right, transpose_a=True)
