"""Text classification datasets: TFDS datasets, users' tables and the synthetic `toy_reviews`."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.artifacts.reader import as_bytes
from zoo.data.pipeline import Rows, fill_missing_splits
from zoo.data.readers import reraise_reader_errors
from zoo.data.sequences import SequenceData
from zoo.data.tfds_store import (
    classification_keys,
    ensure_prepared,
    open_builder,
    read_splits,
    summarize,
)
from zoo.data.tokens import Tokenizer, standardize_text
from zoo.data.toy_reviews import VERSION as TOY_REVIEWS_VERSION
from zoo.data.toy_reviews import generate as generate_toy_reviews
from zoo.errors import DatasetError, InputError, did_you_mean
from zoo.specs import DatasetSpec, TextOptions

DATA = SequenceData
INPUT_NAME = "text"
INPUT_DTYPE = "string"
SUFFIXES = (".csv", ".jsonl", ".parquet")
SPLITS = ("train", "validation", "test")
TITLE, TEXT, LABEL = "title", "text", "label"
COLUMN_SEPARATOR = b"\n"
ADAPT_BATCH_SIZE = 512


def describe_text_builder(builder: Any) -> DatasetSpec | None:
    """Derive a dataset spec from the features of a TFDS builder.

    Args:
        builder: TFDS builder.

    Returns:
        The spec; None if this is not a text classification dataset.

    Raises:
        DatasetError: if the dataset cannot be prepared.
    """
    import tensorflow_datasets as tfds

    keys, features = classification_keys(builder, tfds.features.Text), builder.info.features
    if not keys:
        return None
    ensure_prepared(builder)
    return DatasetSpec(
        name=builder.info.full_name,
        kind="text",
        input_shape=(),
        class_names=tuple(features[keys[1]].names),
        summary=summarize(builder),
        source=builder.info.full_name,
        reference=builder.info.homepage or "",
        columns=(keys[0],),
    )


def is_table(path: Path) -> bool:
    """Return whether a path is a table of texts or a folder with one table per split.

    Args:
        path: any path.
    """
    if path.is_dir():
        return "train" in _tables_in(path)
    return path.suffix.lower() in SUFFIXES


def describe_table(path: Path) -> DatasetSpec:
    """Derive a dataset spec from a table with the columns ``text``, ``label`` and maybe ``title``.

    The classes are the sorted labels of the training rows.

    Args:
        path: a ``.csv``, ``.jsonl`` or ``.parquet`` file, or a folder with a table ``train`` and
            optionally ``validation`` and ``test`` in one of these formats.

    Returns:
        The spec.

    Raises:
        DatasetError: if the table cannot be read, lacks a column, or has fewer than two classes.
    """
    path = path.resolve()
    train = _read_table(_tables_in(path)["train"])
    labels = sorted(set(train[LABEL]))
    if len(labels) < 2:
        raise DatasetError(
            f"{path} has {len(labels)} class ({', '.join(labels) or 'no rows'}): "
            "a text dataset needs at least two."
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
    """Read all splits into memory, as UTF-8 bytes.

    Args:
        spec: spec of the dataset.
        data_dir: TFDS data directory; the TFDS default if None.

    Returns:
        The rows of ``train``, ``validation`` and ``test``, and the dataset version.

    Raises:
        DatasetError: if the dataset cannot be read.
    """
    if spec.source == "memory":
        splits = {split: Rows(*generate_toy_reviews(split)) for split in ("train", "test")}
        version = f"{spec.name}/{TOY_REVIEWS_VERSION}"
    elif spec.source == "file":
        splits, version = _read_tables(spec)
    else:
        splits, version = _read_tfds(spec, data_dir)
    return fill_missing_splits(spec, splits), version


def raw_shape(spec: DatasetSpec) -> tuple[int | None, ...]:
    """Return the shape of a raw text, a scalar.

    Args:
        spec: spec of the dataset.
    """
    return ()


def preprocessor(spec: DatasetSpec, options: TextOptions, train: np.ndarray) -> keras.Layer:
    """Build the layer that encodes texts, with the vocabulary of the training split.

    Input ``(batch,)``, strings; output token ids ``(batch, sequence_length)``, int64, with 0 for
    padding on the right and 1 for unknown words; or multi-hot encodings ``(batch, vocab_size)``,
    floats, whose first column stands for unknown words.

    Args:
        spec: spec of the dataset.
        options: encoding, vocabulary size and sequence length.
        train: training texts, from which the vocabulary is learned.

    Raises:
        DatasetError: if the training texts contain no words.
    """
    is_sequence = options.encoding == "sequence"
    vectorize = keras.layers.TextVectorization(
        max_tokens=options.vocab_size,
        standardize=standardize_text,
        split=Tokenizer(options.ngrams, options.subwords),
        output_mode="int" if is_sequence else "multi_hot",
        output_sequence_length=options.sequence_length if is_sequence else None,
        pad_to_max_tokens=not is_sequence,
        name="vectorize",
    )
    try:
        vectorize.adapt(tf.data.Dataset.from_tensor_slices(train).batch(ADAPT_BATCH_SIZE))
    except tf.errors.InvalidArgumentError:
        raise DatasetError(f"{spec.name}: the training texts contain no words.") from None
    return keras.Sequential(
        [keras.Input(raw_shape(spec), dtype=INPUT_DTYPE, name=INPUT_NAME), vectorize],
        name="preprocessor",
    )


def augmentation(
    spec: DatasetSpec, options: TextOptions, train: np.ndarray
) -> tuple[keras.Layer, ...]:
    """Return no layers: texts are not augmented.

    Args:
        spec: spec of the dataset.
        options: unused.
        train: unused.
    """
    return ()


def parse(spec: DatasetSpec, inputs: Sequence[Any] | np.ndarray) -> list[np.ndarray]:
    """Convert texts to raw rows.

    Args:
        spec: spec of the dataset.
        inputs: strings or UTF-8 bytes; invalid UTF-8 is read as unknown words.

    Returns:
        One scalar array of bytes per input.

    Raises:
        InputError: if an input is neither a string nor bytes.
    """
    if isinstance(inputs, str | bytes):
        raise InputError("expected a list of texts, got a single text.")
    with reraise_reader_errors(InputError):
        return [np.array(as_bytes(text), object) for text in inputs]


def vocabulary(preprocessor: keras.Model) -> list[str]:
    """Return the vocabulary of a preprocessor, in the order of the token ids.

    Args:
        preprocessor: text preprocessor.

    Returns:
        The words. With the sequence encoding the first is ``""``, for padding, and the second
        ``"[UNK]"``, for unknown words; with the multi-hot encoding the first is ``"[UNK]"``.
    """
    return preprocessor.get_layer("vectorize").get_vocabulary()


def decode(preprocessor: keras.Model, token_ids: Sequence[int]) -> str:
    """Decode token ids, leaving out the padding.

    Args:
        preprocessor: text preprocessor with the sequence encoding.
        token_ids: ``(sequence_length,)``.

    Returns:
        The words, joined by spaces.
    """
    words = vocabulary(preprocessor)
    return " ".join(words[token_id] for token_id in token_ids if token_id)


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
    """Read a table's texts as bytes and its labels as strings."""
    table = _load_table(path)
    for column in (TEXT, LABEL):
        if column not in table.column_names:
            raise DatasetError(
                f"{path} has no column {column!r}.{did_you_mean(column, table.column_names)} "
                f"Its columns: {', '.join(table.column_names)}; required: {TEXT} and {LABEL}; "
                f"optional: {TITLE}."
            )
    columns = [name for name in (TITLE, TEXT, LABEL) if name in table.column_names]
    repeated = [name for name in columns if table.column_names.count(name) > 1]
    if repeated:
        raise DatasetError(f"{path} has duplicate columns {', '.join(map(repr, repeated))}.")
    values = {name: table[name].to_pylist() for name in columns}
    with reraise_reader_errors(DatasetError):
        texts = {
            name: [b"" if value is None else as_bytes(value) for value in values[name]]
            for name in columns[:-1]
        }
    return {**texts, LABEL: _parse_labels(path, values[LABEL])}


