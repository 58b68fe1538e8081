"""From keras-tuner's hyperparameters to a model of the zoo."""

from typing import Any

import keras
import keras_tuner

import zoo
from tuning import spaces


class ZooModel(keras_tuner.HyperModel):
    """A model of the zoo with its search space, for any keras-tuner tuner.

    Args:
        name: the model.
        **fixed: arguments of its builder that do not vary, such as those that follow from the
            data: ``input_shape`` and ``num_classes``.

    Raises:
        UnknownModelError: if there is no such model.

    Example:
        >>> import keras_tuner, tuning
        >>> tuning.ZooModel("mlp", units=8).build(keras_tuner.HyperParameters()).name
        'mlp'
    """

    def __init__(self, name: str, **fixed: Any) -> None:
        super().__init__(name=name)
        self.defaults = spaces.defaults_of(name)
        self.space = getattr(spaces, name)
        self.fixed = fixed

    def build(self, hp: Any) -> keras.Model:
        """Builds the model with the values of a trial; what is fixed does not vary."""
        for key, value in self.fixed.items():
            if isinstance(value, bool | int | float | str):
                hp.Fixed(key, value)
        return zoo.build(self.name, **{**self.space(hp, self.defaults), **self.fixed})
