"""Files that are written atomically, directories that one process works in, errors that name the file."""

import contextlib
import csv
import io
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock

from zoo.errors import RunError

if TYPE_CHECKING:
    pass


PARTIAL = ".partial-"


@contextlib.contextmanager
def exclusive_lock(directory: Path) -> Iterator[None]:
    """Lets no second process work in a directory.

    Args:
        directory: it has a file ``lock`` meanwhile.

    Raises:
        RunError: if another process is at work there.
    """
    lock = directory / "lock"
    try:
        with filelock.FileLock(lock, blocking=False):
            try:
                yield
            finally:
                with contextlib.suppress(PermissionError):  # Windows removes no file that is open
                    lock.unlink(missing_ok=True)
    except filelock.Timeout:
        raise RunError(f"another process is at work in {directory} now.") from None


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Writes a file whole or not at all.

    Args:
        path: the file.

    Yields:
        A path beside it with the same ending to write to, moved to `path` if all goes well.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=PARTIAL, suffix=path.suffix)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.chmod(0o644)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def remove_partial_files(directory: Path) -> None:
    """Removes what a process that was killed has left half-written.

    Args:
        directory: of the run.
    """
    for path in directory.glob(f"{PARTIAL}*"):
        path.unlink()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a mapping as JSON, whole or not at all.

    Args:
        path: the file.
        content: the mapping.
    """
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n")


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes rows as CSV, whole or not at all.

    Args:
        path: the file.
        rows: at least one, all of the same keys.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with atomic_write(path) as partial:
        partial.write_text(text.getvalue())


@contextlib.contextmanager
def wrap_read_errors(path: Path) -> Iterator[Path]:
    """Names the file if reading it fails.

    Args:
        path: the file.

    Yields:
        The same path.

    Raises:
        RunError: if what is inside cannot be read as what it should be.
    """
    try:
        yield path
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise RunError(f"{path} is damaged: {reason}") from error
