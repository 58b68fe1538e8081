"""Quiet import of TensorFlow, and finished runs, for the commands that need them."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import click

from zoo.errors import ZooError
from zoo.process import mute_stderr
from zoo.runs import Run, load_run


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Import TensorFlow, and hide what its C++ code writes to standard error in the block.

    What was hidden is shown if an exception is raised that the command does not expect.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    expected: Exception | None = None
    with mute_stderr():
        try:
            import absl.logging
            import tensorflow  # noqa: F401

            absl.logging.set_verbosity(absl.logging.ERROR)
            yield
        except (ZooError, OSError, click.ClickException) as error:
            expected = error  # raised outside of `mute_stderr`, which would show what it hid
    if expected is not None:
        raise expected


def load_finished_run(directory: Path) -> Run:
    """Open a finished run.

    Args:
        directory: its run directory.

    Raises:
        RunError: if it is not a run directory, or the run is unfinished or damaged.
    """
    run = load_run(directory)
    run.file("metrics.json")
    return run
