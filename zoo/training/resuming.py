"""Resuming: an unfinished run is opened again, and only under the settings it was started with."""

import dataclasses
import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from zoo.data import DATASETS
from zoo.data.pipeline import Data
from zoo.errors import DatasetError, RunError
from zoo.registry import get_spec
from zoo.runs import Run, load_run
from zoo.specs import DatasetSpec
from zoo.training.cluster import ONE_PROCESS
from zoo.training.config import RunConfig, files_of
from zoo.training.devices import Placement, place
from zoo.training.starting import Start, absolute_weights, weights_digest

DATASET_PROSE = ("summary", "reference")  # which no training depends on


def reopen_run(
    run_dir: str | Path | None,
    name: str,
    dataset: str | Path | DatasetSpec | None,
    seed: int | None,
    overrides: Mapping[str, Any],
) -> Run:
    """Open a run to resume it.

    Args:
        run_dir: directory of the run.
        name: name of the model.
        dataset: name or spec of the dataset; that of the run if None.
        seed: seed; that of the run if None.
        overrides: arguments of the builder and fields of the recipe; what is not given is taken
            from the run.

    Raises:
        RunError: if the run was started with other values, or from a weights file that has changed.
    """
    if run_dir is None:
        raise RunError("--resume needs --run-dir: which run is to be resumed?")
    run = load_run(run_dir)
    stored_start = Start(**run.config["start"])
    start = Start.of(get_spec(run.config["model"]), overrides)
    requested = {"model": name, **overrides, **absolute_weights(overrides)}
    if start.weights:
        requested |= dataclasses.asdict(start)
    if isinstance(dataset, DatasetSpec):
        requested["dataset"] = dataset.name
    elif dataset is not None:
        is_path = dataset not in DATASETS and Path(dataset).exists()
        requested["dataset"] = str(Path(dataset).resolve() if is_path else dataset)
    if seed is not None:
        requested["seed"] = seed
    stored = {
        **dataclasses.asdict(stored_start),
        **run.config["arguments"],
        **run.recipe.settings(),
        **dataclasses.asdict(files_of(run.dataset)),
        "model": run.config["model"],
        "dataset": run.dataset.name,
        "seed": run.config["seed"],
    }
    differences = [
        f"{key}={value!r} (the run has {stored.get(key)!r})"
        for key, value in requested.items()
        if value != stored.get(key)
    ]
    if differences:
        raise RunError(f"{run.directory} is another run: {', '.join(differences)}.")
    if not run.is_finished:
        _require_same_backend(run)
        _require_same_weights(run, stored_start)
    return run


def _require_same_weights(run: Run, start: Start) -> None:
    """Refuse a run whose initial weights are not those it was started with."""
    arguments = run.config["arguments"]
    digest = weights_digest(run.config["model"], start, arguments)
    if digest != run.config.get("weights_sha256"):
        raise RunError(
            f"{run.directory} started from weights={start.weights or arguments['weights']!r}, and "
            "that file is missing or has changed."
        )


def reopen_devices(run: Run, devices: str | int | None) -> Placement:
    """Choose the devices on which a run is resumed: as many, of the same type, as it began on.

    The environment must name as many processes, too.

    Args:
        run: the run.
        devices: as `zoo.train` takes them; those of the run if None.

    Raises:
        RunError: if these are other devices, or more or fewer processes.
        ArgumentValueError: if there are not as many devices.
    """
    stored = run.config.get("devices")
    placement = place(stored if devices is None else devices)
    processes = run.config.get("processes", 1)
    if placement.cluster.processes != processes:
        difference = f"processes={placement.cluster.processes} (the run has {processes})"
    elif placement.to_json().get("devices") != stored:
        difference = f"devices={devices!r} (the run has {stored!r})"
    else:
        return placement
    raise RunError(f"{run.directory} is another run: {difference}.")


def require_same_settings(
    placement: Placement, config: RunConfig, run_dir: str | Path | None
) -> None:
    """Refuse the processes of a cluster that were started with different settings or versions.

    Args:
        placement: the devices, and the processes that use them.
        config: the configuration of the run.
        run_dir: directory of the run, if it was given.

    Raises:
        ClusterError: on the processes that differ from process 0.
    """
    cluster = placement.cluster
    if cluster is ONE_PROCESS:
        return
    versions = {name: importlib.metadata.version(name) for name in ("keras", "jax", "numpy")}
    cluster.require_same(
        {
            **dataclasses.asdict(config.start),
            **config.arguments,
            **config.recipe.settings(),
            **versions,
            "model": config.model,
            "dataset": config.dataset.name,
            "seed": config.seed,
            "devices": placement.to_json()["devices"],
            "run_dir": run_dir and str(run_dir),
        }
    )


def _require_same_backend(run: Run) -> None:
    backend = run.config.get("environment", {}).get("backend", "tensorflow")
    if backend != keras.config.backend():
        raise RunError(
            f"{run.directory} was started on {backend}, and this is {keras.config.backend()}: "
            f"resume it with KERAS_BACKEND={backend}; a finished run opens on both."
        )


def require_same_config(run: Run, config: RunConfig) -> None:
    """Refuse a run that was started with another configuration.

    Args:
        run: the run.
        config: the configuration it must have; its data may be stored elsewhere.

    Raises:
        RunError: if it has another.
    """
    requested = json.loads(json.dumps(config.to_json())) | {"data_dir": run.config["data_dir"]}
    described = {key: run.config["dataset"][key] for key in DATASET_PROSE}
    requested["dataset"] |= described
    if not requested.items() <= run.config.items():
        raise RunError(f"{run.directory} has other settings: choose another directory.")


def require_same_data(run: Run, data: Data) -> None:
    """Refuse data of another version than a run was trained on.

    Args:
        run: the run.
        data: the data read for it.

    Raises:
        DatasetError: if the versions differ.
    """
    if data.version != run.config["dataset_version"]:
        raise DatasetError(
            f"{run.directory} was trained on {run.config['dataset_version']} and this is "
            f"{data.version}: its splits may share rows with what the model has learned."
        )
