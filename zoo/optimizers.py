"""Optimisers that Keras does not have, or has in another form. Importing it registers them."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class Muon(keras.optimizers.Muon):
    """Keras' Muon, which makes its steps orthogonal in the precision in which the layers compute.

    That takes fifteen products of matrices for each matrix of weights, however small the batch.
    Muon's authors do it in bfloat16; so does this class where the policy is ``mixed_bfloat16``.
    Weights, momenta and gradients stay as they are.

    Args:
        compute_dtype: of the products; that of the policy in force if None.
        **kwargs: of `keras.optimizers.Muon`.

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
        self.compute_dtype = compute_dtype or keras.config.dtype_policy().compute_dtype

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        """Brings the singular values of a matrix near to one, and leaves its singular vectors.

        Each step of the iteration of Newton and Schulz multiplies it by a polynomial of its Gram
        matrix, which is as small as its shorter side allows.

        Args:
            x: ``(rows, columns)``.
            steps: of the iteration.
        """
        rows, columns = x.shape
        matrix = ops.cast(x / (ops.norm(x) + 1e-7), self.compute_dtype)
        matrix = ops.transpose(matrix) if rows > columns else matrix
        identity = ops.eye(min(rows, columns), dtype=self.compute_dtype)
        for _ in range(steps):
            gram = ops.matmul(matrix, ops.transpose(matrix))
            quintic = self.muon_b * gram + self.muon_c * ops.matmul(gram, gram)
            matrix = ops.matmul(self.muon_a * identity + quintic, matrix)
        return ops.cast(ops.transpose(matrix) if rows > columns else matrix, x.dtype)

    def get_config(self) -> dict[str, Any]:
        """Gives what a copy is made of."""
        return {**super().get_config(), "compute_dtype": self.compute_dtype}
