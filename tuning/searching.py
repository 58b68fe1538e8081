"""The search: its directory, its first look, its trials, and what comes of the best of them."""

import contextlib
import dataclasses
import itertools
import json
import math
import shutil
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

import zoo
from tuning import workers as processes
from tuning.oracles import Limits, make_oracle, size_of_grid
from tuning.plan import Plan, make_plan, read_plan, require_same
from tuning.report import write_report
from tuning.space import extremes, space_of
from tuning.trials import (
    FAILURE,
    RUNS,
    WEIGHTS,
    default_settings,
    settings_of,
    without_notes,
)
from zoo.data.pipeline import Data
from zoo.errors import ArgumentValueError, SearchError
from zoo.runs import Run
from zoo.runs.files import PARTIAL, exclusive_lock, write_csv, write_json
from zoo.specs import MOST, MOST_SEED, require_integer, require_number
from zoo.training.config import load_run_data, seed_and_build, split_overrides

TRIALS = 20
LARGEST_GRID = 1_000
COSTS = ("epochs", "parameters", "seconds")


@dataclasses.dataclass(frozen=True)
class SearchResult:
    """What a search has found.

    Attributes:
        directory: where it is.
        trials: one row a trial, in the order in which they began: its number, status and score,
            the spread of the score over its trainings, what it cost, why it failed, and its values.
        best_values: arguments of the model's builder: ``zoo.build(name, **best_values)``.
        best_recipe: the rest of the best trial's values, such as ``batch_size``.
        metrics: of the best values, trained anew under several seeds: the mean of each figure, and
            under ``..._std`` its standard deviation; the best trial's ``score`` beside them.
        best_run: the first of these trainings; None if there was to be none.
    """

    directory: Path
    trials: list[dict[str, Any]]
    best_values: dict[str, Any]
    best_recipe: dict[str, Any]
    metrics: dict[str, float]
    best_run: Run | None


