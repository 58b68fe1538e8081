"""Configuration of a run: everything about it that is decided before training."""

import dataclasses
import datetime
import importlib.metadata
import inspect
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf

from zoo.checks import require_integer
from zoo.data import DATASETS, get_dataset, load_data
from zoo.data.memory import GivenData
from zoo.data.pipeline import Data
from zoo.errors import ArgumentValueError, DatasetError, UnknownArgumentError, unknown_name_message
from zoo.registry import get_spec
from zoo.runs import FORMAT, RUNS, Run
from zoo.specs import COLUMN_JOINER, MAX_SEED, OPTIONS, DatasetSpec, FileOptions, ModelSpec, Recipe
from zoo.tasks import TASKS
from zoo.training.distillation import checked_teacher
from zoo.training.processor import (
    device_types,
    multiplies_bfloat16,
    thread_count,
)
from zoo.training.starting import (
    SETTINGS,
    Start,
    absolute_weights,
    architecture_of,
    recipe_like,
    require_vocabulary,
    weights_digest,
    with_vocabulary,
)

BACKENDS = ("tensorflow", "jax")
FILE_OPTIONS = frozenset(field.name for field in dataclasses.fields(FileOptions))


def split_overrides(spec: ModelSpec, overrides: Mapping[str, Any]) -> tuple[Recipe, dict[str, Any]]:
    """Split overrides into fields of the recipe and arguments of the builder.

    Args:
        spec: spec of the model.
        overrides: both, mixed. A name that both have, such as ``vocab_size``, is the recipe's; the
            builder gets its value from the data.

    Returns:
        The model's recipe with its overrides, and the builder's overrides. Where the latter name
        pretrained weights, images are prepared as those weights require.

    Raises:
        UnknownArgumentError: if a name is in neither.
        ArgumentValueError: if a recipe's value is of the wrong type or out of range.
    """
    of_recipe = spec.recipe.settings()
    of_builder = inspect.signature(spec.load_builder()).parameters
    for name in overrides:
        if name not in of_recipe and name not in of_builder:
            known = [*of_recipe, *of_builder]
            raise UnknownArgumentError(
                unknown_name_message(f"argument of {spec.name}", name, known)
            )
    recipe = {key: value for key, value in overrides.items() if key in of_recipe}
    arguments = {key: value for key, value in overrides.items() if key not in of_recipe}
    images = spec.recipe.images
    if arguments.get("weights") in list(spec.pretrained):
        images = spec.pretrained[arguments["weights"]]
    return dataclasses.replace(spec.recipe, images=images).replace(**recipe), arguments


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Everything about a run that is decided before its data are read.

    Attributes:
        model: name of the model.
        arguments: every argument of its builder, by name.
        recipe: how it is trained.
        dataset: what it is trained on.
        data_dir: TFDS data directory; its default if None.
        seed: seed of the weights, of dropout and of the order of the rows.
        start: the trained weights that training starts from, if any.
        weights_sha256: digest of the file with the weights that training starts from, if any.
    """

    model: str
    arguments: Mapping[str, Any]
    recipe: Recipe
    dataset: DatasetSpec
    data_dir: str | None
    seed: int
    start: Start = Start()
    weights_sha256: str | None = None

    @classmethod
    def of(cls, run: Run) -> "RunConfig":
        """Return the configuration that a run was started with."""
        stored = run.config
        return cls(
            model=stored["model"],
            arguments=stored["arguments"],
            recipe=run.recipe,
            dataset=run.dataset,
            data_dir=stored["data_dir"],
            seed=stored["seed"],
            start=Start(**stored["start"]),
            weights_sha256=stored.get("weights_sha256"),
        )

    def to_json(self) -> dict[str, Any]:
        """Return what ``config.json`` of the run begins with."""
        return {
            "format": FORMAT,
            "zoo": importlib.metadata.version("keras-model-zoo"),
            **dataclasses.asdict(self),
        }

    @property
    def target(self) -> str:
        """What the model is to output for a row: see `zoo.specs.Task`."""
        return TASKS[get_spec(self.model).task].target


def file_options(overrides: Mapping[str, Any]) -> FileOptions:
    """Return the fields of `FileOptions` among the overrides of a run.

    Args:
        overrides: as `zoo.train` takes them.
    """
    return FileOptions(**{key: overrides[key] for key in FILE_OPTIONS & overrides.keys()})


def files_of(dataset: DatasetSpec) -> FileOptions:
    """Return the options with which a dataset is read again as it was.

    Args:
        dataset: spec of the dataset.
    """
    return FileOptions(
        text_column=COLUMN_JOINER.join(dataset.columns),
        label_column=dataset.label_column,
        file_encoding=dataset.encoding,
        skip_unreadable=dataset.skip_unreadable,
    )


def resolve_config(
    name: str,
    dataset: str | Path | DatasetSpec | None = None,
    data_dir: str | Path | None = None,
    seed: int = 0,
    overrides: Mapping[str, Any] = MappingProxyType({}),
) -> RunConfig:
    """Decide everything about a run before its data are read.

    Values of the builder's arguments are checked when the model is built: see `seed_and_build`.

    Args:
        name: name of the model.
        dataset: name or spec of the dataset; the model's own if None.
        data_dir: TFDS data directory.
        seed: seed of the weights, of dropout and of the order of the rows.
        overrides: arguments of the model's builder, and fields of `Recipe` and `FileOptions`.

    Returns:
        The configuration.

    Raises:
        ZooError: as `zoo.train` does.
    """
    require_backend()
    spec = get_spec(name)
    files = file_options(overrides)
    overrides = {key: value for key, value in overrides.items() if key not in FILE_OPTIONS}
    require_integer("seed", seed, 0, MAX_SEED)
    chosen = get_dataset(spec.dataset if dataset is None else dataset, data_dir, files)
    start = Start.of(spec, overrides)
    if source := start.source(name):
        own = {key: value for key, value in overrides.items() if key not in SETTINGS}
        spec = dataclasses.replace(spec, recipe=recipe_like(source, spec.recipe, chosen))
        overrides = architecture_of(source) | own
    recipe, arguments = split_overrides(spec, overrides)
    if source:
        require_vocabulary(source, recipe)
    for key in arguments.keys() & chosen.model_arguments(recipe).keys():
        raise ArgumentValueError(f"{key} follows from the dataset {chosen.name}: do not set it.")
    _refuse_options_of_other_kinds(chosen, overrides)
    if recipe.class_weight != "none" and TASKS[spec.task].target != "label":
        raise ArgumentValueError(
            f"class_weight={recipe.class_weight!r}: {spec.name} is not a classifier."
        )
    recipe = _adapt_defaults(recipe, chosen, overrides)
    recipe = dataclasses.replace(recipe, teacher=checked_teacher(recipe, spec.task, chosen))
    arguments |= absolute_weights(arguments) | _arguments_from_data(spec, chosen, recipe)
    bound = inspect.signature(spec.load_builder()).bind(**arguments)
    bound.apply_defaults()
    return RunConfig(
        model=name,
        arguments=dict(bound.arguments),
        recipe=recipe,
        dataset=chosen,
        data_dir=None if data_dir is None else str(Path(data_dir).resolve()),
        seed=seed,
        start=start,
        weights_sha256=weights_digest(name, start, bound.arguments),
    )


def _adapt_defaults(recipe: Recipe, dataset: DatasetSpec, overrides: Mapping[str, Any]) -> Recipe:
    """Leave out flips of images that they change, and bfloat16 on processors without it."""
    if not dataset.mirrors and "augmentation" not in overrides:
        recipe = recipe.replace(augmentation=recipe.images.without("flip"))
    if "precision" not in overrides and not multiplies_bfloat16():
        recipe = recipe.replace(precision="float32")
    return recipe


def _refuse_options_of_other_kinds(dataset: DatasetSpec, overrides: Mapping[str, Any]) -> None:
    for kind, options in OPTIONS.items():
        names = {field.name for field in dataclasses.fields(options)} & overrides.keys()
        if names and kind != dataset.kind:
            raise ArgumentValueError(
                f"{', '.join(sorted(names))}: {dataset.name} is not a dataset of {kind}."
            )


def _arguments_from_data(spec: ModelSpec, dataset: DatasetSpec, recipe: Recipe) -> dict[str, Any]:
    if spec.task == "binary_classification" and len(dataset.class_names) != 2:
        kind = get_dataset(spec.dataset).kind
        suitable = [
            name
            for name, known in DATASETS.items()
            if len(known.class_names) == 2 and known.kind == kind
        ]
        raise DatasetError(
            f"{spec.name} is a binary classifier, and {dataset.name} has "
            f"{len(dataset.class_names)} classes; datasets of the zoo with two: "
            f"{', '.join(suitable)}."
        )
    accepted, own = inspect.signature(spec.load_builder()).parameters, get_dataset(spec.dataset)
    needed = "vocab_size" if dataset.kind == "text" else "input_shape"
    outputs_images = TASKS[spec.task].target != "label"
    if needed not in accepted or (outputs_images and dataset.kind != own.kind):
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
            f"word_vectors={recipe.text.word_vectors!r}: {spec.name} has no word embeddings."
        )
    arguments = dataset.model_arguments(recipe)
    return {key: value for key, value in arguments.items() if key in accepted}


def require_backend() -> None:
    """Refuse to train on a backend other than TensorFlow and JAX.

    Raises:
        ArgumentValueError: if Keras runs on another.
    """
    backend = keras.config.backend()
    if backend not in BACKENDS:
        raise ArgumentValueError(
            f"KERAS_BACKEND={backend}: models are trained on {' or '.join(BACKENDS)}; on {backend} "
            "they can be built and predict."
        )


def load_run_data(
    config: RunConfig,
    data_dir: str | Path | None,
    fold: tuple[int, int] | None = None,
    given: GivenData | None = None,
) -> Data:
    """Read the data that a run is trained on.

    Args:
        config: configuration of the run.
        data_dir: TFDS data directory.
        fold: the fold to validate on, as `zoo.load_data` takes it.
        given: the rows, if they are in memory.

    Returns:
        The data, prepared as the recipe says.

    Raises:
        DatasetError: if they cannot be read, or are in memory and not given.
    """
    if config.dataset.source == "given" and given is None:
        raise DatasetError(
            f"{config.model} was trained on rows in memory ({config.dataset.name}): pass them "
            "again, as dataset=, from Python."
        )
    source = config.start.source(config.model)
    data = load_data(
        given or config.dataset,
        batch_size=config.recipe.batch_size,
        data_dir=data_dir,
        seed=config.seed,
        images=config.recipe.images,
        text=config.recipe.text,
        target=config.target,
        fold=fold,
        preprocessor=source.preprocessor if source else None,
    )
    return with_vocabulary(data, source, config.recipe.text) if source else data


def run_metadata(data: Data, model: keras.Model) -> dict[str, Any]:
    """Return what is known of a run once its data are read.

    Args:
        data: what it is trained on.
        model: what is trained.

    Returns:
        What ``config.json`` holds beside the configuration.
    """
    return {
        "dataset_version": data.version,
        "rows": {split: len(rows) for split, rows in data.rows.items()},
        "class_counts": data.class_counts,
        "parameters": model.count_params(),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "environment": environment(),
    }


def environment() -> dict[str, Any]:
    """Return the versions of the software and what the machine has."""
    packages = ("keras", "numpy", "tensorflow-datasets")
    return {
        "python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in packages},
        "backend": keras.config.backend(),
        "tensorflow": tf.__version__,
        **({"jax": importlib.metadata.version("jax")} if keras.config.backend() == "jax" else {}),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "1",
        "threads": thread_count(),
        "devices": device_types(),
    }


def default_run_directory(config: RunConfig) -> Path:
    """Return a new directory, named after model, dataset and time, for a run.

    Args:
        config: configuration of the run.
    """
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    dataset = Path(config.dataset.name.replace(":", "-")).name
    return RUNS / f"{config.model}-{dataset}-{now}"
