"""Texts with a label: TFDS data sets, a user's own tables, and the generated `toy_reviews`."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.artifacts.reader import as_bytes
from zoo.data import tfds_store, toy_reviews
from zoo.data.pipeline import Rows, fill_missing_splits
from zoo.data.readers import reraise_reader_errors
from zoo.data.sequences import SequenceData
from zoo.data.tokens import Tokens, standardize_text
from zoo.errors import DatasetError, InputError, did_you_mean
from zoo.specs import DatasetSpec, TextOptions

DATA = SequenceData
INPUT_NAME = "text"
INPUT_DTYPE = "string"
SUFFIXES = (".csv", ".jsonl", ".parquet")
SPLITS = ("train", "validation", "test")
TITLE, TEXT, LABEL = "title", "text", "label"
BETWEEN = b"\n"
READ_ROWS = 512
PARALLEL_CALLS = 2


def describe_tfds(builder: Any) -> DatasetSpec | None:
    """Derives a spec from a TFDS builder's features.

    Args:
        builder: of TFDS.

    Returns:
        The spec; None if the data set is no classification of texts.
    """
    import tensorflow_datasets as tfds

    keys, features = tfds_store.labeled(builder, tfds.features.Text), builder.info.features
    if not keys:
        return None
    tfds_store.ensure_prepared(builder)
    name = builder.info.full_name
    return DatasetSpec(
        name=name,
        kind="text",
        input_shape=(),
        class_names=tuple(features[keys[1]].names),
        summary=f"TFDS data set {name}",
        source=name,
        reference=builder.info.homepage or "",
        columns=(keys[0],),
    )


def is_table(path: Path) -> bool:
    """Tells whether a path is a table of texts, or a folder with one a split.

    Args:
        path: any.
    """
    if path.is_dir():
        return "train" in _tables_in(path)
    return path.suffix.lower() in SUFFIXES


def describe_table(path: Path) -> DatasetSpec:
    """Derives a spec from a table with the columns ``text`` and ``label``, and perhaps ``title``.

    Classes are the labels of the training rows, sorted.

    Args:
        path: a ``.csv``, ``.jsonl`` or ``.parquet`` file, or a folder with ``train`` and perhaps
            ``validation`` and ``test`` of one of these endings.

    Returns:
        The spec.

    Raises:
        DatasetError: if it cannot be read, lacks a column, or has fewer than two classes.
    """
    path = path.resolve()
    train = _read_table(_tables_in(path)["train"])
    labels = sorted(set(train[LABEL]))
    if len(labels) < 2:
        raise DatasetError(
            f"{path} has {len(labels)} class ({', '.join(labels) or 'no rows'}): "
            "a data set needs at least two."
        )
    return DatasetSpec(
        name=str(path),
        kind="text",
        input_shape=(),
        class_names=tuple(labels),
        summary=f"{len(train[LABEL])} texts in {path}",
        source="file",
        columns=(TITLE, TEXT) if TITLE in train else (TEXT,),
    )


def read(spec: DatasetSpec, data_dir: str | Path | None) -> tuple[dict[str, Rows], str]:
    """Reads every split into memory, as bytes of UTF-8.

    Args:
        spec: the data set.
        data_dir: TFDS data directory; its own default if None.

    Returns:
        The rows of ``train``, ``validation`` and ``test``, and the version of what was read.

    Raises:
        DatasetError: if it cannot be read.
    """
    if spec.source == "memory":
        splits = {split: Rows(*toy_reviews.write(split)) for split in ("train", "test")}
        version = f"{spec.name}/{toy_reviews.VERSION}"
    elif spec.source == "file":
        splits, version = _read_tables(spec)
    else:
        splits, version = _read_tfds(spec, data_dir)
    return fill_missing_splits(spec, splits), version


def raw_shape(spec: DatasetSpec) -> tuple[int | None, ...]:
    """Gives the shape of a raw text: a scalar.

    Args:
        spec: the data set.
    """
    return ()


def preprocessor(spec: DatasetSpec, options: TextOptions, train: np.ndarray) -> keras.Layer:
    """Makes the layer from texts to numbers, with the vocabulary of the training split.

    Input ``(batch,)``, strings; output ``(batch, sequence_length)``, int64, 0 for padding on the
    right and 1 for words unknown; or, multi-hot, ``(batch, vocab_size)``, floats, the first
    column for words unknown.

    Args:
        spec: the data set.
        options: encoding and sizes.
        train: the training split's texts, of which alone the vocabulary is learned.

    Raises:
        DatasetError: if none of them has a word.
    """
    sequence = options.encoding == "sequence"
    vectorize = keras.layers.TextVectorization(
        max_tokens=options.vocab_size,
        standardize=standardize_text,
        split=Tokens(options.ngrams, options.subwords),
        output_mode="int" if sequence else "multi_hot",
        output_sequence_length=options.sequence_length if sequence else None,
        pad_to_max_tokens=not sequence,
        name="vectorize",
    )
    try:
        vectorize.adapt(tf.data.Dataset.from_tensor_slices(train).batch(READ_ROWS))
    except tf.errors.InvalidArgumentError:
        raise DatasetError(f"{spec.name}: no training text has a word.") from None
    return keras.Sequential(
        [keras.Input(raw_shape(spec), dtype=INPUT_DTYPE, name=INPUT_NAME), vectorize],
        name="preprocessor",
    )


def augmentation(
    spec: DatasetSpec, options: TextOptions, train: np.ndarray
) -> tuple[keras.Layer, ...]:
    """Alters nothing.

    Args:
        spec: the data set.
        options: none of them is about it.
        train: plays no part.
    """
    return ()


def parse(spec: DatasetSpec, inputs: Sequence[Any] | np.ndarray) -> list[np.ndarray]:
    """Turns texts into raw rows.

    Args:
        spec: the data set.
        inputs: strings, or bytes of UTF-8; what is not UTF-8 in them is read as unknown words.

    Returns:
        One array ``()`` of bytes an input.

    Raises:
        InputError: if an input is neither.
    """
    if isinstance(inputs, str | bytes):
        raise InputError("give a list of texts, even of one.")
    with reraise_reader_errors(InputError):
        return [np.array(as_bytes(text), object) for text in inputs]


def vocabulary(preprocessor: keras.Model) -> list[str]:
    """Gives the words that a preprocessor knows, in the order of their numbers.

    Args:
        preprocessor: of texts.

    Returns:
        The words; the first is ``""``, for padding, where it makes sequences, and the next
        ``"[UNK]"``, for all words unknown.
    """
    return preprocessor.get_layer("vectorize").get_vocabulary()


def decode(preprocessor: keras.Model, numbers: Sequence[int]) -> str:
    """Gives the words that numbers stand for, without the padding.

    Args:
        preprocessor: of texts, that makes sequences.
        numbers: ``(words,)``.

    Returns:
        The words, joined by spaces.
    """
    words = vocabulary(preprocessor)
    return " ".join(words[number] for number in numbers if number)


def _tables_in(path: Path) -> dict[str, Path]:
    if not path.is_dir():
        return {"train": path}
    return {
        split: path / f"{split}{suffix}"
        for split in SPLITS
        for suffix in SUFFIXES
        if (path / f"{split}{suffix}").is_file()
    }


def _read_table(path: Path) -> dict[str, list[Any]]:
    """Reads texts as bytes and labels as strings."""
    table = _opened(path)
    for column in (TEXT, LABEL):
        if column not in table.column_names:
            raise DatasetError(
                f"{path} has no column {column!r}.{did_you_mean(column, table.column_names)} "
                f"There is: {', '.join(table.column_names)}; it needs {TEXT} and {LABEL}, and may "
                f"have {TITLE}."
            )
    columns = [name for name in (TITLE, TEXT, LABEL) if name in table.column_names]
    repeated = [name for name in columns if table.column_names.count(name) > 1]
    if repeated:
        raise DatasetError(f"{path} has several columns {', '.join(map(repr, repeated))}.")
    values = {name: table[name].to_pylist() for name in columns}
    with reraise_reader_errors(DatasetError):
        texts = {
            name: [b"" if value is None else as_bytes(value) for value in values[name]]
            for name in columns[:-1]
        }
    return {**texts, LABEL: _labels(path, values[LABEL])}


def _opened(path: Path) -> Any:
    import pyarrow
    from pyarrow import csv, parquet

    if not path.is_file():
        raise DatasetError(f"{path}: there is no such file.")
    as_they_stand = csv.ConvertOptions(
        column_types={TITLE: pyarrow.binary(), TEXT: pyarrow.binary(), LABEL: pyarrow.string()}
    )
    readers = {
        ".csv": lambda: csv.read_csv(path, convert_options=as_they_stand),
        ".jsonl": lambda: _opened_jsonl(path),
        ".parquet": lambda: parquet.read_table(path),
    }
    kind = path.suffix.lower()
    try:
        return readers[kind]()
    except (pyarrow.ArrowException, OSError, UnicodeError) as error:
        reason = str(error).splitlines()[0]
        raise DatasetError(f"{path} is no readable {kind[1:]} table: {reason}") from None


def _opened_jsonl(path: Path) -> Any:
    """Reads texts as texts, those too that look like dates."""
    import pyarrow
    from pyarrow import json

    texts = pyarrow.schema([(name, pyarrow.string()) for name in (TITLE, TEXT)])
    table = json.read_json(path, parse_options=json.ParseOptions(texts))
    absent = [name for name in (TITLE, TEXT) if table[name].null_count == len(table)]
    return table.drop_columns(absent)


def _labels(path: Path, values: list[Any]) -> list[str]:
    missing = sum(value is None or value != value or not str(value).strip() for value in values)
    if missing:
        raise DatasetError(f"{path}: {missing} of its rows have no {LABEL}.")
    odd = [value for value in values if isinstance(value, list | dict)]
    if odd:
        raise DatasetError(f"{path}: {odd[0]!r} is no {LABEL}: give a word or a number.")
    return [str(value) for value in values]


def _read_tables(spec: DatasetSpec) -> tuple[dict[str, Rows], str]:
    numbers = {name: number for number, name in enumerate(spec.class_names)}
    splits = {}
    digest = hashlib.sha256()
    for split, path in _tables_in(Path(spec.name)).items():
        table = _read_table(path)
        strange = sorted(set(table[LABEL]) - set(numbers))
        if strange:
            raise DatasetError(
                f"{path} has the label {strange[0]!r}, which no training row has; those have "
                f"{', '.join(spec.class_names)}."
            )
        texts = [BETWEEN.join(parts) for parts in zip(*map(table.get, spec.columns), strict=True)]
        labels = np.array([numbers[label] for label in table[LABEL]], np.int64)
        splits[split] = Rows(np.array(texts, object), labels)
        digest.update(b"\0".join(texts) + labels.tobytes())
    return splits, f"{Path(spec.name).name}/{digest.hexdigest()[:12]}"


def _read_tfds(spec: DatasetSpec, data_dir: str | Path | None) -> tuple[dict[str, Rows], str]:
    builder = tfds_store.open_builder(spec.source, data_dir)
    tfds_store.ensure_prepared(builder)
    _, label_key = builder.info.supervised_keys

    def prepare_row(row: dict[str, Any]) -> tuple[Any, Any]:
        parts = [row[column] for column in spec.columns]
        return tf.strings.join(parts, separator=BETWEEN), row[label_key]

    return tfds_store.read_splits(builder, prepare_row), builder.info.full_name
