"""Recurrent layers with gradients made by hand. Importing it registers the layers.

TensorFlow derives the gradient of a loop step by step: at each word it stores every intermediate
value, and adds what the word contributes to the gradient of each kernel. Here the loops over time
hold only what must wait for the last state. The words are projected before the loop, and kernels
get their gradient after it, in one product for all words. A loop of small steps occupies one core:
in training the batch goes through two of them side by side, each compiled by XLA, unless the whole
model is, which runs one loop after the other. How much faster that is on a CPU,
``python -m benchmarks.layers`` measures.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops
from tensorflow.python.ops import control_flow_util

Step = tuple[Sequence[tf.Tensor], Sequence[tf.Tensor]]
FAR = 1e4  # here a sigmoid is 0 or 1, in every precision


class _ByHand(keras.layers.RNN):
    """What the three layers share: words are projected at once, and `_run` goes through them."""

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Any, Any, list[Any]]:
        """Gives the last output, the outputs ``(batch, time, units)``, and the last states."""
        if not self._is_plain() or tf.config.list_physical_devices("GPU"):
            return super().inner_loop(sequences, initial_state, mask, training)
        if mask is None:
            mask = tf.ones(tf.shape(sequences)[:2], tf.bool)
        state = map(tf.convert_to_tensor, initial_state)  # a variable will have changed by then
        run = self._run_in_halves if training and not _is_within_xla() else self._run
        return run(sequences, mask, *state)

    def _run(
        self, sequences: tf.Tensor, mask: tf.Tensor, *state: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        over_time = ops.transpose(sequences, (1, 0, 2))
        known = ops.cast(ops.transpose(mask), sequences.dtype)[..., None]
        if self.go_backwards:
            over_time, known = tf.reverse(over_time, [0]), tf.reverse(known, [0])
        states = tf.nest.flatten(
            self._states(ops.matmul(over_time, self.cell.kernel), known, *state)
        )
        shown = known if self.zero_output_for_mask else _from_first(known)
        outputs = states[0] * shown
        last = outputs[-1]
        if not self.return_sequences:
            outputs = last[None]
        return last, ops.transpose(outputs, (1, 0, 2)), [part[-1] for part in states]

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
        plain = usual and not (self.dropout or self.recurrent_dropout or self.unroll)
        return plain and keras.config.backend() == "tensorflow"

    def _is_gated_by_sigmoids(self) -> bool:
        return self.recurrent_activation == keras.activations.sigmoid

    def _biased(self, projected: Any) -> Any:
        return projected + self.cell.bias if self.use_bias else projected

    def _kernel(self) -> tf.Tensor:
        return tf.convert_to_tensor(self.cell.recurrent_kernel)

    def _states(self, projected: Any, known: Any, *state: Any) -> Any:
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="zoo")
class SimpleRNN(_ByHand, keras.layers.SimpleRNN):
    """Keras' layer of the same name, faster to train on a CPU.

    Arguments, weights and answers are those of `keras.layers.SimpleRNN`, to rounding; the weights
    of one fit into the other. What is not the network of the books (other activations, dropout
    inside the cell, an unrolled loop), and other devices and backends, it leaves to Keras.

    Example:
        >>> import numpy as np
        >>> from zoo.recurrence import SimpleRNN
        >>> SimpleRNN(4)(np.ones((2, 3, 5), "float32")).shape
        TensorShape([2, 4])

    Reference:
        Elman (1990), Finding structure in time, https://doi.org/10.1207/s15516709cog1402_1
    """

    def _states(self, projected: Any, known: Any, *state: Any) -> Any:
        return simple_states(self._biased(projected), known, self._kernel(), *state)


@keras.saving.register_keras_serializable(package="zoo")
class GRU(_ByHand, keras.layers.GRU):
    """Keras' layer of the same name, faster to train on a CPU.

    Arguments, weights and answers are those of `keras.layers.GRU`, to rounding; the weights of one
    fit into the other. What is not Keras' usual variant (other activations, dropout inside the
    cell, one bias or none, a reset before the product, an unrolled loop), and other devices and
    backends, it leaves to Keras.

    Example:
        >>> import numpy as np
        >>> from zoo.recurrence import GRU
        >>> GRU(4)(np.ones((2, 3, 5), "float32")).shape
        TensorShape([2, 4])

    Reference:
        Cho et al. (2014), Learning phrase representations using RNN encoder-decoder,
        https://arxiv.org/abs/1406.1078
    """

    def _is_plain(self) -> bool:
        has_two_biases = self.use_bias and self.reset_after
        return super()._is_plain() and self._is_gated_by_sigmoids() and has_two_biases

    def _states(self, projected: Any, known: Any, *state: Any) -> Any:
        bias = tf.convert_to_tensor(self.cell.bias)
        return gru_states(projected + bias[0], known, self._kernel(), bias[1], *state)


@keras.saving.register_keras_serializable(package="zoo")
class LSTM(_ByHand, keras.layers.LSTM):
    """Keras' layer of the same name, faster to train on a CPU.

    Arguments, weights and answers are those of `keras.layers.LSTM`, to rounding; the weights of one
    fit into the other. What is not the LSTM of the books (other activations, dropout inside the
    cell, an unrolled loop), and other devices and backends, it leaves to Keras.

    Example:
        >>> import numpy as np
        >>> from zoo.recurrence import LSTM
        >>> LSTM(4)(np.ones((2, 3, 5), "float32")).shape
        TensorShape([2, 4])

    Reference:
        Hochreiter & Schmidhuber (1997), Long short-term memory,
        https://doi.org/10.1162/neco.1997.9.8.1735; with the forget gate: Gers, Schmidhuber &
        Cummins (2000), Learning to forget, https://doi.org/10.1162/089976600300015015
    """

    def _is_plain(self) -> bool:
        return super()._is_plain() and self._is_gated_by_sigmoids()

    def _states(self, projected: Any, known: Any, *state: Any) -> Any:
        return lstm_states(self._biased(projected), known, self._kernel(), *state)


@tf.custom_gradient
def simple_states(
    projected: tf.Tensor, known: tf.Tensor, kernel: tf.Tensor, state: tf.Tensor
) -> tuple[tf.Tensor, Callable[..., Any]]:
    """Runs the recurrence of one layer without gates.

    Args:
        projected: what each word gives to the units, bias included, ``(time, batch, units)``.
        known: ``(time, batch, 1)``, 1 for a word and 0 for what leaves the state as it is.
        kernel: from state to state, ``(units, units)``.
        state: before the first word, ``(batch, units)``.

    Returns:
        The states after each word, ``(time, batch, units)``; and their gradient.
    """
    length = tf.shape(projected)[0]

    def word(time: tf.Tensor, state: tf.Tensor) -> Step:
        new_state = tf.tanh(projected[time] + tf.matmul(state, kernel))
        state = tf.where(known[time] > 0, new_state, state)
        return (state,), (state,)

    _, (states,) = _scan(word, (state,), length, rows=1)

    def gradient(d_states: tf.Tensor) -> tuple[Any, ...]:
        transposed = tf.transpose(kernel)

        def word(time: tf.Tensor, d_state: tf.Tensor) -> Step:
            d_state = d_state + d_states[time]
            d_sum = d_state * (1 - states[time] ** 2) * known[time]
            d_before = tf.matmul(d_sum, transposed) + d_state * (1 - known[time])
            return (d_before,), (d_sum,)

        (d_state,), (d_projected,) = _scan(word, (tf.zeros_like(state),), length, rows=1, back=True)
        d_kernel = _of_kernel(_before(states, state), d_projected)
        return d_projected, None, d_kernel, d_state

    return states, gradient


@tf.custom_gradient
def gru_states(
    projected: tf.Tensor, known: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, state: tf.Tensor
) -> tuple[tf.Tensor, Callable[..., Any]]:
    """Runs the recurrence of gated units, which are reset after the product with the kernel.

    A word that is not known opens the gate that keeps the state.

    Args:
        projected: what each word gives to the gates, bias included: ``(time, batch, 3 units)``, in
            Keras' order: update, reset, candidate.
        known: ``(time, batch, 1)``, 1 for a word and 0 for what leaves the state as it is.
        kernel: from the state to the gates, ``(units, 3 units)``.
        bias: of that product, ``(3 units,)``.
        state: before the first word, ``(batch, units)``.

    Returns:
        The states after each word, ``(time, batch, units)``; and their gradient.
    """
    length = tf.shape(projected)[0]
    halves = _by_gate((0.5, 0.5, 1.0), state)
    words = tf.where(known > 0, projected * halves, _by_gate((FAR, 0.0, 0.0), state))
    halved, halved_bias = kernel * halves, bias * halves

    def word(time: tf.Tensor, state: tf.Tensor) -> Step:
        inner = tf.matmul(state, halved) + halved_bias
        to_update, to_reset, to_candidate = tf.split(words[time], 3, axis=-1)
        from_update, from_reset, from_candidate = tf.split(inner, 3, axis=-1)
        update = _sigmoid(tf.tanh(to_update + from_update))
        reset = _sigmoid(tf.tanh(to_reset + from_reset))
        candidate = tf.tanh(to_candidate + reset * from_candidate)
        state = update * state + (1 - update) * candidate
        return (state,), (state, update, reset, candidate, from_candidate)

    _, (states, *gates) = _scan(word, (state,), length, rows=5)

    def gradient(d_states: tf.Tensor) -> tuple[Any, ...]:
        before, transposed = _before(states, state), tf.transpose(kernel)

        def word(time: tf.Tensor, d_state: tf.Tensor) -> Step:
            update, reset, candidate, from_candidate = (gate[time] for gate in gates)
            d_state = d_state + d_states[time]
            d_candidate = d_state * (1 - update) * (1 - candidate**2)
            d_update = d_state * (before[time] - candidate) * update * (1 - update)
            d_reset = d_candidate * from_candidate * reset * (1 - reset)
            d_inner = d_update, d_reset, d_candidate * reset
            d_before = tf.matmul(tf.concat(d_inner, -1), transposed) + d_state * update
            return (d_before,), (*d_inner, d_candidate)

        (d_state,), rows = _scan(word, (tf.zeros_like(state),), length, rows=4, back=True)
        d_update, d_reset, d_from_candidate, d_candidate = rows
        d_projected = tf.concat([d_update, d_reset, d_candidate], -1)
        d_inner = tf.concat([d_update, d_reset, d_from_candidate], -1)
        d_kernel = _of_kernel(before, d_inner)
        return d_projected, None, d_kernel, tf.reduce_sum(d_inner, (0, 1)), d_state

    return states, gradient


@tf.custom_gradient
def lstm_states(
    projected: tf.Tensor, known: tf.Tensor, kernel: tf.Tensor, state: tf.Tensor, cell: tf.Tensor
) -> tuple[tuple[tf.Tensor, tf.Tensor], Callable[..., Any]]:
    """Runs the recurrence.

    A word that is not known shuts the gates that write and read and opens the one that keeps, so
    that the cell stays as it is; the state is carried past them.

    Args:
        projected: what each word gives to the gates, bias included: ``(time, batch, 4 units)``, in
            Keras' order: input, forget, candidate, output.
        known: ``(time, batch, 1)``, 1 for a word and 0 for what leaves the state as it is.
        kernel: from the state to the gates, ``(units, 4 units)``.
        state: before the first word, ``(batch, units)``.
        cell: the cell's, likewise.

    Returns:
        The states and the cells' after each word, ``(time, batch, units)``; and their gradient.
    """
    length = tf.shape(projected)[0]
    halves = _by_gate((0.5, 0.5, 1.0, 0.5), cell)
    words = tf.where(known > 0, projected * halves, _by_gate((-FAR, FAR, 0.0, -FAR), cell))
    halved = kernel * halves

    def word(time: tf.Tensor, state: tf.Tensor, cell: tf.Tensor) -> Step:
        tangents = tf.tanh(words[time] + tf.matmul(state, halved))
        write, keep, candidate, read = tf.split(tangents, 4, axis=-1)
        write, keep, read = _sigmoid(write), _sigmoid(keep), _sigmoid(read)
        cell = keep * cell + write * candidate
        state = read * tf.tanh(cell) + (1 - known[time]) * state
        return (state, cell), (state, cell, write, keep, candidate, read)

    _, (states, cells, *gates) = _scan(word, (state, cell), length, rows=6)

    def gradient(d_states: tf.Tensor, d_cells: tf.Tensor) -> tuple[Any, ...]:
        before, transposed = _before(cells, cell), tf.transpose(kernel)

        def word(time: tf.Tensor, d_state: tf.Tensor, d_cell: tf.Tensor) -> Step:
            write, keep, candidate, read = (gate[time] for gate in gates)
            squashed = tf.tanh(cells[time])
            d_state = d_state + d_states[time]
            d_cell = d_cell + d_cells[time] + d_state * read * (1 - squashed**2)
            d_gates = (
                d_cell * candidate * write * (1 - write),
                d_cell * before[time] * keep * (1 - keep),
                d_cell * write * (1 - candidate**2),
                d_state * squashed * read * (1 - read),
            )
            d_before = tf.matmul(tf.concat(d_gates, -1), transposed) + d_state * (1 - known[time])
            return (d_before, d_cell * keep), d_gates

        nothing = tf.zeros_like(state)
        (d_state, d_cell), rows = _scan(word, (nothing, nothing), length, rows=4, back=True)
        d_projected = tf.concat(rows, axis=-1)
        d_kernel = _of_kernel(_before(states, state), d_projected)
        return d_projected, None, d_kernel, d_state, d_cell

    return (states, cells), gradient


def _scan(
    word: Callable[..., Step],
    carried: Sequence[tf.Tensor],
    length: tf.Tensor,
    *,
    rows: int,
    back: bool = False,
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Goes through the words, or back through them.

    Args:
        word: takes the time and what is carried; gives what is carried on, and the rows to keep.
        carried: to the first word, ``(batch, units)`` each.
        length: number of words.
        rows: how many `word` keeps, of the same shape. Each has an array to itself: XLA is far
            slower where a loop joins them into one that is wider.
        back: whether the last word comes first.

    Returns:
        What is carried out of the last one; and each row over time, ``(time, batch, units)``.
    """
    first, count = carried[0], len(carried)

    def step(done: tf.Tensor, *loop: Any) -> tuple[Any, ...]:
        time = length - 1 - done if back else done
        new, kept = word(time, *loop[:count])
        arrays = (a.write(time, row) for a, row in zip(loop[count:], kept, strict=True))
        return done + 1, *new, *arrays

    arrays = (tf.TensorArray(first.dtype, length, element_shape=first.shape) for _ in range(rows))
    _, *loop = tf.while_loop(
        lambda done, *_: done < length, step, (0, *carried, *arrays), maximum_iterations=length
    )
    return loop[:count], [array.stack() for array in loop[count:]]


