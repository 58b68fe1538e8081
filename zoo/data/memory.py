"""Rows that are in memory: arrays, lists, data frames, `tf.data` and Hugging Face datasets."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.data.pipeline import Rows, fill_missing_splits
from zoo.data.tables import (
    SPLIT_NAMES,
    Layout,
    Table,
    choose_columns,
    is_missing,
    parse_columns,
)
from zoo.data.text import class_names, splits_from_tables
from zoo.errors import DatasetError
from zoo.specs import COLUMN_JOINER, DatasetSpec, FileOptions

LEVELS = 255
SUPPORTED = (
    "(x, y) of arrays or lists, ((x, y), (x, y)) of training and test rows, a data frame, a "
    "tf.data.Dataset, a Hugging Face dataset, or a dict of these by split"
)


@dataclasses.dataclass(frozen=True)
class GivenData:
    """A dataset whose rows a user has passed.

    Attributes:
        spec: its spec; the name contains a digest of the rows.
        splits: rows of the given splits, at least ``train``.
    """

    spec: DatasetSpec
    splits: Mapping[str, Rows]

    def read(self) -> tuple[dict[str, Rows], str]:
        """Return the rows of all splits, and the dataset version."""
        return fill_missing_splits(self.spec, self.splits), self.spec.name


def as_given(dataset: Any, files: FileOptions = FileOptions()) -> GivenData:
    """Take a dataset from memory.

    Args:
        dataset: ``(x, y)``, where x are images ``(rows, height, width)`` or ``(rows, height, width,
            channels)`` or texts, and y one class per row; ``((x, y), (x, y))``, training and test
            rows; a pandas or polars data frame of texts; a `tf.data.Dataset` of ``(x, y)``; a
            Hugging Face dataset of texts or images; or a dict of these by split.
        files: columns of texts and labels of a data frame, where they are not to be detected.

    Returns:
        The spec and the rows.

    Raises:
        DatasetError: if it is none of these, or its rows are unsuitable; the message says which.

    Example:
        >>> from zoo.data.memory import as_given
        >>> given = as_given((["good", "bad", "fine", "awful"], ["pos", "neg", "pos", "neg"]))
        >>> given.spec.class_names
        ('neg', 'pos')
    """
    parts = {split: _read_split(split, part, files) for split, part in _by_split(dataset).items()}
    train = parts["train"]
    names = train.names or class_names("the training rows", train.labels, train.label_column)
    spec = DatasetSpec(
        name="given",
        kind="images" if train.images is not None else "text",
        input_shape=() if train.images is None else train.images.shape[1:],
        class_names=tuple(names),
        summary=f"{len(train.labels):,} rows in memory",
        source="given",
        columns=train.columns,
        label_column=train.label_column,
    )
    splits, digest = _look_up_classes(spec, parts)
    return GivenData(dataclasses.replace(spec, name=f"given-{digest}"), splits)


@dataclasses.dataclass(frozen=True)
class _Part:
    """The rows of a split: images, or columns of texts; and their labels as strings."""

    labels: np.ndarray
    images: np.ndarray | None = None
    texts: tuple[np.ndarray, ...] = ()
    names: Sequence[str] = ()
    columns: tuple[str, ...] = ()
    label_column: str = "label"


def _by_split(dataset: Any) -> dict[str, Any]:
    if isinstance(dataset, Mapping):
        names = {key: SPLIT_NAMES.get(str(key).lower()) for key in dataset}
        splits = {name: dataset[key] for key, name in names.items() if name}
        if splits and "train" not in splits:
            raise DatasetError(f"a dict of splits needs 'train'; got {', '.join(dataset)}.")
        return splits or {"train": dataset}
    if isinstance(dataset, tuple | list) and dataset:
        pairs = [isinstance(part, tuple | list) and len(part) == 2 for part in dataset]
        nested = all(pairs) and all(
            hasattr(x, "__len__") and not isinstance(x, str) for part in dataset for x in part
        )
        if nested and len(dataset) in (2, 3) and isinstance(dataset, tuple):
            given = ("train", "validation", "test") if len(dataset) == 3 else ("train", "test")
            return dict(zip(given, dataset, strict=True))
    return {"train": dataset}


def _read_split(split: str, part: Any, files: FileOptions) -> _Part:
    if hasattr(part, "element_spec"):
        part = _collect(part)
    if isinstance(part, tuple | list) and len(part) == 2:
        return _from_pair(split, *part)
    if hasattr(part, "features") and hasattr(part, "column_names"):
        return _from_hugging_face(split, part, files)
    if isinstance(part, Mapping) or hasattr(part, "columns"):
        return _from_frame(split, part, files)
    raise DatasetError(f"a dataset of type {type(part).__name__}: must be {SUPPORTED}.")


def _collect(dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    """Read a `tf.data.Dataset` of pairs, batched or not, into arrays."""
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) != 2 or any(not hasattr(s, "shape") for s in spec):
        raise DatasetError("a tf.data.Dataset must yield pairs (x, y) of tensors.")
    size = int(dataset.cardinality())
    if size == -1:
        raise DatasetError("a tf.data.Dataset must be finite: leave out repeat().")
    pairs = list(dataset.as_numpy_iterator())
    if not pairs:
        raise DatasetError("the tf.data.Dataset has no rows.")
    join = np.concatenate if spec[1].shape.rank else np.array
    x, y = (join(list(values)) for values in zip(*pairs, strict=True))
    return x, y


def _from_pair(split: str, x: Any, y: Any) -> _Part:
    x, y = _as_array(x), _as_array(y)
    labels = _labels_of(split, y)
    if len(x) != len(labels):
        raise DatasetError(f"{split}: {len(x)} rows of x and {len(labels)} of y.")
    if not len(x):
        raise DatasetError(f"{split}: there are no rows.")
    if x.dtype.kind in "OSU":
        return _Part(labels, texts=(_texts_of(split, x),), columns=("text",))
    return _Part(labels, images=_images_of(split, x))


def _as_array(values: Any) -> np.ndarray:
    try:
        return np.asarray(values)
    except ValueError:  # of different shapes
        array = np.empty(len(values), object)
        array[:] = [tuple(value) if isinstance(value, list) else value for value in values]
        return array


def _labels_of(split: str, y: np.ndarray) -> np.ndarray:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        hint = "; for one-hot labels pass y.argmax(axis=1)" if y.ndim == 2 else ""
        raise DatasetError(f"{split}: y of shape {y.shape}: must be one class per row{hint}.")
    values = [v.decode() if isinstance(v, bytes) else v for v in y.tolist()]
    missing = [i for i, v in enumerate(values) if is_missing(v)]
    if missing:
        raise DatasetError(f"{split}: {len(missing)} rows have no label, such as row {missing[0]}.")
    strange = [v for v in values if not isinstance(v, str | int | float | bool)]
    if strange:
        raise DatasetError(f"{split}: the label {strange[0]!r} is not a string or a number.")
    return np.array([str(value) for value in values], object)


def _texts_of(split: str, x: np.ndarray) -> np.ndarray:
    if x.ndim != 1:
        raise DatasetError(f"{split}: texts of shape {x.shape}: must be one string per row.")
    for row, text in enumerate(x.tolist()):
        if not isinstance(text, str | bytes):
            raise DatasetError(
                f"{split}: row {row} of x is a {type(text).__name__}: must be a text, or x an "
                "array of images of one shape."
            )
    return np.array(
        [t.encode("utf-8", "replace") if isinstance(t, str) else t for t in x.tolist()], object
    )


def _images_of(split: str, x: np.ndarray) -> np.ndarray:
    if x.ndim == 3:
        x = x[..., None]
    if x.ndim != 4 or x.shape[3] not in (1, 3) or 0 in x.shape:
        raise DatasetError(
            f"{split}: x of shape {x.shape}: must be texts (rows,), or images (rows, height, "
            "width) or (rows, height, width, channels) with 1 or 3 channels."
        )
    return x if x.dtype == np.uint8 else _as_pixels(split, x)


def _as_pixels(split: str, x: np.ndarray) -> np.ndarray:
    """Return the uint8 pixels from which an array was made, unless it was made otherwise."""
    if x.dtype.kind not in "iufb":
        raise DatasetError(f"{split}: images of dtype {x.dtype}: must be numbers.")
    if not np.isfinite(x).all():
        raise DatasetError(f"{split}: {int((~np.isfinite(x)).sum())} pixels are NaN or infinite.")
    lowest, highest = float(x.min()), float(x.max())
    is_fraction = x.dtype.kind == "f" and 0 <= lowest <= highest <= 1
    levels = x.astype(float) * LEVELS if is_fraction else x
    rounding = LEVELS * np.finfo(x.dtype).eps if is_fraction else 0  # of x = pixels / 255
    pixels = np.round(levels)
    if lowest < 0 or highest > LEVELS or np.abs(levels - pixels).max() > rounding:
        raise DatasetError(
            f"{split}: pixels from {lowest:g} to {highest:g} that are not levels of 8 bits: pass "
            "uint8 images, or these divided by 255; the recipe scales them."
        )
    return pixels.astype(np.uint8)


def _from_frame(split: str, frame: Any, files: FileOptions) -> _Part:
    import pyarrow

    names = [str(name) for name in (frame if isinstance(frame, Mapping) else frame.columns)]
    texts, label = choose_columns(f"the {split} rows", names, files)
    chosen = [*texts, label]
    try:
        if hasattr(frame, "to_arrow"):
            columns = frame.select(chosen).to_arrow()
        elif isinstance(frame, Mapping):
            columns = pyarrow.table({name: frame[name] for name in chosen})
        else:
            columns = pyarrow.Table.from_pandas(frame[chosen], preserve_index=False)
    except (pyarrow.ArrowException, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DatasetError(f"the {split} rows are not a table of texts: {reason}") from None
    table = parse_columns(f"the {split} rows", columns, Layout(texts, label))
    return _Part(table.labels, texts=table.texts, columns=texts, label_column=label)


def _from_hugging_face(split: str, dataset: Any, files: FileOptions) -> _Part:
    features = dataset.features
    images = [name for name, kind in features.items() if type(kind).__name__ == "Image"]
    if len(images) == 1:
        return _from_hugging_face_images(split, dataset, images[0], files)
    texts, label = choose_columns(f"the {split} rows", dataset.column_names, files)
    columns = {name: dataset[name][:] for name in (*texts, label)}
    part = _from_frame(split, columns, FileOptions(COLUMN_JOINER.join(texts), label))
    return dataclasses.replace(part, **_named(part.labels, features[label]))


def _from_hugging_face_images(split: str, dataset: Any, image: str, files: FileOptions) -> _Part:
    others = [name for name in dataset.column_names if name != image]
    label = files.label_column or ("label" if "label" in others else others[0] if others else "")
    if label not in others:
        raise DatasetError(f"the {split} rows have no column of labels; columns: {others}.")
    pixels = [np.asarray(picture) for picture in dataset[image]]
    shapes = {picture.shape for picture in pixels}
    if len(shapes) > 1:
        raise DatasetError(
            f"{split}: images of {len(shapes)} shapes, such as {sorted(shapes)[:2]}: must be of "
            "one shape; resize them first."
        )
    part = _from_pair(split, np.stack(pixels), dataset[label][:])
    part = dataclasses.replace(part, label_column=label)
    return dataclasses.replace(part, **_named(part.labels, dataset.features[label]))


def _named(labels: np.ndarray, feature: Any) -> dict[str, Any]:
    """Return names and labels of a feature that knows the names of its classes."""
    names = getattr(feature, "names", None)
    if not names:
        return {}
    return {"names": tuple(names), "labels": np.array([names[int(i)] for i in labels], object)}


def _look_up_classes(spec: DatasetSpec, parts: Mapping[str, _Part]) -> tuple[dict[str, Rows], str]:
    kinds = {part.images is None for part in parts.values()}
    if len(kinds) > 1:
        raise DatasetError("some splits are texts and others images.")
    if spec.kind == "text":
        return splits_from_tables(
            spec, {split: Table(part.texts, part.labels) for split, part in parts.items()}
        )
    index_of = {name: index for index, name in enumerate(spec.class_names)}
    splits, digest = {}, hashlib.sha256()
    for split, part in parts.items():
        images, unknown = part.images, set(part.labels) - set(index_of)
        if unknown or images is None or images.shape[1:] != spec.input_shape:
            raise DatasetError(
                f"the {split} rows have "
                + (f"the label {sorted(unknown)[0]!r}" if unknown else "images of another shape")
                + f" than the training rows ({', '.join(spec.class_names)}; {spec.input_shape})."
            )
        labels = np.array([index_of[label] for label in part.labels], np.int64)
        splits[split] = Rows(images, labels)
        digest.update(images.tobytes() + labels.tobytes())
    return splits, digest.hexdigest()[:12]
