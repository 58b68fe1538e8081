"""What a search has found, read from its files: trials, effects, importances."""

import csv
import dataclasses
import functools
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zoo.errors import SearchError
from zoo.runs.files import wrap_read_errors

KEYS = ("model", "dataset", "algorithm", "objective", "direction", "seed", "space")
FEW = 10
TREES = 100
SHUFFLES = 20


@dataclasses.dataclass(frozen=True)
class Setting:
    """A hyperparameter that varied.

    Attributes:
        name: its name.
        choices: its values, if it has a list of them; empty if it is a number in a range.
        is_integer: whether a number is whole.
        is_log: whether a number was drawn on a log scale.
        default: the model's.
    """

    name: str
    choices: tuple[Any, ...]
    is_integer: bool
    is_log: bool
    default: Any

    def position(self, value: Any) -> float:
        """Gives a number for a value.

        Args:
            value: of the setting; None if unknown.

        Returns:
            The value, or the place of a choice in the list; NaN for None.
        """
        if value is None:
            return math.nan
        return float(self.choices.index(value) if self.choices else value)


@dataclasses.dataclass(frozen=True)
class Trial:
    """A row of the table; a number that is unknown is NaN.

    Attributes:
        name: its number.
        score: mean of the objective; NaN if the trial failed.
        spread: standard deviation of the objective over the trial's trainings.
        epochs: of a training; 0 if unknown.
        parameters: of the model.
        seconds: of all trainings.
        message: why it failed.
        values: a value a setting; None if unknown.
        curves: for each training its epochs and the objective after each.
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
    """How far R² of a forest falls for each setting, and R² on trials its trees have not seen."""

    means: Mapping[str, float]
    spreads: Mapping[str, float]
    r2: float


class Effect(NamedTuple):
    """Name and mean score of the best and of the worst level of a setting."""

    best: tuple[str, float]
    worst: tuple[str, float]


@dataclasses.dataclass(frozen=True)
class Search:
    """A search, as its files tell of it.

    Attributes:
        directory: where it is.
        plan: content of ``search.json``.
        settings: what varied.
        trials: in the order in which they began.
        best: content of ``best.json``; empty if there is none.
    """

    directory: Path
    plan: Mapping[str, Any]
    settings: Sequence[Setting]
    trials: Sequence[Trial]
    best: Mapping[str, Any]

    @property
    def objective(self) -> str:
        """The quantity by which trials are compared."""
        return self.plan["objective"]

    @property
    def sign(self) -> int:
        """1 if the objective is to be large, -1 if small."""
        return 1 if self.plan["direction"] == "max" else -1

    @functools.cached_property
    def completed(self) -> list[Trial]:
        """The trials that have a score, and a finite one."""
        return [trial for trial in self.trials if math.isfinite(trial.score)]

    @functools.cached_property
    def failed(self) -> list[Trial]:
        """The trials that have none."""
        return [trial for trial in self.trials if not math.isfinite(trial.score)]

    @functools.cached_property
    def ranked(self) -> list[Trial]:
        """The completed trials, the best first, the earlier of equals first."""
        return sorted(self.completed, key=lambda trial: -self.sign * trial.score)

    @functools.cached_property
    def by_epochs(self) -> dict[float | None, list[Trial]]:
        """The completed trials by their epochs, if an algorithm gave them different ones.

        Early stopping is no such algorithm: it is fair to all.
        """
        if self.plan["algorithm"] != "hyperband":
            return {None: self.completed} if self.completed else {}
        epochs = sorted({trial.epochs for trial in self.completed})
        return {n: [trial for trial in self.completed if trial.epochs == n] for n in epochs}

    @functools.cached_property
    def compared(self) -> list[Trial]:
        """The trials from which importances and effects are computed."""
        longest = list(self.by_epochs.values())[-1:]
        return longest[0] if longest and len(longest[0]) >= FEW else self.completed

    def levels(self, setting: Setting) -> list[tuple[str, list[Trial]]]:
        """Sorts the compared trials by a setting: by its choices, or the terciles of a number.

        Args:
            setting: the setting.

        Returns:
            A name and the trials of each level that has any.
        """
        known = [trial for trial in self.compared if trial.values[setting.name] is not None]
        if not known:
            return []
        places = np.array([setting.position(trial.values[setting.name]) for trial in known])
        thirds = np.quantile(places, (1 / 3, 2 / 3))
        numbers = places if setting.choices else np.searchsorted(thirds, places)
        groups = [
            [trial for trial, number in zip(known, numbers, strict=True) if number == level]
            for level in np.unique(numbers)
        ]
        return [(_span([t.values[setting.name] for t in group]), group) for group in groups]

    def effect(self, setting: Setting) -> Effect | None:
        """Compares the best and the worst level of a setting by their mean scores.

        Args:
            setting: the setting.

        Returns:
            Both levels; None if no compared trial has a value.
        """
        means = [
            (name, statistics.fmean(trial.score for trial in trials))
            for name, trials in self.levels(setting)
        ]
        if not means:
            return None
        means.sort(key=lambda level: self.sign * level[1])
        return Effect(best=means[-1], worst=means[0])

    @functools.cached_property
    def importance(self) -> Importance | None:
        """What a random forest makes of the compared trials; None if there is nothing to fit."""
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.inspection import permutation_importance

        if len(self.compared) < 2 or not self.settings:
            return None
        rows = [[s.position(t.values[s.name]) for s in self.settings] for t in self.compared]
        table, scores = np.array(rows), np.array([trial.score for trial in self.compared])
        forest = RandomForestRegressor(n_estimators=TREES, oob_score=True, random_state=0)
        forest.fit(table, scores)
        found = permutation_importance(forest, table, scores, n_repeats=SHUFFLES, random_state=0)
        names = [setting.name for setting in self.settings]
        return Importance(
            means=dict(zip(names, found.importances_mean.tolist(), strict=True)),
            spreads=dict(zip(names, found.importances_std.tolist(), strict=True)),
            r2=float(forest.oob_score_),
        )

    @functools.cached_property
    def doubt(self) -> str:
        """Why the importances mean nothing; empty if they mean something."""
        found = self.importance
        if found is None:
            return "There are too few trials to compute importances."
        reasons = []
        if len(self.compared) < FEW:
            reasons.append(f"there are only {len(self.compared)} trials")
        if len({trial.score for trial in self.compared}) == 1:
            reasons.append("all scores are equal")
        if found.r2 <= 0:
            reasons.append("the forest predicts no better than the mean score does")
        return f"The importances mean nothing: {', and '.join(reasons)}." if reasons else ""


def read_search(directory: Path) -> Search:
    """Reads a search from its directory.

    Args:
        directory: of the search.

    Returns:
        The search.

    Raises:
        SearchError: if there is none, or it has no table of trials.
        RunError: if a file is damaged.
    """
    for name in ("search.json", "trials.csv"):
        if not (directory / name).is_file():
            raise SearchError(f"{directory} holds no search to report on: it has no {name}.")
    with wrap_read_errors(directory / "search.json") as path:
        known = json.loads(path.read_text())
        plan = {key: known[key] for key in KEYS}
        settings = [_setting(row) for row in plan["space"] if row["kind"] != "Fixed"]
    with wrap_read_errors(directory / "trials.csv") as path, path.open(newline="") as file:
        table = csv.DictReader(file)
        settings = [s for s in settings if s.name in (table.fieldnames or ())]
        folders = {p.name.removeprefix("trial_"): p for p in directory.glob("trials/*/")}
        trials = [
            _trial(row, settings, _curves(folders.get(row["trial"]), plan["objective"]))
            for row in table
        ]
    best: dict[str, Any] = {}
    if (directory / "best.json").exists():
        with wrap_read_errors(directory / "best.json") as path:
            best = json.loads(path.read_text())
    return Search(directory, plan, settings, trials, best)


def _parse(setting: Setting, cell: str) -> Any:
    """Gives the value in a cell of the table; None if it is empty."""
    if not cell:
        return None
    if setting.choices:
        return {_key(value): value for value in setting.choices}[_key(cell)]
    return int(float(cell)) if setting.is_integer else float(cell)


def _setting(row: Mapping[str, Any]) -> Setting:
    choices = (False, True) if row["kind"] == "Boolean" else tuple(row.get("values", ()))
    return Setting(
        name=row["name"],
        choices=choices,
        is_integer=row["kind"] == "Int",
        is_log=row.get("sampling") == "log",
        default=row.get("default"),
    )


def _trial(row: Mapping[str, str], settings: Sequence[Setting], curves: Any) -> Trial:
    return Trial(
        name=row["trial"],
        score=_float(row["score"]) if row["status"] == "COMPLETED" else math.nan,
        spread=_float(row["spread"]),
        epochs=float(row["epochs"] or 0),
        parameters=_float(row["parameters"]),
        seconds=_float(row["seconds"]),
        message=row["message"],
        values={setting.name: _parse(setting, row[setting.name]) for setting in settings},
        curves=curves,
    )


def _curves(folder: Path | None, objective: str) -> list[tuple[list[float], list[float]]]:
    """Reads the objective of each training of a trial; one that was stopped at once has none."""
    curves = []
    for place in sorted(folder.glob("*/history.csv")) if folder else ():
        with wrap_read_errors(place) as path, path.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row.get(objective)]
            epochs, values = ([float(row[key]) for row in rows] for key in ("epoch", objective))
        if rows:
            curves.append((epochs, values))
    return curves


def _float(cell: str) -> float:
    return float(cell or "nan")


def _key(value: Any) -> str:
    """Words a value of a choice as the table does, crumbs of floats aside."""
    try:
        return f"{float(value):.12g}" if not isinstance(value, bool) else str(value)
    except ValueError:
        return str(value)


def _span(values: Sequence[Any]) -> str:
    if isinstance(values[0], bool | str) or min(values) == max(values):
        return brief(values[0])
    return f"{brief(min(values))} to {brief(max(values))}"


def brief(value: Any) -> str:
    """Words a setting's value or a figure in a few digits.

    Args:
        value: any; None and NaN are worded by nothing.
    """
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.4g}"
    return str(value)
