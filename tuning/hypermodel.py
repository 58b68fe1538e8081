"""From keras-tuner's hyperparameters to a model of the zoo, and to its batches."""

import inspect
from typing import Any

import keras
import keras_tuner

import zoo
from tuning import spaces
from zoo.registry import defaults_of


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
        self.defaults = defaults_of(name)
        self.space = getattr(spaces, name)
        self.fixed = fixed

    def build(self, hp: Any) -> keras.Model:
        """Builds the model with the values of a trial; what is fixed does not vary."""
        for key, value in self.fixed.items():
            if isinstance(value, bool | int | float | str):
                hp.Fixed(key, value)
        values = self.space(hp, self.defaults)
        taken = inspect.signature(zoo.get_spec(self.name).load_builder()).parameters
        arguments = {key: value for key, value in values.items() if key in taken}
        return zoo.build(self.name, **{**arguments, **self.fixed})

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        """Trains the model in the batches of a trial; a data set that has its own keeps them."""
        if "batch_size" in hp.values and not hasattr(args[0], "element_spec"):
            kwargs.setdefault("batch_size", hp.values["batch_size"])
        return model.fit(*args, **kwargs)
