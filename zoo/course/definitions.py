"""What an experiment of the course is: its model, settings and result."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

WAYS = ("ours", "taught")


@dataclasses.dataclass(frozen=True)
class Quantity:
    """What a system is judged by.

    Attributes:
        summary: one line.
        direction: ``"max"`` or ``"min"``: which way it improves.
        share: whether it is a share of rows, shown in per cent.
    """

    summary: str
    direction: str
    share: bool = False


QUANTITIES = {
    "test_accuracy": Quantity("accuracy on test", "max", share=True),
    "best_val_accuracy": Quantity("accuracy on validation, of the best epoch", "max", share=True),
    "cv_accuracy": Quantity("mean accuracy on the folds left out", "max", share=True),
    "train_accuracy": Quantity("accuracy on the rows learned, during the epoch", "max", share=True),
    "analogies": Quantity("analogies of the course that hold, of two", "max"),
    "test_mse": Quantity("mean squared error on test", "min"),
    "train_nats": Quantity("minus the bound on the rows learned [nats an image]", "min"),
}


@dataclasses.dataclass(frozen=True)
class Training:
    """What is to be trained once a seed.

    Attributes:
        name: unlike that of any other training.
        model: the zoo's name of the model.
        dataset: the zoo's name of the data set.
        settings: arguments of the model and fields of its recipe; a tuple holds values of which
            the best is to be found first.
        folds: of the cross-validation by which it is found; 0 for the usual validation rows.
    """

    name: str
    model: str
    dataset: str
    settings: Mapping[str, Any]
    folds: int = 0


@dataclasses.dataclass(frozen=True)
class System:
    """One experiment of the course.

    Attributes:
        id: its homework and its name there.
        model: the zoo's model that it is a setting of.
        dataset: the zoo's name of its data set.
        protocol: which rows the course learned from and measured on, and which are taken here.
        taught: the settings that train the course's network as the course did.
        ours: the settings by which we train the same kind of network, on the same data set.
        parameters: of the course's network, as the course counted them.
        quantity: key of `QUANTITIES`.
        course: what the course reached.
        seconds: that its training took, on a GPU, or on a CPU in the first homework and that of
            the SVD; None if not noted.
        flaw: what was wrong with it.
        mended: how `taught` differs from what the course did.
        rows: that `course` was measured on; 0 where it is no share of rows.
        folds: see `Training`.
        shares: id of the system whose training it looks at; its own if empty.
    """

    id: str
    model: str
    dataset: str
    protocol: str
    taught: Mapping[str, Any]
    ours: Mapping[str, Any]
    parameters: int
    quantity: str
    course: float
    seconds: float | None
    flaw: str
    mended: str = ""
    rows: int = 0
    folds: int = 0
    shares: str = ""

    @property
    def homework(self) -> str:
        """Its homework: ``"hw1"`` and so on."""
        return self.id.partition(".")[0]

    @property
    def noise(self) -> float | None:
        """Standard error of the course's figure from the number of rows; None if unknown."""
        return math.sqrt(self.course * (1 - self.course) / self.rows) if self.rows else None

    def training(self, way: str) -> Training:
        """Gives what is to be trained.

        Args:
            way: ``"ours"`` or ``"taught"``.
        """
        suffix = "" if way == "ours" else f".{way}"
        return Training(
            name=(self.shares or self.id) + suffix,
            model=self.model,
            dataset=self.dataset,
            settings=getattr(self, way),
            folds=self.folds,
        )

    def beaten_by(self, figure: float) -> bool:
        """Tells whether a figure is better than the course's.

        Args:
            figure: of the same quantity.
        """
        if QUANTITIES[self.quantity].direction == "max":
            return figure > self.course
        return figure < self.course