def _load_table(path: Path) -> Any:
    import pyarrow
    from pyarrow import csv, parquet

    if not path.is_file():
        raise DatasetError(f"{path}: no such file.")
    untyped = csv.ConvertOptions(
        column_types={TITLE: pyarrow.binary(), TEXT: pyarrow.binary(), LABEL: pyarrow.string()}
    )
    loaders = {
        ".csv": lambda: csv.read_csv(path, convert_options=untyped),
        ".jsonl": lambda: _load_jsonl(path),
        ".parquet": lambda: parquet.read_table(path),
    }
    suffix = path.suffix.lower()
    try:
        return loaders[suffix]()
    except (pyarrow.ArrowException, OSError, UnicodeError) as error:
        reason = str(error).splitlines()[0]
        raise DatasetError(f"{path} is not a readable {suffix[1:]} table: {reason}") from None


def _load_jsonl(path: Path) -> Any:
    """Load a table with string columns, even where the values look like dates."""
    import pyarrow
    from pyarrow import json

    schema = pyarrow.schema([(name, pyarrow.string()) for name in (TITLE, TEXT)])
    table = json.read_json(path, parse_options=json.ParseOptions(schema))
    absent = [name for name in (TITLE, TEXT) if table[name].null_count == len(table)]
    return table.drop_columns(absent)


def _parse_labels(path: Path, values: list[Any]) -> list[str]:
    missing = sum(value is None or value != value or not str(value).strip() for value in values)
    if missing:
        raise DatasetError(f"{path}: {missing} of {len(values)} rows have no {LABEL}.")
    nested = [value for value in values if isinstance(value, list | dict)]
    if nested:
        raise DatasetError(f"{path}: the {LABEL} {nested[0]!r} is not a string or a number.")
    return [str(value) for value in values]


def _read_tables(spec: DatasetSpec) -> tuple[dict[str, Rows], str]:
    index_of = {name: index for index, name in enumerate(spec.class_names)}
    splits = {}
    digest = hashlib.sha256()
    for split, path in _tables_in(Path(spec.name)).items():
        table = _read_table(path)
        unknown = sorted(set(table[LABEL]) - set(index_of))
        if unknown:
            raise DatasetError(
                f"{path} has the label {unknown[0]!r}, which is not in the training split; its "
                f"labels are {', '.join(spec.class_names)}."
            )
        columns = map(table.get, spec.columns)
        texts = [COLUMN_SEPARATOR.join(parts) for parts in zip(*columns, strict=True)]
        labels = np.array([index_of[label] for label in table[LABEL]], np.int64)
        splits[split] = Rows(np.array(texts, object), labels)
        digest.update(b"\0".join(texts) + labels.tobytes())
    return splits, f"{Path(spec.name).name}/{digest.hexdigest()[:12]}"


def _read_tfds(spec: DatasetSpec, data_dir: str | Path | None) -> tuple[dict[str, Rows], str]:
    builder = open_builder(spec.source, data_dir)
    ensure_prepared(builder)
    _, label_key = builder.info.supervised_keys

    def prepare_row(row: dict[str, Any]) -> tuple[Any, Any]:
        parts = [row[column] for column in spec.columns]
        return tf.strings.join(parts, separator=COLUMN_SEPARATOR), row[label_key]

    return read_splits(builder, prepare_row), builder.info.full_name
