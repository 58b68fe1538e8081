"""Table files: CSV, TSV, JSON and Parquet, which may be compressed, as columns of Arrow."""

import bz2
import codecs
import contextlib
import csv
import functools
import gzip
import io
import json
import lzma
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from zoo.errors import ArgumentValueError, DatasetError, did_you_mean

FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")
ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar")
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
SAMPLE_BYTES = 1 << 16
BLOCK_BYTES = 1 << 24
MAX_BLOCK_BYTES = (1 << 31) - 1
MAX_ROWS_NAMED = 5


def format_of(path: Path) -> str | None:
    """Return the format of a table by the name of its file; None if it is not one of a table.

    Args:
        path: any path.

    Example:
        >>> from pathlib import Path
        >>> from zoo.data.table_files import format_of
        >>> format_of(Path("reviews.tsv.gz")), format_of(Path("photo.png"))
        ('csv', None)
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return FORMATS.get(suffixes[-1]) if suffixes else None


class TableFile:
    """A CSV, TSV, JSON or Parquet file, which may be compressed.

    The format follows from the name of the file; separator and encoding are detected.

    Args:
        path: path of the file.
        encoding: encoding of its text; detected if empty.
    """

    def __init__(self, path: Path, encoding: str) -> None:
        self.path = path
        self.format = format_of(path) or "csv"
        _require_regular_file(path)
        if encoding:
            _require_encoding(encoding)
        with self._reading():
            self.sample = b"" if self.format == "parquet" else self._head(SAMPLE_BYTES)
        self.encoding = encoding or _detect_encoding(self.sample)
        self.separator = self._detect_separator() if self.format == "csv" else ""

    def describe(self) -> str:
        """Return separator and encoding in words."""
        if self.format == "parquet":
            return ""
        separated = f"separated by {SEPARATORS[self.separator]}, " if self.separator else ""
        return f"{separated}{self.encoding}"

    def column_names(self) -> list[str]:
        """Return the names of the columns."""
        from pyarrow import parquet

        if self.format == "csv":
            header = next(self._sample_rows(self.separator), [])
            if not header:
                raise DatasetError(f"{self.path} is empty: its first line must name the columns.")
            return header
        with self._reading():
            if self.format == "parquet":
                with self._open() as file:
                    return parquet.read_schema(file).names
            return self._json_table.column_names

    def read(self, columns: Sequence[str]) -> Any:
        """Read columns as Arrow arrays by name."""
        from pyarrow import parquet

        before = _fingerprint(self.path)
        names = self.column_names()
        for name in columns:
            _require_column(str(self.path), names, name)
        require_unique(str(self.path), names, columns)
        with self._reading():
            if self.format == "csv":
                table = self._read_csv(columns)
            elif self.format == "parquet":
                with self._open() as file:
                    table = parquet.read_table(file, columns=list(columns))
            else:
                table = self._read_json(columns)
        if _fingerprint(self.path) != before:
            raise DatasetError(f"{self.path} changed while it was read: try again when it is done.")
        return table

    def _read_csv(self, columns: Sequence[str]) -> Any:
        import pyarrow
        from pyarrow import csv as arrow_csv

        mismatched: list[Any] = []

        def collect(row: Any) -> str:
            mismatched.append(row)
            return "skip"

        def read(block_size: int) -> Any:
            mismatched.clear()
            with self._open() as file:
                return arrow_csv.read_csv(
                    file,
                    read_options=arrow_csv.ReadOptions(
                        encoding=self.encoding, block_size=block_size, use_threads=False
                    ),
                    parse_options=arrow_csv.ParseOptions(
                        delimiter=self.separator,
                        newlines_in_values=True,
                        invalid_row_handler=collect,
                    ),
                    convert_options=arrow_csv.ConvertOptions(
                        include_columns=columns,
                        column_types=dict.fromkeys(columns, pyarrow.string()),
                        strings_can_be_null=False,
                    ),
                )

        table = self._with_growing_blocks(read)
        if mismatched:
            raise DatasetError(self._mismatch_message(mismatched))
        return table

    def _mismatch_message(self, mismatched: Sequence[Any]) -> str:
        first = mismatched[0]
        rows = _name_rows([row.number - 1 for row in mismatched])
        return (
            f"{self.path}: {rows} not {first.expected_columns} fields as the header has "
            f"(the first has {first.actual_columns}): quote fields that contain a separator "
            "or a line break."
        )

    def _read_json(self, columns: Sequence[str]) -> Any:
        """Read objects; texts stay strings even where they look like dates."""
        import pyarrow

        strings = [
            field.name
            for field in self._json_table.schema
            if field.name in columns and pyarrow.types.is_timestamp(field.type)
        ]
        return self._parse_json(strings) if strings else self._json_table

    @functools.cached_property
    def _json_table(self) -> Any:
        return self._parse_json()

    def _parse_json(self, strings: Sequence[str] = ()) -> Any:
        import pyarrow
        from pyarrow import json as arrow_json

        content = self._json_lines()
        schema = pyarrow.schema([(name, pyarrow.string()) for name in strings])
        return self._with_growing_blocks(
            lambda block_size: arrow_json.read_json(
                pyarrow.BufferReader(content),
                read_options=arrow_json.ReadOptions(block_size=block_size),
                parse_options=arrow_json.ParseOptions(schema if strings else None),
            )
        )

    def _json_lines(self) -> bytes:
        with self._open() as file:
            content = file.read()
        if self.encoding != "utf-8":
            content = content.decode(self.encoding).encode()
        content = content.removeprefix(codecs.BOM_UTF8)
        if self.format == "jsonl":
            return content
        rows = _json_rows(self.path, json.loads(content))
        return "\n".join(map(json.dumps, rows)).encode()

    def _with_growing_blocks(self, read: Callable[[int], Any]) -> Any:
        """Read in blocks, and in larger ones where a row does not fit into one."""
        import pyarrow

        block_size = BLOCK_BYTES
        while True:
            try:
                return read(block_size)
            except pyarrow.ArrowInvalid as error:
                is_too_small = "straddl" in str(error) or "block" in str(error)
                if not is_too_small or block_size >= MAX_BLOCK_BYTES:
                    raise
                block_size = min(8 * block_size, MAX_BLOCK_BYTES)

    def _detect_separator(self) -> str:
        by_separator = {
            separator: len(next(self._sample_rows(separator), [])) for separator in SEPARATORS
        }
        if ".tsv" in self.path.name.lower() and by_separator["\t"] > 1:
            return "\t"
        return max(by_separator, key=lambda separator: by_separator[separator])

    def _sample_rows(self, separator: str) -> Iterator[list[str]]:
        decoder = codecs.getincrementaldecoder(self.encoding)(errors="replace")
        sample = decoder.decode(self.sample).removeprefix("\ufeff")
        with contextlib.suppress(csv.Error):
            yield from csv.reader(io.StringIO(sample, newline=""), delimiter=separator)

    def _head(self, size: int) -> bytes:
        with self._open() as file:
            return file.read(size)

    @contextlib.contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        import pyarrow

        suffix = self.path.suffix.lower()
        openers: dict[str, Callable[[Path], Any]] = {
            ".gz": gzip.open,
            ".bz2": bz2.open,
            ".xz": lzma.open,
            ".zst": lambda path: pyarrow.input_stream(str(path), compression="zstd"),
        }
        with openers.get(suffix, lambda path: path.open("rb"))(self.path) as file:
            if self.format == "parquet" and suffix in openers:  # which is read from its end
                yield io.BytesIO(file.read())
            else:
                yield file

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        import pyarrow

        broken = (
            pyarrow.ArrowException, OSError, EOFError, UnicodeError, ValueError, zlib.error,
            lzma.LZMAError,
        )  # fmt: skip
        try:
            yield
        except DatasetError:
            raise
        except broken as error:
            if "UTF8" in str(error) or isinstance(error, UnicodeError):
                raise DatasetError(self._encoding_message()) from None
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise DatasetError(
                f"{self.path} is not a readable {self.format} table: {reason}"
            ) from None

    def _encoding_message(self) -> str:
        where = f"{self.path}{self._first_undecodable_line()}: not {self.encoding}"
        return f"{where}: pass file_encoding (--encoding), such as cp1252, latin-1 or utf-16."

    def _first_undecodable_line(self) -> str:
        with self._open() as file:
            for number, line in enumerate(file, 1):
                try:
                    line.decode(self.encoding)
                except UnicodeError:
                    return f", line {number}"
        return ""


def require_unique(table: str, names: Sequence[str], chosen: Sequence[str]) -> None:
    """Check that columns exist only once.

    Args:
        table: name of the table, for messages.
        names: names of its columns.
        chosen: the columns to check.

    Raises:
        DatasetError: if one is there twice.
    """
    repeated = [name for name in chosen if list(names).count(name) > 1]
    if repeated:
        raise DatasetError(f"{table} has duplicate columns {', '.join(map(repr, repeated))}.")


def list_rows(numbers: Sequence[int]) -> str:
    """Return the first numbers of some rows, in words.

    Args:
        numbers: numbers of the rows, at least one.

    Example:
        >>> from zoo.data.table_files import list_rows
        >>> list_rows([3]), list_rows(range(1, 9))
        ('row 3', 'rows 1, 2, 3, 4, 5, ...')
    """
    shown = ", ".join(map(str, numbers[:MAX_ROWS_NAMED]))
    return f"row{'' if len(numbers) == 1 else 's'} {shown}" + (
        ", ..." if len(numbers) > MAX_ROWS_NAMED else ""
    )


def _json_rows(path: Path, content: Any) -> list[Any]:
    """Return the rows of a JSON document: a list of objects, or an object of columns."""
    if isinstance(content, dict):
        values = list(content.values())
        nested = [value for value in values if isinstance(value, list)]
        if len(nested) == 1 and nested[0] and isinstance(nested[0][0], dict):
            return nested[0]
        if values and all(isinstance(value, dict) for value in values):
            values = [list(value.values()) for value in values]
        if values and all(isinstance(value, list) for value in values):
            if len({len(value) for value in values}) > 1:
                raise DatasetError(f"{path}: its columns have different lengths.")
            return [dict(zip(content, row, strict=True)) for row in zip(*values, strict=True)]
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise DatasetError(
            f"{path} is not a table: must contain a list of objects, or an object of columns."
        )
    return content


def _require_column(table: str, names: Sequence[str], name: str) -> None:
    if name not in names:
        raise DatasetError(
            f"{table} has no column {name!r}.{did_you_mean(name, names)} "
            f"Its columns: {', '.join(names)}."
        )


def _require_regular_file(path: Path) -> None:
    if not path.exists():
        raise DatasetError(f"{path}: no such file.")
    if not path.is_file():
        raise DatasetError(f"{path} is not a regular file.")


def _require_encoding(encoding: str) -> None:
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise ArgumentValueError(
            f"file_encoding={encoding!r}: must be one that Python knows, such as utf-8, utf-16, "
            "cp1252 or latin-1."
        ) from None


def _detect_encoding(sample: bytes) -> str:
    for mark, encoding in BYTE_ORDER_MARKS:
        if sample.startswith(mark):
            return encoding
    if b"\0" in sample[:2]:
        return "utf-16-be" if sample[0] == 0 else "utf-16-le"
    return "utf-8"


def _fingerprint(path: Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def _name_rows(numbers: Sequence[int]) -> str:
    has = "row has" if len(numbers) == 1 else "rows have"
    return f"{len(numbers)} {has} ({list_rows(numbers)})"
