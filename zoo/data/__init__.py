"""Datasets: `load_data` reads a dataset and builds its input pipelines.

The module named by a spec's `kind` reads the rows. Those modules import TensorFlow and are loaded
on first use; this package and its catalog import only the standard library.
"""

import dataclasses
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.checks import require_choice, require_integer
from zoo.data.catalog import DATASETS
from zoo.errors import ArgumentValueError, DatasetError
from zoo.specs import (
    MAX_INT,
    MAX_SEED,
    TARGETS,
    DatasetSpec,
    FileOptions,
    ImageOptions,
    TextOptions,
)

if TYPE_CHECKING:
    from zoo.data.memory import GivenData
    from zoo.data.pipeline import Data, Rows

__all__ = ["DATASETS", "get_dataset", "load_data", "reader_of", "take_given"]


def get_dataset(
    name: str | Path | DatasetSpec,
    data_dir: str | Path | None = None,
    files: FileOptions = FileOptions(),
) -> DatasetSpec:
    """Return the spec of a dataset without reading its rows.

    Args:
        name: a dataset of the zoo; a folder with one subfolder of images per class, or with one
            such folder per split; a table of texts and labels (CSV, TSV, JSON or Parquet, which may
            be compressed), or a folder with one table per split; any TFDS dataset of labeled images
            or texts; or a spec, which is returned as it is.
        data_dir: TFDS data directory; ``$TFDS_DATA_DIR`` or ``~/tensorflow_datasets`` if None.
        files: how a user's files are read, where it is not to be detected.

    Returns:
        The spec from the catalog, or one derived from the folder, table or TFDS builder.

    Raises:
        UnknownDatasetError: if there is no such dataset; the message suggests the closest name.
        DatasetError: if a folder, table or TFDS dataset is not an image or text classification
            dataset.

    Example:
        >>> from zoo.data import get_dataset
        >>> get_dataset("mnist").input_shape
        (28, 28, 1)
    """
    if isinstance(name, DatasetSpec):
        return name
    if name in DATASETS:
        _refuse_file_options(str(name), files)
        return DATASETS[str(name)]
    from zoo.data.folders import describe_folder
    from zoo.data.images import describe_image_builder
    from zoo.data.text import describe_table, describe_text_builder, is_table
    from zoo.data.tfds_store import open_builder

    path = Path(name)
    if is_table(path):
        return describe_table(path, files)
    if str(name) and path.is_dir():
        return describe_folder(path, files)
    _refuse_other_files(path)
    _refuse_file_options(str(name), files)
    builder = open_builder(str(name), data_dir)
    spec = describe_image_builder(builder) or describe_text_builder(builder)
    if spec is None:
        raise DatasetError(
            f"{name} is not a classification dataset of 8-bit images or of texts: it has the TFDS "
            f"features {', '.join(builder.info.features)} and the supervised keys "
            f"{builder.info.supervised_keys}."
        )
    return dataclasses.replace(spec, name=str(name), source=str(name))


def load_data(
    dataset: Any,
    *,
    batch_size: int = 64,
    data_dir: str | Path | None = None,
    seed: int = 0,
    images: ImageOptions = ImageOptions(),
    text: TextOptions = TextOptions(),
    files: FileOptions = FileOptions(),
    target: str = "label",
    fold: tuple[int, int] | None = None,
    preprocessor: Any = None,
) -> "Data":
    """Load a dataset and build the input pipelines of its splits.

    Splits that the dataset lacks are held out from its training split, stratified by class: a
    tenth of the rows for test, then a tenth of the remaining rows for validation. Which rows are
    held out is fixed and does not depend on `seed`. A dataset with its own validation split keeps
    it (that of ``ag_news_course`` is taken from the test split of AG News). Truth tables have the
    same rows in every split.

    Args:
        dataset: a dataset of the zoo, a folder of images, a table of texts, a TFDS name, or a
            spec; or rows in memory, as `zoo.data.memory.as_given` takes them.
        batch_size: number of rows per batch.
        data_dir: TFDS data directory; ``$TFDS_DATA_DIR`` or ``~/tensorflow_datasets`` if None.
        seed: seed of the order and the augmentation of the training rows.
        images: preprocessing of image datasets.
        text: preprocessing of text datasets.
        files: how a user's files are read, where it is not to be detected.
        target: the target of the model: the ``"label"`` of a row; the ``"image"`` itself, without
            the noise that ``noise_stddev`` may add to the input; or ``"class-conditional image"``,
            the image again, with the label as a second input.
        fold: ``(number, folds)``, such as ``(2, 5)``: validate on the second of five stratified
            folds of the rows outside the test split, and train on the other four; the default
            validation split if None.
        preprocessor: the layer that maps raw rows to model inputs, such as that of another run;
            built as `images` or `text` say, from the training rows, if None.

    Returns:
        The batched splits ``train``, ``validation`` and ``test`` of ``(inputs, target)``, and the
        ``preprocessor`` that maps raw rows to model inputs.

    Raises:
        UnknownDatasetError: if there is no such dataset; the message suggests the closest name.
        DatasetError: if the dataset is not prepared and cannot be downloaded, or is damaged, empty
            or has fewer than two classes.
        ArgumentValueError: if `batch_size` or `seed` is not an integer in its range, `target` does
            not fit the dataset, or there are more folds than rows.

    Example:
        >>> import zoo
        >>> data = zoo.load_data("xor", batch_size=4)
        >>> inputs, labels = next(iter(data.test))
        >>> inputs.shape, labels.numpy().tolist()
        (TensorShape([4, 2]), [0, 1, 1, 0])
    """
    require_integer("batch_size", batch_size, 1, MAX_INT)
    require_integer("seed", seed, 0, MAX_SEED)
    require_choice("target", target, TARGETS)
    given = take_given(dataset, files)
    spec = given.spec if given else get_dataset(dataset, data_dir, files)
    _validate_target(spec, images, target)
    reader = reader_of(spec)
    rows, version = given.read() if given else reader.read(spec, data_dir)
    if fold:
        rows |= _split_by_fold(spec, rows, *fold)
    _require_all_classes(spec, rows["train"])
    options = {"images": images, "text": text}.get(spec.kind)
    return reader.DATA(
        spec=spec,
        version=version,
        rows=rows,
        preprocessor=preprocessor or reader.preprocessor(spec, options, rows["train"].inputs),
        augmentation=reader.augmentation(spec, options, rows["train"].inputs),
        batch_size=batch_size,
        seed=seed,
        target=target,
        corruption=_build_corruption(images),
        options=options,
    )


