"""Optimizers that Keras has in another form."""

import math
import re
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

CONV_KERNEL_RANK = 4


@keras.saving.register_keras_serializable(package="zoo")
class Muon(keras.optimizers.Optimizer):
    """Muon: momentum whose update is orthogonalized, and AdamW for what is not a matrix.

    It is `keras.optimizers.Muon` but for the kernels of 2D convolutions, ``(height, width,
    channels, filters)``: Keras leaves them to AdamW, while here, as in Muon's own code, each is a
    matrix with a row for each number of a patch and a column for each filter. Biases, embeddings
    and `exclude_layers` are AdamW's.

    Args:
        learning_rate: learning rate.
        adam_beta_1: decay rate of AdamW's first moments.
        adam_beta_2: decay rate of AdamW's second moments.
        adam_weight_decay: weight decay of AdamW's variables; None for none.
        epsilon: constant that AdamW adds to the root of the second moments.
        weight_decay: weight decay of the matrices; None for none.
        exclude_layers: regular expressions; variables whose path matches one are AdamW's.
        exclude_embeddings: whether variables with ``embedding`` in their path are AdamW's.
        muon_a: first coefficient of the Newton-Schulz polynomial.
        muon_b: second coefficient.
        muon_c: third coefficient.
        adam_lr_ratio: learning rate of AdamW as a fraction of `learning_rate`.
        momentum: decay rate of the matrices' momentum.
        ns_steps: number of Newton-Schulz steps.
        nesterov: whether the momentum is Nesterov's.
        rms_rate: root mean square of an update of a matrix, times the learning rate; None leaves
            updates orthogonal.
        **kwargs: arguments of `keras.optimizers.Optimizer`.

    Example:
        >>> from zoo.layers import Muon
        >>> Muon(momentum=0.9).get_config()["momentum"]
        0.9

    Reference:
        Jordan et al. (2024), Muon: an optimizer for hidden layers in neural networks,
        https://kellerjordan.github.io/posts/muon/; with `rms_rate`: Liu et al. (2025), Muon is
        scalable for LLM training, https://arxiv.org/abs/2502.16982
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1.0,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, **kwargs)
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = epsilon
        self.exclude_layers = list(exclude_layers or [])
        self.exclude_embeddings = exclude_embeddings
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate

    def build(self, variables: Sequence[Any]) -> None:
        """Create a momentum for each variable, and second moments for those of AdamW."""
        if self.built:
            return
        super().build(variables)
        self.momentums: list[Any] = []
        self.adam_velocities: list[Any] = []
        for variable in variables:
            self.momentums.append(self.add_variable_from_reference(variable, name="momentum"))
            self.adam_velocities.append(
                self.add_variable_from_reference(variable, name="velocity")
                if self._is_for_adamw(variable)
                else None
            )

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a variable."""
        index = self._get_variable_index(variable)
        momentum, velocity = self.momentums[index], self.adam_velocities[index]
        if velocity is None:
            self._muon_step(gradient, variable, learning_rate, momentum)
        else:
            rate = learning_rate * self.adam_lr_ratio
            self._adamw_step(gradient, variable, rate, momentum, velocity)

    def _muon_step(self, gradient: Any, variable: Any, rate: Any, momentum: Any) -> None:
        new = self.momentum * momentum + gradient
        self.assign(momentum, new)
        ahead = self.momentum * new + gradient if self.nesterov else new
        matrix = ops.reshape(ahead, (-1, variable.shape[-1]))
        update = self.orthogonalize(matrix)
        scale = 1.0 if self.rms_rate is None else math.sqrt(max(update.shape)) * self.rms_rate
        self.assign_sub(variable, ops.reshape((rate * scale) * update, variable.shape))

    def _adamw_step(
        self, gradient: Any, variable: Any, rate: Any, momentum: Any, velocity: Any
    ) -> None:
        rate = ops.cast(rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        step = ops.cast(self.iterations + 1, variable.dtype)
        first, second = (
            ops.power(ops.cast(beta, variable.dtype), step)
            for beta in (self.adam_beta_1, self.adam_beta_2)
        )
        corrected_rate = rate * ops.sqrt(1 - second) / (1 - first)
        self.assign_add(momentum, (gradient - momentum) * (1 - self.adam_beta_1))
        self.assign_add(velocity, (ops.square(gradient) - velocity) * (1 - self.adam_beta_2))
        self.assign_sub(variable, momentum * corrected_rate / (ops.sqrt(velocity) + self.epsilon))

    def orthogonalize(self, matrix: Any) -> Any:
        """Bring the singular values of a matrix near one, and keep its singular vectors.

        Args:
            matrix: ``(rows, columns)``.
        """
        rows, columns = matrix.shape
        x = matrix / (ops.norm(matrix) + 1e-7)
        x = ops.transpose(x) if rows > columns else x
        for _ in range(self.ns_steps):
            gram = ops.matmul(x, ops.transpose(x))
            polynomial = self.muon_b * gram + self.muon_c * ops.matmul(gram, gram)
            x = self.muon_a * x + ops.matmul(polynomial, x)
        return ops.transpose(x) if rows > columns else x

    def _is_for_adamw(self, variable: Any) -> bool:
        if len(variable.shape) not in (2, CONV_KERNEL_RANK):
            return True
        is_embedding = len(variable.shape) == 2 and "embedding" in variable.path.lower()
        if self.exclude_embeddings and is_embedding:
            return True
        return any(re.search(pattern, variable.path) for pattern in self.exclude_layers)

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        for variable in filter(self._use_weight_decay, variables):
            velocity = self.adam_velocities[self._get_variable_index(variable)]
            decay = self.weight_decay if velocity is None else self.adam_weight_decay
            if decay is not None:
                variable.assign(variable * (1 - decay * self.learning_rate))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal optimizer."""
        names = (
            "adam_beta_1", "adam_beta_2", "adam_weight_decay", "epsilon", "exclude_layers",
            "exclude_embeddings", "muon_a", "muon_b", "muon_c", "adam_lr_ratio", "momentum",
            "ns_steps", "nesterov", "rms_rate",
        )  # fmt: skip
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Muon":
        """Make the optimizer from what `get_config` returned, in earlier versions too."""
        known = {key: value for key, value in config.items() if key != "compute_dtype"}
        return super().from_config(known if cls is Muon else config, custom_objects)
