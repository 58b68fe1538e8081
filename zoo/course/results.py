"""Results of the course: reads and writes the results file, and compares them with the course's.

    results.json   one entry per finished experiment and seed
    runs/          run directories, one per experiment and seed
    report.md      the report; its figures are in figures/

The module imports only the standard library, so tables are shown without delay.
"""

import dataclasses
import json
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zoo.course.definitions import METRICS, WAYS, Experiment, System
from zoo.course.errors import CourseError
from zoo.runs import ADDED_RECIPE_FIELDS
from zoo.runs.files import shared_lock, wrap_read_errors, write_json

FORMAT = 2
RESULTS = "results.json"
FORMER_SETTINGS = {"greyscale": "grayscale", "centred": "centered"}
ADDED_SETTINGS = {**ADDED_RECIPE_FIELDS, "execution": "recipe"}
DIGITS = {"mse": 5, "pca_mse": 5, "noisy_mse": 5, "wiener_mse": 5, "psnr": 2}
DIGITS |= dict.fromkeys(("parameters", "seconds", "seconds_to_course", "analogies"), 0)
DIGITS |= dict.fromkeys(("train_nats", "reconstruction_loss", "kl_loss"), 1)


@dataclasses.dataclass(frozen=True)
class Result:
    """Result of an experiment with one seed.

    Attributes:
        training: name of the experiment.
        seed: seed of the training run.
        settings: settings of the recipe and the builder, including defaults; a list holds the
            candidate values of a setting.
        chosen: candidate values that were selected.
        dataset: name and version of the dataset.
        parameters: number of parameters of the network.
        epochs: number of epochs trained.
        seconds: training time, including the selection of settings.
        figures: metrics by name.
        environment: hardware and library versions.
        finished: date and time of the end.
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

    def metric(self, name: str) -> float | None:
        """Return a metric, the number of parameters or the training time.

        Args:
            name: name of the metric, ``"parameters"`` or ``"seconds"``.

        Returns:
            The value; None if the result has no such metric.
        """
        own = {"parameters": self.parameters, "seconds": self.seconds}
        return own.get(name, self.figures.get(name))


def read_results(directory: Path) -> list[Result]:
    """Read the results file.

    Args:
        directory: directory of the results file.

    Returns:
        One result per experiment and seed; empty if there is no results file.

    Raises:
        RunError: if the file is damaged.
        CourseError: if the file has an unsupported format.
    """
    path = directory / RESULTS
    if not path.exists():
        return []
    with wrap_read_errors(path):
        content = json.loads(path.read_text())
        file_format, rows = content["format"], content["results"]
    if file_format != FORMAT:
        raise CourseError(f"{path} is in format {file_format}; only format {FORMAT} is supported.")
    with wrap_read_errors(path):
        return [_from_json(row) for row in rows]


def _from_json(row: Mapping[str, Any]) -> Result:
    current = {
        field: {FORMER_SETTINGS.get(key, key): value for key, value in row[field].items()}
        for field in ("settings", "chosen")
    }
    current["settings"] = ADDED_SETTINGS | current["settings"]
    return Result(**{**row, **current})


def add_result(directory: Path, result: Result) -> None:
    """Add a result to the results file, which is sorted by experiment and seed.

    Several processes may do so at once.

    Args:
        directory: directory of the results file.
        result: result of an experiment and seed that the file does not contain.
    """
    with shared_lock(directory):
        results = [*read_results(directory), result]
        results.sort(key=lambda result: (result.training, result.seed))
        rows = [dataclasses.asdict(row) for row in results]
        write_json(directory / RESULTS, {"format": FORMAT, "results": rows})


def results_of(experiment: Experiment, results: Iterable[Result]) -> list[Result]:
    """Return the results of an experiment, sorted by seed.

    Args:
        experiment: the experiment.
        results: results of any experiments.
    """
    own = (result for result in results if result.training == experiment.name)
    return sorted(own, key=lambda result: result.seed)


def run_directory(directory: Path, experiment: Experiment, seed: int) -> Path:
    """Return the run directory of an experiment and seed.

    Args:
        directory: directory of the results file.
        experiment: the experiment.
        seed: seed of the training run.
    """
    return directory / "runs" / experiment.name / str(seed)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Comparison of the course's result of a system with ours, averaged over seeds.

    Attributes:
        system: system of the course.
        results: results with our recipe, one per seed.
        taught: results with the course's settings, one per seed.
    """

    system: System
    results: tuple[Result, ...]
    taught: tuple[Result, ...]

    @property
    def ours(self) -> float | None:
        """Mean of our results; None if there are none."""
        return mean_of(self.results, self.system.metric)

    @property
    def spread(self) -> float | None:
        """Standard deviation of our results over seeds; None for fewer than two."""
        if self.ours is None or len(self.results) < 2:
            return None
        return statistics.stdev(result.figures[self.system.metric] for result in self.results)

    @property
    def is_better(self) -> bool | None:
        """Whether our mean is better than the course's result; None if we have no result."""
        return None if self.ours is None else self.system.is_beaten_by(self.ours)

    @property
    def seconds_to_course(self) -> float | None:
        """Mean training time until our learning curve reached the course's result.

        None if it was not always reached, or the metric has no learning curve.
        """
        return None if self.system.trained_as else mean_of(self.results, "seconds_to_course")

    def as_json(self) -> dict[str, Any]:
        """Return the system and its results in the format of ``zoo course --json``."""
        system = self.system
        return {
            "id": system.id,
            "model": system.model,
            "dataset": system.dataset,
            "protocol": system.protocol,
            "quantity": system.metric,
            "direction": METRICS[system.metric].direction,
            "course": system.course,
            "course_noise": system.standard_error,
            "course_seconds": system.seconds,
            "course_parameters": system.parameters,
            "ours": self.ours,
            "spread": self.spread,
            "seeds": len(self.results),
            "better": self.is_better,
            "seconds": mean_of(self.results, "seconds"),
            "seconds_to_course": self.seconds_to_course,
            "test_accuracy": mean_of(self.results, "test_accuracy"),
            "as_taught": mean_of(self.taught, system.metric),
            "flaw": system.flaw,
            "mended": system.differences,
        }


