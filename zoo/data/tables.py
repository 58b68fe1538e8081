"""Tables of texts and labels: the files of each split, their columns, and their rows."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.table_files import TableFile, format_of, list_rows, require_unique
from zoo.errors import DatasetError, did_you_mean
from zoo.specs import COLUMN_JOINER, FileOptions

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "part": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
SHARD = re.compile(rf"({'|'.join(SPLIT_NAMES)})(?:[-_.](\d+)(?:-of-(\d+))?)?", re.IGNORECASE)
TITLE, TEXT, LABEL = "title", "text", "label"
TEXT_NAMES = {
    "text", "texts", "review", "reviews", "review_text", "reviewtext", "sentence", "content",
    "comment", "comment_text", "message", "body", "document", "tweet", "headline", "description",
    "question", "abstract", "article", "utterance", "news",
}  # fmt: skip
LABEL_NAMES = {
    "label", "labels", "class", "class_name", "classname", "category", "sentiment", "target",
    "topic", "rating", "stars", "polarity", "intent", "emotion", "y",
}  # fmt: skip
INDEX_NAMES = {"", "index", "id", "unnamed: 0", "__index_level_0__", "idx"}


@dataclasses.dataclass(frozen=True)
class Table:
    """The texts and labels of a table.

    Attributes:
        texts: one array of UTF-8 bytes per text column, ``(rows,)`` each; missing texts are empty.
        labels: ``(rows,)``, strings.
    """

    texts: tuple[np.ndarray, ...]
    labels: np.ndarray


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a table is to be read.

    Attributes:
        text_columns: columns that are joined to form a text.
        label_column: the column of the labels.
        description: separator, encoding and columns, in words.
    """

    text_columns: tuple[str, ...]
    label_column: str
    description: str = ""


def tables_in(path: Path) -> dict[str, list[Path]]:
    """Return the files of each split, the shards of one in their order.

    Args:
        path: a table, which is the training split, or a folder of tables named after splits, such
            as ``train.csv`` or ``train-00000-of-00002.parquet``.

    Raises:
        DatasetError: if a split has tables of different formats, or a shard is missing.
    """
    if not path.is_dir():
        return {"train": [path]}
    found: dict[str, dict[int, Path]] = {}
    expected: dict[str, int] = {}
    for file in sorted(path.iterdir()):
        match = SHARD.fullmatch(file.name.partition(".")[0])
        if not match or not format_of(file):
            continue
        split, number = SPLIT_NAMES[match[1].lower()], int(match[2] or 0)
        shards = found.setdefault(split, {})
        if number in shards:
            raise DatasetError(
                f"{path} has two tables for one part of the {split} split: {shards[number].name} "
                f"and {file.name}."
            )
        shards[number] = file
        expected[split] = int(match[3] or 0)
    for split, shards in found.items():
        absent = sorted(set(range(expected[split])) - set(shards))
        if absent:
            raise DatasetError(
                f"{path}: the {split} split has {len(shards)} of {expected[split]} shards; "
                f"shard {absent[0]} of the {split} split is missing."
            )
    return {split: [shards[k] for k in sorted(shards)] for split, shards in found.items()}


def find_layout(files: Sequence[Path], options: FileOptions) -> Layout:
    """Detect how the tables of a split are laid out.

    Args:
        files: the shards of the split.
        options: what the user has said about them.

    Raises:
        DatasetError: if a file cannot be read, or no column or more than one may be the right one.
    """
    source = TableFile(files[0], options.file_encoding)
    names = source.column_names()
    texts, label = choose_columns(str(files[0]), names, options)
    of_text = " and ".join(map(repr, texts))
    parts = [source.describe(), f"texts in {of_text}, labels in {label!r}"]
    return Layout(texts, label, "; ".join(filter(None, parts)))


def choose_columns(
    table: str, names: Sequence[str], options: FileOptions
) -> tuple[tuple[str, ...], str]:
    """Choose the columns of texts and labels.

    Columns that are not given are those called ``text`` (with a ``title`` before it, if there is
    one) and ``label``; or else the only one with a name that is usual for it, or the only column
    left.

    Args:
        table: name of the table, for messages.
        names: names of its columns.
        options: ``text_column`` and ``label_column`` as given.

    Returns:
        The columns of the text, and that of the label.

    Raises:
        DatasetError: if a given column does not exist, is duplicated, or none or several may be
            meant.

    Example:
        >>> from zoo.data.tables import choose_columns
        >>> from zoo.specs import FileOptions
        >>> choose_columns("reviews.csv", ["id", "Review", "Sentiment"], FileOptions())
        (('Review',), 'Sentiment')
    """
    label = _given_column(table, names, "label_column", options.label_column)
    texts = _given_texts(table, names, options.text_column)
    if label is None:
        label = _guess(names, LABEL, LABEL_NAMES, taken=texts or ())
    if not texts:
        text = _guess(names, TEXT, TEXT_NAMES, taken=(label,) if label else ())
        texts = (TITLE, TEXT) if text == TEXT and TITLE in names else (text,) if text else ()
    if label is None and texts:
        label = _only_other(names, texts)
    for option, found in (("text_column", texts), ("label_column", label)):
        if not found:
            raise DatasetError(
                f"{table}: no column is obviously the {option.partition('_')[0]}: pass "
                f"{option} (--{option.replace('_', '-')}), one of {', '.join(names)}."
            )
    if label in texts:
        raise DatasetError(f"{table}: {label!r} cannot be both the text and the label.")
    require_unique(table, names, (*texts, str(label)))
    return texts, str(label)


