"""Hyperparameter search over the zoo's models, built on keras-tuner.

`search` runs a whole search; `ZooModel` is a hypermodel for any keras-tuner tuner.

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
    from tuning.results import SearchResult
    from tuning.searching import search

__all__ = ["SearchResult", "ZooModel", "search"]

_LAZY = {
    "SearchResult": "tuning.results",
    "ZooModel": "tuning.hypermodel",
    "search": "tuning.searching",
}


def __getattr__(name: str) -> Any:
    """Import a public name, and keras-tuner with it, on first use."""
    if name not in _LAZY:
        raise AttributeError(f"module 'tuning' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
