"""Packing: a finished run becomes a small directory that proves where its weights come from."""

import dataclasses
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.data.catalog import TERMS
from zoo.errors import RunError
from zoo.pretrained.card import write_packed_card
from zoo.pretrained.catalog import FILES, RECORD, Record, digest_files
from zoo.registry import get_spec
from zoo.runs import PACKED_WEIGHTS, Run, load_run
from zoo.runs.card import card_facts
from zoo.runs.files import PARTIAL, write_json
from zoo.runs.weights import digest_of_weights, write_weights
from zoo.training import evaluate

PREDICTIONS = "predictions.npz"
REWRITTEN = ("config.json", PREDICTIONS, PACKED_WEIGHTS)
DROPPED_BITS = 13  # of the mantissa of float32, so that it is as long as that of float16
UNKNOWN_TERMS = "see the source of the dataset"
METRICS = {
    "reconstruction": "test_mse",
    "generation": "test_loss",
    "conditional_generation": "test_loss",
}


def pack(
    run: Run,
    directory: Path,
    *,
    command: str = "",
    commit: str = "",
    processor: str = "",
    differences: str = "",
    data_dir: str | Path | None = None,
) -> Record:
    """Pack a finished run, and measure what rounding its weights costs on the test split.

    Args:
        run: the run.
        directory: directory to create.
        command: command that trains it.
        commit: commit of the package that trained it.
        processor: name of the processor that trained it.
        differences: how the rows differ from those that the dataset's authors published.
        data_dir: TFDS data directory; that of the run if None.

    Returns:
        The record, which has been written to the directory.

    Raises:
        RunError: if the run is unfinished or damaged, or the directory exists.
        WeightsError: if a weight is too large for half precision.
        DatasetError: if the test split cannot be read.
    """
    if directory.exists():
        raise RunError(f"{directory} already exists.")
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=PARTIAL) as partial:
        folder = Path(partial) / "run"
        folder.mkdir()
        write_weights(run.model, folder / PACKED_WEIGHTS)
        predictions: dict[str, Any] = round_predictions(run.predictions)
        np.savez_compressed(folder / PREDICTIONS, **predictions)
        for name in {*FILES} - {*REWRITTEN}:
            shutil.copy(run.file(name), folder / name)
        write_json(folder / "config.json", without_places(run.config))
        origin = {
            "command": command, "commit": commit, "processor": processor,
            "differences": differences,
        }  # fmt: skip
        record = _record(run, folder, origin, data_dir)
        write_json(folder / RECORD, dataclasses.asdict(record))
        write_packed_card(folder)
        folder.rename(directory)
    return record


def round_predictions(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Round predictions to the precision of the weights, so that they compress better.

    Args:
        arrays: predictions of a run.

    Returns:
        The same arrays, in which numbers of float32 differ by less than a thousandth. Probabilities
        whose largest would be another stay as they are.
    """
    rounded = {
        key: _round(array) if array.dtype == np.float32 else array for key, array in arrays.items()
    }
    if (exact := arrays.get("probabilities")) is not None:
        changed = exact.argmax(-1) != rounded["probabilities"].argmax(-1)
        rounded["probabilities"][changed] = exact[changed]
    return rounded


def _round(array: np.ndarray) -> np.ndarray:
    bits = np.ascontiguousarray(array).view(np.uint32).astype(np.uint64)
    step = 1 << DROPPED_BITS
    return ((bits + step // 2) // step * step).astype(np.uint32).view(np.float32)


def without_places(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of a run without what says on which machine it was trained.

    Args:
        config: contents of ``config.json``.
    """
    environment = {k: v for k, v in config["environment"].items() if k != "platform"}
    return {**config, "data_dir": None, "environment": environment}


def _record(
    run: Run, folder: Path, origin: Mapping[str, str], data_dir: str | Path | None
) -> Record:
    dataset, config = run.dataset, run.config
    metric = METRICS.get(get_spec(config["model"]).task, "test_accuracy")
    errors = card_facts(run, run.metrics)["standard_errors"]
    return Record(
        model=config["model"],
        trained_on=Path(dataset.name).name,
        seed=config["seed"],
        **origin,
        environment=without_places(config)["environment"],
        dataset_version=config["dataset_version"],
        terms=TERMS.get(dataset.name, UNKNOWN_TERMS),
        metric=metric,
        figures=measure_test_split(run, data_dir),
        rounded=measure_test_split(load_run(folder), data_dir or run.config["data_dir"]),
        standard_error=errors.get(metric, 0.0),
        weights_sha256=digest_of_weights(run.model),
        files=digest_files(folder),
        bytes=sum(path.stat().st_size for path in folder.iterdir()),
    )


def measure_test_split(run: Run, data_dir: str | Path | None = None) -> dict[str, float]:
    """Evaluate a run on its test split.

    Args:
        run: the run.
        data_dir: TFDS data directory; that of the run if None.

    Returns:
        Loss and metrics, with ``test_`` in front of Keras' names.
    """
    keras.utils.set_random_seed(run.config["seed"])
    measured = evaluate(run, data_dir=data_dir)
    return {f"test_{name}": value for name, value in measured.items()}
