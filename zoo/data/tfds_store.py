"""TFDS datasets on disk: open, prepare, verify and read them into memory."""

import contextlib
import difflib
import importlib
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import requests
import tensorflow as tf

from zoo.data.catalog import DATASETS
from zoo.data.pipeline import Rows
from zoo.errors import DatasetError, UnknownDatasetError
from zoo.runs.files import shared_lock

# TFDS builders of the zoo, registered with TFDS by importing the module that defines them.
BUILDER_MODULES = {
    "digits": "zoo.data.digits",
    "ag_news_course": "zoo.course.datasets",
    "cifar10_course": "zoo.course.datasets",
}
CONNECT_TIMEOUT = 5
READ_BATCH_SIZE = 1024


def open_builder(name: str, data_dir: str | Path | None) -> Any:
    """Open a TFDS builder, without network access.

    Args:
        name: TFDS name, optionally with configuration and version: ``"mnist:3.*.*"``.
        data_dir: TFDS data directory; the TFDS default if None.

    Returns:
        The builder.

    Raises:
        UnknownDatasetError: if TFDS has no such dataset or version.
        DatasetError: if the prepared data is damaged.
    """
    import tensorflow_datasets as tfds

    base_name = name.partition(":")[0].partition("/")[0]
    if base_name in BUILDER_MODULES:
        importlib.import_module(BUILDER_MODULES[base_name])
    names = {*BUILDER_MODULES, *tfds.list_builders(with_community_datasets=False)}
    if base_name not in names:
        raise UnknownDatasetError(_unknown_dataset_message(name, names))
    try:
        return tfds.builder(name, data_dir=data_dir)
    except (AssertionError, ValueError) as error:
        raise UnknownDatasetError(f"TFDS cannot open {name!r}: {_first_line(error)}") from error
    except Exception as error:
        directory = data_dir or default_data_dir()
        raise DatasetError(
            f"{name} is damaged or only partly prepared in {directory}: {_first_line(error)}; "
            "delete its folder there and prepare it again."
        ) from error


def default_data_dir() -> Path:
    """Return the default data directory of TFDS."""
    import tensorflow_datasets as tfds

    return Path(tfds.core.constants.DATA_DIR).expanduser()


def summarize(builder: Any) -> str:
    """Return a one-line summary of a dataset.

    Args:
        builder: TFDS builder.

    Returns:
        The description of a builder of the zoo; the full name of any other.
    """
    if builder.name in BUILDER_MODULES:
        return builder.info.description.removesuffix(".")
    return f"TFDS dataset {builder.info.full_name}"


def classification_keys(builder: Any, feature: type) -> tuple[str, str] | None:
    """Return the feature names of inputs and labels in a classification dataset.

    Args:
        builder: TFDS builder.
        feature: TFDS feature class required of the inputs.

    Returns:
        The input key and the label key; None if the inputs are not of that class or there is no
        class label.
    """
    import tensorflow_datasets as tfds

    keys, features = builder.info.supervised_keys, builder.info.features
    if not keys or len(keys) != 2:
        return None
    fits = isinstance(features[keys[0]], feature)
    return keys if fits and isinstance(features[keys[1]], tfds.features.ClassLabel) else None


def read_splits(
    builder: Any, prepare_row: Callable[[dict[str, Any]], tuple[Any, Any]]
) -> dict[str, Rows]:
    """Read all splits into memory.

    Args:
        builder: TFDS builder of a prepared dataset.
        prepare_row: `tf.data` map function from a row's features to its input and label.

    Returns:
        The rows of ``train``, ``validation`` and ``test``, as far as they exist and have labels.

    Raises:
        DatasetError: if the dataset is damaged or has no training split.
    """
    read = {}
    for split in splits_of(builder):
        inputs, labels = zip(*read_batches(builder, split, prepare_row), strict=True)
        read[split] = Rows(np.concatenate(inputs), np.concatenate(labels))
    return with_labels(read)


def with_labels(splits: Mapping[str, Rows]) -> dict[str, Rows]:
    """Return the splits whose rows all have labels; TFDS stores -1 for none.

    Args:
        splits: rows of each split.
    """
    return {split: rows for split, rows in splits.items() if (rows.labels >= 0).all()}


def splits_of(builder: Any) -> list[str]:
    """Return the splits of a dataset that are used, as far as they exist.

    Args:
        builder: TFDS builder of a prepared dataset.

    Raises:
        DatasetError: if the dataset has no training split.
    """
    splits = [name for name in ("train", "validation", "test") if name in builder.info.splits]
    if "train" not in splits:
        raise DatasetError(
            f"{builder.name} has no train split, only {', '.join(builder.info.splits) or 'none'}."
        )
    return splits


