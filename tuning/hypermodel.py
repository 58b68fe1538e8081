"""The zoo's models as keras-tuner hypermodels."""

import inspect
from typing import Any

import keras
import keras_tuner

import zoo
from tuning import spaces
from zoo.registry import get_defaults

BATCH_SIZE_POSITION = 2  # of `keras.Model.fit(x, y, batch_size)`


class ZooModel(keras_tuner.HyperModel):
    """A model of the zoo with its search space, for any keras-tuner tuner.

    Args:
        name: name of the model.
        **fixed: builder arguments that do not vary, such as those that the data determine:
            ``input_shape`` and ``num_classes``.

    Raises:
        UnknownModelError: if there is no such model.

    Example:
        >>> import keras_tuner, tuning
        >>> tuning.ZooModel("mlp", units=8).build(keras_tuner.HyperParameters()).name
        'mlp'
    """

    def __init__(self, name: str, **fixed: Any) -> None:
        super().__init__(name=name)
        self.defaults = get_defaults(name)
        self.space = getattr(spaces, name)
        self.fixed = fixed

    def build(self, hp: Any) -> keras.Model:
        """Build the model with the hyperparameters of a trial and the fixed arguments."""
        for key, value in self.fixed.items():
            if isinstance(value, bool | int | float | str):
                hp.Fixed(key, value)
        values = self.space(hp, self.defaults)
        parameters = inspect.signature(zoo.get_spec(self.name).load_builder()).parameters
        arguments = {key: value for key, value in values.items() if key in parameters}
        return zoo.build(self.name, **{**arguments, **self.fixed})

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        """Train the model, on arrays with the batch size of a trial."""
        x = args[0] if args else kwargs.get("x")
        is_batched = x is None or hasattr(x, "element_spec")
        are_arrays = not is_batched and all(hasattr(p, "shape") for p in keras.tree.flatten(x))
        if "batch_size" in hp.values and are_arrays and len(args) <= BATCH_SIZE_POSITION:
            kwargs.setdefault("batch_size", hp.values["batch_size"])
        return model.fit(*args, **kwargs)
