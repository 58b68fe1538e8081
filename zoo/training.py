"""Training and evaluation: seed, fit, checkpoint, resume, figures of merit."""

import contextlib
import dataclasses
import datetime
import hashlib
import importlib.metadata
import inspect
import json
import math
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.callbacks import Checkpoint, EpochLines, EpochNumber, RowOutputs
from zoo.cards import write_card
from zoo.data import DATASETS, get_dataset, load_data
from zoo.data.pipeline import Data, Rows
from zoo.endpoints import probabilities_of
from zoo.errors import (
    ArgumentValueError,
    DatasetError,
    RunError,
    TrainingDivergedError,
    UnknownArgumentError,
    unknown,
)
from zoo.layers import Sampling
from zoo.reconstruction import judge, training_images
from zoo.registry import build, get_spec
from zoo.runs import (
    FORMAT,
    ROWS_SHOWN,
    Run,
    alone,
    create_run,
    load_run,
    refuse_existing,
    remove_partial_files,
    whole,
    worst_mistakes,
    write_csv,
    write_json,
)
from zoo.specs import (
    MOST_SEED,
    OPTIONS,
    DatasetSpec,
    ModelSpec,
    Recipe,
    as_tuple,
    require_integer,
)
from zoo.tasks import TASKS

RUNS = Path("runs")
FROM_FILES = ("weights", "keep_head")
WARM_UP = 0.2
CPUINFO = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def train(
    name: str,
    *,
    dataset: str | Path | None = None,
    data_dir: str | Path | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    run_dir: str | Path | None = None,
    resume: bool = False,
    tensorboard: bool = False,
    progress: bool = True,
    **overrides: Any,
) -> Run:
    """Trains a model by its recipe, and leaves a run directory.

    Seeds Python, NumPy, TensorFlow and Keras in the whole process: the same seed on the same
    machine gives the same weights, bit for bit. (TensorFlow's op determinism is left off, since
    Keras does not compile with XLA under it.) The test split is read once, after training.

    Args:
        name: the model.
        dataset: a data set of the zoo, a folder of images or a TFDS name; the model's own if None.
        data_dir: where TFDS keeps its data; ``$TFDS_DATA_DIR`` or ``~/tensorflow_datasets`` if
            None.
        epochs: passes over the training split; the recipe's if None.
        batch_size: rows a step; the recipe's if None.
        seed: of weights, dropout and the order of rows; 0 if None.
        run_dir: must not exist; ``runs/MODEL-DATASET-TIME`` if None.
        resume: goes on in `run_dir` after its last finished epoch. What is not given is taken
            from there, and what is given must agree with it. A finished run is returned as it is.
        tensorboard: also logs for TensorBoard, to ``tensorboard/`` in the run directory.
        progress: shows epochs on standard error, as a bar on a terminal and as lines elsewhere.
        **overrides: arguments of the model's builder and fields of `Recipe`.

    Returns:
        The finished run.

    Raises:
        UnknownModelError: if there is no such model.
        UnknownArgumentError: if neither builder nor recipe has such an argument.
        ArgumentValueError: if a value is of the wrong type or out of range.
        UnknownDatasetError: if there is no such data set.
        DatasetError: if it cannot be read, or is not for the model's task.
        RunError: if the run directory exists, or is not as `resume` needs it; or if another process
            is at work in it.
        TrainingDivergedError: if the loss stops being finite. Finished epochs are kept.

    Example:
        >>> import zoo
        >>> run = zoo.train(
        ...     "perceptron", dataset="or", learning_rate=0.5, epochs=15, run_dir=tmp / "or"
        ... )
        >>> run.metrics["test_accuracy"]
        1.0
    """
    if epochs is not None:
        overrides["epochs"] = epochs
    if batch_size is not None:
        overrides["batch_size"] = batch_size
    if resume:
        run = _reopen(run_dir, name, dataset, seed, overrides)
        with alone(run.directory):
            if not run.is_finished:
                remove_partial_files(run.directory)
                model = initialise(run.config)
                data = load(run.config, data_dir or run.config["data_dir"])
                _require_same_data(run, data)
                _train_to_the_end(run, model, data, tensorboard, progress)
        return run
    if run_dir is not None:
        refuse_existing(Path(run_dir))
    settings = settle(name, dataset, data_dir, 0 if seed is None else seed, overrides)
    directory = Path(run_dir) if run_dir is not None else _new_directory(settings)
    model, data = initialise(settings), load(settings, data_dir)
    run = create_run(directory, settings | facts(data, model))
    with alone(run.directory):
        _train_to_the_end(run, model, data, tensorboard, progress)
    return run


