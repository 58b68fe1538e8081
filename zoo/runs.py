"""A run directory: what is in it, and how it is written and read back.

    config.json        what was asked for, and on what machine; written first
    history.csv        one row an epoch
    checkpoint.npz     the last finished epoch, while the run is unfinished
    model.keras        the trained model
    preprocessor.keras the layer from raw rows to the model's input
    predictions.npz    the model's answers on the test split, and some of its raw rows
    README.md          the model's card
    metrics.json       the figures; written last, so that it marks a finished run
    figures/           drawn by `zoo report`
    lock               held by the process that trains, while the run is unfinished

Every file is written whole or not at all.
"""

import contextlib
import csv
import dataclasses
import functools
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock

from zoo.errors import RunError
from zoo.specs import DatasetSpec

if TYPE_CHECKING:
    import keras
    import numpy as np

FORMAT = 2
PARTIAL = ".partial-"
KEYS = {"model", "arguments", "recipe", "dataset", "dataset_version", "data_dir", "seed"}
ROWS_SHOWN = 20


@dataclasses.dataclass(frozen=True)
class Run:
    """A run, read from its directory when asked.

    Attributes:
        directory: where it is.
        config: content of ``config.json``.
    """

    directory: Path
    config: Mapping[str, Any]

    @property
    def dataset(self) -> DatasetSpec:
        """The data set's spec, as it was when the run began."""
        return DatasetSpec.from_json(self.config["dataset"])

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end."""
        return (self.directory / "metrics.json").exists()

    @property
    def metrics(self) -> dict[str, Any]:
        """The figures: ``test_accuracy`` and the like, by split, and what they cost."""
        with readable(self.file("metrics.json")) as path:
            return json.loads(path.read_text())

    @property
    def history(self) -> dict[str, list[float]]:
        """One list a column of ``history.csv``, one entry an epoch."""
        with readable(self.file("history.csv")) as path:
            rows = list(csv.DictReader(path.read_text().splitlines()))
            return {key: [float(row[key]) for row in rows] for key in rows[0]}

    @property
    def predictions(self) -> dict[str, "np.ndarray"]:
        """``labels`` and ``probabilities`` of the test split; rows ``index`` of it as ``raw``."""
        import numpy as np

        with readable(self.file("predictions.npz")) as path, path.open("rb") as file:
            return dict(np.load(file))

    @functools.cached_property
    def model(self) -> "keras.Model":
        """The trained, compiled model.

        Keras keeps in no file which weights are spared decay: training it on by hand, where the
        recipe has any, decays them all. `zoo.train` builds the optimiser anew.
        """
        return _load_keras(self.file("model.keras"))

    @functools.cached_property
    def preprocessor(self) -> "keras.Model":
        """The layer from raw rows to the model's input."""
        return _load_keras(self.file("preprocessor.keras"))

    def file(self, name: str) -> Path:
        """Finds a file of the run.

        Args:
            name: its name.

        Returns:
            Its path.

        Raises:
            RunError: if it is not there; says whether the run is unfinished.
        """
        path = self.directory / name
        if not path.exists():
            why = "is damaged" if self.is_finished else "is unfinished: go on with --resume"
            raise RunError(f"{self.directory} has no {name}; the run {why}.")
        return path


def refuse_existing(directory: Path) -> None:
    """Makes sure that a run can be put somewhere.

    Args:
        directory: where.

    Raises:
        RunError: if there is something already, other than an empty folder.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise RunError(
            f"{directory} exists already: choose another --run-dir, or go on with --resume."
        )


def create_run(directory: Path, config: Mapping[str, Any]) -> Run:
    """Makes a run directory with its config.

    Args:
        directory: must not exist, or be empty.
        config: what ``config.json`` is to hold.

    Returns:
        The run.

    Raises:
        RunError: if there is something already.
    """
    refuse_existing(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=PARTIAL) as folder:
        new = Path(folder) / "run"
        new.mkdir()
        write_json(new / "config.json", config)
        try:
            new.rename(directory)
        except OSError:
            refuse_existing(directory)  # another process was first
            raise
    return load_run(directory)


def load_run(directory: str | Path) -> Run:
    """Opens a run from its directory; anything else is read when it is asked for.

    Args:
        directory: what `train` was told or made as its run directory.

    Returns:
        The run: ``run.model``, ``run.preprocessor``, ``run.metrics``, ``run.history``.

    Raises:
        RunError: if it is no run directory, is damaged, or of another version of the zoo.

    Example:
        >>> import zoo
        >>> zoo.load_run("no/such/run")
        Traceback (most recent call last):
        ...
        zoo.errors.RunError: no/such/run is no run directory: it has no config.json.
    """
    directory = Path(directory)
    path = directory / "config.json"
    if not path.is_file():
        raise RunError(f"{directory} is no run directory: it has no config.json.")
    try:
        config = json.loads(path.read_text())
        written_in, by = config["format"], config["zoo"]
        complete = written_in != FORMAT or config.keys() >= KEYS
    except (ValueError, KeyError, TypeError, AttributeError):
        complete = False
    if not complete:
        raise RunError(f"{path} is damaged, or of no run of this zoo.") from None
    if written_in != FORMAT:
        raise RunError(
            f"{directory} is in run format {written_in}, written by zoo {by}; this zoo reads "
            f"format {FORMAT}: open it with that version, or train again."
        )
    return Run(directory, config)


@contextlib.contextmanager
def alone(directory: Path) -> Iterator[None]:
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


def worst_mistakes(labels: "np.ndarray", probabilities: "np.ndarray") -> "np.ndarray":
    """Finds the wrong answers whose true class got the smallest probability.

    Args:
        labels: ``(rows,)``, the true classes.
        probabilities: ``(rows, classes)``.

    Returns:
        Indices of at most `ROWS_SHOWN` rows, the worst first.
    """
    import numpy as np

    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    of_truth = probabilities[wrong, labels[wrong]]
    return wrong[np.argsort(of_truth, kind="stable")[:ROWS_SHOWN]]


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
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
    with whole(path) as partial:
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
    with whole(path) as partial:
        partial.write_text(text.getvalue())


@contextlib.contextmanager
def readable(path: Path) -> Iterator[Path]:
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


def _load_keras(path: Path) -> "keras.Model":
    """Reads a model; nothing in its file is run as code."""
    import keras

    try:
        return keras.saving.load_model(path, safe_mode=True)
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        written_by = _keras_version_in(path)
        if written_by in (None, keras.__version__):
            raise RunError(f"{path} is damaged: {reason}") from error
        raise RunError(
            f"{path} was written by keras {written_by}, and this is keras {keras.__version__}: "
            f"install keras=={written_by}, or train again ({reason})."
        ) from error


def _keras_version_in(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as file:
            return json.loads(file.read("metadata.json"))["keras_version"]
    except (zipfile.BadZipFile, KeyError, ValueError):
        return None
