"""Results of a search: its table of trials, best hyperparameters and retrained models."""

import dataclasses
import itertools
import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zoo
from tuning.oracles import Limits
from tuning.plan import Plan
from tuning.report import write_report
from tuning.trials import CHECKPOINT_FILE, FAILURE_FILE, TRIALS_FOLDER, clean_values
from tuning.workers import TRIALS_FILE
from zoo.errors import SearchError
from zoo.runs import Run
from zoo.runs.files import write_csv, write_json
from zoo.training.config import split_overrides
from zoo.training.seeds import average_metrics

COSTS = ("epochs", "parameters", "seconds")


@dataclasses.dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Attributes:
        directory: directory of the search.
        trials: one row per trial, in the order in which they started: its id, status and score, the
            standard deviation of the score over its training runs, its cost, the reason if it
            failed, and its hyperparameters.
        best_values: best arguments of the model's builder: ``zoo.build(name, **best_values)``.
        best_recipe: the other hyperparameters of the best trial, such as ``batch_size``.
        metrics: the best trial's ``score``, and the metrics of the model retrained with the best
            hyperparameters: means over the seeds, and standard deviations as ``..._std``.
        best_run: the first run that retrained the model; None if it was not retrained.
    """

    directory: Path
    trials: list[dict[str, Any]]
    best_values: dict[str, Any]
    best_recipe: dict[str, Any]
    metrics: dict[str, float]
    best_run: Run | None


def finalize(
    plan: Plan, directory: Path, oracle: Any, limits: Limits, retrain: int, progress: bool
) -> SearchResult:
    """Retrain the model with the best hyperparameters, and write table, results and report.

    Args:
        plan: plan of the search.
        directory: directory of the search.
        oracle: oracle of the search, whose trials have ended.
        limits: limits of the search.
        retrain: number of seeds to retrain under.
        progress: whether to report epochs on standard error.

    Returns:
        The result of the search.

    Raises:
        SearchError: if a trial raised an error that stops the search, or no trial completed.
    """
    trials = [trial for trial_id, trial in oracle.trials.items() if trial_id in oracle.end_order]
    rows = [_trial_row(plan, directory, trial) for trial in trials]
    if rows:
        write_csv(directory / TRIALS_FILE, rows)
    _require_completed_trial(rows, directory, oracle, limits)
    best = oracle.get_best_trials(1)[0]
    values = clean_values(best.hyperparameters.values)
    settings = {**plan.fixed, **{row["name"]: values[row["name"]] for row in plan.space}}
    write_json(directory / "best_settings.json", settings)
    runs = _retrain(plan, directory, settings, retrain, progress)
    averages = average_metrics(runs)
    write_json(
        directory / "best.json",
        {
            "trial": best.trial_id,
            "score": float(best.score),
            "values": settings,
            "retrained": {"seeds": retrain, **averages},
        },
    )
    write_report(directory)
    return _make_result(plan, directory, rows, settings, float(best.score), runs)


def trial_summary(plan: Plan, directory: Path, trial: Any, oracle: Any, limits: Limits) -> str:
    """Return a line on a trial that has ended: its score or failure, and its hyperparameters.

    Args:
        plan: plan of the search.
        directory: directory of the search.
        trial: keras-tuner trial.
        oracle: oracle of the search.
        limits: limits of the search.
    """
    row = _trial_row(plan, directory, trial)
    count = f"{len(oracle.end_order)}/{limits.trials}" if limits.trials else len(oracle.end_order)
    values = _format_values({name: row[name] for name in plan.varied})
    start = f"trial {trial.trial_id} ({count})"
    if trial.score is None:
        return f"{start} failed: {row['message']}  [{values}]"
    best = oracle.get_best_trials(1)[0]
    return (
        f"{start}  {plan.objective} {trial.score:.5g}  best {best.score:.5g} ({best.trial_id})  "
        f"{row['seconds']:.1f} s  [{values}]"
    )


def prune_checkpoints(plan: Plan, directory: Path, oracle: Any) -> None:
    """Delete the checkpoints of all trials that have ended, but for the best ones.

    Args:
        plan: plan of the search; its `keep` is the number of trials whose checkpoints stay.
        directory: directory of the search.
        oracle: oracle of the search.
    """
    best = {trial.trial_id for trial in oracle.get_best_trials(plan.keep)} if plan.keep else set()
    for trial_id in itertools.filterfalse(best.__contains__, oracle.end_order):
        for path in _trial_directory(directory, trial_id).glob(f"*/{CHECKPOINT_FILE}"):
            path.unlink(missing_ok=True)


def _trial_directory(directory: Path, trial_id: str) -> Path:
    return directory / TRIALS_FOLDER / f"trial_{trial_id}"


def _trial_row(plan: Plan, directory: Path, trial: Any) -> dict[str, Any]:
    metrics = {
        key: trial.metrics.get_best_value(key) if trial.metrics.exists(key) else math.nan
        for key in ("spread", *COSTS)
    }
    values = clean_values(trial.hyperparameters.values)
    return {
        "trial": trial.trial_id,
        "status": trial.status,
        "score": None if trial.score is None else float(trial.score),
        **{key: None if math.isnan(value) else float(value) for key, value in metrics.items()},
        "message": _failure_message(trial, directory),
        **{name: values[name] for name in plan.varied},
    }


def _failure_message(trial: Any, directory: Path) -> str:
    path = _trial_directory(directory, trial.trial_id) / FAILURE_FILE
    if trial.status != "FAILED":
        return ""
    if path.exists():
        return path.read_text().splitlines()[0]
    return (trial.message or "the score is not a number").strip().splitlines()[-1]


def _require_completed_trial(
    rows: list[dict[str, Any]], directory: Path, oracle: Any, limits: Limits
) -> None:
    if limits.stop_on_error and oracle.errors:
        trial = oracle.trials[oracle.errors[0]]
        values = _format_values(clean_values(trial.hyperparameters.values))
        path = _trial_directory(directory, trial.trial_id) / FAILURE_FILE
        raise SearchError(
            f"trial {trial.trial_id} failed: {_failure_message(trial, directory)} [{values}]. The "
            f"traceback is in {path}; --keep-going continues the search."
        )
    if all(row["status"] != "COMPLETED" for row in rows):
        last = f"; the last one: {rows[-1]['message']}" if rows else ""
        raise SearchError(f"{directory}: none of {len(rows)} trials completed{last}.")


def _retrain(
    plan: Plan, directory: Path, settings: Mapping[str, Any], seeds: int, progress: bool
) -> list[Run]:
    """Train with the best hyperparameters; runs of hyperparameters that were best are deleted."""
    folder = directory / "best"
    marker = folder / "settings.json"
    if folder.exists() and (not marker.exists() or json.loads(marker.read_text()) != settings):
        shutil.rmtree(folder)
    if seeds:
        folder.mkdir(exist_ok=True)
        write_json(marker, settings)
    return [
        zoo.train(
            plan.model,
            dataset=plan.dataset["name"],
            data_dir=plan.data_dir,
            seed=plan.seed + number,
            run_dir=folder / f"seed-{number}",
            resume=(folder / f"seed-{number}" / "config.json").exists(),
            progress=progress,
            **settings,
        )
        for number in range(seeds)
    ]


def _make_result(
    plan: Plan,
    directory: Path,
    rows: list[dict[str, Any]],
    settings: dict[str, Any],
    score: float,
    runs: list[Run],
) -> SearchResult:
    _, arguments = split_overrides(zoo.get_spec(plan.model), settings)
    averages = average_metrics(runs)
    return SearchResult(
        directory=directory,
        trials=rows,
        best_values=arguments,
        best_recipe={key: value for key, value in settings.items() if key not in arguments},
        metrics={
            "score": score,
            **{key: mean for key, (mean, _) in averages.items()},
            **{f"{key}_std": spread for key, (_, spread) in averages.items()},
        },
        best_run=runs[0] if runs else None,
    )


def _format_values(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in values.items()
    )
