"""Text classification datasets: TFDS datasets, users' tables and the synthetic `toy_reviews`."""

import hashlib
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.artifacts.reader import as_bytes
from zoo.data.augmentation import Augmentation
from zoo.data.pipeline import Rows, fill_missing_splits
from zoo.data.readers import reraise_reader_errors
from zoo.data.sequences import SequenceData, map_texts
from zoo.data.table_files import format_of
from zoo.data.tables import (
    SHARD,
    Layout,
    Table,
    find_layout,
    read_labels,
    read_table,
    sort_labels,
    tables_in,
)
from zoo.data.tfds_store import (
    classification_keys,
    ensure_prepared,
    open_builder,
    read_splits,
    summarize,
)
from zoo.data.tokens import UNKNOWN_TOKEN, Tokenizer, standardize_text
from zoo.data.toy_reviews import VERSION as TOY_REVIEWS_VERSION
from zoo.data.toy_reviews import generate as generate_toy_reviews
from zoo.errors import DatasetError, InputError
from zoo.specs import DatasetSpec, FileOptions, TextOptions

DATA = SequenceData
INPUT_NAME = "text"
INPUT_DTYPE = "string"
MIN_DISTINCT = 20
COLUMN_SEPARATOR = b"\n"
DIGEST_ROWS = 10_000


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
        return any(
            SHARD.fullmatch(file.name.partition(".")[0]) and format_of(file)
            for file in path.iterdir()
        )
    return format_of(path) is not None


def describe_table(path: Path, files: FileOptions = FileOptions()) -> DatasetSpec:
    """Derive a dataset spec from a table of texts and labels.

    The classes are the labels of the training rows, in numerical order if they are numbers, and
    else in alphabetical order.

    Args:
        path: a table in one of the formats of `zoo.data.tables`, or a folder with a table ``train``
            and optionally ``validation`` and ``test``, each of which may be split in shards.
        files: columns and encoding, where they are not to be detected.

    Returns:
        The spec.

    Raises:
        DatasetError: if the table cannot be read, lacks a column, or has fewer than two classes.
    """
    path = path.resolve()
    shards = _training_tables(path)
    layout = find_layout(shards, files)
    labels = read_labels(shards, layout, files.file_encoding)
    return DatasetSpec(
        name=str(path),
        kind="text",
        input_shape=(),
        class_names=class_names(str(path), labels, layout.label_column),
        summary=f"{len(labels):,} texts in {path}; {layout.description}",
        source="file",
        columns=layout.text_columns,
        label_column=layout.label_column,
        encoding=files.file_encoding,
    )


