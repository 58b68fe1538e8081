"""Hyperparameter search over the zoo, on keras-tuner: for each model the space of what may vary.

>>> import keras_tuner, tuning
>>> tuner = keras_tuner.RandomSearch(
...     tuning.ZooModel("mlp"), objective="val_accuracy", max_trials=2, directory=tmp
... )
>>> sorted(tuner.oracle.get_space().values)[:2]
['activation', 'batch_normalization']
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuning.hypermodel import ZooModel

__all__ = ["ZooModel"]


def __getattr__(name: str) -> Any:
    """Imports keras-tuner when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'tuning' has no attribute {name!r}")
    from tuning.hypermodel import ZooModel

    return ZooModel
