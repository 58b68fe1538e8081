"""The course's experiments as data: what was built, how it was trained, what it reached.

The figures are those of a student's published run of the homeworks of Deep Learning 2022/23 at the
University of Padova, https://github.com/TapusiDaniel/DEEP-LEARNING-2022-2023-SCP9087561-, one
run each. `SYSTEMS` builds through `zoo.build`:

    >>> import zoo
    >>> from zoo.course import SYSTEMS
    >>> system = SYSTEMS["cnn_7"]
    >>> zoo.build(system.model, **system.arguments).count_params()
    62314
"""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class System:
    """One experiment of the course.

    Attributes:
        id: its name here.
        model: the zoo's model that it is a setting of.
        dataset: the zoo's name of its data set.
        arguments: the settings that make the model the course's network.
        protocol: how the course trained it: arguments and fields of the recipe.
        recipe: how we train the same network on the same splits.
        parameters: of the network.
        accuracy: on the test split, as the course reached it.
        seconds: that its training took, on a Tesla T4.
    """

    id: str
    model: str
    dataset: str
    arguments: Mapping[str, Any]
    protocol: Mapping[str, Any]
    recipe: Mapping[str, Any]
    parameters: int
    accuracy: float
    seconds: float


_CNN_RECIPE = {
    "optimizer": "adam",
    "learning_rate": 3e-3,
    "epochs": 14,
    "patience": 14,
    "batch_size": 128,
    "augmentation": "flip",
}


def _cnn(
    name: str,
    filters: str,
    kernel_size: str,
    pool_size: str,
    activation: str,
    *,
    epochs: int,
    parameters: int,
    accuracy: float,
    seconds: float,
    learning_rate: float = 1e-3,
) -> System:
    return System(
        id=name,
        model="simple_cnn",
        dataset="cifar10",
        arguments={
            "num_layers": len(filters.split("-")),
            "filters": filters,
            "filter_growth": 1.0,
            "kernel_size": kernel_size,
            "pool_size": pool_size,
            "activation": activation,
            "batch_normalization": False,
            "head": "flatten",
            "label_smoothing": 0.0,
            "weight_decay": 0.0,
        },
        protocol={
            "optimizer": "adam",
            "learning_rate": learning_rate,
            "epochs": epochs,
            "batch_size": 256,
            "schedule": "constant",
            "scaling": "fraction",
            "augmentation": "none",
        },
        recipe=_CNN_RECIPE,
        parameters=parameters,
        accuracy=accuracy,
        seconds=seconds,
    )


# The numbers are those of homework 3; models 3 and 7 were declared with other batch sizes, which
# never took effect.
SYSTEMS = {
    system.id: system
    for system in (
        _cnn(
            "cnn_simple", "32", "3", "2", "relu",
            epochs=20, parameters=82_826, accuracy=0.6381, seconds=152.9,
        ),
        _cnn(
            "cnn_deep", "32-16", "3-2", "2-2", "relu",
            epochs=20, parameters=13_210, accuracy=0.6222, seconds=161.3,
        ),
        _cnn(
            "cnn_1", "64-32-16", "3-3-2", "2-2-2", "relu",
            epochs=30, parameters=24_890, accuracy=0.6715, seconds=280.0,
        ),
        _cnn(
            "cnn_2", "32-16", "3-2", "2-2", "elu", learning_rate=1e-2,
            epochs=20, parameters=13_210, accuracy=0.6306, seconds=159.8,
        ),
        _cnn(
            "cnn_3", "16-32-64-128", "3-3-3-3", "2-2-2-2", "relu",
            epochs=30, parameters=102_570, accuracy=0.7081, seconds=249.2,
        ),
        _cnn(
            "cnn_4", "32-64-32", "3-3-3", "2-2-2", "elu",
            epochs=20, parameters=42_986, accuracy=0.7136, seconds=175.0,
        ),
        _cnn(
            "cnn_5", "32-16", "3-2", "5-3", "relu",
            epochs=20, parameters=3_610, accuracy=0.5338, seconds=156.9,
        ),
        _cnn(
            "cnn_6", "32-64-32", "3-2-3", "1-2-2", "relu",
            epochs=30, parameters=48_106, accuracy=0.7101, seconds=316.9,
        ),
        _cnn(
            "cnn_7", "64-64-32", "3-3-3", "2-2-2", "relu",
            epochs=40, parameters=62_314, accuracy=0.7225, seconds=377.4,
        ),
        _cnn(
            "cnn_8", "32-64-128-256", "3-3-3-3", "2-2-2-2", "relu",
            epochs=50, parameters=398_666, accuracy=0.7173, seconds=468.0,
        ),
    )
}  # fmt: skip
