"""Atomic writes, locks on directories, and read errors that name the file."""

import contextlib
import csv
import io
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import filelock

from zoo.errors import RunError

PARTIAL = ".partial-"


@contextlib.contextmanager
def exclusive_lock(directory: Path) -> Iterator[None]:
    """Lock a directory against other processes.

    Args:
        directory: the directory; contains a file ``lock`` while it is locked.

    Raises:
        RunError: if another process holds the lock.
    """
    lock = directory / "lock"
    try:
        with filelock.FileLock(lock, blocking=False):
            try:
                yield
            finally:
                with contextlib.suppress(PermissionError):  # Windows cannot delete an open file
                    lock.unlink(missing_ok=True)
    except filelock.Timeout:
        raise RunError(f"another process is working in {directory}.") from None


@contextlib.contextmanager
def shared_lock(directory: Path) -> Iterator[None]:
    """Wait until no other process holds the lock of a directory, and hold it.

    Args:
        directory: the directory; contains a file ``lock`` from then on.
    """
    with filelock.FileLock(directory / "lock"):
        yield


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Write a file completely or not at all.

    Args:
        path: the file.

    Yields:
        A temporary path with the same suffix in the same directory. It replaces `path` if the
        block succeeds, and is deleted otherwise.
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
    """Delete the temporary files that a killed process left behind.

    Args:
        directory: a run directory.
    """
    for path in directory.glob(f"{PARTIAL}*"):
        path.unlink()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as JSON, atomically.

    Args:
        path: the file.
        content: the mapping.
    """
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n")


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV, atomically.

    Args:
        path: the file.
        rows: at least one row, all with the same keys.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with atomic_write(path) as partial:
        partial.write_text(text.getvalue())


@contextlib.contextmanager
def wrap_read_errors(path: Path) -> Iterator[Path]:
    """Turn any exception in the block into an error that names the file.

    Args:
        path: the file that is read in the block.

    Yields:
        The same path.

    Raises:
        RunError: if the block raises an exception.
    """
    try:
        yield path
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise RunError(f"{path} is damaged: {reason}") from error