def class_names(source: str, labels: np.ndarray, column: str) -> tuple[str, ...]:
    """Return the classes of some labels.

    Args:
        source: where the labels come from, for messages.
        labels: labels of the training rows.
        column: name of their column.

    Raises:
        DatasetError: if there are fewer than two classes, or nearly as many as rows.
    """
    names = sort_labels(labels)
    if len(names) < 2:
        raise DatasetError(
            f"{source} has {len(names)} class ({', '.join(names) or 'no rows'}) in {column!r}: "
            "a dataset needs at least two."
        )
    if len(names) > max(MIN_DISTINCT, len(labels) // 2):
        raise DatasetError(
            f"{source}: {column!r} has {len(names)} different values in {len(labels)} rows, so it "
            "is not a column of classes: pass label_column (--label-column)."
        )
    return tuple(names)


def splits_from_tables(
    spec: DatasetSpec, tables: Mapping[str, Table]
) -> tuple[dict[str, Rows], str]:
    """Join the text columns of each split, and look up its classes.

    Args:
        spec: spec of the dataset.
        tables: table of each split.

    Returns:
        The rows of each split, and a digest of all of them.

    Raises:
        DatasetError: if a split has a label that the spec does not have.
    """
    index_of = {name: index for index, name in enumerate(spec.class_names)}
    splits = {}
    digest = hashlib.sha256()
    for split, table in tables.items():
        unknown = sorted(set(table.labels.tolist()) - set(index_of))
        if unknown:
            raise DatasetError(
                f"{spec.name}: the {split} split has the label {unknown[0]!r}, which is not in the "
                f"training split; its labels are {', '.join(spec.class_names)}."
            )
        texts = table.texts[0]
        if len(table.texts) > 1:
            texts = np.array(
                list(map(COLUMN_SEPARATOR.join, zip(*table.texts, strict=True))), object
            )
        labels = np.array([index_of[label] for label in table.labels], np.int64)
        splits[split] = Rows(texts, labels)
        for start in range(0, len(texts), DIGEST_ROWS):
            digest.update(b"\0" * (start > 0) + b"\0".join(texts[start : start + DIGEST_ROWS]))
        digest.update(labels.tobytes())
    return splits, digest.hexdigest()[:12]


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
    words = _words_by_count(train, options)
    if not words:
        raise DatasetError(f"{spec.name}: the training texts contain no words.")
    return _encoder(options, [word.decode() for word in words[: options.vocab_size]])


def extend_vocabulary(known: keras.Model, options: TextOptions, train: np.ndarray) -> keras.Layer:
    """Build a preprocessor that keeps the token ids of another, and adds words if it is larger.

    Args:
        known: the other preprocessor.
        options: encoding, sequence length and vocabulary size, which is not a smaller one.
        train: training texts, of which the most frequent other words are added.

    Returns:
        A preprocessor as `preprocessor` describes.
    """
    size = known.get_layer("vectorize").get_config()["max_tokens"]
    words = vocabulary(known)[_num_special(options) :]
    if options.vocab_size > size:
        others = {word.encode() for word in words}
        new = (word for word in _words_by_count(train, options) if word not in others)
        words += [word.decode() for word in itertools.islice(new, options.vocab_size)]
    return _encoder(options, words)


def _words_by_count(train: np.ndarray, options: TextOptions) -> list[bytes]:
    words = count_tokens(train, Tokenizer(options.ngrams, options.subwords))
    words.pop(UNKNOWN_TOKEN.encode(), None)
    return sorted(words, key=lambda word: (words[word], word), reverse=True)


def _num_special(options: TextOptions) -> int:
    return 2 if options.encoding == "sequence" else 1


def _encoder(options: TextOptions, words: list[str]) -> keras.Layer:
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
    vectorize.set_vocabulary(words[: options.vocab_size - _num_special(options)])
    return keras.Sequential(
        [keras.Input((), dtype=INPUT_DTYPE, name=INPUT_NAME), vectorize], name="preprocessor"
    )


def count_tokens(texts: np.ndarray, tokenizer: Tokenizer) -> Counter[bytes]:
    """Count the tokens of some texts, which is faster than `TextVectorization.adapt`.

    Args:
        texts: ``(rows,)``, UTF-8.
        tokenizer: splits standardized texts.

    Example:
        >>> import numpy as np
        >>> from zoo.data.text import count_tokens
        >>> from zoo.data.tokens import Tokenizer
        >>> count_tokens(np.array([b"So good, so short."], object), Tokenizer())[b"so"]
        2
    """

    def count(batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        tokens, _, counts = tf.unique_with_counts(tokenizer(standardize_text(batch)).flat_values)
        return tokens, counts

    total: Counter[bytes] = Counter()
    for tokens, counts in map_texts(texts, count):
        total.update(dict(zip(tokens.numpy().tolist(), counts.numpy().tolist(), strict=True)))
    return total


def augmentation(
    spec: DatasetSpec, options: TextOptions, train: np.ndarray
) -> tuple[Augmentation, ...]:
    """Return no functions: texts are not augmented.

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


def _training_tables(path: Path) -> list[Path]:
    tables = tables_in(path)
    if "train" not in tables:
        raise DatasetError(f"{path} has no table called train, as the one to train on.")
    return tables["train"]


def _read_tables(spec: DatasetSpec) -> tuple[dict[str, Rows], str]:
    layout = Layout(spec.columns, spec.label_column)
    tables = {
        split: read_table(files, layout, spec.encoding)
        for split, files in tables_in(Path(spec.name)).items()
    }
    splits, digest = splits_from_tables(spec, tables)
    return splits, f"{Path(spec.name).name}/{digest}"


def _read_tfds(spec: DatasetSpec, data_dir: str | Path | None) -> tuple[dict[str, Rows], str]:
    builder = open_builder(spec.source, data_dir)
    ensure_prepared(builder)
    _, label_key = builder.info.supervised_keys

    def prepare_row(row: dict[str, Any]) -> tuple[Any, Any]:
        parts = [row[column] for column in spec.columns]
        return tf.strings.join(parts, separator=COLUMN_SEPARATOR), row[label_key]

    return read_splits(builder, prepare_row), builder.info.full_name
