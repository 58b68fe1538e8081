"""What the zoo knows of a model, a data set, a task and a recipe: frozen, and plain data."""

import dataclasses
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

from zoo.errors import ArgumentValueError

SCHEDULES = ("constant", "cosine")
MOST = 2**31 - 1
MOST_SEED = 2**32 - 1


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a model is trained: everything that `train` needs beside the compiled model.

    Attributes:
        epochs: passes over the training split, at least 1.
        batch_size: rows a step, at least 1.
        schedule: ``"constant"``, or ``"cosine"``: the learning rate falls to zero along half
            a cosine, one step an epoch (Loshchilov & Hutter, 2017, https://arxiv.org/abs/1608.03983).
        patience: epochs without improvement of the task's monitored quantity after which
            training stops and the best epoch's weights are restored; 0 trains all epochs and
            keeps the last.
        jit_compile: whether XLA compiles the training step.
        steps_per_execution: steps that run between two returns to Python, at least 1.

    Raises:
        ArgumentValueError: if a value is of the wrong type or out of range.
    """

    epochs: int
    batch_size: int
    schedule: str = "constant"
    patience: int = 0
    jit_compile: bool = True
    steps_per_execution: int = 1

    def __post_init__(self) -> None:
        """Checks every value."""
        for name, least in (
            ("epochs", 1),
            ("batch_size", 1),
            ("patience", 0),
            ("steps_per_execution", 1),
        ):
            require_integer(name, getattr(self, name), least, MOST)
        if self.schedule not in SCHEDULES:
            raise ArgumentValueError(
                f"schedule={self.schedule!r}: must be one of {', '.join(SCHEDULES)}."
            )
        if type(self.jit_compile) is not bool:
            raise ArgumentValueError(f"jit_compile={self.jit_compile!r}: must be true or false.")


@dataclasses.dataclass(frozen=True)
class Task:
    """What a model is asked to do, and how its answer is judged.

    Attributes:
        summary: one line.
        losses: the losses that fit, by Keras' names; the first is the default.
        metrics: reported beside the loss, by Keras' names.
        monitor: the quantity of the history by which epochs and trials are compared.
        direction: ``"max"`` or ``"min"``: which way `monitor` improves.
    """

    summary: str
    losses: tuple[str, ...]
    metrics: tuple[str, ...]
    monitor: str
    direction: str


@dataclasses.dataclass(frozen=True)
class DatasetSpec:
    """What is known of a data set before a row of it is read.

    Attributes:
        name: what the user types: a name of the zoo, a TFDS name, or a folder's path.
        kind: the module of `zoo.data` that reads it: ``"images"`` or ``"truth_tables"``.
        input_shape: shape of one raw row, ``(height, width, channels)`` or ``(bits,)``.
        class_names: one a class, in the order of the labels.
        summary: one line.
        source: where the rows come from: a TFDS name, or ``"folder"`` or ``"memory"``.
        reference: author, year and URL.
    """

    name: str
    kind: str
    input_shape: tuple[int, ...]
    class_names: tuple[str, ...]
    summary: str
    source: str
    reference: str = ""

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "DatasetSpec":
        """Makes a spec of what JSON has kept of one; its lists become tuples again."""
        return cls(**{key: as_tuple(value) for key, value in fields.items()})

    @property
    def model_arguments(self) -> dict[str, Any]:
        """The arguments of a builder that follow from the data."""
        return {"input_shape": self.input_shape, "num_classes": len(self.class_names)}


@dataclasses.dataclass(frozen=True)
class ModelSpec:
    """A row of the catalogue: a builder and all that belongs to it.

    Attributes:
        builder: where the builder is, as ``"package.module:function"``. The function's name is
            the model's name everywhere.
        task: key of `zoo.tasks.TASKS`.
        dataset: name of the data set the model is trained on unless told otherwise.
        parameters: trainable and frozen weights that the builder's defaults make.
        summary: one line.
        recipe: how it is trained unless told otherwise.
    """

    builder: str
    task: str
    dataset: str
    parameters: int
    summary: str
    recipe: Recipe

    @property
    def name(self) -> str:
        """The model's name: its builder's."""
        return self.builder.rpartition(":")[2]

    def load_builder(self) -> Callable[..., Any]:
        """Imports the builder, and with it Keras."""
        return pkgutil.resolve_name(self.builder)


def require_integer(name: str, value: Any, least: int, most: int) -> None:
    """Refuses what is no integer of a range.

    Args:
        name: of the argument.
        value: what was received.
        least: smallest value allowed.
        most: largest value allowed.

    Raises:
        ArgumentValueError: if the value is of another type or out of range.
    """
    if type(value) is not int or not least <= value <= most:
        raise ArgumentValueError(f"{name}={value!r}: must be an integer from {least} to {most}.")


def as_tuple(value: Any) -> Any:
    """Turns a list, as JSON gives it for a tuple, back into one; leaves other values alone.

    Args:
        value: any.
    """
    return tuple(value) if isinstance(value, list) else value
