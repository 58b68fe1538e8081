"""Quiet import of TensorFlow, and finished runs, for the commands that need them."""

import contextlib
import importlib.util
import os
import warnings
from collections.abc import Iterator

import click

from zoo.errors import ZooError, did_you_mean
from zoo.process import mute_stderr
from zoo.runs import Run, load_run

BACKENDS = ("tensorflow", "jax", "torch")


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Import TensorFlow, and hide what its C++ code writes to standard error in the block.

    What was hidden is shown if an exception is raised that the command does not expect.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _require_backend_installed()
    warnings.filterwarnings("ignore", "Explicitly requested dtype int64")  # JAX: token ids fit
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


def _require_backend_installed() -> None:
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend not in BACKENDS:
        hint = did_you_mean(backend, BACKENDS)
        raise click.UsageError(f"KERAS_BACKEND={backend}: must be {', '.join(BACKENDS)}.{hint}")
    if importlib.util.find_spec(backend) is None:
        package = "'keras-model-zoo[jax]'" if backend == "jax" else backend
        raise click.UsageError(
            f"KERAS_BACKEND={backend}: {backend} is not installed: pip install {package}."
        )


def load_finished_run(reference: str) -> Run:
    """Open a finished run.

    Args:
        reference: what `zoo.load_run` takes.

    Raises:
        RunError: if it is not a run directory, or the run is unfinished or damaged.
    """
    run = load_run(reference)
    run.file("metrics.json")
    return run
