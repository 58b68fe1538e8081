"""Raw rows from what users hold: files, arrays and strings, read by the reader of artifacts."""

import contextlib
from collections.abc import Iterator

from zoo.artifacts.reader import ReaderError
from zoo.errors import ZooError


@contextlib.contextmanager
def reraise_reader_errors(kind: type[ZooError]) -> Iterator[None]:
    """Makes an error of the zoo's of one that the reader of artifacts, which knows no zoo, raises.

    Args:
        kind: of the error to raise.
    """
    try:
        yield
    except ReaderError as error:
        raise kind(str(error)) from None
