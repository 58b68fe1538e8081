"""Muon with cheaper matrix products."""

from typing import Any

import keras
from keras import ops

from zoo.errors import ArgumentValueError
from zoo.layers import optimizers


@keras.saving.register_keras_serializable(package="zoo.acceleration")
class Muon(optimizers.Muon):
    """`zoo.layers.Muon`, which orthogonalizes in the precision in which the layers compute.

    Orthogonalizing takes fifteen matrix products for each weight matrix, however small the batch.
    Muon's authors do it in bfloat16; so does this class where the policy is ``mixed_bfloat16``.
    Weights, momenta and gradients stay as they are.

    Args:
        compute_dtype: dtype of the products; that of the policy in force if None.
        **kwargs: arguments of `zoo.layers.Muon`; `muon_c` must be above 0.

    Raises:
        ArgumentValueError: if `muon_c` is not above 0.

    Example:
        >>> from zoo.acceleration.muon import Muon
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

    def orthogonalize(self, matrix: Any) -> Any:
        """Bring the singular values of a matrix near one, and keep its singular vectors.

        Each Newton-Schulz step multiplies the matrix by a polynomial of its Gram matrix, taken on
        the shorter side: ``a + b gram + c gram**2``. Completing the square saves operations: with
        the matrix scaled by the fourth root of `c`, the polynomial is
        ``(sqrt(c) gram + b / (2 sqrt(c)))**2 + a - b**2 / (4 c)``.

        Args:
            matrix: ``(rows, columns)``.
        """
        rows, columns = matrix.shape
        a, b, c = self.muon_a, self.muon_b, self.muon_c
        scale = c**0.25
        x = ops.cast(matrix * (scale / (ops.norm(matrix) + 1e-7)), self.compute_dtype)
        x = ops.transpose(x) if rows > columns else x
        identity = ops.eye(min(rows, columns), dtype=self.compute_dtype)
        for _ in range(self.ns_steps):
            shifted = ops.matmul(x, ops.transpose(x)) + b / (2 * c**0.5) * identity
            polynomial = ops.matmul(shifted, shifted) + (a - b**2 / (4 * c)) * identity
            x = ops.matmul(polynomial, x)
        return ops.cast(ops.transpose(x) if rows > columns else x, matrix.dtype) / scale

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal optimizer."""
        return {**super().get_config(), "compute_dtype": self.compute_dtype}
