"""Loops over time that XLA compiles well."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

Tensors = Sequence[tf.Tensor]


def scan(
    step: Callable[..., tuple[Tensors, Tensors]],
    carry: Tensors,
    length: tf.Tensor,
    widths: Sequence[int],
    *,
    reverse: bool = False,
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Run a loop over time that carries tensors and stores rows.

    Args:
        step: function of the time index and the carry that returns the new carry and the rows.
        carry: initial carry; its last tensor is ``(batch, units)``.
        length: number of steps.
        widths: width of each row. Each has its own array, because XLA is far slower if a loop
            concatenates them into a wider one.
        reverse: whether to run from the last step to the first.

    Returns:
        The final carry, and the rows over time, ``(time, batch, width)`` each.
    """
    count, batch_size = len(carry), carry[-1].shape[0]

    def body(done: tf.Tensor, *loop: Any) -> tuple[Any, ...]:
        time = length - 1 - done if reverse else done
        new_carry, rows = step(time, *loop[:count])
        arrays = (a.write(time, row) for a, row in zip(loop[count:], rows, strict=True))
        return done + 1, *new_carry, *arrays

    arrays = (
        tf.TensorArray(carry[0].dtype, length, element_shape=(batch_size, width))
        for width in widths
    )
    _, *loop = tf.while_loop(
        lambda done, *_: done < length, body, (0, *carry, *arrays), maximum_iterations=length
    )
    return loop[:count], [array.stack() for array in loop[count:]]


def sum_outer_products(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Return the sum over time and batch of the outer products of corresponding rows.

    Args:
        left: ``(time, batch, features)``.
        right: ``(time, batch, width)``.

    Returns:
        ``(features, width)``.
    """
    left, right = (tf.reshape(rows, (-1, rows.shape[-1])) for rows in (left, right))
    return tf.matmul(left, right, transpose_a=True)
