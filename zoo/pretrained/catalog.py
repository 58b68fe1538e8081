"""Catalog of the trained models of the package; imports the standard library only."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import WeightsError, unknown_name_message
from zoo.registry import get_spec, list_models

RUNS = Path(__file__).parent / "runs"
RECORD = "record.json"
CARD = "README.md"  # may be edited
FILES = (
    "config.json",
    "history.csv",
    "metrics.json",
    "predictions.npz",
    "preprocessor.keras",
    "weights.safetensors",
)
SEPARATOR = ":"


@dataclasses.dataclass(frozen=True)
class Record:
    """Where the weights of a packed run come from, and what they reach.

    Attributes:
        model: name of the model.
        trained_on: name of the dataset.
        command: command that trains the same model.
        seed: seed of the training run.
        commit: commit of the package that trained it; empty if unknown.
        processor: the processor, its instruction sets and its threads, on which bits depend.
        environment: versions of the software.
        dataset_version: version of the rows.
        terms: terms of use of the dataset.
        differences: how the rows differ from those that the dataset's authors published, as a
            sentence; empty if they do not.
        metric: the metric by which the model is judged, such as ``"test_accuracy"``.
        figures: metrics of the test split before rounding.
        rounded: the same metrics with the weights of the file.
        standard_error: standard error of `metric` due to the number of test rows.
        weights_sha256: digest of the weights before rounding; see `zoo.runs.weights`.
        files: digest of each file by name.
        bytes: size of all files.
    """

    model: str
    trained_on: str
    command: str
    seed: int
    commit: str
    processor: str
    environment: Mapping[str, Any]
    dataset_version: str
    terms: str
    metric: str
    figures: Mapping[str, float]
    rounded: Mapping[str, float]
    standard_error: float
    weights_sha256: str
    files: Mapping[str, str]
    bytes: int
    differences: str = ""


def list_pretrained() -> list[Record]:
    """Return the records of the trained models of the package, by name."""
    return [
        read_record(folder)
        for name in list_models()
        for folder in sorted((RUNS / name).glob("*"))
        if folder.is_dir()
    ]


def find(name: str, trained_on: str | None = None) -> Path:
    """Return the packed run of a model.

    Args:
        name: name of the model.
        trained_on: name of the dataset; the model's own if None.

    Raises:
        UnknownModelError: if there is no such model.
        WeightsError: if the package has no weights of it, or none trained on that dataset.
    """
    own = get_spec(name).dataset
    available = _datasets_of(name)
    if not available:
        having = ", ".join(model for model in list_models() if _datasets_of(model))
        raise WeightsError(
            f"{name} does not come trained: train it with `zoo train {name}`. Those that do: "
            f"{having}."
        )
    chosen = trained_on or (own if own in available else available[0])
    if chosen not in available:
        raise WeightsError(unknown_name_message(f"weights of {name}", chosen, available))
    return RUNS / name / chosen


def find_reference(reference: str) -> Path | None:
    """Return the packed run that ``MODEL`` or ``MODEL:DATASET`` refers to.

    Args:
        reference: what a user passed in place of a run directory.

    Returns:
        Its directory; None if this is not the name of a model.

    Raises:
        WeightsError: if the package has no weights of the model.
    """
    name, _, trained_on = reference.partition(SEPARATOR)
    return find(name, trained_on or None) if name in list_models() else None


def read_record(directory: Path) -> Record:
    """Read the record of a packed run.

    Args:
        directory: its directory.

    Raises:
        WeightsError: if there is none, it is damaged, or it lists other files than `FILES`.
    """
    path = directory / RECORD
    try:
        record = Record(**json.loads(path.read_text("utf-8")))
        if sorted(record.files) == sorted(FILES) and isinstance(record.files, dict):
            return record
    except FileNotFoundError:
        raise WeightsError(f"{directory} is not a packed run: it has no {RECORD}.") from None
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(f"{path} is damaged, or was not written by zoo.") from error
    raise WeightsError(f"{path} is damaged: its files must be {', '.join(FILES)}.")


def digest_files(directory: Path) -> dict[str, str]:
    """Return the SHA-256 digest of each file of a packed run but its record and its card.

    Args:
        directory: its directory.
    """
    return {
        path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name not in (RECORD, CARD)
    }


def require_intact(directory: Path) -> None:
    """Compare the files of a packed run with the digests in its record.

    Args:
        directory: its directory.

    Raises:
        WeightsError: if a file is missing or has been changed; names it.
    """
    recorded = read_record(directory).files
    for name, digest in recorded.items():
        path = directory / name
        if not path.is_file():
            raise WeightsError(f"{directory} lacks {name}, which its record lists.")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != digest:
            raise WeightsError(
                f"{path} has been changed: its SHA-256 digest is {found[:12]}..., and the record "
                f"says {digest[:12]}...."
            )


def _datasets_of(name: str) -> list[str]:
    folders = (RUNS / name).glob("*")
    return sorted(folder.name for folder in folders if (folder / RECORD).is_file())
