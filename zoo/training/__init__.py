"""Training and evaluation: the verbs `zoo.train` and `zoo.evaluate`."""

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from zoo.acceleration import accelerate
from zoo.data import take_given
from zoo.data.findings import summarize
from zoo.data.pipeline import Data
from zoo.errors import ArgumentValueError
from zoo.runs import Run, create_run, load_run, require_empty_directory
from zoo.runs.files import remove_partial_files
from zoo.training.building import seed_and_build
from zoo.training.callbacks import StopRule
from zoo.training.config import (
    RunConfig,
    default_run_directory,
    file_options,
    files_of,
    load_run_data,
    resolve_config,
    run_metadata,
)
from zoo.training.devices import DEFAULT_DEVICE, Placement, place
from zoo.training.execution import choose_execution
from zoo.training.finish import evaluate_split, finish
from zoo.training.loop import fit
from zoo.training.memory import released_gradients
from zoo.training.parallel import gather
from zoo.training.processor import is_compiled
from zoo.training.resuming import (
    reopen_devices,
    reopen_run,
    require_same_data,
    require_same_settings,
)


def train(
    name: str,
    *,
    dataset: Any = None,
    data_dir: str | Path | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    run_dir: str | Path | None = None,
    resume: bool = False,
    devices: str | int | None = None,
    stop_rule: StopRule | None = None,
    tensorboard: bool = False,
    progress: bool = True,
    **overrides: Any,
) -> Run:
    """Train a model by its recipe, and leave a run directory.

    Seeds Python, NumPy, TensorFlow and Keras in the whole process: the same seed on the same
    machine gives the same weights, bit for bit. (TensorFlow's op determinism stays off, since
    Keras does not compile with XLA under it.) The test split is read once, after training. How a
    step is executed is chosen on the machine, once per model: see `zoo.training.execution`.

    Args:
        name: name of the model.
        dataset: a dataset of the zoo, a folder of images, a table of texts or a TFDS name; or rows
            in memory, as `zoo.data.memory.as_given` takes them; the model's own if None.
        data_dir: TFDS data directory; ``$TFDS_DATA_DIR`` or ``~/tensorflow_datasets`` if None.
        epochs: passes over the training split; the recipe's if None.
        batch_size: rows a step; the recipe's if None.
        seed: seed of the weights, of dropout and of the order of the rows; 0 if None.
        run_dir: directory to create; ``runs/MODEL-DATASET-TIME`` if None.
        resume: whether to resume the run in `run_dir` after its last finished epoch. What is not
            given is taken from the run, and what is given must agree with it. A finished run is
            returned as it is.
        devices: ``"all"``, a number, or a type and a number, such as ``"gpu:2"``: devices among
            which the rows of each batch are divided. ``"cpu:2"`` divides the CPU into two. The
            default device if None, or when a run is resumed, its own. See `zoo.training.devices`.
        stop_rule: takes the rows of the history so far, one mapping an epoch; training stops after
            the epoch for which it returns True. Give it again to resume.
        tensorboard: whether to log for TensorBoard, too, to ``tensorboard/`` in the run directory.
        progress: whether to show epochs on standard error: as a bar in a terminal or a notebook,
            as lines elsewhere.
        **overrides: arguments of the model's builder, fields of `Recipe`, and fields of
            `FileOptions`.

    Returns:
        The finished run.

    Raises:
        UnknownModelError: if there is no such model.
        UnknownArgumentError: if neither builder nor recipe has such an argument.
        ArgumentValueError: if a value is of the wrong type or out of range.
        UnknownDatasetError: if there is no such dataset.
        DatasetError: if it cannot be read, or does not fit the model's task.
        RunError: if the run directory exists, if it cannot be resumed, or if another process is
            using it.
        TrainingDivergedError: if the loss stops being finite. Finished epochs are kept.

    Example:
        >>> import zoo
        >>> run = zoo.train(
        ...     "perceptron", dataset="or", learning_rate=0.5, epochs=15, run_dir=tmp / "or"
        ... )
        >>> run.metrics["test_accuracy"]
        1.0
    """
    named = {"epochs": epochs, "batch_size": batch_size}
    overrides |= {key: value for key, value in named.items() if value is not None}
    given = take_given(dataset, file_options(overrides))
    dataset = given.spec if given else dataset
    if resume:
        run = reopen_run(run_dir, name, dataset, seed, overrides)
        if run.is_finished:  # a process that was restarted alone finds no other
            return run
        placement = reopen_devices(run, devices)
        with placement.cluster.working_in(run.directory):
            if not run.is_finished:  # by another process, meanwhile
                if placement.cluster.is_first:
                    remove_partial_files(run.directory)
                config = RunConfig.of(run)
                model = _build_on(placement, config, run.directory)
                data = load_run_data(config, data_dir or config.data_dir, given=given)
                require_same_data(run, data)
                _fit_and_finish(run, model, data, placement, stop_rule, tensorboard, progress)
        return run
    if run_dir is not None:
        require_empty_directory(Path(run_dir))
    placement = place(devices)
    config = resolve_config(name, dataset, data_dir, 0 if seed is None else seed, overrides)
    config = dataclasses.replace(config, recipe=placement.adapt(config.recipe, overrides))
    model = _build_on(placement, config, run_dir)
    data = load_run_data(config, data_dir, given=given)
    if progress and data.spec.is_users and placement.cluster.is_first:
        print(summarize(data), file=sys.stderr, flush=True)
    if placement == DEFAULT_DEVICE:
        chosen = choose_execution(config, model, data, given=overrides, progress=progress)
        if chosen is not config:
            config, model = chosen, seed_and_build(chosen)
    known = config.to_json() | run_metadata(data, model) | placement.to_json()
    directory = default_run_directory(config) if run_dir is None else Path(run_dir)
    run = _create_run(placement, directory, known)
    with placement.cluster.working_in(run.directory):
        require_same_data(run, data)
        _fit_and_finish(run, model, data, placement, stop_rule, tensorboard, progress)
    return run


