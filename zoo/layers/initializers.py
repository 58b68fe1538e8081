"""Weight initializers that Keras lacks; importing the module registers them."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class LogRarity(keras.initializers.Initializer):
    """Log inverse document frequency estimated from token rank, for frequency-sorted vocabularies.

    By Zipf's law the fraction of texts that contain a token is inversely proportional to its rank,
    so the inverse document frequency, the negative logarithm of that fraction, grows as the
    logarithm of the rank. The values are `power` times the logarithm of this estimate: a softmax
    over them yields weights proportional to the inverse document frequency raised to `power`.

    Args:
        power: exponent of the inverse document frequency.
        common: rank of a token that occurs in every second text.

    Example:
        >>> from zoo.layers.initializers import LogRarity
        >>> LogRarity()((3, 1)).shape
        TensorShape([3, 1])

    Reference:
        Sparck Jones (1972), A statistical interpretation of term specificity and its application in
        retrieval, https://doi.org/10.1108/eb026526
    """

    def __init__(self, power: float = 2.0, common: float = 20.0) -> None:
        self.power = power
        self.common = common

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        """Return one value per row, repeated along all other axes."""
        ranks = ops.arange(shape[0], dtype=dtype or keras.config.floatx())
        rarity = self.power * ops.log1p(ops.log1p(ranks / self.common))
        return ops.broadcast_to(ops.reshape(rarity, (-1, *[1] * (len(shape) - 1))), shape)

    def get_config(self) -> dict[str, float]:
        """Return the arguments of an equal initializer."""
        return {"power": self.power, "common": self.common}
