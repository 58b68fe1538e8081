"""Recurrent layers with gradients made by hand. Importing it registers the layers.

TensorFlow derives the gradient of a loop step by step: at each word it stores every intermediate
value, and adds what the word contributes to the gradient of each kernel. Here the loops over time
hold only what must wait for the last state. The words are projected before the loop, and kernels
get their gradient after it, in one product for all words. How much faster that is on a CPU,
``python -m benchmarks.layers`` measures.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

Gates = tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]


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
        over_time = ops.transpose(sequences, (1, 0, 2))
        known = ops.cast(ops.transpose(mask), sequences.dtype)[..., None]
        if self.go_backwards:
            over_time, known = tf.reverse(over_time, [0]), tf.reverse(known, [0])
        kernel = tf.convert_to_tensor(self.cell.recurrent_kernel)
        projected = ops.matmul(over_time, self.cell.kernel)
        states = self._run(projected, known, kernel, *initial_state)
        shown = known if self.zero_output_for_mask else tf.minimum(tf.cumsum(known), 1)
        outputs = states[0] * shown
        last = outputs[-1]
        if not self.return_sequences:
            outputs = last[None]
        return last, ops.transpose(outputs, (1, 0, 2)), [part[-1] for part in states]

    def _is_plain(self) -> bool:
        usual = self.activation == keras.activations.tanh
        plain = usual and not (self.dropout or self.recurrent_dropout or self.unroll)
        return plain and keras.config.backend() == "tensorflow"

    def _is_gated_by_sigmoids(self) -> bool:
        return self.recurrent_activation == keras.activations.sigmoid

    def _biased(self, projected: Any) -> Any:
        return projected + self.cell.bias if self.use_bias else projected

    def _run(self, projected: Any, known: Any, kernel: Any, *state: Any) -> tuple[Any, ...]:
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

    def _run(self, projected: Any, known: Any, kernel: Any, *state: Any) -> tuple[Any, ...]:
        return (simple_states(self._biased(projected), known, kernel, *state),)


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

    def _run(self, projected: Any, known: Any, kernel: Any, *state: Any) -> tuple[Any, ...]:
        bias = tf.convert_to_tensor(self.cell.bias)
        return (gru_states(projected + bias[0], known, kernel, bias[1], *state),)


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

    def _run(self, projected: Any, known: Any, kernel: Any, *state: Any) -> tuple[Any, ...]:
        return lstm_states(self._biased(projected), known, kernel, *state)


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
    states = _states_of(
        lambda time, state: tf.tanh(projected[time] + tf.matmul(state, kernel)), known, state
    )

    def gradient(d_states: tf.Tensor) -> tuple[Any, ...]:
        slopes = (1 - states**2) * known
        d_totals, d_state = _back(d_states, slopes, 1 - known, kernel)
        d_projected = d_totals * slopes
        d_kernel = tf.einsum("tbu,tbg->ug", _before(states, state), d_projected)
        return d_projected, None, d_kernel, d_state

    return states, gradient


@tf.custom_gradient
def gru_states(
    projected: tf.Tensor, known: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, state: tf.Tensor
) -> tuple[tf.Tensor, Callable[..., Any]]:
    """Runs the recurrence of gated units, which are reset after the product with the kernel.

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

    def word(time: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        update, _, candidate, _ = _gru_gates(projected[time], tf.matmul(state, kernel) + bias)
        return update * state + (1 - update) * candidate

    states = _states_of(word, known, state)

    def gradient(d_states: tf.Tensor) -> tuple[Any, ...]:
        before = _before(states, state)
        update, reset, candidate, inner = _gru_gates(projected, tf.matmul(before, kernel) + bias)
        to_candidate = (1 - update) * (1 - candidate**2) * known
        to_update = (before - candidate) * update * (1 - update) * known
        to_reset = to_candidate * inner * reset * (1 - reset)
        slopes = tf.concat([to_update, to_reset, to_candidate * reset], axis=-1)
        d_totals, d_state = _back(d_states, slopes, update * known + 1 - known, kernel)
        d_inner = tf.tile(d_totals, (1, 1, 3)) * slopes
        d_projected = tf.concat(
            [d_inner[..., : -state.shape[-1]], d_totals * to_candidate], axis=-1
        )
        d_kernel = tf.einsum("tbu,tbg->ug", before, d_inner)
        return d_projected, None, d_kernel, tf.reduce_sum(d_inner, (0, 1)), d_state

    return states, gradient


def _gru_gates(projected: tf.Tensor, inner: tf.Tensor) -> Gates:
    """Gives update, reset, candidate, and what the state gives to the candidate before a reset."""
    to_update, to_reset, to_candidate = tf.split(projected, 3, axis=-1)
    from_update, from_reset, from_candidate = tf.split(inner, 3, axis=-1)
    reset = tf.sigmoid(to_reset + from_reset)
    candidate = tf.tanh(to_candidate + reset * from_candidate)
    return tf.sigmoid(to_update + from_update), reset, candidate, from_candidate


def _states_of(
    word: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], known: tf.Tensor, state: tf.Tensor
) -> tf.Tensor:
    """Goes through the words; gives the states after each."""

    def step(time: tf.Tensor, state: tf.Tensor, states: Any) -> tuple[Any, ...]:
        state = tf.where(known[time] > 0, word(time, state), state)
        return time + 1, state, states.write(time, state)

    length = tf.shape(known)[0]
    *_, states = tf.while_loop(
        lambda time, *_: time < length,
        step,
        (0, state, _array(length, state)),
        maximum_iterations=length,
    )
    return states.stack()


