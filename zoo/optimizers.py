"""Optimisers that Keras does not have, or has in another form. Importing it registers them."""

import math
import re
from typing import Any

import keras
from keras import ops

from zoo.errors import ArgumentValueError

KERNEL_RANK = 4  # of a convolution of images


@keras.saving.register_keras_serializable(package="zoo")
class Muon(keras.optimizers.Muon):
    """Keras' Muon, which makes its steps orthogonal in the precision in which the layers compute.

    That takes fifteen products of matrices for each matrix of weights, however small the batch.
    Muon's authors do it in bfloat16; so does this class where the policy is ``mixed_bfloat16``.
    Weights, momenta and gradients stay as they are.

    The kernel of a convolution, ``(height, width, channels, filters)``, is a matrix too, as
    Muon's authors have it: a row for each number of a patch, a column for each filter. Keras gives
    it to Adam.

    Args:
        compute_dtype: of the products; that of the policy in force if None.
        **kwargs: of `keras.optimizers.Muon`; `muon_c` must be above 0.

    Raises:
        ArgumentValueError: if `muon_c` is not above 0.

    Example:
        >>> from zoo.optimizers import Muon
        >>> Muon(learning_rate=0.02).compute_dtype
        'float32'

    Reference:
        Jordan et al. (2024), Muon: an optimizer for hidden layers in neural networks,
        https://kellerjordan.github.io/posts/muon/
    """

    def __init__(self, *args: Any, compute_dtype: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.muon_c <= 0:
            raise ArgumentValueError(f"muon_c={self.muon_c}: must be above 0.")
        self.compute_dtype = compute_dtype or keras.config.dtype_policy().compute_dtype

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        """Brings the singular values of a matrix near to one, and leaves its singular vectors.

        Each step of the iteration of Newton and Schulz multiplies it by a polynomial of its Gram
        matrix, which is as small as its shorter side allows: ``a + b gram + c gram**2``. Here that
        is a square and a constant. What is iterated is the matrix times the fourth root of `c`, so
        that the square needs no factor: ``(sqrt(c) gram + b / (2 sqrt(c)))**2 + a - b**2 / (4 c)``.

        Args:
            x: ``(rows, columns)``.
            steps: of the iteration.
        """
        rows, columns = x.shape
        a, b, c = self.muon_a, self.muon_b, self.muon_c
        scale = c**0.25
        matrix = ops.cast(x * (scale / (ops.norm(x) + 1e-7)), self.compute_dtype)
        matrix = ops.transpose(matrix) if rows > columns else matrix
        identity = ops.eye(min(rows, columns), dtype=self.compute_dtype)
        for _ in range(steps):
            shifted = ops.matmul(matrix, ops.transpose(matrix)) + b / (2 * c**0.5) * identity
            polynomial = ops.matmul(shifted, shifted) + (a - b**2 / (4 * c)) * identity
            matrix = ops.matmul(polynomial, matrix)
        return ops.cast(ops.transpose(matrix) if rows > columns else matrix, x.dtype) / scale

    def _muon_update_step(self, gradient: Any, variable: Any, lr: Any, m: Any) -> None:
        momentum = self.momentum * m + gradient
        self.assign(m, momentum)
        ahead = self.momentum * momentum + gradient if self.nesterov else momentum
        matrix = ops.reshape(ahead, (-1, variable.shape[-1]))
        update = self.zeropower_via_newtonschulz5(matrix, self.ns_steps)
        rate = 1.0 if self.rms_rate is None else math.sqrt(max(update.shape)) * self.rms_rate
        self.assign_sub(variable, ops.reshape((lr * rate) * update, variable.shape))

    def _should_use_adamw(self, variable: Any) -> bool:
        if len(variable.shape) != KERNEL_RANK:
            return super()._should_use_adamw(variable)
        return any(re.search(pattern, variable.path) for pattern in self.exclude_layers)

    def _apply_weight_decay(self, variables: Any) -> None:
        for variable in filter(self._use_weight_decay, variables):
            by_adam = self._should_use_adamw(variable)
            share = self.adam_weight_decay if by_adam else self.weight_decay
            if share is not None:
                variable.assign(variable * (1 - share * self.learning_rate))

    def get_config(self) -> dict[str, Any]:
        """Gives what a copy is made of."""
        return {**super().get_config(), "compute_dtype": self.compute_dtype}
