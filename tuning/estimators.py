"""The models as scikit-learn's classifiers, for its pipelines and searches."""

import inspect
from typing import Any

import keras
import numpy as np
from keras.wrappers import SKLearnClassifier

import zoo
from zoo.errors import ArgumentValueError, UnknownArgumentError, unknown_name_message
from zoo.registry import defaults_of

TRAINING = ("name", "epochs", "batch_size", "seed")
FROM_ROWS = ("input_shape", "num_classes")


class ZooClassifier(SKLearnClassifier):
    """A classifier of the zoo that scikit-learn can clone, change, cross-validate and chain.

    It takes rows of numbers, ``(rows, features)``, and labels of any type, ``(rows,)``. How many
    features and classes there are follows from them.

    Args:
        name: a model of several classes whose input is rows of numbers, such as ``"mlp"``.
        epochs: passes over the rows; the recipe's if None.
        batch_size: rows a step; the recipe's if None.
        seed: of weights and of the order of the rows.
        **settings: arguments of the model's builder.

    Raises:
        UnknownModelError: if there is no such model.
        UnknownArgumentError: if its builder takes no such argument.
        ArgumentValueError: if it is no classifier of rows of numbers, or if a setting follows from
            the rows.

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
        taken = inspect.signature(spec.load_builder()).parameters
        if spec.task != "multiclass_classification" or "input_shape" not in taken:
            raise ArgumentValueError(f"{name} is no classifier of rows of numbers.")
        for key in settings:
            if key not in taken:
                raise UnknownArgumentError(unknown_name_message(f"argument of {name}", key, taken))
            if key in FROM_ROWS:
                raise ArgumentValueError(f"{key} follows from the rows: do not set it.")
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
        """Gives every setting, those of the builder that are not set at their defaults.

        Args:
            deep: scikit-learn's; there is nothing deeper.
        """
        taken = inspect.signature(zoo.get_spec(self.name).load_builder()).parameters
        own = taken.keys() - FROM_ROWS
        defaults = {key: value for key, value in defaults_of(self.name).items() if key in own}
        training = {key: getattr(self, key) for key in TRAINING}
        return {**defaults, **training, **self.settings}

    def set_params(self, **params: Any) -> "ZooClassifier":
        """Changes settings.

        Args:
            **params: by their names.
        """
        training = {key: getattr(self, key) for key in TRAINING}
        self.__init__(**{**training, **self.settings, **params})  # type: ignore[misc]
        return self

    def __sklearn_clone__(self) -> "ZooClassifier":
        """Gives the same classifier, untrained."""
        training = {key: getattr(self, key) for key in TRAINING}
        return type(self)(**training, **self.settings)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:  # noqa: N803
        """Gives the probability of each class.

        Args:
            X: ``(rows, features)``.

        Returns:
            ``(rows, classes)``, in the order of ``classes_``.
        """
        from sklearn.utils.validation import check_is_fitted, validate_data

        check_is_fitted(self)
        return self.model_.predict(validate_data(self, X, reset=False), verbose=0)

    def predict(self, X: np.ndarray) -> np.ndarray:  # noqa: N803
        """Gives the likeliest label of each row.

        Args:
            X: ``(rows, features)``.

        Returns:
            ``(rows,)``.
        """
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    decision_function = predict_proba

    def _build(self, X: np.ndarray, y: np.ndarray) -> keras.Model:  # noqa: N803
        keras.utils.set_random_seed(self.seed)
        from_data = {"input_shape": X.shape[1:], "num_classes": y.shape[1]}
        model = zoo.build(self.name, **{**from_data, **self.settings})
        model.compile(model.optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
        return model