def _before(states: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
    return tf.concat([state[None], states[:-1]], 0)


def _back(
    d_states: tf.Tensor, slopes: tf.Tensor, kept: tf.Tensor, kernel: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Goes back through the words of a layer with one state.

    Args:
        d_states: what the loss owes each state directly, ``(time, batch, units)``.
        slopes: from the new state to what the kernel's product goes into, ``(time, batch, n
            units)``.
        kept: from the new state to the one before it, past the kernel.
        kernel: ``(units, n units)``.

    Returns:
        All that the loss owes each state, and the first one.
    """
    transposed = tf.transpose(kernel)
    copies = kernel.shape[1] // kernel.shape[0]

    def word(time: tf.Tensor, d_state: tf.Tensor, d_totals: Any) -> tuple[Any, ...]:
        d_state = d_state + d_states[time]
        d_before = tf.matmul(tf.tile(d_state, (1, copies)) * slopes[time], transposed)
        return time - 1, d_before + d_state * kept[time], d_totals.write(time, d_state)

    length = tf.shape(d_states)[0]
    nothing = tf.zeros_like(d_states[0])
    _, d_state, d_totals = tf.while_loop(
        lambda time, *_: time >= 0,
        word,
        (length - 1, nothing, _array(length, nothing)),
        maximum_iterations=length,
    )
    return d_totals.stack(), d_state


@tf.custom_gradient
def lstm_states(
    projected: tf.Tensor, known: tf.Tensor, kernel: tf.Tensor, state: tf.Tensor, cell: tf.Tensor
) -> tuple[tuple[tf.Tensor, tf.Tensor], Callable[..., Any]]:
    """Runs the recurrence.

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
    states, cells, *gates = _forward(projected, known, kernel, state, cell)

    def gradient(d_states: tf.Tensor, d_cells: tf.Tensor) -> tuple[Any, ...]:
        d_projected, d_state, d_cell = _backward(
            gates, cells, _before(cells, cell), known, kernel, d_states, d_cells
        )
        d_kernel = tf.einsum("tbu,tbg->ug", _before(states, state), d_projected)
        return d_projected, None, d_kernel, d_state, d_cell

    return (states, cells), gradient


def _forward(
    projected: tf.Tensor, known: tf.Tensor, kernel: tf.Tensor, state: tf.Tensor, cell: tf.Tensor
) -> list[tf.Tensor]:
    """Goes through the words; gives the states, the cells and the four gates after each.

    A word that is not known shuts the gates that write and read and opens the one that keeps, so
    that the cell stays as it is; the state is carried past them.
    """
    halves = _by_gate((0.5, 0.5, 1.0, 0.5), cell)
    shut = _by_gate((-1e4, 1e4, 0.0, -1e4), cell)
    projected = tf.where(known > 0, projected * halves, shut)
    kernel = kernel * halves

    def word(
        time: tf.Tensor, state: tf.Tensor, cell: tf.Tensor, *arrays: tf.TensorArray
    ) -> tuple[Any, ...]:
        gates = _gates(tf.tanh(projected[time] + tf.matmul(state, kernel)))
        write, keep, candidate, read = gates
        cell = keep * cell + write * candidate
        state = read * tf.tanh(cell) + (1 - known[time]) * state
        return time + 1, state, cell, *_written(arrays, time, (state, cell, *gates))

    length = tf.shape(projected)[0]
    _, _, _, *arrays = tf.while_loop(
        lambda time, *_: time < length,
        word,
        (0, state, cell, *(_array(length, state) for _ in range(6))),
        maximum_iterations=length,
    )
    return [array.stack() for array in arrays]


def _by_gate(numbers: tuple[float, ...], cell: tf.Tensor) -> tf.Tensor:
    """Repeats one number a gate for each of its units."""
    return tf.repeat(tf.constant(numbers, cell.dtype), cell.shape[-1])


def _gates(tangents: tf.Tensor) -> Gates:
    """Splits into the four gates: a sigmoid is a tangent of half its argument, moved and halved."""
    write, keep, candidate, read = tf.split(tangents, 4, axis=-1)
    return 0.5 * write + 0.5, 0.5 * keep + 0.5, candidate, 0.5 * read + 0.5


def _backward(
    gates: Sequence[tf.Tensor],
    cells: tf.Tensor,
    cells_before: tf.Tensor,
    known: tf.Tensor,
    kernel: tf.Tensor,
    d_states: tf.Tensor,
    d_cells: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Gives the gradients of what was projected, and of the first state and the first cell's."""
    transposed = tf.transpose(kernel)

    def word(
        time: tf.Tensor, d_state: tf.Tensor, d_cell: tf.Tensor, *arrays: tf.TensorArray
    ) -> tuple[Any, ...]:
        write, keep, candidate, read = (gate[time] for gate in gates)
        squashed = tf.tanh(cells[time])
        d_state = d_state + d_states[time]
        d_cell = d_cell + d_cells[time] + d_state * read * (1 - squashed**2)
        d_gates = (
            d_cell * candidate * write * (1 - write),
            d_cell * cells_before[time] * keep * (1 - keep),
            d_cell * write * (1 - candidate**2),
            d_state * squashed * read * (1 - read),
        )
        d_before = tf.matmul(tf.concat(d_gates, -1), transposed) + d_state * (1 - known[time])
        return time - 1, d_before, d_cell * keep, *_written(arrays, time, d_gates)

    length = tf.shape(d_states)[0]
    nothing = tf.zeros_like(d_states[0])
    _, d_state, d_cell, *arrays = tf.while_loop(
        lambda time, *_: time >= 0,
        word,
        (length - 1, nothing, nothing, *(_array(length, nothing) for _ in gates)),
        maximum_iterations=length,
    )
    return tf.concat([array.stack() for array in arrays], axis=-1), d_state, d_cell


def _written(
    arrays: Sequence[tf.TensorArray], time: tf.Tensor, rows: Sequence[tf.Tensor]
) -> list[tf.TensorArray]:
    """Writes a row into each; XLA is far slower where a loop joins them into one that is wide."""
    return [array.write(time, row) for array, row in zip(arrays, rows, strict=True)]


def _array(length: tf.Tensor, like: tf.Tensor) -> tf.TensorArray:
    return tf.TensorArray(like.dtype, length, element_shape=like.shape)