def _build_on(placement: Placement, config: RunConfig, run_dir: str | Path | None) -> keras.Model:
    require_same_settings(placement, config, run_dir)
    with placement.scope():
        return seed_and_build(config)


def _create_run(placement: Placement, directory: Path, config: Mapping[str, Any]) -> Run:
    """Create a run directory, or open the one that process 0 of the cluster creates."""
    if placement.cluster.is_first:
        create_run(directory, config)
    directory = Path(placement.cluster.share(str(directory)))
    return load_run(placement.cluster.wait_for(directory / "config.json").parent)


def _fit_and_finish(
    run: Run,
    model: keras.Model,
    data: Data,
    placement: Placement,
    stop_rule: StopRule | None,
    tensorboard: bool,
    progress: bool,
) -> None:
    cluster = placement.cluster
    progress, tensorboard = progress and cluster.is_first, tensorboard and cluster.is_first
    if progress:
        print(f"run directory: {run.directory}", file=sys.stderr, flush=True)
    with released_gradients():
        with placement.scope():
            checkpoint = fit(
                run, model, data, placement=placement, stop_rule=stop_rule, tensorboard=tensorboard,
                progress=progress,
            )  # fmt: skip
        if not cluster.is_first:
            return
        if placement.is_parallel:
            model = gather(model, RunConfig.of(run))
            checkpoint.set_model(model)
        finish(run, model, data, checkpoint)


def evaluate(
    run: Run | str | Path,
    split: str = "test",
    *,
    data_dir: str | Path | None = None,
    dataset: Any = None,
) -> dict[str, float]:
    """Evaluate a finished run's model on a split of its dataset.

    Args:
        run: the run, or its directory.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        data_dir: TFDS data directory; the run's own if None.
        dataset: the rows that the run was trained on, if they were in memory.

    Returns:
        Loss and metrics under Keras' names. Losses are in nats and include penalties. No row is
        augmented, not those of ``"train"`` either.

    Raises:
        RunError: if the run is unfinished or damaged.
        ArgumentValueError: if there is no such split.
        DatasetError: if the dataset cannot be read.

    Example:
        >>> import zoo
        >>> run = zoo.train(
        ...     "perceptron", dataset="and", learning_rate=0.5, epochs=15, run_dir=tmp / "and"
        ... )
        >>> zoo.evaluate(run)["accuracy"]
        1.0
    """
    if split not in ("train", "validation", "test"):
        raise ArgumentValueError(f"split={split!r}: must be train, validation or test.")
    run = run if isinstance(run, Run) else load_run(run)
    model, config = accelerate(run.model), RunConfig.of(run)
    model.jit_compile = is_compiled(config.recipe)  # random numbers depend on it
    given = take_given(dataset, files_of(run.dataset))
    data = load_run_data(config, data_dir or config.data_dir, given=given)
    require_same_data(run, data)
    return evaluate_split(model, data, split)