def _sigmoid(tangent: tf.Tensor) -> tf.Tensor:
    """Gives a sigmoid, of the hyperbolic tangent of half its argument."""
    return 0.5 * tangent + 0.5


def _by_gate(numbers: tuple[float, ...], state: tf.Tensor) -> tf.Tensor:
    """Repeats one number a gate for each of its units."""
    return tf.repeat(tf.constant(numbers, state.dtype), state.shape[-1])


def _is_within_xla() -> bool:
    """Tells whether XLA compiles what is around: halves would be compiled anew at every step."""
    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def _from_first(known: tf.Tensor) -> tf.Tensor:
    """Gives 1 from the first known word on."""
    time = tf.range(tf.shape(known)[0])[:, None, None]
    has_begun = time >= tf.argmax(known, axis=0, output_type=tf.int32)
    return tf.cast(has_begun, known.dtype) * tf.reduce_max(known, axis=0)


def _before(states: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
    return tf.concat([state[None], states[:-1]], 0)


def _of_kernel(states_before: tf.Tensor, d_products: tf.Tensor) -> tf.Tensor:
    """Gives the kernel's gradient, from those of all its products with the states."""
    states, products = (tf.reshape(x, (-1, x.shape[-1])) for x in (states_before, d_products))
    return tf.matmul(states, products, transpose_a=True)
