"""Run directories: their contents, and the functions that create and open them.

    config.json        arguments, recipe, dataset and environment; written first
    history.csv        one row per epoch
    checkpoint.npz     state after the last completed epoch, while the run is unfinished
    model.keras        the trained model; weights.safetensors in a packed run (`zoo.pretrained`)
    preprocessor.keras the layer that maps raw rows to the input of the model
    predictions.npz    predictions for the test split, and some of its raw rows
    README.md          the model card
    metrics.json       the metrics; written last, so that it marks a finished run
    figures/           written by `zoo report`
    lock               held by the process that trains, while the run is unfinished

Every file is written atomically.
"""

import contextlib
import csv
import dataclasses
import functools
import importlib
import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import RunError
from zoo.pretrained.catalog import RECORD, find_reference, require_intact
from zoo.pretrained.hub import download, is_reference
from zoo.registry import build
from zoo.runs.files import PARTIAL, wrap_read_errors, write_json
from zoo.runs.notebook import FigureList, render_run
from zoo.specs import DatasetSpec, Recipe, list_to_tuple

if TYPE_CHECKING:
    import keras
    import numpy as np
    import pandas as pd


FORMAT = 2
RUNS = Path("runs")
PACKED_WEIGHTS = "weights.safetensors"
PRETRAINED_ARGUMENTS = ("weights", "keep_head")
REQUIRED_KEYS = {"model", "arguments", "recipe", "dataset", "dataset_version", "data_dir", "seed"}
ROWS_SHOWN = 20
MAX_METRICS_IN_REPR = 4
ADDED_RECIPE_FIELDS = {
    "class_weight": "none", "ema_momentum": 0.0, "teacher": "none", "teacher_weight": 0.9,
    "teacher_temperature": 4.0,
}  # fmt: skip
ADDED_DATASET_FIELDS = {"label_column": "label", "encoding": "", "skip_unreadable": False}


