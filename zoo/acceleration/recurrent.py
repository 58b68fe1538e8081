"""Recurrent layers with custom gradients.

TensorFlow differentiates a loop step by step: it stores every intermediate value of every time step
and accumulates the gradient of each kernel step by step. Here the loops over time contain only what
depends on the previous state: inputs are projected before the loop, and kernel gradients are
computed after it, in one matrix product over all time steps.

A loop of small steps occupies one core. In training the batch is therefore split in two halves that
run in parallel, each compiled by XLA; not within a model that is itself compiled by XLA, which
would execute the two loops one after the other.
"""

import functools
from collections.abc import Callable
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import ops

from zoo.acceleration.devices import is_tensorflow_on_cpu, is_within_xla
from zoo.acceleration.scan import Tensors, scan, sum_outer_products

SATURATED = 1e4  # a preactivation at which a sigmoid is exactly 0 or 1, in every precision


class CustomGradientRNN(keras.layers.RNN):
    """Base class of recurrent layers that process sequences with `run_recurrence`.

    Attributes:
        preactivation_scale: factor of the preactivations of each gate. That of a sigmoid is 1/2,
            because ``sigmoid(x) = tanh(x / 2) / 2 + 1 / 2`` lets one `tanh` compute all gates.
        masked_preactivation: input part of the preactivations of each gate at masked steps.
        num_gates: number of tensors that `step` stores for `step_gradient`, besides the states.
    """

    preactivation_scale: ClassVar[tuple[float, ...]]
    masked_preactivation: ClassVar[tuple[float, ...]]
    num_gates: ClassVar[int]

    @staticmethod
    def step(preactivation: tf.Tensor, mask: tf.Tensor, states: Tensors) -> tuple[Tensors, Tensors]:
        """Compute one time step.

        Args:
            preactivation: scaled preactivations of all gates, ``(batch, gates * units)``.
            mask: ``(batch, 1)``, 0 where the step is masked and 1 elsewhere.
            states: states before the step, ``(batch, units)`` each, the output first.

        Returns:
            The states after the step, and the gates.
        """
        raise NotImplementedError

    @staticmethod
    def step_gradient(
        mask: tf.Tensor, gates: Tensors, states: Tensors, new_states: Tensors, d_new_states: Tensors
    ) -> tuple[Tensors, Tensors]:
        """Backpropagate through one time step.

        Args:
            mask: as in `step`.
            gates: gates that `step` returned.
            states: states before the step.
            new_states: states after the step.
            d_new_states: gradients of the states after the step.

        Returns:
            The gradients of the preactivations before scaling, and those of the states before the
            step, without the part that flows through the preactivations.
        """
        raise NotImplementedError

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Any, Any, list[Any]]:
        """Return the last output, all outputs ``(batch, time, units)``, and the final states."""
        if not (self._is_supported() and is_tensorflow_on_cpu()):
            return super().inner_loop(sequences, initial_state, mask, training)
        if mask is None:
            mask = tf.ones(tf.shape(sequences)[:2], tf.bool)
        # A stateful layer's variables are overwritten before the gradient reads the initial state.
        initial_states = map(tf.convert_to_tensor, initial_state)
        run_fn = self._run_split_batch if training and not is_within_xla() else self._run
        return run_fn(sequences, mask, *initial_states)

    def _run(
        self, sequences: tf.Tensor, mask: tf.Tensor, *initial_states: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        inputs = ops.transpose(sequences, (1, 0, 2))
        mask = ops.cast(ops.transpose(mask), sequences.dtype)[..., None]
        if self.go_backwards:
            inputs, mask = tf.reverse(inputs, [0]), tf.reverse(mask, [0])
        kernel, bias = self._kernel_and_bias()
        states, *final = run_recurrence(type(self), inputs, mask, kernel, bias, initial_states)
        output_mask = mask if self.zero_output_for_mask else _has_started(mask)
        if self.return_sequences:
            outputs = states * output_mask
        else:
            outputs = (final[0] * output_mask[-1])[None]
        return outputs[-1], ops.transpose(outputs, (1, 0, 2)), final

    def _run_split_batch(self, *tensors: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        batch_size = tf.shape(tensors[0])[0]
        sizes = [batch_size // 2, batch_size - batch_size // 2]
        halves = zip(*(tf.split(tensor, sizes) for tensor in tensors), strict=True)
        results = [self._compiled_run(*half) for half in halves]
        return tf.nest.map_structure(lambda *parts: tf.concat(parts, 0), *results)

    @functools.cached_property
    def _compiled_run(self) -> Callable[..., Any]:
        return tf.function(self._run, jit_compile=True, reduce_retracing=True)

    def _is_supported(self) -> bool:
        has_tanh = self.activation == keras.activations.tanh
        return has_tanh and not (self.dropout or self.recurrent_dropout or self.unroll)

    def _has_sigmoid_gates(self) -> bool:
        return self.recurrent_activation == keras.activations.sigmoid

    def _kernel_and_bias(self) -> tuple[tf.Tensor, tf.Tensor]:
        kernel = tf.concat([self.cell.kernel, self.cell.recurrent_kernel], 0)
        bias = tf.convert_to_tensor(self.cell.bias) if self.use_bias else tf.zeros_like(kernel[0])
        return kernel, bias


@keras.saving.register_keras_serializable(package="zoo")
class SimpleRNN(CustomGradientRNN, keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN`, faster to train on a CPU.

    Arguments and weights are those of the Keras layer, and outputs equal its outputs up to
    rounding. The layer falls back to Keras for activations other than tanh, dropout, an unrolled
    loop, and on other devices and backends.

    Example:
        >>> import numpy as np
        >>> from zoo.acceleration.recurrent import SimpleRNN
        >>> SimpleRNN(4)(np.ones((2, 3, 5), "float32")).shape
        TensorShape([2, 4])

    Reference:
        Elman (1990), Finding structure in time, https://doi.org/10.1207/s15516709cog1402_1
    """

    preactivation_scale = (1.0,)
    masked_preactivation = (0.0,)
    num_gates = 0

    @staticmethod
    def step(preactivation: tf.Tensor, mask: tf.Tensor, states: Tensors) -> tuple[Tensors, Tensors]:
        """Compute one time step."""
        (state,) = states
        return (tf.tanh(preactivation) * mask + (1 - mask) * state,), ()

    @staticmethod
    def step_gradient(
        mask: tf.Tensor, gates: Tensors, states: Tensors, new_states: Tensors, d_new_states: Tensors
    ) -> tuple[Tensors, Tensors]:
        """Backpropagate through one time step."""
        (state,), (d_state,) = new_states, d_new_states
        return (d_state * (1 - state**2) * mask,), (d_state * (1 - mask),)


@keras.saving.register_keras_serializable(package="zoo")
class GRU(CustomGradientRNN, keras.layers.GRU):
    """`keras.layers.GRU`, faster to train on a CPU.

    Arguments and weights are those of the Keras layer, and outputs equal its outputs up to
    rounding. The layer falls back to Keras for activations other than the defaults, dropout, an
    unrolled loop, ``use_bias=False``, ``reset_after=False``, and on other devices and backends.

    Example:
        >>> import numpy as np
        >>> from zoo.acceleration.recurrent import GRU
        >>> GRU(4)(np.ones((2, 3, 5), "float32")).shape
        TensorShape([2, 4])

    Reference:
        Cho et al. (2014), Learning phrase representations using RNN encoder-decoder,
        https://arxiv.org/abs/1406.1078
    """

    preactivation_scale = (0.5, 0.5, 1.0, 1.0)
    masked_preactivation = (SATURATED, 0.0, 0.0, 0.0)
    num_gates = 4

    def _is_supported(self) -> bool:
        has_two_biases = self.use_bias and self.reset_after
        return super()._is_supported() and self._has_sigmoid_gates() and has_two_biases

    def _kernel_and_bias(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Split the candidate's preactivation into its input part and its recurrent part.

        The reset gate multiplies only the recurrent part.
        """
        kernel, bias = super()._kernel_and_bias()
        gates, features = 2 * self.units, kernel.shape[0] - self.units
        input_kernel, recurrent_kernel = tf.split(kernel[:, gates:], [features, self.units])
        input_bias, recurrent_bias = tf.unstack(bias)
        return (
            tf.concat(
                [
                    kernel[:, :gates],
                    tf.pad(input_kernel, [[0, self.units], [0, 0]]),
                    tf.pad(recurrent_kernel, [[features, 0], [0, 0]]),
                ],
                axis=1,
            ),
            tf.concat(
                [
                    input_bias[:gates] + recurrent_bias[:gates],
                    input_bias[gates:],
                    recurrent_bias[gates:],
                ],
                axis=0,
            ),
        )

    @staticmethod
    def step(preactivation: tf.Tensor, mask: tf.Tensor, states: Tensors) -> tuple[Tensors, Tensors]:
        """Compute one time step."""
        (state,) = states
        update, reset, input_part, recurrent_part = tf.split(preactivation, 4, -1)
        update, reset = _sigmoid_from_tanh(tf.tanh(update)), _sigmoid_from_tanh(tf.tanh(reset))
        candidate = tf.tanh(input_part + reset * recurrent_part)
        state = update * state + (1 - update) * candidate
        return (state,), (update, reset, candidate, recurrent_part)

    @staticmethod
    def step_gradient(
        mask: tf.Tensor, gates: Tensors, states: Tensors, new_states: Tensors, d_new_states: Tensors
    ) -> tuple[Tensors, Tensors]:
        """Backpropagate through one time step."""
        update, reset, candidate, recurrent_part = gates
        (state,), (d_state,) = states, d_new_states
        d_candidate = d_state * (1 - update) * (1 - candidate**2)
        d_preactivations = (
            d_state * (state - candidate) * update * (1 - update),
            d_candidate * recurrent_part * reset * (1 - reset),
            d_candidate,
            d_candidate * reset,
        )
        return d_preactivations, (d_state * update,)


@keras.saving.register_keras_serializable(package="zoo")
class LSTM(CustomGradientRNN, keras.layers.LSTM):
    """`keras.layers.LSTM`, faster to train on a CPU.

    Arguments and weights are those of the Keras layer, and outputs equal its outputs up to
    rounding. The layer falls back to Keras for activations other than the defaults, dropout, an
    unrolled loop, and on other devices and backends.

    Example:
        >>> import numpy as np
        >>> from zoo.acceleration.recurrent import LSTM
        >>> LSTM(4)(np.ones((2, 3, 5), "float32")).shape
        TensorShape([2, 4])

    Reference:
        Hochreiter & Schmidhuber (1997), Long short-term memory,
        https://doi.org/10.1162/neco.1997.9.8.1735; forget gate: Gers, Schmidhuber & Cummins (2000),
        Learning to forget, https://doi.org/10.1162/089976600300015015
    """

    preactivation_scale = (0.5, 0.5, 1.0, 0.5)
    masked_preactivation = (-SATURATED, SATURATED, 0.0, -SATURATED)
    num_gates = 4

    def _is_supported(self) -> bool:
        return super()._is_supported() and self._has_sigmoid_gates()

    @staticmethod
    def step(preactivation: tf.Tensor, mask: tf.Tensor, states: Tensors) -> tuple[Tensors, Tensors]:
        """Compute one time step."""
        state, cell = states
        input_gate, forget, candidate, output = tf.split(tf.tanh(preactivation), 4, -1)
        input_gate, forget, output = map(_sigmoid_from_tanh, (input_gate, forget, output))
        cell = forget * cell + input_gate * candidate
        state = output * tf.tanh(cell) + (1 - mask) * state
        return (state, cell), (input_gate, forget, candidate, output)

    @staticmethod
    def step_gradient(
        mask: tf.Tensor, gates: Tensors, states: Tensors, new_states: Tensors, d_new_states: Tensors
    ) -> tuple[Tensors, Tensors]:
        """Backpropagate through one time step."""
        input_gate, forget, candidate, output = gates
        (_, cell), (_, new_cell), (d_state, d_cell) = states, new_states, d_new_states
        activated_cell = tf.tanh(new_cell)
        d_cell = d_cell + d_state * output * (1 - activated_cell**2)
        d_preactivations = (
            d_cell * candidate * input_gate * (1 - input_gate),
            d_cell * cell * forget * (1 - forget),
            d_cell * input_gate * (1 - candidate**2),
            d_state * activated_cell * output * (1 - output),
        )
        return d_preactivations, (d_state * (1 - mask), d_cell * forget)


def run_recurrence(
    layer: type[CustomGradientRNN],
    inputs: tf.Tensor,
    mask: tf.Tensor,
    kernel: tf.Tensor,
    bias: tf.Tensor,
    initial_states: Tensors,
) -> tuple[tf.Tensor, ...]:
    """Run a recurrence over time, with a custom gradient.

    Args:
        layer: class whose `step` and `step_gradient` define the recurrence.
        inputs: ``(time, batch, features)``.
        mask: ``(time, batch, 1)``, 0 for steps that leave the state unchanged and 1 elsewhere.
        kernel: weights of inputs and output, ``(features + units, gates * units)``.
        bias: ``(gates * units,)``.
        initial_states: ``(batch, units)`` each, the output first.

    Returns:
        The outputs after each step, ``(time, batch, units)``, and the final states.
    """

    @tf.custom_gradient
    def run_with_gradient(
        inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, *initial_states: tf.Tensor
    ) -> tuple[Tensors, Callable[..., Tensors]]:
        final, states, gates = _forward(layer, inputs, mask, kernel, bias, initial_states)

        def gradient(d_outputs: tf.Tensor, *d_final: tf.Tensor) -> Tensors:
            previous_states = [
                tf.concat([initial[None], rows[:-1]], 0)
                for initial, rows in zip(initial_states, states, strict=True)
            ]
            step_rows = (gates, previous_states, states)
            return _backward(layer, inputs, mask, kernel, step_rows, d_outputs, d_final)

        return (states[0], *final), gradient

    return run_with_gradient(inputs, kernel, bias, *initial_states)


def _forward(
    layer: type[CustomGradientRNN],
    inputs: tf.Tensor,
    mask: tf.Tensor,
    kernel: tf.Tensor,
    bias: tf.Tensor,
    initial_states: Tensors,
) -> tuple[Tensors, Tensors, Tensors]:
    """Return the final states; and over time, ``(time, batch, units)`` each, states and gates."""
    units, num_states = initial_states[0].shape[-1], len(initial_states)
    scale, masked_preactivation = (
        tf.repeat(tf.constant(per_gate, inputs.dtype), units)
        for per_gate in (layer.preactivation_scale, layer.masked_preactivation)
    )
    input_kernel, recurrent_kernel = tf.split(kernel * scale, [inputs.shape[-1], units])
    projected = tf.matmul(inputs, input_kernel) + bias * scale
    projected = tf.where(mask > 0, projected, masked_preactivation)

    def step(time: tf.Tensor, *states: tf.Tensor) -> tuple[Tensors, Tensors]:
        preactivation = projected[time] + tf.matmul(states[0], recurrent_kernel)
        new_states, gates = layer.step(preactivation, mask[time], states)
        return new_states, (*new_states, *gates)

    widths = [units] * (num_states + layer.num_gates)
    final, rows = scan(step, initial_states, tf.shape(inputs)[0], widths)
    return final, rows[:num_states], rows[num_states:]


def _backward(
    layer: type[CustomGradientRNN],
    inputs: tf.Tensor,
    mask: tf.Tensor,
    kernel: tf.Tensor,
    step_rows: tuple[Tensors, Tensors, Tensors],
    d_outputs: tf.Tensor,
    d_final: Tensors,
) -> Tensors:
    """Return the gradients of inputs, kernel, bias and initial states.

    `step_rows` are the gates and the states before and after each step, ``(time, batch, units)``.
    """
    features, (rows, width) = inputs.shape[-1], kernel.shape
    input_kernel, recurrent_kernel = tf.split(
        tf.transpose(kernel), [features, rows - features], axis=1
    )

    def step(
        time: tf.Tensor, d_bias: tf.Tensor, *d_new_states: tf.Tensor
    ) -> tuple[Tensors, Tensors]:
        gates, states, new_states = ([rows[time] for rows in part] for part in step_rows)
        d_new_states = d_new_states[0] + d_outputs[time], *d_new_states[1:]
        d_preactivations, (d_state, *d_others) = layer.step_gradient(
            mask[time], gates, states, new_states, d_new_states
        )
        d_preactivation = tf.concat(d_preactivations, -1)
        d_state = d_state + tf.matmul(d_preactivation, recurrent_kernel)
        d_bias = d_bias + tf.reduce_sum(d_preactivation, 0)
        return (d_bias, d_state, *d_others), (d_preactivation,)

    carry = (tf.zeros(width, kernel.dtype), *d_final)
    length = tf.shape(inputs)[0]
    (d_bias, *d_initial), (d_rows,) = scan(step, carry, length, [width], reverse=True)
    previous_outputs = step_rows[1][0]
    d_kernel = [sum_outer_products(rows, d_rows) for rows in (inputs, previous_outputs)]
    return tf.matmul(d_rows, input_kernel), tf.concat(d_kernel, 0), d_bias, *d_initial


def _sigmoid_from_tanh(tanh_of_half: tf.Tensor) -> tf.Tensor:
    """Return the sigmoid of x, given the hyperbolic tangent of x / 2."""
    return 0.5 * tanh_of_half + 0.5


def _has_started(mask: tf.Tensor) -> tf.Tensor:
    """Return 1 from the first unmasked step on, and 0 before."""
    time = tf.range(tf.shape(mask)[0])[:, None, None]
    has_started = time >= tf.argmax(mask, axis=0, output_type=tf.int32)
    return tf.cast(has_started, mask.dtype) * tf.reduce_max(mask, axis=0)
