"""What a search has found, from the files in its directory alone: a page, pictures, logs.

    report.md      the best trials, what mattered in them, what failed
    figures/       see `tuning.figures`
    tensorboard/   one run a completed trial, for TensorBoard's HParams page

Each is written whole or not at all.
"""

import csv
import dataclasses
import functools
import html
import json
import math
import shutil
import statistics
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tuning import figures
from zoo.errors import SearchError
from zoo.runs import PARTIAL, readable, whole

KEYS = ("model", "dataset", "algorithm", "objective", "direction", "seed", "space")
SHOWN = 10
FEW = 10
TREES = 100
SHUFFLES = 20
LONGEST_MESSAGE = 300
CAPTIONS = {
    "objective": "Score of each trial, in the order in which they began",
    "effects": "Score against each setting",
    "importance": "Importance of each setting",
    "parallel": "Settings and score of each trial",
    "curves": "Learning curves",
    "cost": "What a score costs",
}


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
    with readable(directory / "search.json") as path:
        known = json.loads(path.read_text())
        plan = {key: known[key] for key in KEYS}
        settings = [_setting(row) for row in plan["space"] if row["kind"] != "Fixed"]
    with readable(directory / "trials.csv") as path, path.open(newline="") as file:
        table = csv.DictReader(file)
        settings = [s for s in settings if s.name in (table.fieldnames or ())]
        folders = {p.name.removeprefix("trial_"): p for p in directory.glob("trials/*/")}
        trials = [
            _trial(row, settings, _curves(folders.get(row["trial"]), plan["objective"]))
            for row in table
        ]
    best: dict[str, Any] = {}
    if (directory / "best.json").exists():
        with readable(directory / "best.json") as path:
            best = json.loads(path.read_text())
    return Search(directory, plan, settings, trials, best)


def write_report(directory: Path) -> list[Path]:
    """Writes what a search has found: ``report.md``, ``figures/`` and ``tensorboard/``.

    Args:
        directory: of the search.

    Returns:
        The page and the pictures.

    Raises:
        SearchError: if there is no search.
        RunError: if a file of it is damaged.
    """
    search = read_search(directory)
    pictures = figures.draw(search)
    _write_logs(search)
    with whole(directory / "report.md") as partial:
        partial.write_text("\n\n".join(_page(search, pictures)) + "\n")
    return [directory / "report.md", *pictures]


def _page(search: Search, pictures: Sequence[Path]) -> Iterator[str]:
    """Gives the page, paragraph by paragraph."""
    yield f"# Search: {_cell(search.plan['model'])} on {_cell(search.plan['dataset']['name'])}"
    yield _asked(search)
    if search.completed:
        yield from _leaders(search)
    else:
        yield "No trial completed."
    if search.completed and search.settings:
        yield from _what_mattered(search)
    if len(search.best.get("retrained", {})) > 1:
        yield from _retrained(search)
    if search.failed:
        yield "## Failed trials"
        rows = [(trial.name, trial.message, _told(trial.values)) for trial in search.failed]
        yield _table(("trial", "why", "values"), rows)
    yield "## Pictures"
    for path in pictures:
        yield f"![{CAPTIONS[path.stem]}]({path.relative_to(search.directory)})"
    if search.completed:
        yield "TensorBoard compares the trials, too: `tensorboard --logdir tensorboard`."


def _asked(search: Search) -> str:
    plan = search.plan
    varied = ", ".join(setting.name for setting in search.settings) or "nothing"
    fixed = {row["name"]: row["value"] for row in plan["space"] if row["kind"] == "Fixed"}
    seconds = np.nansum([trial.seconds for trial in search.trials])
    extreme = "largest" if search.sign > 0 else "smallest"
    return (
        f"Settings of {_cell(plan['model'])} on {_cell(plan['dataset']['name'])} with the "
        f"{extreme} {search.objective}, by the algorithm {_cell(plan['algorithm'])} (seed "
        f"{plan['seed']}). Trials: {len(search.completed)} completed, {len(search.failed)} failed, "
        f"{seconds:,.0f} s of training. Varied: {varied}."
        + (f" Fixed: {_cell(_told(fixed))}." if fixed else "")
    )


def _leaders(search: Search) -> Iterator[str]:
    shown = search.ranked[:SHOWN]
    yield f"## The best {len(shown)}" if len(shown) > 1 else "## The best"
    default = _default_of(search)
    head = ("trial", search.objective, "spread", "epochs", "parameters", "seconds", "values")
    yield _table(
        head,
        [
            (
                f"{trial.name} (defaults)" if trial is default else trial.name,
                _number(trial.score), _number(trial.spread), _number(trial.epochs),
                _number(trial.parameters), _number(trial.seconds), _told(trial.values),
            )
            for trial in shown
        ],
    )  # fmt: skip
    if default is not None:
        place = search.ranked.index(default) + 1
        gain = abs(search.ranked[0].score - default.score)
        yield (
            f"The defaults, trial {default.name}, are number {place} of {len(search.ranked)}: "
            f"{search.objective} {_number(default.score)}, {_number(gain)} from the best; epochs: "
            f"{_number(default.epochs)} against {_number(search.ranked[0].epochs)}."
        )


