"""`search`: validates the search space, creates or resumes the directory, and runs the trials."""

import contextlib
import dataclasses
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from tuning import workers as processes
from tuning.oracles import Limits, grid_size, make_oracle
from tuning.plan import Plan, make_plan, read_plan, require_same
from tuning.results import SearchResult, finalize, prune_checkpoints, trial_summary
from tuning.space import boundary_points, search_space
from tuning.trials import default_config, trial_config
from zoo.checks import require_integer, require_number
from zoo.data.pipeline import Data
from zoo.errors import ArgumentValueError, SearchError
from zoo.runs.files import PARTIAL, exclusive_lock
from zoo.specs import MAX_INT, MAX_SEED, DatasetSpec
from zoo.training.building import build_model, seed_and_build
from zoo.training.config import load_run_data

WEIGHTS_ARGUMENTS = ("weights", "keep_head")
DEFAULT_TRIALS = 20
MAX_GRID_SIZE = 1_000


def search(
    name: str,
    *,
    dataset: str | Path | DatasetSpec | None = None,
    data_dir: str | Path | None = None,
    engine: str = "keras-tuner",
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
    """Search for better hyperparameters of a model, and retrain it with the best ones.

    The first trial has the default hyperparameters. Trials are compared on the validation split;
    the test split is read after the search, once by each run that retrains the model. A search
    that was killed at any moment can be resumed.

    Args:
        name: name of the model.
        dataset: a dataset of the zoo, a folder of images, a table of texts or a TFDS name; the
            model's own if None.
        data_dir: TFDS data directory; ``$TFDS_DATA_DIR`` or ``~/tensorflow_datasets`` if None.
        engine: library that proposes the trials, ``"keras-tuner"`` or ``"optuna"``.
        algorithm: ``"random"``, ``"grid"``, ``"bayesian"`` or ``"hyperband"``; the first or third
            with Optuna, whose Bayesian search is a tree-structured Parzen estimator.
        max_trials: maximum number of trials. If both it and `max_minutes` are None, random and
            Bayesian search run 20 trials, grid search the whole grid, and Hyperband all its
            brackets once.
        max_minutes: duration of the search after which no trial starts.
        workers: number of processes that run trials in parallel; they share the CPU cores. 1 runs
            them in this process, and in a subprocess once this process has grown by 200 MiB, since
            TensorFlow does not release all memory of a model; 0 runs them in this process only,
            for a model that is registered in no other.
        directory: directory of the search; ``searches/MODEL-DATASET`` if None.
        resume: whether to resume the search in `directory`. All arguments must be the same, but
            for `max_trials`, `max_minutes`, `workers`, `retrain`, `keep_going` and `data_dir`.
        seed: seed of the sampled hyperparameters and of all training runs.
        space: changes of the model's default search space, or a TOML or JSON file of them: see
            `tuning.space.search_space`.
        objective: metric of the training history that trials are compared by; the one that the
            model's task monitors if None.
        direction: ``"max"`` or ``"min"``; inferred from the objective's name if None.
        folds: number of cross-validation folds, cut from all data but the test split; 1 for the
            dataset's own validation split.
        executions: training runs per trial and fold, under different seeds; the score is the mean.
        max_parameters: trials of larger models fail without being trained; 0 for no limit.
        keep: number of trials, the best ones, whose checkpoints are kept.
        retrain: number of seeds under which the model is retrained with the best hyperparameters.
        keep_going: whether to continue after a trial that raises an error. A loss that is no
            longer finite ends a trial and never the search.
        address: ``HOST:PORT`` at which to serve trials to workers on other machines, instead of
            running them: see `tuning.workers.run_as_worker`.
        progress: whether to report each trial on standard error.
        **fixed: arguments of the model's builder and fields of `Recipe` that do not vary.

    Returns:
        The result of the search.

    Raises:
        UnknownModelError: if there is no such model.
        UnknownArgumentError: if a name in `space` or `fixed` is not one of its hyperparameters.
        ArgumentValueError: if a value is invalid, or the objective is not in the history.
        DatasetError: if the data cannot be read.
        SearchError: if the directory exists, or holds a different search; if a trial raises an
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
    _validate_limits(max_trials, max_minutes, workers, retrain)
    if address:
        processes.require_free_address(address)
    plan = make_plan(
        name, dataset=dataset, data_dir=data_dir, engine=engine, algorithm=algorithm,
        objective=objective, direction=direction, space=space, seed=seed, folds=folds,
        executions=executions, max_parameters=max_parameters, keep=keep, fixed=fixed,
    )  # fmt: skip
    if seed + max(1, retrain) > MAX_SEED:
        raise ArgumentValueError(
            f"seed={seed}: must be lower, since the seeds after it are used, up to {MAX_SEED}."
        )
    limits = _make_limits(plan, max_trials, max_minutes, stop_on_error=not keep_going)
    path = Path(directory) if directory is not None else _default_directory(plan)
    plan, data = _resume(plan, path) if resume else _start(plan, path)
    with exclusive_lock(path), _add_resume_hint(path):
        plan.write(path)  # data_dir may have changed
        oracle = _prepare_oracle(plan, path, limits, progress)
        if address:
            processes.run_as_chief(plan, path, oracle, address)
        elif workers > 1:
            processes.run_in_subprocesses(plan, path, oracle, workers)
        else:
            processes.run_locally(plan, path, oracle, data, limit_memory=workers == 1)
        return finalize(plan, path, oracle, limits, retrain, progress)


def _validate_limits(
    max_trials: int | None, max_minutes: float | None, workers: int, retrain: int
) -> None:
    for key, value in (("workers", workers), ("retrain", retrain)):
        require_integer(key, value, 0, MAX_INT)
    if max_trials is not None:
        require_integer("max_trials", max_trials, 1, MAX_INT)
    if max_minutes is not None:
        require_number("max_minutes", max_minutes)


def _make_limits(
    plan: Plan, trials: int | None, minutes: float | None, *, stop_on_error: bool
) -> Limits:
    is_unlimited = trials is None and minutes is None
    if is_unlimited and plan.algorithm in ("random", "bayesian"):
        trials = DEFAULT_TRIALS
    if is_unlimited and plan.algorithm == "grid":
        size = grid_size(search_space(plan.model, plan.changes))
        if size > MAX_GRID_SIZE:
            raise ArgumentValueError(
                f"the grid has {size:,} points: narrow the space, or limit the trials or the time."
            )
    return Limits(trials, None if minutes is None else 60 * minutes, stop_on_error)


def _default_directory(plan: Plan) -> Path:
    return Path("searches") / f"{plan.model}-{Path(plan.dataset['name'].replace(':', '-')).name}"


def _start(plan: Plan, directory: Path) -> tuple[Plan, Data]:
    """Validate a new search and create its directory."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise SearchError(
            f"{directory} exists already: choose another --directory, or resume with --resume."
        )
    data = _validate_space(plan)
    plan = dataclasses.replace(plan, dataset_version=data.version)
    directory.parent.mkdir(parents=True, exist_ok=True)
    partial = directory.parent / f"{PARTIAL}{directory.name}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    plan.write(partial)
    partial.rename(directory)
    return plan, data


