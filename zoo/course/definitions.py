"""Data classes of the course: metrics, experiments and systems."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

WAYS = ("ours", "taught")


@dataclasses.dataclass(frozen=True)
class Metric:
    """A metric by which a system is compared with the course.

    Attributes:
        summary: one-line description.
        direction: ``"max"`` if higher is better, ``"min"`` if lower is better.
        is_fraction: whether it is a fraction of rows, displayed as a percentage.
    """

    summary: str
    direction: str
    is_fraction: bool = False


METRICS = {
    "test_accuracy": Metric("test accuracy", "max", is_fraction=True),
    "best_val_accuracy": Metric("best validation accuracy", "max", is_fraction=True),
    "cv_accuracy": Metric("mean cross-validation accuracy", "max", is_fraction=True),
    "train_accuracy": Metric("training accuracy", "max", is_fraction=True),
    "analogies": Metric("analogies solved, of the course's two", "max"),
    "test_mse": Metric("test mean squared error", "min"),
    "train_nats": Metric("training negative ELBO [nats/image]", "min"),
}


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A model, a dataset and settings, to be trained once per seed.

    Attributes:
        name: unique name.
        model: name of the model in the zoo.
        dataset: name of the dataset in the zoo.
        settings: arguments of the model and fields of its recipe; a tuple lists candidate values,
            the best of which is selected before the training run.
        folds: number of cross-validation folds used for that selection; 0 for the validation
            split.
    """

    name: str
    model: str
    dataset: str
    settings: Mapping[str, Any]
    folds: int = 0


@dataclasses.dataclass(frozen=True)
class System:
    """A system built in the course, with its published result and the settings to reproduce it.

    Attributes:
        id: homework and name, for example ``"hw3.cnn_7"``.
        model: name of the model in the zoo.
        dataset: name of the dataset in the zoo.
        protocol: sizes of the training, validation and test splits in the course, and here where
            they differ.
        taught: settings that train the network as the course did.
        ours: settings of our recipe for the same kind of network on the same dataset.
        parameters: number of parameters of the course's network, as published.
        metric: key of `METRICS`.
        course: value of the metric that the course reached.
        seconds: training time in the course, on a GPU (on a CPU in the first homework and for the
            SVD); None if not published.
        flaw: what was wrong with the course's experiment.
        differences: how `taught` differs from the course's experiment.
        rows: number of rows that `course` was measured on; 0 if it is not a fraction of rows.
        folds: number of cross-validation folds; see `Experiment`.
        trained_as: id of the system whose training runs are evaluated; empty if it has its own.
    """

    id: str
    model: str
    dataset: str
    protocol: str
    taught: Mapping[str, Any]
    ours: Mapping[str, Any]
    parameters: int
    metric: str
    course: float
    seconds: float | None
    flaw: str
    differences: str = ""
    rows: int = 0
    folds: int = 0
    trained_as: str = ""

    @property
    def homework(self) -> str:
        """Homework that the system belongs to: ``"hw1"`` to ``"hw6"``."""
        return self.id.partition(".")[0]

    @property
    def standard_error(self) -> float | None:
        """Standard error of the course's result, from the number of rows; None if unknown."""
        return math.sqrt(self.course * (1 - self.course) / self.rows) if self.rows else None

    def experiment(self, way: str) -> Experiment:
        """Return the experiment that trains the system.

        Args:
            way: ``"ours"`` or ``"taught"``.
        """
        suffix = "" if way == "ours" else f".{way}"
        return Experiment(
            name=(self.trained_as or self.id) + suffix,
            model=self.model,
            dataset=self.dataset,
            settings=getattr(self, way),
            folds=self.folds,
        )

    def is_beaten_by(self, value: float) -> bool:
        """Return whether a result is better than the course's.

        Args:
            value: result in the same metric.
        """
        if METRICS[self.metric].direction == "max":
            return value > self.course
        return value < self.course
