"""Classic deep-learning architectures as tested, tuned and exportable Keras baselines.

    >>> import zoo
    >>> zoo.build("mlp", units=64).count_params()
    55050

Heavy dependencies are imported on first use: `import zoo` and `zoo.list_models()` do not import
Keras.
"""

import importlib
from typing import TYPE_CHECKING, Any

from wrapt import when_imported

from zoo import models
from zoo.errors import ZooError
from zoo.process import enable_onednn
from zoo.registry import build, get_spec, list_models, register
from zoo.specs import DatasetSpec, FileOptions, ImageOptions, ModelSpec, Recipe, Task, TextOptions

if TYPE_CHECKING:
    from zoo.acceleration import accelerate
    from zoo.artifacts.export import export
    from zoo.data import load_data
    from zoo.evaluation.prediction import predict
    from zoo.pretrained.loading import load
    from zoo.pretrained.pushing import push
    from zoo.runs import load_run
    from zoo.training import evaluate, train
    from zoo.training.by_hand import save_run

__all__ = [
    "DatasetSpec",
    "FileOptions",
    "ImageOptions",
    "ModelSpec",
    "Recipe",
    "Task",
    "TextOptions",
    "ZooError",
    "accelerate",
    "build",
    "evaluate",
    "export",
    "get_spec",
    "list_models",
    "load",
    "load_data",
    "load_run",
    "models",
    "predict",
    "push",
    "register",
    "save_run",
    "train",
]

_LAZY = {
    "accelerate": "zoo.acceleration",
    "load": "zoo.pretrained.loading",
    "load_data": "zoo.data",
    "load_run": "zoo.runs",
    "export": "zoo.artifacts.export",
    "predict": "zoo.evaluation.prediction",
    "push": "zoo.pretrained.pushing",
    "evaluate": "zoo.training",
    "save_run": "zoo.training.by_hand",
    "train": "zoo.training",
}

enable_onednn()


def __dir__() -> list[str]:
    return __all__


@when_imported("keras")
def _register_layers(keras: Any) -> None:
    importlib.import_module("zoo.layers")
    importlib.import_module("zoo.data.tokens")
    if keras.config.backend() == "tensorflow":
        importlib.import_module("zoo.acceleration")


def __getattr__(name: str) -> Any:
    """Import a public function on first use."""
    if name not in _LAZY:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