def read_batches(
    builder: Any, split: str, prepare_row: Callable[[dict[str, Any]], tuple[Any, Any]]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Read a split in batches.

    Args:
        builder: TFDS builder of a prepared dataset.
        split: name of the split.
        prepare_row: `tf.data` map function from a row's features to its input and label.

    Yields:
        Inputs and labels of a batch of rows.

    Raises:
        DatasetError: if the dataset is damaged.
    """
    rows = builder.as_dataset(split=split, shuffle_files=False)
    batches = rows.map(prepare_row, num_parallel_calls=tf.data.AUTOTUNE).batch(READ_BATCH_SIZE)
    damage = f"{builder.name} in {builder.data_dir} is damaged ({split} split)"
    count = 0
    try:
        for inputs, labels in batches.as_numpy_iterator():
            count += len(labels)
            yield inputs, labels
    except (tf.errors.OpError, ValueError) as error:
        raise DatasetError(
            f"{damage}: {_first_line(error)}; delete that folder and prepare it again."
        ) from None
    expected = builder.info.splits[split].num_examples
    if not count or count != expected:
        raise DatasetError(
            f"{damage}: read {count} of {expected} rows; delete that folder and prepare it again."
        )


def ensure_prepared(builder: Any) -> None:
    """Prepare a dataset if necessary, from local archives or else by download.

    Several processes may do so at once: one prepares it, and the others wait.

    Args:
        builder: TFDS builder.

    Raises:
        DatasetError: if the dataset cannot be downloaded (noticed within seconds) or its folder is
            only partly prepared.
    """
    if builder.is_prepared():
        return
    folder = Path(builder.data_dir)
    if folder.exists() and not builder.is_prepared():  # it appears when it is prepared
        raise DatasetError(
            f"{folder} is only partly prepared: it has no dataset_info.json; delete it and try "
            "again."
        )
    archives = Path(builder.data_dir_root) / "downloads" / "manual" / builder.name
    has_archives = archives.is_dir() and any(archives.iterdir())
    if not has_archives:
        _require_download_host(builder, archives)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with shared_lock(folder.parent):
            if builder.is_prepared():
                builder.info.read_from_directory(builder.data_dir)
            else:
                _prepare(builder, archives if has_archives else None)
    except Exception as error:
        with contextlib.suppress(OSError):
            (folder.parent / "lock").unlink()  # a failed preparation leaves nothing
        raise DatasetError(
            f"{builder.name} could not be prepared in {folder}: {_first_line(error)}"
        ) from error


def _prepare(builder: Any, archives: Path | None) -> None:
    import tensorflow_datasets as tfds

    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    before = _partial_downloads(builder)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # TFDS prints to standard output
            builder.download_and_prepare(
                download_config=tfds.download.DownloadConfig(manual_dir=archives)
            )
    finally:
        for path in _partial_downloads(builder) - before:
            shutil.rmtree(path)


def _require_download_host(builder: Any, archives: Path) -> None:
    urls = builder.url_infos
    if not urls:
        return
    size = sum(info.size for info in urls.values()) / 2**20
    url = next(iter(urls))
    try:
        requests.head(url, timeout=CONNECT_TIMEOUT)
    except requests.RequestException:
        partial = ", ".join(map(str, Path(builder.data_dir).parent.glob("incomplete.*")))
        raise DatasetError(
            f"{builder.name} is not prepared in {builder.data_dir_root} and cannot be downloaded "
            f"({size:.1f} MiB from {urlsplit(url).hostname})"
            f"{f' (partly prepared: {partial})' if partial else ''}. Offline: "
            f"point --data-dir at a prepared TFDS directory, put the original archives into "
            f"{archives}, or choose a dataset that needs no download, such as digits."
        ) from None


def _partial_downloads(builder: Any) -> set[Path]:
    return set(Path(builder.data_dir_root).glob("downloads/**/*.tmp.*"))


def _unknown_dataset_message(name: str, tfds_names: set[str]) -> str:
    near = difflib.get_close_matches(name, {*DATASETS, *tfds_names}, n=1, cutoff=0.6)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"unknown dataset {name!r}.{hint} Available: {', '.join(sorted(DATASETS))}; a folder with "
        "one subfolder of images per class; a .csv, .jsonl or .parquet table with the columns text "
        "and label; any TFDS dataset of labeled images or texts."
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
