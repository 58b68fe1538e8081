"""What is served: an artifact as it is; a run or a trained model by way of its ONNX artifact."""

import hashlib
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import filelock
import platformdirs

from zoo.artifacts import reader
from zoo.data.readers import reraise_reader_errors
from zoo.errors import ArgumentValueError, ArtifactError, ExportError, RunError
from zoo.pretrained.catalog import SEPARATOR
from zoo.runs import find_run, load_run

EQUALS = "="
VALID_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
EXPORTED_FROM = (
    "config.json",
    "metrics.json",
    "model.keras",
    "weights.safetensors",
    "preprocessor.keras",
    "predictions.npz",
)


def open_sources(references: Sequence[str]) -> dict[str, reader.Artifact]:
    """Open the artifacts that are to be served, by the names under which clients call them.

    A run or a trained model is exported to ONNX the first time, into the user's cache directory.

    Args:
        references: artifacts, runs or trained models, each as `zoo.load_run` takes it; or
            ``NAME=REFERENCE``. The name is otherwise that of the folder or of the model.

    Raises:
        ArgumentValueError: if a name occurs twice or is invalid in a URL.
        RunError: if a reference is neither a run, nor an artifact, nor a trained model.
        ArtifactError: if an artifact is damaged, or the runtime of its format is not installed.
        ExportError: if a run cannot be exported.
    """
    paths: dict[str, str] = {}
    for reference in references:
        name, path = _split(reference)
        if not VALID_NAME.fullmatch(name):
            raise ArgumentValueError(
                f"{name!r} is not a name for a model: expected letters, digits, '.', '_' and '-', "
                f"as in digits={path}."
            )
        if name in paths:
            raise ArgumentValueError(
                f"{paths[name]} and {path} would both be served as {name!r}: name one of them, as "
                f"in {name}-2={path}."
            )
        paths[name] = path
    return {name: _open(path) for name, path in paths.items()}


def find_runs(references: Sequence[str]) -> dict[str, Path]:
    """Return the directories of the runs among what is served, by name.

    Args:
        references: what `open_sources` has opened.
    """
    paths = dict(_split(reference) for reference in references)
    return {
        name: find_run(path)
        for name, path in paths.items()
        if not (Path(path) / reader.FACTS).exists()
    }


def _split(reference: str) -> tuple[str, str]:
    """Return the name and the path of a reference."""
    name, equals, path = reference.partition(EQUALS)
    if equals and not Path(reference).exists():
        return name, path
    folder = Path(reference)
    name = folder.resolve().name if folder.exists() else folder.name
    return name.replace(SEPARATOR, "-"), reference


def _open(path: str) -> reader.Artifact:
    folder = Path(path)
    if (folder / reader.FACTS).exists():
        with reraise_reader_errors(ArtifactError):
            return reader.Artifact(folder)
    return _open_exported(find_run(path))


def _open_exported(directory: Path) -> reader.Artifact:
    """Open the ONNX artifact of a run from the cache, and write it if it is missing or damaged."""
    if not (directory / "config.json").exists():
        raise RunError(
            f"{directory} is neither a run nor an artifact, since it has no config.json and no "
            f"{reader.FACTS}; and no model of that name exists."
        )
    load_run(directory).file("metrics.json")  # raises if the run is unfinished
    folder = platformdirs.user_cache_path("keras-model-zoo") / "serving" / _digest(directory)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder.with_suffix(".lock")):
        try:
            return reader.Artifact(folder)
        except reader.ReaderError:
            _export(directory, folder)
        with reraise_reader_errors(ArtifactError):
            return reader.Artifact(folder)


def _digest(directory: Path) -> str:
    """Return a digest of what a run is exported from, and with."""
    digest = hashlib.sha256(importlib.metadata.version("keras-model-zoo").encode())
    digest.update(Path(reader.__file__).read_bytes())
    for name in EXPORTED_FROM:
        if (directory / name).exists():
            digest.update(name.encode())
            digest.update(hashlib.sha256((directory / name).read_bytes()).digest())
    return digest.hexdigest()[:32]


def _export(directory: Path, folder: Path) -> None:
    """Export a run to ONNX in a process of its own, so that this one never holds TensorFlow."""
    command = [sys.executable, "-m", "zoo", "export", str(directory.resolve())]
    process = subprocess.run(
        [*command, "--format", "onnx", "--output", str(folder), "--overwrite"],
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        last = process.stderr.strip().splitlines()[-1:] or ["no message"]
        raise ExportError(f"{directory} cannot be served: {last[0].removeprefix('zoo: ')}")
