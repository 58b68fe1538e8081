"""Trains the experiments of the course.

Finished experiments are not repeated, and interrupted ones resume after their last epoch: the
results file lists what is finished, and each training run has a directory. If a setting has several
candidate values, the best is selected on the validation split or by cross-validation before the
training run that reads the test split.
"""

import dataclasses
import datetime
import gc
import itertools
import logging
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.course.definitions import Experiment, System
from zoo.course.errors import CourseError, UnavailableError
from zoo.course.exercises import QUESTIONS
from zoo.course.metrics import collect_metrics, seconds_to_course
from zoo.course.results import Result, add_result, read_results, results_of, run_directory
from zoo.course.stopping import split_stop_rule
from zoo.course.systems import SYSTEMS
from zoo.errors import DatasetError, WeightsError
from zoo.registry import get_defaults, get_spec
from zoo.runs import Run, load_run
from zoo.training import train
from zoo.training.building import seed_and_build
from zoo.training.config import RunConfig, load_run_data, resolve_config, split_overrides
from zoo.training.loop import fit_in
from zoo.training.resuming import require_same_config
from zoo.workers.jobs import run_jobs

EXECUTION = {"execution": "recipe"}  # so that figures are the same, bit for bit, when repeated
ENVIRONMENT = ("cores", "threads", "python", "tensorflow", "keras", "devices")


def collect_experiments(systems: Sequence[System], way: str) -> list[Experiment]:
    """Return the experiments of systems; of all systems, also those that support the answers.

    Args:
        systems: systems of the course.
        way: ``"ours"`` or ``"taught"``.

    Returns:
        The experiments, without duplicates.
    """
    experiments = [system.experiment(way) for system in systems]
    if way == "ours" and len(systems) == len(SYSTEMS):
        experiments += [
            evidence.experiment for question in QUESTIONS.values() for evidence in question.evidence
        ]
    return list({experiment.name: experiment for experiment in experiments}.values())


def run_experiments(
    experiments: Sequence[Experiment],
    directory: Path,
    *,
    seeds: int = 1,
    data_dir: str | Path | None = None,
    workers: int = 1,
    threads: int | None = None,
    progress: bool = True,
) -> None:
    """Train the experiments that are not finished, and store each result.

    Several processes, on machines that share the directory, may do so at once.

    Args:
        experiments: experiments to train.
        directory: directory of the results file and the runs.
        seeds: number of seeds per experiment, counted from 0.
        data_dir: TFDS data directory; ``$TFDS_DATA_DIR`` or ``~/tensorflow_datasets`` if None.
        workers: number of processes that train; see `zoo.workers.jobs.run_jobs`.
        threads: threads of each process; its share of the cores if None.
        progress: whether to show progress on standard error.

    Raises:
        CourseError: if the directory has a result with different settings.
        UnavailableError: after all other experiments, if data or weights could not be downloaded.
        RunError: if a run begun in the directory has different settings.
        ZooError: as `zoo.train` does.
        KeyboardInterrupt: if the user interrupts; the message says how to resume.
    """
    for experiment in experiments:
        _require_same_settings(experiment, directory)
    directory.mkdir(parents=True, exist_ok=True)
    jobs = [
        ExperimentJob(experiment, seed, directory, data_dir)
        for seed in range(seeds)
        for experiment in experiments
    ]
    try:
        errors = run_jobs(
            jobs, directory, workers=workers, threads=threads,
            tolerated=(DatasetError, WeightsError), progress=progress,
        )  # fmt: skip
    except KeyboardInterrupt:
        raise KeyboardInterrupt("run the same command to resume") from None
    if errors:
        _report_unavailable(jobs, errors)


@dataclasses.dataclass(frozen=True)
class ExperimentJob:
    """An experiment to be trained with one seed.

    Attributes:
        experiment: the experiment.
        seed: the seed.
        directory: directory of the results file and the runs.
        data_dir: TFDS data directory.
    """

    experiment: Experiment
    seed: int
    directory: Path
    data_dir: str | Path | None

    @property
    def name(self) -> str:
        """Name of the experiment, and the seed."""
        return f"{self.experiment.name}, seed {self.seed}"

    @property
    def kind(self) -> str:
        """Name of the experiment."""
        return self.experiment.name

    def is_finished(self) -> bool:
        """Return whether the results file has its result."""
        results = results_of(self.experiment, read_results(self.directory))
        return any(result.seed == self.seed for result in results)

    def run(self, progress: bool) -> None:
        """Train, and store the result.

        Args:
            progress: whether to show progress on standard error.
        """
        logging.getLogger("tensorflow").setLevel(logging.ERROR)  # hides warnings about retracing
        try:
            result = _run(self.experiment, self.seed, self.directory, self.data_dir, progress)
            add_result(self.directory, result)
        finally:
            keras.utils.clear_session()
            gc.collect()


def _report_unavailable(jobs: Sequence[ExperimentJob], errors: Mapping[str, Exception]) -> None:
    unavailable = defaultdict(list)
    for job in jobs:
        if job.name in errors:
            unavailable[str(errors[job.name])].append(job.experiment.name)
    done = sum(job.is_finished() for job in jobs)
    reasons = "; ".join(
        f"{', '.join(dict.fromkeys(names))}: {reason}" for reason, names in unavailable.items()
    )
    raise UnavailableError(f"{done} of {len(jobs)} done; {reasons}")


