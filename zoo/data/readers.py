"""Errors of the standalone artifact reader, reraised as errors of the zoo."""

import contextlib
from collections.abc import Iterator

from zoo.artifacts.reader import ReaderError
from zoo.errors import ZooError


@contextlib.contextmanager
def reraise_reader_errors(error_class: type[ZooError]) -> Iterator[None]:
    """Reraise any `ReaderError` of the managed block as an error of the zoo.

    Args:
        error_class: class of the error to raise.
    """
    try:
        yield
    except ReaderError as error:
        raise error_class(str(error)) from None