def _resume(plan: Plan, directory: Path) -> tuple[Plan, Data]:
    """Load a search, which must have the same plan and the same data."""
    stored = read_plan(directory)
    require_same(
        dataclasses.replace(plan, dataset_version=stored.dataset_version), stored, directory
    )
    plan = dataclasses.replace(stored, data_dir=plan.data_dir or stored.data_dir)
    data = load_run_data(default_config(plan), plan.data_dir, plan.training_runs[0][1])
    if data.version != plan.dataset_version:
        raise SearchError(
            f"the search was started on {plan.dataset_version}, but the data are {data.version}."
        )
    return plan, data


def _validate_space(plan: Plan) -> Data:
    """Build the model at every boundary of the space, and train the default one on one batch.

    Nothing is written, and weights from files or hubs are loaded into the default model only.

    Raises:
        ZooError: if a value of the space or a fixed value is invalid, the data cannot be read, or
            the model does not have the objective.
    """
    space = search_space(plan.model, plan.changes)
    configs = [trial_config(plan, values, plan.seed) for values in boundary_points(space)]
    built: list[dict[str, Any]] = []
    for config in configs:
        arguments = {k: v for k, v in config.arguments.items() if k not in WEIGHTS_ARGUMENTS}
        if arguments not in built:
            build_model(plan.model, arguments)
            built.append(arguments)
    model = seed_and_build(configs[0])
    data = load_run_data(configs[0], plan.data_dir, plan.training_runs[0][1])
    metrics = _evaluate_one_batch(model, data)
    keras.utils.clear_session()
    allowed = [*metrics, *(f"val_{key}" for key in metrics)]
    if plan.objective not in allowed:
        raise ArgumentValueError(
            f"objective={plan.objective!r}: {plan.model} has {', '.join(allowed)}."
        )
    return data


def _evaluate_one_batch(model: keras.Model, data: Data) -> dict[str, float]:
    model.jit_compile = False  # compiling would take longer than the batch
    if model.trainable_variables:
        model.train_on_batch(*next(data.train.as_numpy_iterator()))
    return model.evaluate(data.validation.take(1), verbose=0, return_dict=True)


@contextlib.contextmanager
def _add_resume_hint(directory: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"resume with --directory {directory} --resume") from None


def _prepare_oracle(plan: Plan, directory: Path, limits: Limits, progress: bool) -> Any:
    """Build the oracle, load its stored state, and let it report every trial that ends."""
    (directory / processes.TRIALS_FILE).unlink(missing_ok=True)
    is_limited = limits.trials is not None or limits.seconds is not None
    oracle = make_oracle(plan, is_limited)
    oracle.prepare(directory / "oracle.json", limits)

    def on_trial_end(trial: Any) -> None:
        prune_checkpoints(plan, directory, oracle)
        if progress:
            line = trial_summary(plan, directory, trial, oracle, limits)
            print(line, file=sys.stderr, flush=True)

    oracle.on_trial_end = on_trial_end
    return oracle
