"""A model trained under several seeds, by several processes at once if there are."""

import dataclasses
import gc
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from zoo.checks import require_integer
from zoo.data import require_readable_by_workers
from zoo.runs import Run, load_run, require_empty_directory
from zoo.specs import MAX_SEED, DatasetSpec
from zoo.training import train
from zoo.training.config import default_run_directory, resolve_config
from zoo.training.resuming import reopen_run
from zoo.workers.jobs import run_jobs


def train_seeds(
    name: str,
    *,
    seeds: int,
    seed: int | None = None,
    dataset: str | Path | DatasetSpec | None = None,
    data_dir: str | Path | None = None,
    directory: str | Path | None = None,
    resume: bool = False,
    tensorboard: bool = False,
    workers: int = 1,
    threads: int | None = None,
    progress: bool = True,
    **overrides: Any,
) -> list[Run]:
    """Train a model under several seeds.

    Args:
        name: name of the model.
        seeds: number of seeds.
        seed: the first seed; 0 if None.
        dataset: a dataset of the zoo, a folder of images, a table of texts or a TFDS name; the
            model's own if None.
        data_dir: TFDS data directory; ``$TFDS_DATA_DIR`` or ``~/tensorflow_datasets`` if None.
        directory: directory of the runs, which are ``seed-0`` and so on in it;
            ``runs/MODEL-DATASET-TIME`` if None.
        resume: whether the directory may have runs, begun or finished with the same options. They
            are resumed, together with any other process that does so, on this machine or another.
        tensorboard: whether to log for TensorBoard, too.
        workers: number of processes that train; see `zoo.workers.jobs.run_jobs`.
        threads: threads of each process; its share of the cores if None.
        progress: whether to show progress on standard error.
        **overrides: as `zoo.train` takes them, and ``epochs`` and ``batch_size``.

    Returns:
        The finished runs, by seed.

    Raises:
        ArgumentValueError: if a number is out of range.
        RunError: if the directory is not empty, unless `resume`; if it has runs with other options.
        WorkerError: if three processes die while they train with the same seed.
        ZooError: as `zoo.train` does.
        KeyboardInterrupt: if the user interrupts; the message says how to resume.

    Example:
        >>> from zoo.training.seeds import train_seeds
        >>> runs = train_seeds(
        ...     "perceptron", seeds=2, epochs=2, directory=tmp / "seeds", progress=False
        ... )
        >>> [run.directory.name for run in runs]
        ['seed-0', 'seed-1']
    """
    first = 0 if seed is None else seed
    require_readable_by_workers(dataset)
    overrides = {key: value for key, value in overrides.items() if value is not None}
    config = resolve_config(name, dataset, data_dir, first, overrides)
    require_integer("seeds", seeds, 1, MAX_SEED - first + 1)
    folder = default_run_directory(config) if directory is None else Path(directory)
    if not resume:
        require_empty_directory(folder)
    options = {"dataset": dataset, "data_dir": data_dir, "tensorboard": tensorboard, **overrides}
    jobs = [
        SeedJob(name, number, folder / f"seed-{number}", options)
        for number in range(first, first + seeds)
    ]
    for job in jobs:
        if job.is_begun:
            reopen_run(job.run_dir, name, dataset, job.seed, overrides)
    try:
        run_jobs(jobs, folder, workers=workers, threads=threads, progress=progress)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"resume with --run-dir {folder} --resume") from None
    return [load_run(job.run_dir) for job in jobs]


@dataclasses.dataclass(frozen=True)
class SeedJob:
    """A training run with one of several seeds.

    Attributes:
        model: name of the model.
        seed: the seed.
        run_dir: directory of the run.
        options: other arguments of `zoo.train`.
    """

    model: str
    seed: int
    run_dir: Path
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The seed."""
        return f"seed {self.seed}"

    @property
    def kind(self) -> str:
        """The model: all seeds take about as long."""
        return self.model

    @property
    def is_begun(self) -> bool:
        """Whether the run directory exists."""
        return (self.run_dir / "config.json").exists()

    def is_finished(self) -> bool:
        """Return whether the run is finished."""
        return self.is_begun and load_run(self.run_dir).is_finished

    def run(self, progress: bool) -> None:
        """Train, from the last finished epoch on.

        Args:
            progress: whether to show progress on standard error.
        """
        try:
            train(
                self.model,
                seed=self.seed,
                run_dir=self.run_dir,
                resume=self.is_begun,
                progress=progress,
                **self.options,
            )
        finally:
            keras.utils.clear_session()
            gc.collect()


def average_metrics(runs: Sequence[Run]) -> dict[str, tuple[float, float]]:
    """Return mean and standard deviation of each metric over runs.

    Args:
        runs: finished runs of a model.
    """
    averages = {}
    for key in runs[0].metrics if runs else ():
        if key.startswith(("val_", "test_")):
            values = [run.metrics[key] for run in runs]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            averages[key] = (statistics.fmean(values), spread)
    return averages