def search(
    name: str,
    *,
    dataset: str | Path | None = None,
    data_dir: str | Path | None = None,
    algorithm: str = "random",
    max_trials: int | None = None,
    max_minutes: float | None = None,
    workers: int = 1,
    directory: str | Path | None = None,
    resume: bool = False,
    seed: int = 0,
    space: Mapping[str, Any] | str | Path | None = None,
    objective: str | None = None,
    direction: str | None = None,
    folds: int = 1,
    executions: int = 1,
    max_parameters: int = 0,
    keep: int = 1,
    retrain: int = 3,
    keep_going: bool = False,
    address: str | None = None,
    progress: bool = True,
    **fixed: Any,
) -> SearchResult:
    """Searches for better settings of a model, and trains the best anew.

    The first trial has the defaults. Trials are compared on validation rows; the test split is
    read after the search, once for each training of the best values. A search that is killed at
    any moment goes on with `resume`.

    Args:
        name: the model.
        dataset: a data set of the zoo, a folder of images, a table of texts or a TFDS name; the
            model's own if None.
        data_dir: where TFDS keeps its data; ``$TFDS_DATA_DIR`` or ``~/tensorflow_datasets`` if
            None.
        algorithm: ``"random"``, ``"grid"``, ``"bayesian"`` or ``"hyperband"``.
        max_trials: trials that begin at most. If None and there is no `max_minutes` either, 20
            are drawn, and a grid or the brackets of Hyperband are gone through once.
        max_minutes: no trial begins later.
        workers: processes that train side by side; they share the cores. 1 is this process, and
            another after it has grown by 200 MiB, since TensorFlow gives back little of what a
            model costs; 0 is this process to the end, for a model that only it has registered.
        directory: of the search; ``searches/MODEL-DATASET`` if None.
        resume: goes on with the search in `directory`, which must be the same one but for
            `max_trials`, `max_minutes`, `workers`, `retrain`, `keep_going` and where its data
            lie.
        seed: of the values drawn and of every training.
        space: what of the model's space is to vary otherwise, or a TOML or JSON file of it: see
            `tuning.space.space_of`.
        objective: the quantity of the history by which trials are compared; that of the model's
            task if None.
        direction: ``"max"`` or ``"min"``; by the objective's name if None.
        folds: of a cross-validation over the rows that are not for test; 1 for the usual cut.
        executions: trainings a trial and fold, under different seeds; their mean counts.
        max_parameters: a larger model counts as a failed trial, and is not trained; 0 for any.
        keep: trials whose weights stay on disk, the best ones.
        retrain: seeds under which the best values are trained anew.
        keep_going: goes on after a trial that fails by an error. A loss that stops being finite
            ends a trial and never the search.
        address: ``HOST:PORT``; serves trials to workers on other machines there, instead of
            running them: see `tuning.workers.run_as_worker`.
        progress: says on standard error how each trial went.
        **fixed: arguments of the model's builder and fields of `Recipe` that do not vary.

    Returns:
        What it has found.

    Raises:
        UnknownModelError: if there is no such model.
        UnknownArgumentError: if a name in `space` or `fixed` is no setting of it.
        ArgumentValueError: if a value is out of its range, or the objective is in no history.
        DatasetError: if the data cannot be read.
        SearchError: if the directory exists, or holds another search; if a trial fails by an
            error; if no trial completes.
        RunError: if another process is searching in the directory.

    Example:
        >>> import tuning
        >>> result = tuning.search(
        ...     "perceptron", dataset="or", space={"learning_rate": [0.5, 1.0]}, max_trials=2,
        ...     epochs=15, retrain=1, directory=tmp / "search", progress=False,
        ... )
        >>> len(result.trials), result.metrics["test_accuracy"]
        (2, 1.0)
    """
    _require_limits(max_trials, max_minutes, workers, retrain)
    if address:
        processes.require_free(address)
    plan = make_plan(
        name, dataset=dataset, data_dir=data_dir, algorithm=algorithm, objective=objective,
        direction=direction, space=space, seed=seed, folds=folds, executions=executions,
        max_parameters=max_parameters, keep=keep, fixed=fixed,
    )  # fmt: skip
    if seed + max(1, retrain) > MOST_SEED:
        raise ArgumentValueError(f"seed={seed}: those after it are needed, up to {MOST_SEED}.")
    limits = _limits(plan, max_trials, max_minutes, stop_on_error=not keep_going)
    place = Path(directory) if directory is not None else _usual_directory(plan)
    if resume:
        held = read_plan(place)
        require_same(dataclasses.replace(plan, dataset_version=held.dataset_version), held, place)
        plan = dataclasses.replace(held, data_dir=plan.data_dir or held.data_dir)
        data = _load_as(plan)
    else:
        _refuse_existing(place)
        data = _look(plan)
        plan = dataclasses.replace(plan, dataset_version=data.version)
        _create(place, plan)
    with exclusive_lock(place), _said_how_to_go_on(place):
        plan.write(place)  # the data may lie elsewhere now
        oracle = _prepare(plan, place, limits, progress)
        if address:
            processes.run_as_chief(plan, place, oracle, address)
        elif workers > 1:
            processes.run_in_processes(plan, place, oracle, workers)
        else:
            processes.run_here(plan, place, oracle, data, to_the_end=not workers)
        return _conclude(plan, place, oracle, limits, retrain, progress)


def _require_limits(
    max_trials: int | None, max_minutes: float | None, workers: int, retrain: int
) -> None:
    for key, value in (("workers", workers), ("retrain", retrain)):
        require_integer(key, value, 0, MOST)
    if max_trials is not None:
        require_integer("max_trials", max_trials, 1, MOST)
    if max_minutes is not None:
        require_number("max_minutes", max_minutes)


def _limits(
    plan: Plan, trials: int | None, minutes: float | None, *, stop_on_error: bool
) -> Limits:
    has_none = trials is None and minutes is None
    if has_none and plan.algorithm in ("random", "bayesian"):
        trials = TRIALS
    if has_none and plan.algorithm == "grid":
        size = size_of_grid(space_of(plan.model, plan.changes))
        if size > LARGEST_GRID:
            raise ArgumentValueError(
                f"the grid has {size:,} points: narrow the space, or limit the trials or the time."
            )
    return Limits(trials, None if minutes is None else 60 * minutes, stop_on_error)


