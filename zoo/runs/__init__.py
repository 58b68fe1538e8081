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

import csv
import dataclasses
import functools
import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import RunError
from zoo.runs.files import PARTIAL, wrap_read_errors, write_json
from zoo.specs import DatasetSpec, Recipe

if TYPE_CHECKING:
    import keras
    import numpy as np


FORMAT = 2
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
    def recipe(self) -> Recipe:
        """How the run was trained."""
        return Recipe.from_json(self.config["recipe"])

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end."""
        return (self.directory / "metrics.json").exists()

    @property
    def metrics(self) -> dict[str, Any]:
        """The figures: ``test_accuracy`` and the like, by split, and what they cost."""
        with wrap_read_errors(self.file("metrics.json")) as path:
            return json.loads(path.read_text())

    @property
    def history(self) -> dict[str, list[float]]:
        """One list a column of ``history.csv``, one entry an epoch."""
        with wrap_read_errors(self.file("history.csv")) as path:
            rows = list(csv.DictReader(path.read_text().splitlines()))
            return {key: [float(row[key]) for row in rows] for key in rows[0]}

    @property
    def predictions(self) -> dict[str, "np.ndarray"]:
        """``labels`` and ``probabilities`` of the test split; rows ``index`` of it as ``raw``."""
        import numpy as np

        with wrap_read_errors(self.file("predictions.npz")) as path, path.open("rb") as file:
            return dict(np.load(file))

    @functools.cached_property
    def model(self) -> "keras.Model":
        """The trained, compiled model.

        Keras keeps in no file which weights are spared decay: training it on by hand, where the
        recipe has any, decays them all. `zoo.train` builds the optimizer anew.
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
    return Run(directory, _with_current_names(config))


def _with_current_names(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with the names that settings had in earlier versions replaced."""
    arguments, recipe = dict(config["arguments"]), dict(config["recipe"])
    images = dict(recipe["images"])
    recipe.pop("max_gap", None)  # a stop rule of the course, which passes it to `zoo.train`
    for settings, old, new in (
        (arguments, "centred", "centered"),
        (images, "greyscale", "grayscale"),
    ):
        if old in settings:
            settings[new] = settings.pop(old)
    return {**config, "arguments": arguments, "recipe": recipe | {"images": images}}


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
