"""TFDS data sets on disk: found, prepared where they can be, checked, and read whole."""

import contextlib
import difflib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import requests
import tensorflow as tf

from zoo.data import DATASETS
from zoo.data.pipeline import Rows
from zoo.errors import DatasetError, UnknownDatasetError

CONNECT_SECONDS = 5
READ_ROWS = 1024


def open_builder(name: str, data_dir: str | Path | None) -> Any:
    """Finds a TFDS builder; needs no network.

    Args:
        name: TFDS name, with configuration and version if need be: ``"mnist:3.*.*"``.
        data_dir: TFDS data directory; its own default if None.

    Returns:
        The builder.

    Raises:
        UnknownDatasetError: if TFDS has no such data set, in no such version.
        DatasetError: if what lies in the data directory is damaged.
    """
    import tensorflow_datasets as tfds

    import zoo.course.datasets
    import zoo.data.digits  # noqa: F401, both register their builders

    known = tfds.list_builders(with_community_datasets=False)
    if name.partition(":")[0].partition("/")[0] not in known:
        raise UnknownDatasetError(_unknown_dataset(name, known))
    try:
        return tfds.builder(name, data_dir=data_dir)
    except (AssertionError, ValueError) as error:
        raise UnknownDatasetError(f"TFDS cannot open {name!r}: {_first_line(error)}") from error
    except Exception as error:
        place = data_dir or default_data_dir()
        raise DatasetError(
            f"{name} is damaged or half-prepared in {place}: {_first_line(error)}; delete its "
            "folder there and prepare it again."
        ) from error


def default_data_dir() -> Path:
    """Says where TFDS keeps its data unless told otherwise."""
    import tensorflow_datasets as tfds

    return Path(tfds.core.constants.DATA_DIR).expanduser()


def labeled(builder: Any, feature: type) -> tuple[str, str] | None:
    """Gives the names that inputs and labels have in a data set that is a classification.

    Args:
        builder: from `open_builder`.
        feature: of TFDS, that the inputs must be.

    Returns:
        Both names; None if it is no classification of such inputs.
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
    """Reads every split whole.

    Args:
        builder: from `open_builder`, prepared.
        prepare_row: from a row's features to its input and its label, inside `tf.data`.

    Returns:
        The rows of each of ``train``, ``validation`` and ``test`` that there is and has labels.

    Raises:
        DatasetError: if it is damaged or has no training split.
    """
    splits = [name for name in ("train", "validation", "test") if name in builder.info.splits]
    if "train" not in splits:
        raise DatasetError(
            f"{builder.name} has no train split, only {', '.join(builder.info.splits) or 'none'}."
        )
    read = {split: _read_split(builder, split, prepare_row) for split in splits}
    return {split: rows for split, rows in read.items() if (rows.labels >= 0).all()}


def _read_split(
    builder: Any, split: str, prepare_row: Callable[[dict[str, Any]], tuple[Any, Any]]
) -> Rows:
    rows = builder.as_dataset(split=split, shuffle_files=False)
    batches = rows.map(prepare_row, num_parallel_calls=tf.data.AUTOTUNE).batch(READ_ROWS)
    damage = f"{builder.name} in {builder.data_dir} is damaged ({split} split)"
    try:
        inputs, labels = zip(*batches.as_numpy_iterator(), strict=True)
    except (tf.errors.OpError, ValueError) as error:
        raise DatasetError(
            f"{damage}: {_first_line(error)}; delete that folder and prepare it again."
        ) from None
    read, told = sum(map(len, labels)), builder.info.splits[split].num_examples
    if told and read != told:
        raise DatasetError(
            f"{damage}: {read} rows of {told}; delete that folder and prepare it again."
        )
    return Rows(np.concatenate(inputs), np.concatenate(labels))


def ensure_prepared(builder: Any) -> None:
    """Prepares a data set unless it is: from the user's archives, else by downloading them.

    Args:
        builder: from `open_builder`.

    Raises:
        DatasetError: within seconds, if the download is out of reach or the folder half-prepared.
    """
    import tensorflow_datasets as tfds

    if builder.is_prepared():
        return
    folder = Path(builder.data_dir)
    if folder.exists():
        raise DatasetError(
            f"{folder} is half-prepared: it has no dataset_info.json. Delete it and try again."
        )
    archives = Path(builder.data_dir_root) / "downloads" / "manual" / builder.name
    config = tfds.download.DownloadConfig()
    if archives.is_dir() and any(archives.iterdir()):
        config = tfds.download.DownloadConfig(manual_dir=archives)
    else:
        _require_network(builder, archives)
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    before = _partial_downloads(builder)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # TFDS prints there
            builder.download_and_prepare(download_config=config)
    except Exception as error:
        raise DatasetError(
            f"{builder.name} could not be prepared in {folder}: {_first_line(error)}"
        ) from error
    finally:
        for path in _partial_downloads(builder) - before:
            shutil.rmtree(path)


def _require_network(builder: Any, archives: Path) -> None:
    urls = builder.url_infos
    if not urls:
        return
    size = sum(info.size for info in urls.values()) / 2**20
    url = next(iter(urls))
    try:
        requests.head(url, timeout=CONNECT_SECONDS)
    except requests.RequestException:
        broken = ", ".join(map(str, Path(builder.data_dir).parent.glob("incomplete.*")))
        raise DatasetError(
            f"{builder.name} is not prepared in {builder.data_dir_root} and its download "
            f"({size:.1f} MiB from {urlsplit(url).hostname}) is out of reach"
            f"{f' (half-prepared: {broken})' if broken else ''}. Offline: "
            f"point --data-dir at a prepared TFDS directory, put the original archives into "
            f"{archives}, or take a data set that needs no download, such as digits."
        ) from None


def _partial_downloads(builder: Any) -> set[Path]:
    return set(Path(builder.data_dir_root).glob("downloads/**/*.tmp.*"))


def _unknown_dataset(name: str, tfds_names: list[str]) -> str:
    near = difflib.get_close_matches(name, [*DATASETS, *tfds_names], n=1, cutoff=0.6)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"unknown data set {name!r}.{hint} There is: {', '.join(sorted(DATASETS))}; any folder "
        "with a sub-folder of images for each class; any .csv, .jsonl or .parquet table with the "
        "columns text and label; any TFDS data set with an image or a text, and a label."
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