def take_given(dataset: Any, files: FileOptions = FileOptions()) -> "GivenData | None":
    """Take a dataset from memory.

    Args:
        dataset: any argument of `load_data`.
        files: columns of a data frame, where they are not to be detected.

    Returns:
        The rows; None if `dataset` is a name, a path or a spec, whose rows are read later.
    """
    if dataset is None or isinstance(dataset, str | Path | DatasetSpec):
        return None
    from zoo.data.memory import GivenData, as_given

    return dataset if isinstance(dataset, GivenData) else as_given(dataset, files)


def require_readable_by_workers(dataset: Any) -> None:
    """Refuse rows in memory where several processes read the dataset.

    Args:
        dataset: any argument of `load_data`.

    Raises:
        ArgumentValueError: if it is not a name, a path, a spec or None.
    """
    if not isinstance(dataset, str | Path | DatasetSpec | None):
        raise ArgumentValueError(
            f"several workers cannot take a {type(dataset).__name__}, since they read the dataset "
            "themselves: write the rows to a table or a folder of images, and pass its path."
        )


def _refuse_file_options(name: str, files: FileOptions) -> None:
    given = [key for key, value in dataclasses.asdict(files).items() if value]
    if given:
        raise ArgumentValueError(f"{', '.join(given)}: {name} is not a file or folder of yours.")


def _refuse_other_files(path: Path) -> None:
    if not path.exists() or path.is_dir():
        return
    from zoo.data.table_files import ARCHIVES, COMPRESSIONS, FORMATS

    if path.suffix.lower() in (*ARCHIVES, *COMPRESSIONS):
        raise DatasetError(f"{path} is an archive: unpack it, and pass the file or folder in it.")
    raise DatasetError(
        f"{path} is not a table: its name must end in {', '.join(FORMATS)}, and may then end in "
        f"{', '.join(COMPRESSIONS)}."
    )


def _split_by_fold(
    spec: DatasetSpec, rows: dict[str, "Rows"], number: int, folds: int
) -> dict[str, "Rows"]:
    from zoo.data.pipeline import concatenate_rows, split_fold

    if spec.kind == "truth_tables":
        raise ArgumentValueError(f"folds={folds}: the truth table {spec.name} cannot be split.")
    train_and_validation = concatenate_rows(rows["train"], rows["validation"])
    require_integer("folds", folds, 2, len(train_and_validation))
    require_integer("fold", number, 1, folds)
    train, validation = split_fold(train_and_validation, number, folds)
    return {"train": train, "validation": validation}


def _validate_target(spec: DatasetSpec, images: ImageOptions, target: str) -> None:
    if target == "label":
        if images.noise_stddev:
            raise ArgumentValueError(
                f"noise_stddev={images.noise_stddev}: only models that output images are trained "
                "to denoise; must be 0 for a classifier."
            )
        return
    if spec.kind != "images":
        raise DatasetError(f"{spec.name} is not an image dataset, as target={target!r} requires.")
    if images.scaling != "fraction":
        raise ArgumentValueError(
            f"scaling={images.scaling!r}: must be 'fraction' for models that output images, whose "
            "intensities are in [0, 1]."
        )


def _build_corruption(images: ImageOptions) -> Any:
    if not images.noise_stddev:
        return None
    from zoo.data.corruption import GaussianCorruption

    return GaussianCorruption(images.noise_stddev)


def _require_all_classes(spec: DatasetSpec, train: "Rows") -> None:
    present = set(train.labels.tolist())
    missing = [name for label, name in enumerate(spec.class_names) if label not in present]
    if missing:
        raise DatasetError(f"{spec.name} has no training row of class {missing[0]!r}.")


def reader_of(spec: DatasetSpec) -> Any:
    """Import the module that reads datasets of a spec's kind.

    The module defines ``read(spec, data_dir)``, which returns the raw rows of each split and the
    dataset version; ``preprocessor(spec, options, train)``, the layer that maps raw rows to model
    inputs; ``augmentation(spec, options, train)``, the layers that augment raw training rows; and
    ``parse(spec, inputs)``, which converts user inputs to raw rows. ``INPUT_NAME``,
    ``INPUT_DTYPE`` and ``raw_shape(spec)`` describe the input of a served model, and ``DATA`` is
    the class that batches the rows.

    Args:
        spec: spec of the dataset.

    Returns:
        The module.
    """
    return importlib.import_module(f"zoo.data.{spec.kind}")
