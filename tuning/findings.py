"""Analysis of a finished search, read from its files: trials, effects and importances."""

import csv
import dataclasses
import functools
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from zoo.errors import SearchError
from zoo.runs.files import wrap_read_errors

PLAN_KEYS = ("model", "dataset", "engine", "algorithm", "objective", "direction", "seed", "space")
MIN_COMPARED = 10
NUM_TREES = 100
NUM_PERMUTATIONS = 20
UNITS = {
    "accuracy": "fraction of correct predictions",
    "mse": "mean squared error",
    "psnr": "dB",
}


@dataclasses.dataclass(frozen=True)
class Hyperparameter:
    """A hyperparameter that varied.

    Attributes:
        name: name of the hyperparameter.
        choices: values of a categorical hyperparameter; empty for a numeric range.
        is_integer: whether a range is of integers.
        is_log: whether a range is sampled on a log scale.
        default: the model's default.
    """

    name: str
    choices: tuple[Any, ...]
    is_integer: bool
    is_log: bool
    default: Any

    def encode(self, value: Any) -> float:
        """Return a value as a number.

        Args:
            value: value of the hyperparameter; None if unknown.

        Returns:
            The value of a range or the index of a choice; NaN for None.
        """
        if value is None:
            return math.nan
        return float(self.choices.index(value) if self.choices else value)


@dataclasses.dataclass(frozen=True)
class Trial:
    """A row of the table of trials; unknown numbers are NaN.

    Attributes:
        name: id of the trial.
        score: mean of the objective over the training runs; NaN if the trial failed.
        spread: standard deviation of the objective over the training runs.
        epochs: epochs of a training run; 0 if unknown.
        parameters: number of parameters of the model.
        seconds: duration of all training runs.
        message: reason for the failure of the trial; empty if it completed.
        values: value of each hyperparameter; None if unknown.
        curves: for each training run, its epochs and the objective after each.
    """

    name: str
    score: float
    spread: float
    epochs: float
    parameters: float
    seconds: float
    message: str
    values: Mapping[str, Any]
    curves: Sequence[tuple[list[float], list[float]]]


class Importance(NamedTuple):
    """Permutation importance of each hyperparameter, and out-of-bag R² of the random forest."""

    means: Mapping[str, float]
    spreads: Mapping[str, float]
    r2: float


class Effect(NamedTuple):
    """Name and mean score of the best and of the worst level of a hyperparameter."""

    best: tuple[str, float]
    worst: tuple[str, float]


