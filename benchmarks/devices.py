"""Models trained on two logical devices, compared with one.

    python -m benchmarks.devices

Trains each case for an epoch on the digits or on generated reviews, on TensorFlow
and on JAX, on ``cpu:1`` and on ``cpu:2``. Writes one row per backend and case to
``benchmarks/results/devices.csv``: the maximum difference between the weights, the test loss of
each, and whether the two are to agree; on TensorFlow they are not where a layer is random or
normalizes batches. Requires the extras ``benchmark`` and ``jax``.
"""

import json
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

BACKENDS = ("tensorflow", "jax")
KEYS = ("backend", "model", "settings")
DIGITS = {"dataset": "digits", "precision": "float32", "jit_compile": False}
REVIEWS = {"dataset": "toy_reviews", "sequence_length": 24, "units": 16, "embedding_dim": 16}
REVIEWS |= {"jit_compile": False}
SAME_EVERYWHERE: list[tuple[str, dict[str, Any]]] = [
    ("mlp", {**DIGITS, "dropout": 0.0}),
    ("simple_cnn", {**DIGITS, "pool_size": "1-1-2", "filters": 8, "batch_normalization": False}),
    ("gru", {**REVIEWS, "dropout": 0.0, "word_dropout": 0.0}),
    ("nonlinear_autoencoder", {**DIGITS, "grayscale": "none"}),
]
SAME_ON_JAX: list[tuple[str, dict[str, Any]]] = [
    ("mlp", {**DIGITS, "dropout": 0.4}),
    ("simple_cnn", {**DIGITS, "pool_size": "1-1-2", "filters": 8}),
    ("vae", DIGITS),
]
CASES = SAME_EVERYWHERE + SAME_ON_JAX


def train(folder: Path, devices: str) -> None:
    """Train each case on the devices and the backend of this process."""
    for number, (name, settings) in enumerate(CASES):
        zoo.train(
            name, epochs=1, devices=devices, run_dir=folder / f"{number}-{devices[-1]}",
            progress=False, execution="recipe", **settings,
        )  # fmt: skip


@click.command(help=__doc__)
@click.option("--folder", type=click.Path(path_type=Path), hidden=True)
@click.option("--devices", hidden=True)
def main(folder: Path | None, devices: str | None) -> None:
    """Train on each backend and on either number of devices, and compare."""
    if folder and devices:
        train(folder, devices)
        return
    for backend in BACKENDS:
        with tempfile.TemporaryDirectory() as temporary:
            for devices in ("cpu:1", "cpu:2"):
                command = [sys.executable, "-m", "benchmarks.devices", "--folder", temporary]
                environment = os.environ | {"KERAS_BACKEND": backend}
                subprocess.run([*command, "--devices", devices], check=True, env=environment)
            for number in range(len(CASES)):
                row = _compare(backend, Path(temporary), number)
                tables.save_row("devices", row, KEYS)
                click.echo(f"{backend} {row['model']}: {row['max_difference']:.1e}")


def _compare(backend: str, folder: Path, number: int) -> dict[str, Any]:
    runs = [zoo.load_run(folder / f"{number}-{count}") for count in (1, 2)]
    weights = zip(*(run.model.get_weights() for run in runs), strict=True)
    name, settings = CASES[number]
    return {
        "backend": backend,
        "model": name,
        "settings": json.dumps(settings),
        "is_to_agree": backend == "jax" or number < len(SAME_EVERYWHERE),
        "max_difference": max(float(np.abs(one - two).max()) for one, two in weights),
        "test_loss_on_one": runs[0].metrics["test_loss"],
        "test_loss_on_two": runs[1].metrics["test_loss"],
        **tables.environment(),
    }


if __name__ == "__main__":
    main()
