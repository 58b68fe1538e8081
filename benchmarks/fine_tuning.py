"""Fine-tuning of trained models of the package on 200 labels, compared with training from scratch.

    python -m benchmarks.fine_tuning [--seeds 3] [--data-dir DIR]

Texts: `gru` on 200 reviews of the test split of IMDB, none of which it has seen, and tested on
another 5,000 of them. Images: `simple_cnn` on 200 training images of the classes 5 to 9 of
CIFAR-10, which it has been trained on among all ten, and tested on all their test images. Both
ways train by the same recipe, with as many epochs; the learning rate of each is chosen with seed 0
on the rows held out for validation. Requires the extra ``benchmark``. Writes a row per training
run to ``benchmarks/results/fine_tuning.csv``.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

import zoo
from benchmarks import tables
from benchmarks.quality import METRICS, data_dir_option
from zoo.data.pipeline import Rows
from zoo.runs import Run

KEYS = ("model", "way", "seed")
LABELS, VALIDATION, TEST = 200, 200, 5_000
SETTINGS: dict[str, Any] = {"epochs": 30, "batch_size": 32, "progress": False, "patience": 0}
WEIGHTS = {"gru": "imdb_reviews", "simple_cnn": "cifar10"}
RATES = (3e-4, 1e-3, 3e-3)
CLASSES = range(5, 10)

Split = tuple[Any, np.ndarray]


def reviews(data_dir: str | None) -> dict[str, Split]:
    """Return splits of reviews that no trained model has seen."""
    rows = zoo.load_data("imdb_reviews", data_dir=data_dir).rows["test"]
    return _split(rows, _shuffled(rows, np.arange(len(rows))))


def images(data_dir: str | None) -> dict[str, Split]:
    """Return splits of images of five classes: test images for testing, others for the rest."""
    rows = zoo.load_data("cifar10", data_dir=data_dir).rows
    chosen = {
        split: np.flatnonzero(np.isin(rows[split].labels, CLASSES)) for split in ("train", "test")
    }
    splits = _split(rows["train"], _shuffled(rows["train"], chosen["train"]))
    test = rows["test"][chosen["test"]]
    return splits | {"test": (test.inputs, test.labels)}


def _shuffled(rows: Rows, index: np.ndarray) -> np.ndarray:
    """Shuffle rows so that the classes take turns."""
    order = np.random.default_rng(0).permutation(index)
    labels = rows.labels[order]
    turn = np.zeros(len(order), int)
    for label in np.unique(labels):
        turn[labels == label] = np.arange(np.count_nonzero(labels == label))
    return order[np.argsort(turn, kind="stable")]


def _split(rows: Rows, order: np.ndarray) -> dict[str, Split]:
    ends = np.cumsum([0, LABELS, VALIDATION, TEST])
    parts = zip(("train", "validation", "test"), ends[:-1], ends[1:], strict=True)
    chosen = {split: rows[order[start:end]] for split, start, end in parts}
    return {split: (part.inputs, part.labels) for split, part in chosen.items()}


def train(
    model: str, way: str, data: Mapping[str, Split], seed: int, rate: float, folder: Path
) -> Run:
    """Train a model from scratch, or from the weights of the package."""
    start = {"weights": WEIGHTS[model]} if way == "fine-tuned" else {}
    run_dir = folder / f"{model}-{way}-{seed}-{rate}"
    return zoo.train(
        model, dataset=dict(data), seed=seed, learning_rate=rate, run_dir=run_dir,
        **SETTINGS, **start,
    )  # fmt: skip


@click.command(help=__doc__)
@data_dir_option
@click.option("--seeds", default=3)
@click.option("--model", "models", multiple=True, type=click.Choice(list(WEIGHTS)))
def main(data_dir: str | None, seeds: int, models: tuple[str, ...]) -> None:
    """Compare fine-tuning with training from scratch."""
    readers = {"gru": reviews, "simple_cnn": images}
    for model in models or readers:
        data = readers[model](data_dir)
        for way in ("from scratch", "fine-tuned"):
            _measure(model, way, data, seeds)


def _measure(model: str, way: str, data: Mapping[str, Split], seeds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first = {rate: train(model, way, data, 0, rate, Path(folder)) for rate in RATES}
        rate = min(RATES, key=lambda rate: first[rate].metrics["val_loss"])
        for seed in range(seeds):
            run = train(model, way, data, seed, rate, Path(folder)) if seed else first[rate]
            row = {"model": model, "way": way, "seed": seed, "learning_rate": rate}
            row |= run.config["rows"] | {key: run.metrics.get(key, "") for key in METRICS}
            tables.save_row("fine_tuning", row | tables.environment(), KEYS)
            click.echo(f"{model}, {way}, seed {seed}: {row['test_accuracy']:.4f}")


if __name__ == "__main__":
    main()