def read_table(files: Sequence[Path], layout: Layout, encoding: str) -> Table:
    """Read the texts and labels of a split.

    Args:
        files: its shards.
        layout: columns to read.
        encoding: encoding of the files; detected if empty.

    Raises:
        DatasetError: if a file cannot be read, changes meanwhile, lacks a column, or has rows
            without a label; the message names the rows.
    """
    import pyarrow

    columns = [*layout.text_columns, layout.label_column]
    parts = [parse_columns(path, TableFile(path, encoding).read(columns), layout) for path in files]
    pyarrow.default_memory_pool().release_unused()
    texts = tuple(map(np.concatenate, zip(*(part.texts for part in parts), strict=True)))
    return Table(texts, np.concatenate([part.labels for part in parts]))


def read_labels(files: Sequence[Path], layout: Layout, encoding: str) -> np.ndarray:
    """Read only the labels of a split.

    Args:
        files: its shards.
        layout: columns to read.
        encoding: encoding of the files; detected if empty.
    """
    import pyarrow

    label = layout.label_column
    labels = [_labels(path, label, TableFile(path, encoding).read([label])) for path in files]
    pyarrow.default_memory_pool().release_unused()
    return np.concatenate(labels)


def parse_columns(source: Any, columns: Mapping[str, Any], layout: Layout) -> Table:
    """Convert columns that are in memory, as Arrow has them, to texts and labels.

    Args:
        source: where they come from, for messages.
        columns: Arrow arrays by name.
        layout: columns to take.

    Raises:
        DatasetError: as `read_table` does.
    """
    texts = tuple(_texts(source, columns[name]) for name in layout.text_columns)
    return Table(texts, _labels(source, layout.label_column, columns))


def sort_labels(labels: np.ndarray) -> list[str]:
    """Return the distinct labels, numbers in numerical order and other labels in alphabetical.

    Args:
        labels: strings.

    Example:
        >>> import numpy as np
        >>> from zoo.data.tables import sort_labels
        >>> sort_labels(np.array(["10", "9", "10"])), sort_labels(np.array(["b", "10", "9"]))
        (['9', '10'], ['10', '9', 'b'])
    """
    distinct = sorted(set(labels.tolist()))
    try:
        return sorted(distinct, key=float)
    except ValueError:
        return distinct


def _given_column(table: str, names: Sequence[str], option: str, given: str) -> str | None:
    if not given:
        return None
    if given not in names:
        raise DatasetError(
            f"{table} has no column {given!r}, as {option} says.{did_you_mean(given, names)} "
            f"Its columns: {', '.join(names)}."
        )
    return given


def _given_texts(table: str, names: Sequence[str], given: str) -> tuple[str, ...]:
    parts = [given] if given in names else given.split(COLUMN_JOINER)
    columns = (_given_column(table, names, "text_column", part) for part in parts)
    return tuple(column for column in columns if column)


def _guess(
    names: Sequence[str], usual: str, usual_names: set[str], taken: Sequence[str]
) -> str | None:
    free = [name for name in names if name not in taken]
    if usual in free:
        return usual
    candidates = {name for name in free if name.strip().lower() in usual_names}
    if len(candidates) == 1:
        return candidates.pop()
    return _only_other(names, taken) if taken and not candidates else None


def _only_other(names: Sequence[str], taken: Sequence[str]) -> str | None:
    others = [n for n in names if n not in taken and n.strip().lower() not in INDEX_NAMES]
    return others[0] if len(others) == 1 else None


def _texts(source: Any, column: Any) -> np.ndarray:
    """Convert an Arrow column to UTF-8 bytes."""
    import pyarrow

    kind = column.type
    if pyarrow.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    elif pyarrow.types.is_nested(kind):
        raise DatasetError(f"{source}: a text must be a string, and the column has {kind}.")
    elif pyarrow.types.is_null(kind):
        return np.full(len(column), b"", object)
    elif not (pyarrow.types.is_string(kind) or _is_binary(kind)):
        raise DatasetError(
            f"{source}: {column[0].as_py()!r} is not a text: the column has {kind}; pass "
            "text_column (--text-column)."
        )
    filled = column.cast(pyarrow.large_binary()).fill_null(b"")
    return np.array(filled.to_numpy(zero_copy_only=False), object) if len(filled) else _no_rows()


def _is_binary(kind: Any) -> bool:
    import pyarrow

    tests = (pyarrow.types.is_binary, pyarrow.types.is_large_binary, pyarrow.types.is_large_string)
    return any(test(kind) for test in tests)


def _no_rows() -> np.ndarray:
    return np.empty(0, object)


def _labels(source: Any, name: str, columns: Any) -> np.ndarray:
    values = columns[name].to_pylist()
    missing = [row for row, value in enumerate(values, 1) if is_missing(value)]
    if missing:
        raise DatasetError(
            f"{source}: {len(missing)} of {len(values)} rows have no label in {name!r}: "
            f"{list_rows(missing)}."
        )
    for value in values:
        if isinstance(value, list | dict | bytes):
            raise DatasetError(f"{source}: the label {value!r} is not a string or a number.")
    return np.array([str(value) for value in values], object)


def is_missing(value: Any) -> bool:
    """Return whether a label is None, NaN or blank.

    Args:
        value: the label.
    """
    return value is None or value != value or not str(value).strip()