def _usual_directory(plan: Plan) -> Path:
    return Path("searches") / f"{plan.model}-{Path(plan.dataset['name'].replace(':', '-')).name}"


def _refuse_existing(directory: Path) -> None:
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise SearchError(
            f"{directory} exists already: choose another --directory, or go on with --resume."
        )


def _load_as(plan: Plan) -> Data:
    """Reads the data of a search that goes on, which must be those that it began on."""
    data = load_run_data(default_settings(plan), plan.data_dir, plan.trainings[0][1])
    if data.version != plan.dataset_version:
        raise SearchError(
            f"the search began on {plan.dataset_version}, and the data are {data.version} now."
        )
    return data


def _look(plan: Plan) -> Data:
    """Builds every end of the space and shows a model one batch, before anything is written."""
    space = space_of(plan.model, plan.changes)
    tried = [settings_of(plan, values, plan.seed) for values in extremes(space)]
    model, data = (
        seed_and_build(tried[0]),
        load_run_data(tried[0], plan.data_dir, plan.trainings[0][1]),
    )
    model.jit_compile = False  # one batch is not worth it
    if model.trainable_variables:
        model.train_on_batch(*next(iter(data.train)))
    found = model.evaluate(data.validation.take(1), verbose=0, return_dict=True)
    keras.utils.clear_session()
    known = [*found, *(f"val_{key}" for key in found)]
    if plan.objective not in known:
        raise ArgumentValueError(
            f"objective={plan.objective!r}: {plan.model} has {', '.join(known)}."
        )
    return data


def _create(directory: Path, plan: Plan) -> None:
    directory.parent.mkdir(parents=True, exist_ok=True)
    partial = directory.parent / f"{PARTIAL}{directory.name}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    plan.write(partial)
    partial.rename(directory)


@contextlib.contextmanager
def _said_how_to_go_on(directory: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"go on with --directory {directory} --resume") from None


def _prepare(plan: Plan, directory: Path, limits: Limits, progress: bool) -> Any:
    """Makes the oracle as it stands on disk, which is told of whenever a trial ends."""
    (directory / processes.TABLE).unlink(missing_ok=True)
    has_limit = limits.trials is not None or limits.seconds is not None
    oracle = make_oracle(plan, has_limit)
    oracle.prepare(directory / "oracle.json", limits)

    def after(trial: Any) -> None:
        _prune(plan, directory, oracle)
        if progress:
            print(_line(plan, directory, trial, oracle, limits), file=sys.stderr, flush=True)

    oracle.on_end = after
    return oracle


def _conclude(
    plan: Plan, directory: Path, oracle: Any, limits: Limits, retrain: int, progress: bool
) -> SearchResult:
    ended = [trial for name, trial in oracle.trials.items() if name in oracle.end_order]
    rows = [_row(plan, directory, trial) for trial in ended]
    _require_a_best(rows, directory, oracle, limits)
    best = oracle.get_best_trials(1)[0]
    values = without_notes(best.hyperparameters.values)
    settings = {**plan.fixed, **{row["name"]: values[row["name"]] for row in plan.space}}
    write_json(directory / "best_settings.json", settings)
    runs = _retrain(plan, directory, settings, retrain, progress)
    known = {"trial": best.trial_id, "score": float(best.score), "values": settings}
    retrained = {key: (mean, spread) for key, mean, spread in _over_seeds(runs)}
    write_json(directory / "best.json", {**known, "retrained": {"seeds": retrain, **retrained}})
    write_report(directory)
    _, arguments = split_overrides(zoo.get_spec(plan.model), settings)
    return SearchResult(
        directory=directory,
        trials=rows,
        best_values=arguments,
        best_recipe={k: v for k, v in settings.items() if k not in arguments},
        metrics={
            "score": float(best.score),
            **{key: mean for key, (mean, _) in retrained.items()},
            **{f"{key}_std": spread for key, (_, spread) in retrained.items()},
        },
        best_run=runs[0] if runs else None,
    )