def _what_mattered(search: Search) -> Iterator[str]:
    yield "## What mattered"
    yield _which_compared(search)
    found = search.importance
    if found:
        yield (
            f"Importance: how far R² of a random forest of {TREES} trees, fitted to "
            f"{len(search.compared)} scores, falls when the values of one setting are shuffled: "
            f"mean of {SHUFFLES} shuffles ± standard deviation. R² on trials that a tree has not "
            f"seen is {found.r2:.2f}."
        )
    if search.doubt:
        yield f"**{search.doubt}**"
    yield (
        "Effect: the best minus the worst mean score over the levels of a setting, whatever else "
        "varied. Levels are the values of a choice, and the lower, middle and upper third of the "
        "trials by a number."
    )
    names = sorted(search.settings, key=lambda s: -found.means[s.name] if found else 0)
    head = ("setting", "importance", "effect", "best level: mean", "worst level: mean")
    yield _table(head, [_mattered(search, setting) for setting in names])


def _mattered(search: Search, setting: Setting) -> tuple[str, ...]:
    found, effect = search.importance, search.effect(setting)
    told = f"{found.means[setting.name]:.3f} ± {found.spreads[setting.name]:.3f}" if found else ""
    if effect is None:
        return setting.name, told, "", "", ""
    if effect.best is effect.worst:
        return setting.name, told, "", f"only {effect.best[0]}", ""
    best, worst = (f"{name}: {_number(mean)}" for name, mean in (effect.best, effect.worst))
    size = abs(effect.best[1] - effect.worst[1])
    return setting.name, told, _number(size), best, worst


def _which_compared(search: Search) -> str:
    if len(search.by_epochs) < 2:
        return f"From all {len(search.compared)} completed trials."
    most, longest = list(search.by_epochs.items())[-1]
    if search.compared is longest:
        return (
            f"From the {len(longest)} trials of {_number(most)} epochs; those of fewer epochs "
            f"would compete unfairly."
        )
    return (
        f"From all {len(search.compared)} completed trials, since only {len(longest)} had "
        f"{_number(most)} epochs. Those of fewer epochs compete unfairly: read with care."
    )


def _retrained(search: Search) -> Iterator[str]:
    known, found = search.best, dict(search.best["retrained"])
    seeds = found.pop("seeds")
    yield "## The best values, trained anew"
    yield f"Trial {_cell(known['trial'])} (seeds: {seeds}): {_cell(_told(known['values']))}."
    rows = [(f"{search.objective} of the trial", _number(known["score"]), "")]
    rows += [(name, _number(mean), _number(spread)) for name, (mean, spread) in found.items()]
    yield _table(("figure", "mean", "standard deviation"), rows)
    if search.objective in found:
        mean, spread = found[search.objective]
        gap = mean - known["score"]
        of_spread = f", {abs(gap) / spread:.1f} standard deviations" if spread else ""
        yield (
            f"Trained anew, {search.objective} is {_number(abs(gap))} "
            f"{'above' if gap > 0 else 'below'} the trial's{of_spread}. The trial was chosen for "
            f"its score, which therefore flatters it."
        )


def _write_logs(search: Search) -> None:
    """Puts TensorBoard's logs in place of those of an earlier report."""
    import tensorflow as tf
    from tensorboard.plugins.hparams import api

    place = search.directory / "tensorboard"
    with tempfile.TemporaryDirectory(dir=search.directory, prefix=PARTIAL) as folder:
        new = Path(folder) / "logs"
        new.mkdir()
        for trial in search.completed:
            known = {key: value for key, value in trial.values.items() if value is not None}
            writer = tf.summary.create_file_writer(str(new / trial.name))
            with writer.as_default(step=int(trial.epochs)):
                api.hparams(known, trial_id=trial.name)
                tf.summary.scalar(search.objective, trial.score)
            writer.close()
        shutil.rmtree(place, ignore_errors=True)
        new.rename(place)


def _parse(setting: Setting, cell: str) -> Any:
    """Gives the value in a cell of the table; None if it is empty."""
    if not cell:
        return None
    if setting.choices:
        return {_key(value): value for value in setting.choices}[_key(cell)]
    return int(float(cell)) if setting.is_integer else float(cell)


def _is_default(setting: Setting, value: Any) -> bool:
    if setting.choices or value is None:
        return value == setting.default
    return math.isclose(value, setting.default)


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
        with readable(place) as path, path.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row.get(objective)]
            epochs, values = ([float(row[key]) for row in rows] for key in ("epoch", objective))
        if rows:
            curves.append((epochs, values))
    return curves


def _float(cell: str) -> float:
    return float(cell or "nan")


def _default_of(search: Search) -> Trial | None:
    """Gives the completed trial 0000 if it has the defaults."""
    first = search.completed[0]
    is_default = all(_is_default(s, first.values[s.name]) for s in search.settings)
    return first if is_default and first is search.trials[0] else None


def _key(value: Any) -> str:
    """Words a value of a choice as the table does, crumbs of floats aside."""
    try:
        return f"{float(value):.12g}" if not isinstance(value, bool) else str(value)
    except ValueError:
        return str(value)


def _span(values: Sequence[Any]) -> str:
    if isinstance(values[0], bool | str) or min(values) == max(values):
        return _number(values[0])
    return f"{_number(min(values))} to {_number(max(values))}"


def _number(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.4g}"
    return str(value)


def _told(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={_number(value)}" for key, value in values.items())


def _cell(text: Any) -> str:
    """Makes of any text one line that Markdown takes as it is."""
    line = textwrap.shorten(str(text), LONGEST_MESSAGE, placeholder=" …")
    return html.escape(line, quote=False).replace("|", "&#124;")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)
