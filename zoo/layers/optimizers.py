"""Optimizers that Keras has in another form."""

import math
import re
from typing import Any

import keras
from keras import ops

from zoo.errors import ArgumentValueError

CONV_KERNEL_RANK = 4


@keras.saving.register_keras_serializable(package="zoo")
class Muon(keras.optimizers.Muon):
    """Keras' Muon, which also orthogonalizes the updates of convolution kernels.

    A kernel ``(height, width, channels, filters)`` is taken as a matrix with a row for each number
    of a patch and a column for each filter, as Muon's authors do. Keras leaves such kernels to
    AdamW.

    Args:
        **kwargs: arguments of `keras.optimizers.Muon`; `muon_c` must be above 0.

    Raises:
        ArgumentValueError: if `muon_c` is not above 0.

    Example:
        >>> from zoo.layers import Muon
        >>> Muon(learning_rate=0.02).name
        'muon'

    Reference:
        Jordan et al. (2024), Muon: an optimizer for hidden layers in neural networks,
        https://kellerjordan.github.io/posts/muon/
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.muon_c <= 0:
            raise ArgumentValueError(f"muon_c={self.muon_c}: must be above 0.")

    def _muon_update_step(self, gradient: Any, variable: Any, lr: Any, m: Any) -> None:
        momentum = self.momentum * m + gradient
        self.assign(m, momentum)
        ahead = self.momentum * momentum + gradient if self.nesterov else momentum
        matrix = ops.reshape(ahead, (-1, variable.shape[-1]))
        update = self.zeropower_via_newtonschulz5(matrix, self.ns_steps)
        rate = 1.0 if self.rms_rate is None else math.sqrt(max(update.shape)) * self.rms_rate
        self.assign_sub(variable, ops.reshape((lr * rate) * update, variable.shape))

    def _should_use_adamw(self, variable: Any) -> bool:
        if len(variable.shape) != CONV_KERNEL_RANK:
            return super()._should_use_adamw(variable)
        return any(re.search(pattern, variable.path) for pattern in self.exclude_layers)

    def _apply_weight_decay(self, variables: Any) -> None:
        for variable in filter(self._use_weight_decay, variables):
            by_adam = self._should_use_adamw(variable)
            decay = self.adam_weight_decay if by_adam else self.weight_decay
            if decay is not None:
                variable.assign(variable * (1 - decay * self.learning_rate))

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Muon":
        """Make the optimizer from what `get_config` returned, in earlier versions too."""
        known = {key: value for key, value in config.items() if key != "compute_dtype"}
        return super().from_config(known if cls is Muon else config, custom_objects)
