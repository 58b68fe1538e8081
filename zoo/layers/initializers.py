"""First values of weights that Keras does not have. Importing it registers them."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class LogRarity(keras.initializers.Initializer):
    """How rare each word is likely to be, for vocabularies in which the commonest come first.

    By Zipf's law the share of texts that have a word falls as one over its rank, so that its
    inverse document frequency, minus the logarithm of that share, grows as the logarithm of the
    rank. The values are logarithms, times a power: a softmax makes weights of them that go as that
    power of the inverse document frequency.

    Args:
        power: of the inverse document frequency.
        common: rank of a word that is in every second text.

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
        """Gives one value a row, the same for all its columns."""
        ranks = ops.arange(shape[0], dtype=dtype or keras.config.floatx())
        rarity = self.power * ops.log1p(ops.log1p(ranks / self.common))
        return ops.broadcast_to(ops.reshape(rarity, (-1, *[1] * (len(shape) - 1))), shape)

    def get_config(self) -> dict[str, float]:
        """Gives what makes it again."""
        return {"power": self.power, "common": self.common}