@dataclasses.dataclass(frozen=True)
class Search:
    """A search, as its files describe it.

    Attributes:
        directory: directory of the search.
        plan: content of ``search.json``.
        hyperparameters: hyperparameters that varied.
        trials: trials in the order in which they started.
        best: content of ``best.json``; empty if there is no such file.
    """

    directory: Path
    plan: Mapping[str, Any]
    hyperparameters: Sequence[Hyperparameter]
    trials: Sequence[Trial]
    best: Mapping[str, Any]

    @property
    def objective(self) -> str:
        """Metric that trials are compared by."""
        return self.plan["objective"]

    @property
    def sign(self) -> int:
        """1 if the objective is maximized, -1 if it is minimized."""
        return 1 if self.plan["direction"] == "max" else -1

    @property
    def score_label(self) -> str:
        """The objective with its unit, if it has one."""
        unit = UNITS.get(self.objective.rpartition("_")[2])
        return f"{self.objective} [{unit}]" if unit else self.objective

    @property
    def score_scale(self) -> Literal["log", "linear"]:
        """``"log"`` if the scores span orders of magnitude, and ``"linear"`` otherwise."""
        scores = [trial.score for trial in self.completed] or [0]
        return "log" if max(scores) > 100 * min(scores) > 0 else "linear"

    @functools.cached_property
    def completed(self) -> list[Trial]:
        """Trials with a finite score."""
        return [trial for trial in self.trials if math.isfinite(trial.score)]

    @functools.cached_property
    def failed(self) -> list[Trial]:
        """Trials without a finite score."""
        return [trial for trial in self.trials if not math.isfinite(trial.score)]

    @functools.cached_property
    def ranked(self) -> list[Trial]:
        """Completed trials from best to worst; ties are in the order in which they started."""
        return sorted(self.completed, key=lambda trial: -self.sign * trial.score)

    @functools.cached_property
    def by_epochs(self) -> dict[float | None, list[Trial]]:
        """Completed trials by number of epochs, or under None if the algorithm does not set it.

        Early stopping does not count, since it applies to all trials alike.
        """
        if self.plan["algorithm"] != "hyperband":
            return {None: self.completed} if self.completed else {}
        epochs = sorted({trial.epochs for trial in self.completed})
        return {n: [trial for trial in self.completed if trial.epochs == n] for n in epochs}

    @functools.cached_property
    def compared(self) -> list[Trial]:
        """Trials that importances and effects are computed from."""
        longest = list(self.by_epochs.values())[-1:]
        return longest[0] if longest and len(longest[0]) >= MIN_COMPARED else self.completed

    def levels(self, hyperparameter: Hyperparameter) -> list[tuple[str, list[Trial]]]:
        """Group the compared trials by the choices of a hyperparameter, or terciles of a range.

        Args:
            hyperparameter: hyperparameter to group by.

        Returns:
            Name and trials of each level that has any.
        """
        name = hyperparameter.name
        trials = [trial for trial in self.compared if trial.values[name] is not None]
        if not trials:
            return []
        values = np.array([hyperparameter.encode(trial.values[name]) for trial in trials])
        terciles = np.quantile(values, (1 / 3, 2 / 3))
        numbers = values if hyperparameter.choices else np.searchsorted(terciles, values)
        groups = [
            [trial for trial, number in zip(trials, numbers, strict=True) if number == level]
            for level in np.unique(numbers)
        ]
        return [(_level_name([trial.values[name] for trial in group]), group) for group in groups]

    def effect(self, hyperparameter: Hyperparameter) -> Effect | None:
        """Return the best and the worst level of a hyperparameter by mean score.

        Args:
            hyperparameter: hyperparameter to analyze.

        Returns:
            Both levels; None if no compared trial has a value.
        """
        means = [
            (name, statistics.fmean(trial.score for trial in trials))
            for name, trials in self.levels(hyperparameter)
        ]
        if not means:
            return None
        means.sort(key=lambda level: self.sign * level[1])
        return Effect(best=means[-1], worst=means[0])

    @functools.cached_property
    def importance(self) -> Importance | None:
        """Permutation importance in a random forest of the scores; None for too few trials."""
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.inspection import permutation_importance

        if len(self.compared) < 2 or not self.hyperparameters:
            return None
        features = np.array(
            [
                [h.encode(trial.values[h.name]) for h in self.hyperparameters]
                for trial in self.compared
            ]
        )
        scores = np.array([trial.score for trial in self.compared])
        forest = RandomForestRegressor(n_estimators=NUM_TREES, oob_score=True, random_state=0)
        forest.fit(features, scores)
        result = permutation_importance(
            forest, features, scores, n_repeats=NUM_PERMUTATIONS, random_state=0
        )
        names = [hyperparameter.name for hyperparameter in self.hyperparameters]
        return Importance(
            means=dict(zip(names, result.importances_mean.tolist(), strict=True)),
            spreads=dict(zip(names, result.importances_std.tolist(), strict=True)),
            r2=float(forest.oob_score_),
        )

    @functools.cached_property
    def importance_warning(self) -> str:
        """Why the importances are unreliable or missing; empty if they are reliable."""
        importance = self.importance
        if importance is None:
            return "There are too few trials to compute importances."
        reasons = []
        if len(self.compared) < MIN_COMPARED:
            reasons.append(f"there are only {len(self.compared)} trials")
        if len({trial.score for trial in self.compared}) == 1:
            reasons.append("all scores are equal")
        if importance.r2 <= 0:
            reasons.append("the forest predicts no better than the mean score")
        return f"The importances are unreliable: {', and '.join(reasons)}." if reasons else ""