@dataclasses.dataclass(frozen=True)
class Run:
    """A training run, whose files are read from its directory on access.

    In a notebook it is displayed as a table of its metrics with its figures, or with the learning
    curves if no figures have been drawn.

    Attributes:
        directory: the run directory.
        config: contents of ``config.json``.
    """

    directory: Path
    config: Mapping[str, Any]

    @property
    def dataset(self) -> DatasetSpec:
        """The spec of the dataset at the time of training."""
        return DatasetSpec.from_json(self.config["dataset"])

    @property
    def recipe(self) -> Recipe:
        """The training recipe."""
        return Recipe.from_json(self.config["recipe"])

    @property
    def is_finished(self) -> bool:
        """Whether training has finished."""
        return (self.directory / "metrics.json").exists()

    @property
    def metrics(self) -> dict[str, Any]:
        """Metrics by split, such as ``test_accuracy``, and the cost of training."""
        with wrap_read_errors(self.file("metrics.json")) as path:
            return json.loads(path.read_text())

    @property
    def history(self) -> dict[str, list[float]]:
        """The columns of ``history.csv``, with one value per epoch.

        ``pandas.DataFrame(run.history)`` takes it as it is; see also `to_frame`.
        """
        with wrap_read_errors(self.file("history.csv")) as path:
            rows = list(csv.DictReader(path.read_text().splitlines()))
            return {key: [float(row[key]) for row in rows] for key in rows[0]}

    @property
    def predictions(self) -> dict[str, "np.ndarray"]:
        """Arrays of ``predictions.npz``.

        For a classifier, ``labels`` and ``probabilities`` of the test split, and its rows
        ``index`` as ``raw``.
        """
        import numpy as np

        with wrap_read_errors(self.file("predictions.npz")) as path, path.open("rb") as file:
            return dict(np.load(file))

    @functools.cached_property
    def model(self) -> "keras.Model":
        """The trained, compiled model.

        Keras does not save which weights are excluded from weight decay: if the recipe excludes
        any, calling `fit` on this model decays all of them. `zoo.train` rebuilds the optimizer.
        """
        if (self.directory / PACKED_WEIGHTS).exists():
            return _unpack_model(self)
        return _load_keras(self.file("model.keras"))

    @functools.cached_property
    def preprocessor(self) -> "keras.Model":
        """The layer that maps raw rows to the input of the model."""
        return _load_keras(self.file("preprocessor.keras"))

    @property
    def is_packed(self) -> bool:
        """Whether it is a packed run, whose directory is not written to."""
        return (self.directory / RECORD).exists()

    @property
    def figures_directory(self) -> Path:
        """Where its figures are drawn: ``figures/`` in its directory, or ``figures/MODEL`` here."""
        here = Path("figures", self.config["model"])
        return here if self.is_packed else self.directory / "figures"

    def file(self, name: str) -> Path:
        """Return the path of a file of the run.

        Args:
            name: name of the file.

        Raises:
            RunError: if the file does not exist; says whether the run is unfinished or damaged.
        """
        path = self.directory / name
        if not path.exists():
            state = "is damaged" if self.is_finished else "is unfinished: resume it with --resume"
            raise RunError(f"{self.directory} has no {name}; the run {state}.")
        return path

    def to_frame(self) -> "pd.DataFrame":
        """Return the history as a pandas DataFrame with one row per epoch.

        Raises:
            ImportError: if pandas is not installed.
            RunError: if no epoch has been completed, or the history is damaged.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "run.to_frame() requires pandas: pip install pandas, or use the dict run.history."
            ) from error
        return pd.DataFrame(self.history)

    def plot(self) -> list[Path]:
        """Plot the figures of a finished run, as `zoo report` does.

        Returns:
            The PNG files, ``sheet.png`` last. In a notebook the sheet is displayed.

        Raises:
            RunError: if the run is unfinished or damaged.
        """
        plots = importlib.import_module("zoo.plots")  # which imports this module
        return FigureList(plots.draw(self))

    def __repr__(self) -> str:
        metrics = {k: v for k, v in self._metrics_if_readable().items() if k.startswith("test_")}
        shown = list(metrics.items())[:MAX_METRICS_IN_REPR]
        lines = [
            f"Run({str(self.directory)!r})",
            self._describe(),
            ", ".join(f"{name} {value:.5g}" for name, value in shown),
        ]
        return "\n".join(filter(None, lines))

    def _repr_html_(self) -> str:
        return render_run(
            self.directory,
            self.figures_directory / "sheet.png",
            self._describe(),
            self._metrics_if_readable(),
            self._history_if_readable(),
        )

    def _describe(self) -> str:
        """Return one line: model, dataset, size, and how far training got."""
        if not self.config.keys() >= REQUIRED_KEYS:
            return ""
        count = len(self._history_if_readable().get("epoch", ()))
        epochs = f"{count} epoch{'' if count == 1 else 's'}"
        state = f"finished after {epochs}" if self.is_finished else f"unfinished after {epochs}"
        size = f"{self.config['parameters']:,} parameters" if "parameters" in self.config else ""
        parts = (f"{self.config['model']} on {self.dataset.name}", size, state)
        return ", ".join(filter(None, parts))

    def _metrics_if_readable(self) -> dict[str, Any]:
        try:
            return self.metrics
        except RunError:
            return {}

    def _history_if_readable(self) -> dict[str, list[float]]:
        try:
            return self.history
        except RunError:
            return {}


def require_empty_directory(directory: Path) -> None:
    """Check that a run can be created in a directory.

    Args:
        directory: the directory.

    Raises:
        RunError: if it exists, unless it is an empty directory.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise RunError(
            f"{directory} already exists: choose another --run-dir, or resume the run with "
            "--resume."
        )


def create_run(directory: Path, config: Mapping[str, Any]) -> Run:
    """Create a run directory.

    Args:
        directory: the directory; must not exist or be empty.
        config: contents of ``config.json``.

    Returns:
        The run.

    Raises:
        RunError: if the directory exists and is not empty.
    """
    require_empty_directory(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=PARTIAL) as folder:
        new = Path(folder) / "run"
        new.mkdir()
        write_json(new / "config.json", config)
        try:
            new.rename(directory)
        except OSError:
            require_empty_directory(directory)  # another process may have created it meanwhile
            raise
    return load_run(directory)


