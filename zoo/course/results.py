"""What has been reached so far: the results file of `zoo course`, and each system's standing.

    results.json   one entry a training and seed that is finished
    runs/          their run directories, one a training and seed
    report.md      what they come to, with pictures in figures/

Nothing here imports more than the standard library, so that a table costs nothing.
"""

import dataclasses
import json
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zoo.course.definitions import QUANTITIES, WAYS, System, Training
from zoo.errors import CourseError
from zoo.runs.files import wrap_read_errors, write_json

FORMAT = 2
RESULTS = "results.json"
DIGITS = {"mse": 5, "pca_mse": 5, "noisy_mse": 5, "wiener_mse": 5, "psnr": 2}
DIGITS |= dict.fromkeys(("parameters", "seconds", "seconds_to_course", "analogies"), 0)
DIGITS |= dict.fromkeys(("train_nats", "reconstruction_loss", "kl_loss"), 1)


@dataclasses.dataclass(frozen=True)
class Result:
    """A finished training.

    Attributes:
        training: its name.
        seed: of it.
        settings: that it had, those of the recipe and of the builder that were left at their
            defaults, too; a list holds values of which the best was to be found first.
        chosen: of them, those that were found to be best.
        dataset: version of the data set.
        parameters: of the network.
        epochs: that it took.
        seconds: of training, the search for the best settings included.
        figures: what was reached, by name.
        environment: on what and with what.
        finished: when.
    """

    training: str
    seed: int
    settings: Mapping[str, Any]
    chosen: Mapping[str, Any]
    dataset: str
    parameters: int
    epochs: int
    seconds: float
    figures: Mapping[str, float]
    environment: Mapping[str, Any]
    finished: str

    def figure(self, name: str) -> float | None:
        """Gives a figure, the parameters or the seconds; None if there is none of that name.

        Args:
            name: of it.
        """
        own = {"parameters": self.parameters, "seconds": self.seconds}
        return own.get(name, self.figures.get(name))


def read_results(directory: Path) -> list[Result]:
    """Reads what is finished.

    Args:
        directory: of the course.

    Returns:
        One result a training and seed; none if there is no results file.

    Raises:
        RunError: if the file is damaged.
        CourseError: if it is of another version.
    """
    path = directory / RESULTS
    if not path.exists():
        return []
    with wrap_read_errors(path):
        content = json.loads(path.read_text())
        written_in, rows = content["format"], content["results"]
    if written_in != FORMAT:
        raise CourseError(f"{path} is in format {written_in}; this zoo reads format {FORMAT}.")
    with wrap_read_errors(path):
        return [Result(**row) for row in rows]


def keep_result(directory: Path, result: Result) -> None:
    """Adds a result to the file, which is written whole or not at all.

    Args:
        directory: of the course.
        result: of a training and seed that the file does not have.
    """
    rows = [dataclasses.asdict(row) for row in (*read_results(directory), result)]
    write_json(directory / RESULTS, {"format": FORMAT, "results": rows})


def results_of(training: Training, results: Iterable[Result]) -> list[Result]:
    """Picks the results of a training, in the order of their seeds.

    Args:
        training: what was trained.
        results: of any trainings.
    """
    found = (result for result in results if result.training == training.name)
    return sorted(found, key=lambda result: result.seed)


def run_directory(directory: Path, training: Training, seed: int) -> Path:
    """Says where a training's run is.

    Args:
        directory: of the course.
        training: what is trained.
        seed: of it.
    """
    return directory / "runs" / training.name / str(seed)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Where a system stands: the means over the seeds of what is finished.

    Attributes:
        system: of the course.
        results: of our training of it, one a seed.
        taught: of its training as the course did it, one a seed.
    """

    system: System
    results: tuple[Result, ...]
    taught: tuple[Result, ...]

    @property
    def ours(self) -> float | None:
        """The mean of our figure; None before any training."""
        return mean_of(self.results, self.system.quantity)

    @property
    def spread(self) -> float | None:
        """The standard deviation of our figure over seeds; None for fewer than two."""
        if self.ours is None or len(self.results) < 2:
            return None
        return statistics.stdev(result.figures[self.system.quantity] for result in self.results)

    @property
    def beaten(self) -> bool | None:
        """Whether our mean is better than the course's figure; None before any training."""
        return None if self.ours is None else self.system.beaten_by(self.ours)

    @property
    def seconds_to_course(self) -> float | None:
        """Mean seconds until ours was as good, on the rows of the learning curves.

        None where it never was, and for a figure that has no curve.
        """
        return None if self.system.shares else mean_of(self.results, "seconds_to_course")

    def as_json(self) -> dict[str, Any]:
        """Gives the system's facts and its figures by name."""
        system = self.system
        return {
            "id": system.id,
            "model": system.model,
            "dataset": system.dataset,
            "protocol": system.protocol,
            "quantity": system.quantity,
            "direction": QUANTITIES[system.quantity].direction,
            "course": system.course,
            "course_noise": system.noise,
            "course_seconds": system.seconds,
            "course_parameters": system.parameters,
            "ours": self.ours,
            "spread": self.spread,
            "seeds": len(self.results),
            "better": self.beaten,
            "seconds": mean_of(self.results, "seconds"),
            "seconds_to_course": self.seconds_to_course,
            "test_accuracy": mean_of(self.results, "test_accuracy"),
            "as_taught": mean_of(self.taught, system.quantity),
            "flaw": system.flaw,
            "mended": system.mended,
        }


def compare(system: System, results: Iterable[Result]) -> Comparison:
    """Says where a system stands.

    Args:
        system: of the course.
        results: of any trainings.
    """
    rows = list(results)
    ours, taught = (tuple(results_of(system.training(way), rows)) for way in WAYS)
    return Comparison(system, ours, taught)


def summarized(row: Comparison) -> dict[str, str]:
    """Gives what a table shows of a system.

    Args:
        row: where it stands.
    """
    system, quantity = row.system, row.system.quantity
    return {
        "id": system.id,
        "model": system.model,
        "data set": system.dataset,
        "measured": quantity,
        "the course": format_metric(quantity, system.course, system.noise),
        "ours": format_metric(quantity, row.ours, row.spread),
        "as taught": format_metric(quantity, mean_of(row.taught, quantity)),
    }


def mean_of(results: Iterable[Result], name: str) -> float | None:
    """Gives the mean of a figure over results; None where one has none, or there are none.

    Args:
        results: of one training.
        name: of the figure.
    """
    figures = [result.figure(name) for result in results]
    known = [figure for figure in figures if figure is not None]
    return statistics.fmean(known) if known and len(known) == len(figures) else None


def format_metric(name: str, value: float | None, spread: float | None = None) -> str:
    """Writes a figure for a reader, with its spread if there is one.

    Args:
        name: of the figure: key of `zoo.course.systems.QUANTITIES`, or any other of a result's.
        value: the figure; None is written as nothing.
        spread: of it, in the same unit.

    Example:
        >>> from zoo.course.results import format_metric
        >>> format_metric("test_accuracy", 0.7225, 0.0045), told("test_mse", 0.00353), told("seconds", 61.2)
        ('72.25 ± 0.45 %', '0.00353', '61')
    """
    if value is None:
        return ""
    if name.endswith("accuracy") or name == "analogies_of_list":
        parts = [f"{100 * part:.2f}" for part in (value, spread) if part is not None]
        return " ± ".join(parts) + " %"
    digits = DIGITS.get(name.removeprefix("test_"), 3)
    return " ± ".join(f"{part:,.{digits}f}" for part in (value, spread) if part is not None)