def _train_to_the_end(
    run: Run, model: keras.Model, data: Data, tensorboard: bool, progress: bool
) -> None:
    if progress:
        print(f"run directory: {run.directory}", file=sys.stderr, flush=True)
    checkpoint = fit(run, model, data, tensorboard=tensorboard, progress=progress)
    _finish(run, model, data, checkpoint)


def evaluate(
    run: Run | str | Path, split: str = "test", *, data_dir: str | Path | None = None
) -> dict[str, float]:
    """Measures a finished run's model on a split of its data set.

    Args:
        run: the run, or its directory.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        data_dir: where TFDS keeps its data; the run's own if None.

    Returns:
        Loss and metrics under Keras' names. Losses are in nats and include any penalties. Rows
        are measured as they are, those of ``"train"`` too: none is augmented.

    Raises:
        RunError: if the run is unfinished or damaged.
        ArgumentValueError: if there is no such split.
        DatasetError: if the data set cannot be read.

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
    model, recipe = run.model, Recipe.from_json(run.config["recipe"])
    model.jit_compile = recipe.jit_compile  # what is drawn at random depends on it
    data = load_data(
        run.dataset,
        batch_size=recipe.batch_size,
        data_dir=data_dir or run.config["data_dir"],
        images=recipe.images,
        text=recipe.text,
        target=_target(run.config["model"]),
    )
    _require_same_data(run, data)
    return _measured(model, data, split)


def split_overrides(spec: ModelSpec, overrides: Mapping[str, Any]) -> tuple[Recipe, dict[str, Any]]:
    """Tells the recipe's fields from the builder's arguments.

    Args:
        spec: the model.
        overrides: both, mixed. What is in both, such as ``vocab_size``, is the recipe's: the
            builder gets it by way of the data.

    Returns:
        The model's recipe with its overrides, and the builder's overrides. Where those name
        pretrained weights, images are prepared as for them.

    Raises:
        UnknownArgumentError: if a name is in neither.
        ArgumentValueError: if a recipe's value is of the wrong type or out of range.
    """
    of_recipe = spec.recipe.settings()
    of_builder = inspect.signature(spec.load_builder()).parameters
    for name in overrides:
        if name not in of_recipe and name not in of_builder:
            known = [*of_recipe, *of_builder]
            raise UnknownArgumentError(unknown(f"argument of {spec.name}", name, known))
    recipe = {key: value for key, value in overrides.items() if key in of_recipe}
    arguments = {key: value for key, value in overrides.items() if key not in of_recipe}
    images = spec.recipe.images
    if arguments.get("weights") in list(spec.pretrained):
        images = spec.pretrained[arguments["weights"]]
    return dataclasses.replace(spec.recipe, images=images).replace(**recipe), arguments


def settle(
    name: str,
    dataset: str | Path | None = None,
    data_dir: str | Path | None = None,
    seed: int = 0,
    overrides: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Settles everything about a run before any data are read; builds the model once to try it.

    Args:
        name: the model.
        dataset: its data set; the model's own if None.
        data_dir: where TFDS keeps its data.
        seed: of weights, dropout and the order of rows.
        overrides: arguments of the model's builder and fields of `Recipe`.

    Returns:
        What ``config.json`` of the run is to begin with.

    Raises:
        ZooError: as `train` says.
    """
    spec = get_spec(name)
    recipe, arguments = split_overrides(spec, overrides)
    require_integer("seed", seed, 0, MOST_SEED)
    chosen = get_dataset(spec.dataset if dataset is None else dataset, data_dir)
    for key in arguments.keys() & chosen.model_arguments(recipe).keys():
        raise ArgumentValueError(f"{key} follows from the data set {chosen.name}: do not set it.")
    builder = spec.load_builder()
    _refuse_options_of_others(chosen, overrides)
    if not chosen.mirrors and "augmentation" not in overrides:
        recipe = recipe.replace(augmentation=recipe.images.without("flip"))
    if "precision" not in overrides and not _multiplies_bfloat16():
        recipe = recipe.replace(precision="float32")
    arguments |= _resolved(arguments)
    from_data = _arguments_of(spec, chosen, recipe)
    no_files = {key: value for key, value in arguments.items() if key not in FROM_FILES}
    _build(name, from_data | no_files)  # refuses bad values before any data are read
    bound = inspect.signature(builder).bind(**from_data | arguments)
    bound.apply_defaults()
    return {
        "format": FORMAT,
        "zoo": importlib.metadata.version("keras-model-zoo"),
        "model": name,
        "arguments": dict(bound.arguments),
        "weights_sha256": _digest(dict(bound.arguments)),
        "recipe": dataclasses.asdict(recipe),
        "dataset": dataclasses.asdict(chosen),
        "data_dir": None if data_dir is None else str(Path(data_dir).resolve()),
        "seed": seed,
    }