def _require_a_best(
    rows: list[dict[str, Any]], directory: Path, oracle: Any, limits: Limits
) -> None:
    if rows:
        write_csv(directory / processes.TABLE, rows)
    if limits.stop_on_error and oracle.errors:
        raise _broken(oracle, directory)
    if all(row["status"] != "COMPLETED" for row in rows):
        last = f"; the last one: {rows[-1]['message']}" if rows else ""
        raise SearchError(f"{directory}: none of {len(rows)} trials completed{last}.")


def _retrain(
    plan: Plan, directory: Path, settings: Mapping[str, Any], seeds: int, progress: bool
) -> list[Run]:
    """Trains the best settings anew; trainings of others, best before, are removed."""
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


def _over_seeds(runs: list[Run]) -> Iterator[tuple[str, float, float]]:
    """Gives the name, the mean and the standard deviation of each figure."""
    for key in runs[0].metrics if runs else ():
        figures = [run.metrics[key] for run in runs]
        if key.startswith(("val_", "test_")):
            spread = statistics.stdev(figures) if len(figures) > 1 else 0.0
            yield key, statistics.fmean(figures), spread


def _prune(plan: Plan, directory: Path, oracle: Any) -> None:
    best = {trial.trial_id for trial in oracle.get_best_trials(plan.keep)} if plan.keep else set()
    for trial_id in itertools.filterfalse(best.__contains__, oracle.end_order):
        for weights in (directory / RUNS / f"trial_{trial_id}").glob(f"*/{WEIGHTS}"):
            weights.unlink(missing_ok=True)


def _row(plan: Plan, directory: Path, trial: Any) -> dict[str, Any]:
    figures = {
        key: trial.metrics.get_best_value(key) if trial.metrics.exists(key) else math.nan
        for key in ("spread", *COSTS)
    }
    values = without_notes(trial.hyperparameters.values)
    return {
        "trial": trial.trial_id,
        "status": trial.status,
        "score": None if trial.score is None else float(trial.score),
        **{key: None if math.isnan(value) else float(value) for key, value in figures.items()},
        "message": _why(trial, directory),
        **{row["name"]: values[row["name"]] for row in plan.space if row["kind"] != "Fixed"},
    }


def _why(trial: Any, directory: Path) -> str:
    path = directory / RUNS / f"trial_{trial.trial_id}" / FAILURE
    if trial.status != "FAILED":
        return ""
    if path.exists():
        return path.read_text().splitlines()[0]
    return (trial.message or "the score is not a number").strip().splitlines()[-1]


def _line(plan: Plan, directory: Path, trial: Any, oracle: Any, limits: Limits) -> str:
    number = len(oracle.end_order)
    row = _row(plan, directory, trial)
    of_all = f"/{limits.trials}" if limits.trials else ""
    begin, values = f"trial {trial.trial_id} ({number}{of_all})", _shown(list(row.items())[8:])
    if trial.score is None:
        return f"{begin} failed: {row['message']}  [{values}]"
    best = oracle.get_best_trials(1)[0]
    return (
        f"{begin}  {plan.objective} {trial.score:.5g}  best {best.score:.5g} ({best.trial_id})  "
        f"{row['seconds']:.1f} s  [{values}]"
    )


def _shown(values: Iterable[tuple[str, Any]]) -> str:
    return ", ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in values
    )


def _broken(oracle: Any, directory: Path) -> SearchError:
    trial = oracle.trials[oracle.errors[0]]
    values = _shown(without_notes(trial.hyperparameters.values).items())
    return SearchError(
        f"trial {trial.trial_id} broke: {_why(trial, directory)} [{values}]. The whole error is in "
        f"{directory / RUNS / f'trial_{trial.trial_id}' / FAILURE}; --keep-going searches on."
    )
