"""The zoo's models as scikit-learn classifiers, for its pipelines and searches."""

import inspect
from typing import Any

import keras
import numpy as np
from keras.wrappers import SKLearnClassifier

import zoo
from zoo.errors import ArgumentValueError, UnknownArgumentError, unknown_name_message
from zoo.registry import get_defaults

OWN_PARAMETERS = ("name", "epochs", "batch_size", "seed")
INFERRED_PARAMETERS = ("input_shape", "num_classes")


class ZooClassifier(SKLearnClassifier):
    """A model of the zoo as a scikit-learn classifier of tabular data.

    It takes features of shape ``(samples, features)`` and labels of any type, ``(samples,)``. The
    numbers of features and classes are inferred from them.

    Args:
        name: name of a multiclass classifier whose input is numeric, such as ``"mlp"``.
        epochs: passes over the training data; the recipe's if None.
        batch_size: samples per batch; the recipe's if None.
        seed: seed of the initial weights and of the order of the samples.
        **settings: arguments of the model's builder.

    Raises:
        UnknownModelError: if there is no such model.
        UnknownArgumentError: if its builder takes no such argument.
        ArgumentValueError: if the model is not a multiclass classifier of numeric features, or if
            an argument is one that is inferred from the data.

    Example:
        >>> from sklearn.datasets import load_digits
        >>> from sklearn.model_selection import GridSearchCV
        >>> from tuning.estimators import ZooClassifier
        >>> grid = GridSearchCV(ZooClassifier("softmax_regression"), {"epochs": [1, 20]}, cv=3)
        >>> grid.fit(*load_digits(return_X_y=True)).best_params_
        {'epochs': 20}
    """

    def __init__(
        self,
        name: str = "mlp",
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        spec = zoo.get_spec(name)
        allowed = inspect.signature(spec.load_builder()).parameters
        if spec.task != "multiclass_classification" or "input_shape" not in allowed:
            raise ArgumentValueError(f"{name} is not a multiclass classifier of numeric features.")
        for key in settings:
            if key not in allowed:
                message = unknown_name_message(f"argument of {name}", key, allowed)
                raise UnknownArgumentError(message)
            if key in INFERRED_PARAMETERS:
                raise ArgumentValueError(f"{key} is inferred from the data: do not set it.")
        self.name, self.epochs, self.batch_size, self.seed = name, epochs, batch_size, seed
        self.settings = settings
        super().__init__(
            self._build,
            fit_kwargs={
                "epochs": spec.recipe.epochs if epochs is None else epochs,
                "batch_size": spec.recipe.batch_size if batch_size is None else batch_size,
                "verbose": 0,
            },
        )

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return every parameter, including builder arguments that are at their defaults.

        Args:
            deep: unused; there are no nested estimators.
        """
        parameters = inspect.signature(zoo.get_spec(self.name).load_builder()).parameters
        settable = parameters.keys() - INFERRED_PARAMETERS
        defaults = {key: value for key, value in get_defaults(self.name).items() if key in settable}
        return {**defaults, **self._own_params(), **self.settings}

    def set_params(self, **params: Any) -> "ZooClassifier":
        """Set parameters and return this classifier.

        Args:
            **params: new values, by name.
        """
        self.__init__(**{**self._own_params(), **self.settings, **params})  # type: ignore[misc]
        return self

    def __sklearn_clone__(self) -> "ZooClassifier":
        """Return an unfitted classifier with the same parameters."""
        return type(self)(**self._own_params(), **self.settings)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:  # noqa: N803
        """Return class probabilities.

        Args:
            X: features, ``(samples, features)``.

        Returns:
            Probabilities, ``(samples, classes)``, in the order of ``classes_``.
        """
        from sklearn.utils.validation import check_is_fitted, validate_data

        check_is_fitted(self)
        return self.model_.predict(validate_data(self, X, reset=False), verbose=0)

    def predict(self, X: np.ndarray) -> np.ndarray:  # noqa: N803
        """Return the most probable label of each sample.

        Args:
            X: features, ``(samples, features)``.

        Returns:
            Labels, ``(samples,)``.
        """
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    decision_function = predict_proba

    def _own_params(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in OWN_PARAMETERS}

    def _build(self, X: np.ndarray, y: np.ndarray) -> keras.Model:  # noqa: N803
        keras.utils.set_random_seed(self.seed)
        inferred = {"input_shape": X.shape[1:], "num_classes": y.shape[1]}
        model = zoo.build(self.name, **{**inferred, **self.settings})
        model.compile(model.optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
        return model