def load_run(directory: str | Path) -> Run:
    """Open a run directory. Only ``config.json`` is read now, and other files on access.

    The files of a packed run are compared with the digests in its record.

    Args:
        directory: a run directory of `zoo.train`; its name, if it is in ``runs/``; a trained
            model of the package, as ``MODEL`` or ``MODEL:DATASET``; or one of the Hugging Face
            Hub, as ``hf://USER/NAME`` or ``hf://USER/NAME@REVISION``.

    Returns:
        The run: ``run.model``, ``run.preprocessor``, ``run.metrics``, ``run.history``.

    Raises:
        RunError: if it is not a run directory, is damaged, or has an unsupported format.
        WeightsError: if the model does not come trained, or a file of it has been changed.
        HubError: if a model of the Hugging Face Hub cannot be read.

    Example:
        >>> import zoo
        >>> zoo.load_run("no/such/run")
        Traceback (most recent call last):
        ...
        zoo.errors.RunError: no/such/run is not a run directory: it has no config.json.
    """
    directory = find_run(directory)
    path = directory / "config.json"
    if not path.is_file():
        raise RunError(f"{directory} is not a run directory: it has no config.json.")
    if (directory / RECORD).exists():
        require_intact(directory)
    try:
        config = json.loads(path.read_text())
        run_format, version = config["format"], config["zoo"]
        is_complete = run_format != FORMAT or config.keys() >= REQUIRED_KEYS
        if run_format == FORMAT and is_complete:
            config = _update_names(config)
    except (ValueError, KeyError, TypeError, AttributeError):
        is_complete = False
    if not is_complete:
        raise RunError(f"{path} is damaged, or was not written by zoo.")
    if run_format != FORMAT:
        raise RunError(
            f"{directory} has run format {run_format}, written by zoo {version}; this version "
            f"reads format {FORMAT}: open it with that version, or train again."
        )
    return Run(directory, config)


def find_run(reference: str | Path) -> Path:
    """Return the run directory that a user means.

    Args:
        reference: a directory; the name of one in ``runs/``; ``MODEL`` or ``MODEL:DATASET``, a
            trained model of the package; or ``hf://USER/NAME``, which is downloaded. A directory
            goes before a name.

    Returns:
        The directory, which may not exist.

    Raises:
        WeightsError: if a model of that name does not come trained.
        HubError: if a model of the Hugging Face Hub cannot be read.
    """
    if is_reference(reference):
        return download(str(reference))
    for directory in (Path(reference), RUNS / reference):
        if (directory / "config.json").is_file():
            return directory
    return find_reference(str(reference)) or Path(reference)


def _update_names(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration in which settings have their current names."""
    arguments, recipe = dict(config["arguments"]), dict(config["recipe"])
    images = dict(recipe["images"])
    recipe.pop("max_gap", None)  # a stop rule of the course, which passes it to `zoo.train`
    for settings, old, new in (
        (arguments, "centred", "centered"),
        (images, "greyscale", "grayscale"),
    ):
        if old in settings:
            settings[new] = settings.pop(old)
    return {
        "start": {"weights": None, "freeze": "none"},
        **config,
        "arguments": arguments,
        "recipe": {**ADDED_RECIPE_FIELDS, **recipe, "images": images},
        "dataset": {**ADDED_DATASET_FIELDS, **config["dataset"]},
    }


def worst_mistakes(labels: "np.ndarray", probabilities: "np.ndarray") -> "np.ndarray":
    """Return the misclassified rows whose true class has the lowest probability.

    Args:
        labels: true classes, ``(rows,)``.
        probabilities: predicted probabilities, ``(rows, classes)``.

    Returns:
        Indices of at most `ROWS_SHOWN` rows, in ascending order of that probability.
    """
    import numpy as np

    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    of_truth = probabilities[wrong, labels[wrong]]
    return wrong[np.argsort(of_truth, kind="stable")[:ROWS_SHOWN]]


def _unpack_model(run: Run) -> "keras.Model":
    """Build the model of a packed run, and set its weights."""
    from zoo.runs.weights import assign_weights, read_weights

    arguments = {
        key: list_to_tuple(value)
        for key, value in run.config["arguments"].items()
        if key not in PRETRAINED_ARGUMENTS
    }
    model = build(run.config["model"], **arguments)
    path = run.directory / PACKED_WEIGHTS
    assign_weights(model, read_weights(path), str(path))
    return model


def _load_keras(path: Path) -> "keras.Model":
    """Load a Keras file in safe mode, so that no code in it is executed."""
    import keras

    _require_plain_paths(path)
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        written_by = _read_keras_version(path)
        if written_by in (None, keras.__version__):
            raise RunError(f"{path} is damaged: {reason}") from error
        raise RunError(
            f"{path} was written by keras {written_by}, and this is keras {keras.__version__}: "
            f"install keras=={written_by}, or train again ({reason})."
        ) from error


def _require_plain_paths(path: Path) -> None:
    """Refuse an archive with files that would be unpacked elsewhere."""
    with contextlib.suppress(zipfile.BadZipFile, OSError), zipfile.ZipFile(path) as file:
        for name in file.namelist():
            if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/"):
                raise RunError(f"{path} is damaged: it contains the path {name}.")


def _read_keras_version(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as file:
            return json.loads(file.read("metadata.json"))["keras_version"]
    except (zipfile.BadZipFile, KeyError, ValueError):
        return None
