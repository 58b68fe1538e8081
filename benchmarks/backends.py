"""Every model, trained on each backend of Keras and opened on the other.

    python -m benchmarks.backends [MODEL...]

Trains each model for an epoch on the digits, on generated reviews or on a truth table, by its
recipe but for what these data require, with ``KERAS_BACKEND=tensorflow`` and with ``jax``; then
opens each run on the other backend and predicts rows of the test split on both. Writes one row per
model and backend to ``benchmarks/results/backends.csv``: the seconds of training, the test metric
of the task, and the maximum difference between the predictions of the two backends. Requires the
extras ``benchmark`` and ``jax``.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np

import zoo
from benchmarks import tables
from zoo.data import DATASETS

BACKENDS = ("tensorflow", "jax")
KEYS = ("model", "trained_on")
SETTINGS: dict[str, dict[str, Any]] = {
    "images": {"dataset": "digits"},
    "text": {"dataset": "toy_reviews", "sequence_length": 24},
    "truth_tables": {},
}
ON_SMALL_IMAGES = {
    "simple_cnn": {"pool_size": "1-1-2"},
    "deep_cnn": {"pool_size": "1-1-1-1-1-2", "filters": 8},
    "resnet18": {"filters": 8},
    "truncated_svd": {"rank": 32},
}


def settings_of(name: str) -> dict[str, Any]:
    """Return the settings with which a model trains on small data."""
    spec = zoo.get_spec(name)
    kind = DATASETS[spec.dataset].kind
    is_gray = kind == "images" and spec.recipe.images.grayscale != "none"
    return {
        **SETTINGS[kind],
        **ON_SMALL_IMAGES.get(name, {}),
        **({"grayscale": "none"} if is_gray else {}),
    }


def train(folder: Path, names: list[str]) -> None:
    """Train each model for an epoch on the backend of this process."""
    for name in names:
        zoo.train(name, epochs=1, run_dir=folder / name, progress=False, **settings_of(name))


def predict(folder: Path, names: list[str]) -> None:
    """Store what each run predicts on the backend of this process."""
    import keras

    for name in names:
        run = zoo.load_run(folder / name)
        rows = list(run.predictions["raw"])
        answers = zoo.predict(run, rows)
        column = "probabilities" if "probabilities" in answers[0] else "reconstruction"
        values = [answer[column] for answer in answers]
        values = [list(v.values()) if isinstance(v, dict) else v for v in values]
        np.save(folder / f"{name}-{keras.config.backend()}.npy", np.array(values))


def in_a_process(backend: str, step: str, folder: Path, names: list[str]) -> None:
    """Run a step in a process of its own, on a backend."""
    command = [sys.executable, "-m", "benchmarks.backends", *names, "--step", step]
    environment = os.environ | {"KERAS_BACKEND": backend}
    subprocess.run([*command, "--folder", str(folder)], check=True, env=environment)


@click.command(help=__doc__)
@click.argument("models", nargs=-1)
@click.option("--step", type=click.Choice(["train", "predict"]), hidden=True)
@click.option("--folder", type=click.Path(path_type=Path), hidden=True)
def main(models: tuple[str, ...], step: str | None, folder: Path | None) -> None:
    """Train on each backend, predict on both, and compare."""
    names = list(models) or zoo.list_models()
    if step and folder:
        {"train": train, "predict": predict}[step](folder, names)
        return
    with tempfile.TemporaryDirectory() as temporary:
        for trained_on in BACKENDS:
            in_a_process(trained_on, "train", Path(temporary) / trained_on, names)
            for backend in BACKENDS:
                in_a_process(backend, "predict", Path(temporary) / trained_on, names)
            for name in names:
                row = _compare(Path(temporary) / trained_on, name)
                row = {"model": name, "trained_on": trained_on, **row, **tables.environment()}
                tables.save_row("backends", row, KEYS)
                click.echo(f"{name} trained on {trained_on}: {row['max_difference']:.1e}")


def _compare(folder: Path, name: str) -> dict[str, Any]:
    first, second = (np.load(folder / f"{name}-{backend}.npy") for backend in BACKENDS)
    metrics = zoo.load_run(folder / name).metrics
    shown = next(key for key in ("test_accuracy", "test_mse", "test_loss") if key in metrics)
    return {
        "rows": len(first),
        "metric": shown,
        "value": metrics[shown],
        "seconds": metrics["seconds"],
        "max_difference": float(np.abs(first - second).max()),
    }


if __name__ == "__main__":
    main()