def read_search(directory: Path) -> Search:
    """Read a search from its directory.

    Args:
        directory: directory of the search.

    Returns:
        The search.

    Raises:
        SearchError: if there is no search, or it has no table of trials.
        RunError: if a file is damaged.
    """
    for name in ("search.json", "trials.csv"):
        if not (directory / name).is_file():
            raise SearchError(f"{directory} holds no search to report on: it has no {name}.")
    with wrap_read_errors(directory / "search.json") as path:
        fields = json.loads(path.read_text())
        plan = {key: ({"engine": "keras-tuner"} | fields)[key] for key in PLAN_KEYS}
        varied = [_read_hyperparameter(row) for row in plan["space"] if row["kind"] != "Fixed"]
    with wrap_read_errors(directory / "trials.csv") as path, path.open(newline="") as file:
        table = csv.DictReader(file)
        varied = [h for h in varied if h.name in (table.fieldnames or ())]
        folders = {p.name.removeprefix("trial_"): p for p in directory.glob("trials/*/")}
        trials = [
            _read_trial(row, varied, _read_curves(folders.get(row["trial"]), plan["objective"]))
            for row in table
        ]
    best: dict[str, Any] = {}
    if (directory / "best.json").exists():
        with wrap_read_errors(directory / "best.json") as path:
            best = json.loads(path.read_text())
    return Search(directory, plan, varied, trials, best)


def format_value(value: Any) -> str:
    """Format a hyperparameter or a metric with at most four significant digits.

    Args:
        value: value of any type; None and NaN are formatted as an empty string.
    """
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.4g}"
    return str(value)


def _read_hyperparameter(row: Mapping[str, Any]) -> Hyperparameter:
    choices = (False, True) if row["kind"] == "Boolean" else tuple(row.get("values", ()))
    return Hyperparameter(
        name=row["name"],
        choices=choices,
        is_integer=row["kind"] == "Int",
        is_log=row.get("sampling") == "log",
        default=row.get("default"),
    )


def _read_trial(row: Mapping[str, str], varied: Sequence[Hyperparameter], curves: Any) -> Trial:
    return Trial(
        name=row["trial"],
        score=_parse_float(row["score"]) if row["status"] == "COMPLETED" else math.nan,
        spread=_parse_float(row["spread"]),
        epochs=float(row["epochs"] or 0),
        parameters=_parse_float(row["parameters"]),
        seconds=_parse_float(row["seconds"]),
        message=row["message"],
        values={h.name: _parse_value(h, row[h.name]) for h in varied},
        curves=curves,
    )


def _read_curves(folder: Path | None, objective: str) -> list[tuple[list[float], list[float]]]:
    """Read the learning curve of each training run of a trial that finished an epoch."""
    curves = []
    for history in sorted(folder.glob("*/history.csv")) if folder else ():
        with wrap_read_errors(history) as path, path.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row.get(objective)]
            epochs, values = ([float(row[key]) for row in rows] for key in ("epoch", objective))
        if rows:
            curves.append((epochs, values))
    return curves


def _parse_value(hyperparameter: Hyperparameter, cell: str) -> Any:
    if not cell:
        return None
    if hyperparameter.choices:
        by_text = {_choice_text(value): value for value in hyperparameter.choices}
        return by_text[_choice_text(cell)]
    return int(float(cell)) if hyperparameter.is_integer else float(cell)


def _parse_float(cell: str) -> float:
    return float(cell or "nan")


def _choice_text(value: Any) -> str:
    """Return a choice as the table has it; floats are rounded, as those of the table are."""
    try:
        return f"{float(value):.12g}" if not isinstance(value, bool) else str(value)
    except ValueError:
        return str(value)


def _level_name(values: Sequence[Any]) -> str:
    if isinstance(values[0], bool | str) or min(values) == max(values):
        return format_value(values[0])
    return f"{format_value(min(values))} to {format_value(max(values))}"
