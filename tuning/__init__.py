"""Hyperparameter search over the zoo, on keras-tuner.

`search` does it all; `ZooModel` is for those who bring a keras-tuner tuner of their own.

>>> import keras_tuner, tuning
>>> tuner = keras_tuner.RandomSearch(
...     tuning.ZooModel("mlp"), objective="val_accuracy", max_trials=2, directory=tmp
... )
>>> sorted(tuner.oracle.get_space().values)[:2]
['activation', 'batch_normalization']
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuning.hypermodel import ZooModel
    from tuning.searching import SearchResult, search

__all__ = ["SearchResult", "ZooModel", "search"]

_LAZY = {
    "SearchResult": "tuning.searching",
    "ZooModel": "tuning.hypermodel",
    "search": "tuning.searching",
}


def __getattr__(name: str) -> Any:
    """Imports keras-tuner when it is first used."""
    if name not in _LAZY:
        raise AttributeError(f"module 'tuning' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
