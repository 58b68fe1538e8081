"""The long short-term memory, with a gradient made by hand. Importing it registers the layer.

TensorFlow derives the gradient of a loop step by step: at each word it stores every intermediate
value, and adds what the word contributes to the gradient of each kernel. Here the loops over time
hold only what must wait for the last state. The words are projected before the loop; on the way
back, gates are computed again for all words at once, and kernels get their gradient after the loop
in one product. On a CPU training is 1.6 times as fast (``python -m benchmarks.layers``).
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops

Gates = tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]


@keras.saving.register_keras_serializable(package="zoo")
class LSTM(keras.layers.LSTM):
    """Keras' layer of the same name, faster to train on a CPU.

    Arguments, weights and answers are those of `keras.layers.LSTM`, to rounding; the weights of one
    fit into the other. Where Keras has cuDNN for it, and for what is not the LSTM of the books
    (other activations, dropout inside the cell, an unrolled loop), and on another backend, it
    leaves the work to Keras.

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

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Any, Any, list[Any]]:
        """Gives the last output, the outputs ``(batch, time, units)``, and the two last states."""
        if not self._is_plain() or tf.config.list_physical_devices("GPU"):
            return super().inner_loop(sequences, initial_state, mask, training)
        if mask is None:
            mask = tf.ones(tf.shape(sequences)[:2], tf.bool)
        over_time = ops.transpose(sequences, (1, 0, 2))
        known = ops.cast(ops.transpose(mask), sequences.dtype)[..., None]
        if self.go_backwards:
            over_time, known = tf.reverse(over_time, [0]), tf.reverse(known, [0])
        projected = ops.matmul(over_time, self.cell.kernel)
        if self.use_bias:
            projected += self.cell.bias
        kernel = tf.convert_to_tensor(self.cell.recurrent_kernel)
        states, cells = lstm_states(projected, known, kernel, *initial_state)
        shown = known if self.zero_output_for_mask else tf.minimum(tf.cumsum(known), 1)
        outputs = states * shown
        last = outputs[-1]
        if not self.return_sequences:
            outputs = last[None]
        return last, ops.transpose(outputs, (1, 0, 2)), [states[-1], cells[-1]]

    def _is_plain(self) -> bool:
        activations = self.activation, self.recurrent_activation
        usual = activations == (keras.activations.tanh, keras.activations.sigmoid)
        plain = usual and not (self.dropout or self.recurrent_dropout or self.unroll)
        return plain and keras.config.backend() == "tensorflow"


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
    states, cells = _forward(projected, known, kernel, state, cell)

    def gradient(d_states: tf.Tensor, d_cells: tf.Tensor) -> tuple[Any, ...]:
        states_before = tf.concat([state[None], states[:-1]], 0)
        cells_before = tf.concat([cell[None], cells[:-1]], 0)
        gates = _gates(projected + tf.matmul(states_before, kernel))
        slopes = _slopes(gates, known, cells_before)
        d_projected, d_state, d_cell = _backward(slopes, known, kernel, d_states, d_cells)
        d_kernel = tf.einsum("tbu,tbg->ug", states_before, d_projected)
        return d_projected, None, d_kernel, d_state, d_cell

    return (states, cells), gradient


def _gates(preactivations: tf.Tensor) -> Gates:
    write, keep, candidate, read = tf.split(preactivations, 4, axis=-1)
    return tf.sigmoid(write), tf.sigmoid(keep), tf.tanh(candidate), tf.sigmoid(read)


def _forward(
    projected: tf.Tensor, known: tf.Tensor, kernel: tf.Tensor, state: tf.Tensor, cell: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    def word(
        time: tf.Tensor, state: tf.Tensor, cell: tf.Tensor, states: Any, cells: Any
    ) -> tuple[Any, ...]:
        write, keep, candidate, read = _gates(projected[time] + tf.matmul(state, kernel))
        new_cell = keep * cell + write * candidate
        is_known = known[time] > 0
        state = tf.where(is_known, read * tf.tanh(new_cell), state)
        cell = tf.where(is_known, new_cell, cell)
        return time + 1, state, cell, states.write(time, state), cells.write(time, cell)

    length = tf.shape(projected)[0]
    states, cells = _array(length, state), _array(length, state)
    *_, states, cells = tf.while_loop(
        lambda time, *_: time < length,
        word,
        (0, state, cell, states, cells),
        maximum_iterations=length,
    )
    return states.stack(), cells.stack()


def _slopes(gates: Gates, known: tf.Tensor, cells_before: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Gives what the loop back multiplies by, for all words at once.

    Returns:
        From the cell to what goes into the three gates that make it; from the state to what goes
        into the gate that reads it; from the state to the cell; from the cell to the one before.
        A word that is not known has 0 in place of the first three, and 1 in place of the last.
    """
    write, keep, candidate, read = gates
    squashed = tf.tanh(keep * cells_before + write * candidate)
    to_cell = tf.concat(
        [
            candidate * write * (1 - write),
            cells_before * keep * (1 - keep),
            write * (1 - candidate**2),
        ],
        axis=-1,
    )
    to_read = squashed * read * (1 - read)
    through = read * (1 - squashed**2)
    return to_cell * known, to_read * known, through * known, keep * known + (1 - known)


def _backward(
    slopes: tuple[tf.Tensor, ...],
    known: tf.Tensor,
    kernel: tf.Tensor,
    d_states: tf.Tensor,
    d_cells: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Gives the gradients of what was projected, and of the first state and the first cell's."""
    to_cell, to_read, through, kept = slopes
    transposed = tf.transpose(kernel)

    def word(
        time: tf.Tensor, d_state: tf.Tensor, d_cell: tf.Tensor, d_projected: Any
    ) -> tuple[Any, ...]:
        d_state = d_state + d_states[time]
        d_cell = d_cell + d_cells[time] + d_state * through[time]
        d_gates = tf.concat(
            [tf.tile(d_cell, (1, 3)) * to_cell[time], d_state * to_read[time]], axis=-1
        )
        d_before = tf.matmul(d_gates, transposed) + d_state * (1 - known[time])
        return time - 1, d_before, d_cell * kept[time], d_projected.write(time, d_gates)

    length = tf.shape(d_states)[0]
    nothing = tf.zeros_like(d_states[0])
    _, d_state, d_cell, d_projected = tf.while_loop(
        lambda time, *_: time >= 0,
        word,
        (length - 1, nothing, nothing, _array(length, tf.tile(nothing, (1, 4)))),
        maximum_iterations=length,
    )
    return d_projected.stack(), d_state, d_cell


def _array(length: tf.Tensor, like: tf.Tensor) -> tf.TensorArray:
    return tf.TensorArray(like.dtype, length, element_shape=like.shape)