def _require_same_settings(experiment: Experiment, directory: Path) -> None:
    for result in results_of(experiment, read_results(directory)):
        differences = [
            f"{key}={result.settings.get(key)!r} (requested: {value!r})"
            for key, value in full_settings(experiment).items()
            if result.settings.get(key) != value
        ]
        if differences:
            raise CourseError(
                f"{directory} has a result of {experiment.name} with different settings: "
                f"{', '.join(differences)}. Choose another directory."
            )


def full_settings(experiment: Experiment) -> dict[str, Any]:
    """Return every setting of an experiment, including defaults.

    Args:
        experiment: any experiment.

    Returns:
        Arguments of the builder and fields of the recipe, as stored in JSON: a list holds the
        candidate values of a setting.
    """
    candidates = _candidate_values(experiment)
    fixed = {k: value for k, value in experiment.settings.items() if k not in candidates}
    overrides, _ = split_stop_rule(fixed)
    recipe, arguments = split_overrides(get_spec(experiment.model), EXECUTION | overrides)
    settings = {
        **get_defaults(experiment.model), "max_gap": 0.0, **recipe.settings(), **arguments,
        **fixed, **candidates,
    }  # fmt: skip
    return {key: list(v) if isinstance(v, tuple) else v for key, v in settings.items()}


def _candidate_values(experiment: Experiment) -> dict[str, tuple[Any, ...]]:
    return {k: value for k, value in experiment.settings.items() if isinstance(value, tuple)}


def _run(
    experiment: Experiment,
    seed: int,
    directory: Path,
    data_dir: str | Path | None,
    progress: bool,
) -> Result:
    """Select the settings of an experiment, train it, and return its result."""
    run_dir = run_directory(directory, experiment, seed)
    selection_dir = run_dir.parent / f"{seed}-choice"
    chosen, score, seconds = _select(experiment, seed, selection_dir, data_dir, progress)
    overrides, stop_rule = split_stop_rule({**EXECUTION, **experiment.settings, **chosen})
    resume = (run_dir / "config.json").exists()
    if resume:
        config = resolve_config(experiment.model, experiment.dataset, data_dir, seed, overrides)
        require_same_config(load_run(run_dir), config)
    run = train(
        experiment.model,
        dataset=experiment.dataset,
        data_dir=data_dir,
        seed=seed,
        run_dir=run_dir,
        resume=resume,
        stop_rule=stop_rule,
        progress=progress,
        **overrides,
    )
    return _to_result(experiment, run, chosen, score, seconds)


def _to_result(
    experiment: Experiment,
    run: Run,
    chosen: dict[str, Any],
    score: dict[str, float],
    selection_seconds: float,
) -> Result:
    metrics = collect_metrics(run) | score
    reached_after = seconds_to_course(experiment, run, selection_seconds)
    if reached_after is not None:
        metrics["seconds_to_course"] = reached_after
    return Result(
        training=experiment.name,
        seed=run.config["seed"],
        settings=full_settings(experiment),
        chosen=chosen,
        dataset=run.config["dataset_version"],
        parameters=run.config["parameters"],
        epochs=run.metrics["epochs"],
        seconds=round(run.metrics["seconds"] + selection_seconds, 1),
        figures=metrics,
        environment={key: run.config["environment"].get(key) for key in ENVIRONMENT},
        finished=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def _select(
    experiment: Experiment,
    seed: int,
    directory: Path,
    data_dir: str | Path | None,
    progress: bool,
) -> tuple[dict[str, Any], dict[str, float], float]:
    """Return the best candidate values, their cross-validation score if any, and the seconds."""
    candidates = _candidate_values(experiment)
    if not candidates:
        return {}, {}, 0.0
    grid = [
        dict(zip(candidates, values, strict=True))
        for values in itertools.product(*candidates.values())
    ]
    scores, seconds = [], 0.0
    for number, values in enumerate(grid, 1):
        if progress:
            print(f"candidate {number} of {len(grid)}: {values}", file=sys.stderr)
        overrides = {**EXECUTION, **experiment.settings, **values}
        config = resolve_config(experiment.model, experiment.dataset, data_dir, seed, overrides)
        rows = _fit_folds(config, experiment.folds, f"{directory}/{number}", data_dir)
        scores.append(float(np.mean([row["val_accuracy"] for row in rows])))
        seconds += sum(row["seconds"] for row in rows)
    best = int(np.argmax(scores))
    return grid[best], {"cv_accuracy": scores[best]} if experiment.folds else {}, seconds


def _fit_folds(
    config: RunConfig, folds: int, prefix: str, data_dir: str | Path | None
) -> list[dict[str, float]]:
    """Train on each fold, or once on the training split, and return the last history rows."""
    cuts: list[tuple[int, int] | None] = [None]
    if folds:
        cuts = [(number, folds) for number in range(1, folds + 1)]
    return [
        fit_in(
            Path(f"{prefix}-{number}"),
            config,
            seed_and_build(config),
            load_run_data(config, data_dir, cut),
            cut,
        )
        for number, cut in enumerate(cuts, 1)
    ]
