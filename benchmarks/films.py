"""Validation on films that are in the training folds, against validation on others, on IMDB.

    python -m benchmarks.films ACLIMDB [--model NAME]

ACLIMDB is the folder that the original archive, ``aclImdb_v1.tar.gz``, unpacks to: the numbers of
its reviews put those of one film next to each other, which TFDS does not preserve. Of four folds of
the training split, the first and the third serve as validation splits. They are sampled at random,
as the zoo's own are, or cut by review number, which puts no film on both sides, as in IMDB's own
two splits. The test split is not read. Requires the extra ``benchmark``. Writes one row per
training run to ``benchmarks/results/films.csv``.
"""

import dataclasses
import functools
import itertools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks import tables
from benchmarks.quality import data_dir_option
from zoo.data import text
from zoo.data.pipeline import Data, Rows, concatenate_rows, split_fold
from zoo.specs import Recipe
from zoo.training.building import seed_and_build
from zoo.training.config import load_run_data, resolve_config
from zoo.training.loop import fit_in

KEYS = ("model", "settings", "cut", "fold")
DATASET, CLASSES, REVIEWS = "imdb_reviews", ("neg", "pos"), 12_500
FOLDS, VALIDATION_FOLDS = 4, (1, 3)
SETTINGS: dict[str, tuple[dict[str, Any], ...]] = {
    "gru": (
        {"word_vectors": "random", "word_dropout": 0.6},
        {"word_dropout": 0.6},
        {"word_dropout": 0.4},
    ),
    "transformer": ({"vocab_size": 20_000}, {"vocab_size": 5_000}),
}
Split = Callable[[Rows, int, int], tuple[Rows, Rows]]


def split_fold_by_film(
    numbers: dict[bytes, int], rows: Rows, fold: int, folds: int
) -> tuple[Rows, Rows]:
    """Split off a fold of consecutive review numbers of each class."""
    folds_of = np.array([numbers[row] * folds // REVIEWS for row in rows.inputs])
    return rows[folds_of != fold - 1], rows[folds_of == fold - 1]


def read_review_numbers(folder: Path) -> dict[bytes, int]:
    """Return the number of each training review, which its file name begins with."""
    files = (path for name in CLASSES for path in (folder / "train" / name).glob("*.txt"))
    return {path.read_bytes(): int(path.name.partition("_")[0]) for path in files}


def with_validation_fold(data: Data, split: Split, fold: int, recipe: Recipe) -> Data:
    """Return data with a fold as validation split, and the vocabulary of the other folds."""
    rows = concatenate_rows(data.rows["train"], data.rows["validation"])
    train, validation = split(rows, fold, FOLDS)
    return dataclasses.replace(
        data,
        rows={"train": train, "validation": validation},
        preprocessor=text.preprocessor(data.spec, recipe.text, train.inputs),
    )


def measure(
    model: str, overrides: dict[str, Any], split: Split, fold: int, data_dir: str | None
) -> dict[str, Any]:
    """Train once, and return the results of the best epoch on the fold."""
    config = resolve_config(model, DATASET, data_dir, overrides=overrides)
    data = with_validation_fold(load_run_data(config, data_dir), split, fold, config.recipe)
    with tempfile.TemporaryDirectory() as folder:
        metrics = fit_in(Path(folder) / "run", config, seed_and_build(config), data, (fold, FOLDS))
    return {key: metrics[key] for key in ("val_accuracy", "val_loss")}


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--model", "models", multiple=True, help="Only this model; may be repeated.")
@data_dir_option
def main(folder: Path, models: tuple[str, ...], data_dir: str | None) -> None:
    """Measure every setting on both kinds of folds."""
    splits: dict[str, Split] = {
        "by film": functools.partial(split_fold_by_film, read_review_numbers(folder)),
        "at random": split_fold,
    }
    for model in models or SETTINGS:
        for overrides, cut, fold in itertools.product(SETTINGS[model], splits, VALIDATION_FOLDS):
            metrics = measure(model, overrides, splits[cut], fold, data_dir)
            row = {"model": model, "settings": json.dumps(overrides), "cut": cut, "fold": fold}
            tables.save_row("films", {**row, **metrics, **tables.environment()}, KEYS)
            click.echo(f"{model} {overrides} {cut}, fold {fold}: {metrics['val_accuracy']:.4f}")


if __name__ == "__main__":
    main()