def _multiplies_bfloat16() -> bool:
    """Says whether the machine has instructions for it: without them, float32 is faster."""
    if tf.config.list_physical_devices("GPU"):
        return True
    if not CPUINFO.exists():
        return False
    return not BFLOAT16_FLAGS.isdisjoint(CPUINFO.read_text("utf-8").split())


def _digest(arguments: Mapping[str, Any]) -> str | None:
    """Gives the digest of the file of weights that a model starts from, if there is one."""
    path = _file_of_weights(arguments)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path else None


def _resolved(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Gives the path of a file of weights in full, if there is one."""
    path = _file_of_weights(arguments)
    return {"weights": str(path.resolve())} if path else {}


def _file_of_weights(arguments: Mapping[str, Any]) -> Path | None:
    name = arguments.get("weights")
    return Path(name) if isinstance(name, str) and os.path.isfile(name) else None


def _refuse_options_of_others(dataset: DatasetSpec, overrides: Mapping[str, Any]) -> None:
    for kind, options in OPTIONS.items():
        names = {field.name for field in dataclasses.fields(options)} & overrides.keys()
        if names and kind != dataset.kind:
            raise ArgumentValueError(
                f"{', '.join(sorted(names))}: {dataset.name} is no data set of {kind}."
            )


def _arguments_of(spec: ModelSpec, dataset: DatasetSpec, recipe: Recipe) -> dict[str, Any]:
    if spec.task == "binary_classification" and len(dataset.class_names) != 2:
        kind = get_dataset(spec.dataset).kind
        fitting = [
            name
            for name, known in DATASETS.items()
            if len(known.class_names) == 2 and known.kind == kind
        ]
        raise DatasetError(
            f"{spec.name} tells two classes apart, and {dataset.name} has "
            f"{len(dataset.class_names)}; of the zoo's data sets these have two: "
            f"{', '.join(fitting)}."
        )
    taken, own = inspect.signature(spec.load_builder()).parameters, get_dataset(spec.dataset)
    needed = "vocab_size" if dataset.kind == "text" else "input_shape"
    gives_images = TASKS[spec.task].target != "label"
    if needed not in taken or (gives_images and dataset.kind != own.kind):
        raise DatasetError(
            f"{spec.name} takes data such as {own.name} ({own.kind}), and {dataset.name} is of "
            f"another kind ({dataset.kind})."
        )
    if recipe.text.encoding != spec.recipe.text.encoding:
        raise ArgumentValueError(
            f"encoding={recipe.text.encoding!r}: {spec.name} takes {spec.recipe.text.encoding}."
        )
    if recipe.text.encoding != "sequence" and recipe.text.word_vectors != "random":
        raise ArgumentValueError(
            f"word_vectors={recipe.text.word_vectors!r}: {spec.name} has no vectors of words."
        )
    arguments = dataset.model_arguments(recipe)
    return {key: value for key, value in arguments.items() if key in taken}


def initialise(settings: Mapping[str, Any]) -> keras.Model:
    """Seeds the process and builds a run's model.

    Args:
        settings: of the run, as `settle` gives them.

    Returns:
        The compiled model, in the recipe's precision.
    """
    keras.utils.set_random_seed(settings["seed"])
    recipe = Recipe.from_json(settings["recipe"])
    with _precision(recipe.precision):
        model = _build(settings["model"], settings["arguments"])
    model.jit_compile = recipe.jit_compile
    model.steps_per_execution = recipe.steps_per_execution
    return model


def load(
    settings: Mapping[str, Any],
    data_dir: str | Path | None,
    fold: tuple[int, int] | None = None,
) -> Data:
    """Reads a run's data.

    Args:
        settings: of the run, as `settle` gives them.
        data_dir: where TFDS keeps its data.
        fold: what `zoo.load_data` takes.

    Returns:
        The data, prepared as the recipe says.

    Raises:
        DatasetError: if they cannot be read.
    """
    recipe = Recipe.from_json(settings["recipe"])
    return load_data(
        DatasetSpec.from_json(settings["dataset"]),
        batch_size=recipe.batch_size,
        data_dir=data_dir,
        seed=settings["seed"],
        images=recipe.images,
        text=recipe.text,
        target=_target(settings["model"]),
        fold=fold,
    )


def _target(name: str) -> str:
    return TASKS[get_spec(name).task].target


@contextlib.contextmanager
def _precision(policy: str) -> Iterator[None]:
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(usual)


def _build(name: str, arguments: Mapping[str, Any]) -> keras.Model:
    arguments = {key: as_tuple(value) for key, value in arguments.items()}
    try:
        return build(name, **arguments)
    except (tf.errors.OpError, MemoryError, OverflowError) as error:
        raise ArgumentValueError(f"{name} does not fit into memory with {arguments}.") from error


def _require_same_data(run: Run, data: Data) -> None:
    if data.version != run.config["dataset_version"]:
        raise DatasetError(
            f"{run.directory} was trained on {run.config['dataset_version']} and this is "
            f"{data.version}: its splits may share rows with what the model has learnt."
        )


def facts(data: Data, model: keras.Model) -> dict[str, Any]:
    """Says what is known of a run once its data are read.

    Args:
        data: what it is trained on.
        model: what is trained.

    Returns:
        What ``config.json`` holds beside the settings.
    """
    return {
        "dataset_version": data.version,
        "rows": {split: len(rows) for split, rows in data.rows.items()},
        "class_counts": data.class_counts,
        "parameters": model.count_params(),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "environment": {
            "python": platform.python_version(),
            **{
                package: importlib.metadata.version(package)
                for package in ("keras", "numpy", "tensorflow-datasets")
            },
            "tensorflow": tf.__version__,
            "platform": platform.platform(),
            "cores": os.cpu_count(),
            "devices": [device.device_type for device in tf.config.list_physical_devices()],
        },
    }


def _new_directory(settings: Mapping[str, Any]) -> Path:
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    dataset = Path(settings["dataset"]["name"].replace(":", "-")).name
    return RUNS / f"{settings['model']}-{dataset}-{now}"


def _reopen(
    run_dir: str | Path | None,
    name: str,
    dataset: str | Path | None,
    seed: int | None,
    overrides: Mapping[str, Any],
) -> Run:
    if run_dir is None:
        raise RunError("--resume needs --run-dir: which run is to go on?")
    run = load_run(run_dir)
    asked = {"model": name, **overrides, **_resolved(overrides)}
    if dataset is not None:
        is_path = dataset not in DATASETS and Path(dataset).exists()
        asked["dataset"] = str(Path(dataset).resolve() if is_path else dataset)
    if seed is not None:
        asked["seed"] = seed
    held = {
        **run.config["arguments"],
        **Recipe.from_json(run.config["recipe"]).settings(),
        "model": run.config["model"],
        "dataset": run.config["dataset"]["name"],
        "seed": run.config["seed"],
    }
    differences = [
        f"{key}={value!r} (the run has {held.get(key)!r})"
        for key, value in asked.items()
        if value != held.get(key)
    ]
    if differences:
        raise RunError(f"{run.directory} is another run: {', '.join(differences)}.")
    if not run.is_finished and _digest(run.config["arguments"]) != run.config.get("weights_sha256"):
        raise RunError(
            f"{run.directory} started from weights={run.config['arguments']['weights']!r}, and "
            "that file is gone or another now."
        )
    return run


def require_settings(run: Run, settings: Mapping[str, Any]) -> None:
    """Refuses a run that was begun with other settings.

    Args:
        run: begun.
        settings: that it is to have, as `settle` gives them; the data may lie elsewhere.

    Raises:
        RunError: if it has others.
    """
    asked = json.loads(json.dumps({**settings, "data_dir": run.config["data_dir"]}))
    if not asked.items() <= run.config.items():
        raise RunError(f"{run.directory} has other settings: choose another directory.")


def fit(
    run: Run, model: keras.Model, data: Data, *, tensorboard: bool = False, progress: bool = False
) -> Checkpoint:
    """Trains a run's model up to its last epoch, from the last one finished on.

    The run is left unfinished: the test split is not read.

    Args:
        run: the run; its directory gets the history and the checkpoint.
        model: as `initialise` gives it.
        data: what it is trained on.
        tensorboard: also logs for TensorBoard.
        progress: shows epochs on standard error.

    Returns:
        The checkpoint: the rows of the history, and the best epoch.

    Raises:
        TrainingDivergedError: if the loss stops being finite.
        ArgumentValueError: if memory runs out.
        KeyboardInterrupt: if the user stops it; says how to go on.
    """
    recipe = Recipe.from_json(run.config["recipe"])
    task = TASKS[get_spec(run.config["model"]).task]
    rate = float(model.optimizer.learning_rate)
    checkpoint = Checkpoint(run, task.monitor, task.direction, recipe.patience, recipe.max_gap)
    with _said_how_to_go_on(run):
        if not model.trainable_variables:
            checkpoint.set_model(model)
            checkpoint.on_epoch_end(0, _adapted(model, data))
            return checkpoint
        if is_frozen_below_output(model):
            if not data.augmentation:
                model, data = head_on_features(model, data)
            elif progress:
                print(
                    "frozen layers work anew in each epoch, since augmentation="
                    f"{recipe.images.augmentation} makes other images; with none they work once",
                    file=sys.stderr,
                )
        checkpoint.restore(model)
        checkpoint.set_model(model)
        first = len(checkpoint.rows)
        if first == 0 and recipe.text.word_vectors == "cooccurrence":
            model.get_layer("embedding").adapt(data.stored("train"))
        if first >= recipe.epochs or checkpoint.is_over:
            return checkpoint
        epoch = EpochNumber()
        model.fit(
            data.train_in_epoch(epoch.number),
            initial_epoch=first,
            epochs=recipe.epochs,
            validation_data=data.validation,
            callbacks=[
                epoch,
                keras.callbacks.LearningRateScheduler(
                    lambda number: learning_rate_at(number, rate, recipe.schedule, recipe.epochs)
                ),
                *_watchers(run, data, tensorboard, progress),
                checkpoint,
            ],
            shuffle=False,
            verbose=0,
        )
    return checkpoint


def fit_in(
    directory: Path,
    settings: Mapping[str, Any],
    model: keras.Model,
    data: Data,
    fold: tuple[int, int] | None,
) -> dict[str, float]:
    """Trains in a run directory, new or begun, up to the test split, which is left alone.

    Args:
        directory: of the run.
        settings: of the run, as `settle` gives them.
        model: as `initialise` gives it.
        data: what it is trained on.
        fold: of the data.

    Returns:
        The row of the history of the epoch whose weights are kept; its ``epochs`` and ``seconds``
        are those of the whole training.

    Raises:
        RunError: if the directory holds a run of other settings.
        TrainingDivergedError: if the loss stops being finite.
    """
    if (directory / "config.json").exists():
        run = load_run(directory)
        require_settings(run, settings)
        remove_partial_files(directory)
    else:
        run = create_run(directory, {**settings, **facts(data, model), "fold": fold})
    checkpoint = fit(run, model, data)
    kept, last = (checkpoint.rows[i - 1] for i in (checkpoint.kept_epoch, len(checkpoint.rows)))
    return {**kept, "epochs": len(checkpoint.rows), "seconds": last["seconds"]}


def _adapted(model: keras.Model, data: Data) -> dict[str, float]:
    """Gives the training images to the layers that learn from them at once; says how it went."""
    _, rows = training_images(data)
    for part in ("encoder", "decoder"):
        for layer in model.get_layer(part).layers:
            if hasattr(layer, "adapt"):
                layer.adapt(rows)
    validation = _measured(model, data, "validation")
    return {
        **_measured(model, data, "train"),
        **{f"val_{key}": value for key, value in validation.items()},
    }


def is_frozen_below_output(model: keras.Model) -> bool:
    """Tells whether a model's last layer is all that training can change.

    Args:
        model: any.
    """
    below = model.layers[:-1]
    return any(layer.weights for layer in below) and not any(
        layer.trainable_variables for layer in below
    )


def head_on_features(model: keras.Model, data: Data) -> tuple[keras.Model, Data]:
    """Computes once what the frozen layers make of the rows, and leaves the last layer to train.

    Args:
        model: compiled, and frozen below its last layer.
        data: what it is to be trained on, with no augmentation.

    Returns:
        The last layer as a compiled model of its own, whose variables are those of `model`, and
        the data whose rows are the features, of training and validation.
    """
    output = model.layers[-1]
    below = keras.Model(model.input, output.input, name="below_output")
    rows = {
        split: Rows(below.predict(data.in_order(split), verbose=0), data.rows[split].labels)
        for split in ("train", "validation")
    }
    features = keras.Input(output.input.shape[1:], name="features")
    head = keras.Model(features, output(features), name=f"{model.name}_head")
    head.compile(
        optimizer=model.optimizer,
        loss=model.loss,
        metrics=model.get_compile_config()["metrics"],
        jit_compile=model.jit_compile,
        steps_per_execution=model.steps_per_execution,
    )
    return head, dataclasses.replace(data, rows=rows, preprocessor=keras.layers.Identity())


def _watchers(
    run: Run, data: Data, tensorboard: bool, progress: bool
) -> list[keras.callbacks.Callback]:
    watchers: list[keras.callbacks.Callback] = []
    if progress and sys.stderr.isatty():
        from tqdm.keras import TqdmCallback

        watchers.append(TqdmCallback(desc=run.config["model"], verbose=0))
    elif progress:
        watchers.append(EpochLines())
    if data.spec.kind == "truth_tables":
        watchers.append(RowOutputs(data))
    if tensorboard:
        watchers.append(keras.callbacks.TensorBoard(run.directory / "tensorboard"))
    return watchers


def learning_rate_at(epoch: int, rate: float, schedule: str, epochs: int) -> float:
    """Gives the learning rate of an epoch.

    Args:
        epoch: its number, from 0.
        rate: the rate that training begins with.
        schedule: ``"constant"``, ``"cosine"`` or ``"one_cycle"``.
        epochs: how many there are.

    Returns:
        The rate; with ``"cosine"`` it would be zero at ``epoch == epochs``, and with
        ``"one_cycle"`` it is that in the middle of the epoch.

    Example:
        >>> from zoo.training import learning_rate_at
        >>> learning_rate_at(10, 0.1, "cosine", 20)
        0.05
    """
    if schedule == "constant":
        return rate
    if schedule == "cosine":
        return rate * (1 + math.cos(math.pi * epoch / epochs)) / 2
    done = (epoch + 0.5) / epochs
    return rate * min(done / WARM_UP, (1 - done) / (1 - WARM_UP))


@contextlib.contextmanager
def _said_how_to_go_on(run: Run) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"go on with --run-dir {run.directory} --resume") from None
    except tf.errors.ResourceExhaustedError as error:
        raise ArgumentValueError("out of memory: try a smaller batch_size or model.") from error
    except TrainingDivergedError:
        if not (run.directory / "checkpoint.npz").exists():
            _discard(run)
        raise


def _discard(run: Run) -> None:
    shutil.rmtree(run.directory)
    if run.directory.parent == RUNS:
        with contextlib.suppress(OSError):  # it holds other runs
            RUNS.rmdir()


def _finish(run: Run, model: keras.Model, data: Data, checkpoint: Checkpoint) -> None:
    checkpoint.restore_best()
    model = _in_float32(run, model)
    validation, test = (_measured(model, data, split) for split in ("validation", "test"))
    answers, figures = _answers(model, data) if data.target == "label" else judge(model, data)
    with whole(run.directory / "predictions.npz") as partial:
        np.savez_compressed(partial, **answers)
    for name, layer in (("model.keras", model), ("preprocessor.keras", data.preprocessor)):
        with whole(run.directory / name) as partial:
            layer.save(partial)
    write_csv(run.directory / "history.csv", checkpoint.rows)
    metrics = {
        **{f"val_{key}": value for key, value in validation.items()},
        **{f"test_{key}": value for key, value in test.items()},
        **figures,
        "epochs": len(checkpoint.rows),
        "best_epoch": checkpoint.best_epoch,
        "seconds": checkpoint.rows[-1]["seconds"],
        "read_test_split_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    write_card(run, metrics)
    write_json(run.directory / "metrics.json", metrics)
    checkpoint.path.unlink(missing_ok=True)


def _measured(model: keras.Model, data: Data, split: str) -> dict[str, float]:
    """Evaluates a model; one that draws at random draws the same each time."""
    batches = data.in_order("train") if split == "train" else getattr(data, split)
    for layer in model.layers:
        if isinstance(layer, Sampling):
            layer.restart()
    return model.evaluate(batches, verbose=0, return_dict=True)


def _in_float32(run: Run, model: keras.Model) -> keras.Model:
    """Gives the same model, with the same weights, computing in float32."""
    if run.config["recipe"]["precision"] == "float32":
        return model
    arguments = {k: v for k, v in run.config["arguments"].items() if k not in FROM_FILES}
    same = _build(run.config["model"], arguments)
    same.jit_compile, same.steps_per_execution = model.jit_compile, model.steps_per_execution
    same.optimizer.build(same.trainable_variables)
    for variable, value in zip(_state(same), _state(model), strict=True):
        variable.assign(value)
    return same


def _state(model: keras.Model) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _without_objects(rows: np.ndarray) -> np.ndarray:
    """Gives texts as bytes of fixed width, so that reading them back unpickles nothing."""
    return rows.astype(np.bytes_) if rows.dtype == object else rows


def _answers(model: keras.Model, data: Data) -> tuple[dict[str, Any], dict[str, float]]:
    rows = data.rows["test"]
    probabilities = np.asarray(probabilities_of(model.predict(data.test, verbose=0)))
    worst = worst_mistakes(rows.labels, probabilities)
    index = np.unique(np.concatenate([np.arange(min(ROWS_SHOWN, len(rows))), worst]))
    answers = {
        "labels": rows.labels,
        "probabilities": probabilities,
        "index": index,
        "raw": _without_objects(rows.inputs[index]),
    }
    return answers, {}