def compare(system: System, results: Iterable[Result]) -> Comparison:
    """Compare the course's result of a system with ours.

    Args:
        system: system of the course.
        results: results of any experiments.
    """
    rows = list(results)
    ours, taught = (tuple(results_of(system.experiment(way), rows)) for way in WAYS)
    return Comparison(system, ours, taught)


def table_row(comparison: Comparison) -> dict[str, str]:
    """Return a row of the table that ``zoo course`` prints.

    Args:
        comparison: comparison of a system.
    """
    system, metric = comparison.system, comparison.system.metric
    return {
        "id": system.id,
        "model": system.model,
        "dataset": system.dataset,
        "metric": metric,
        "course": format_metric(metric, system.course, system.standard_error),
        "ours": format_metric(metric, comparison.ours, comparison.spread),
        "as taught": format_metric(metric, mean_of(comparison.taught, metric)),
    }


def mean_of(results: Iterable[Result], name: str) -> float | None:
    """Return the mean of a metric.

    Args:
        results: results of one experiment.
        name: name of the metric; see `Result.metric`.

    Returns:
        The mean; None if there are no results, or one lacks the metric.
    """
    values = [result.metric(name) for result in results]
    present = [value for value in values if value is not None]
    return statistics.fmean(present) if present and len(present) == len(values) else None


def format_metric(name: str, value: float | None, spread: float | None = None) -> str:
    """Format a metric for display, with its standard error or deviation.

    Args:
        name: key of `zoo.course.definitions.METRICS`, or another metric of a result.
        value: value of the metric; None is formatted as an empty string.
        spread: standard error or deviation, in the same unit.

    Example:
        >>> from zoo.course.results import format_metric
        >>> format_metric("test_accuracy", 0.7225, 0.0045)
        '72.25 ± 0.45 %'
        >>> format_metric("test_mse", 0.00353), format_metric("seconds", 61.2)
        ('0.00353', '61')
    """
    if value is None:
        return ""
    if name.endswith("accuracy") or name == "analogies_of_list":
        parts = [f"{100 * part:.2f}" for part in (value, spread) if part is not None]
        return " ± ".join(parts) + " %"
    digits = DIGITS.get(name.removeprefix("test_"), 3)
    return " ± ".join(f"{part:,.{digits}f}" for part in (value, spread) if part is not None)
