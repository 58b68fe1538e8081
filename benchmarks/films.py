"""Validation on films that training knows, against validation on others: IMDB's training half.

    python -m benchmarks.films ACLIMDB [--model NAME]

ACLIMDB is the folder that the original archive, ``aclImdb_v1.tar.gz``, makes: reviews are numbered
in it so that those of a film are neighbors, which TFDS does not tell. Four folds, of which the
first and the third validate: cut at random, as the zoo's own are, or by the numbers, so that no
film is on both sides, as none is in IMDB's two halves. The test half is not read. Needs the extra
``benchmark``. Writes one row a training to ``benchmarks/results/films.csv``.
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
from zoo.training.config import load_run_data, resolve_config, seed_and_build
from zoo.training.loop import fit_in

KEYS = ("model", "settings", "cut", "fold")
DATASET, CLASSES, REVIEWS = "imdb_reviews", ("neg", "pos"), 12_500
FOLDS, MEASURED = 4, (1, 3)
SETTINGS: dict[str, tuple[dict[str, Any], ...]] = {
    "gru": (
        {"word_vectors": "random", "word_dropout": 0.6},
        {"word_dropout": 0.6},
        {"word_dropout": 0.4},
    ),
    "transformer": ({"vocab_size": 20_000}, {"vocab_size": 5_000}),
}
Cut = Callable[[Rows, int, int], tuple[Rows, Rows]]


def cut_by_film(numbers: dict[bytes, int], rows: Rows, fold: int, folds: int) -> tuple[Rows, Rows]:
    """Cuts a fold of neighboring numbers off each class."""
    folds_of = np.array([numbers[row] * folds // REVIEWS for row in rows.inputs])
    return rows[folds_of != fold - 1], rows[folds_of == fold - 1]


def numbers_in(folder: Path) -> dict[bytes, int]:
    """Gives the number of each training review, which its file's name begins with."""
    files = (path for name in CLASSES for path in (folder / "train" / name).glob("*.txt"))
    return {path.read_bytes(): int(path.name.partition("_")[0]) for path in files}


def refolded(data: Data, cut: Cut, fold: int, recipe: Recipe) -> Data:
    """Gives the same data with another validation split, and the vocabulary of what is left."""
    whole = concatenate_rows(data.rows["train"], data.rows["validation"])
    train, validation = cut(whole, fold, FOLDS)
    return dataclasses.replace(
        data,
        rows={"train": train, "validation": validation},
        preprocessor=text.preprocessor(data.spec, recipe.text, train.inputs),
    )


def measure(
    model: str, options: dict[str, Any], cut: Cut, fold: int, data_dir: str | None
) -> dict[str, Any]:
    """Trains once, and says what the best epoch reached on the fold."""
    settings = resolve_config(model, DATASET, data_dir, overrides=options)
    data = refolded(load_run_data(settings, data_dir), cut, fold, settings.recipe)
    with tempfile.TemporaryDirectory() as folder:
        found = fit_in(
            Path(folder) / "run", settings, seed_and_build(settings), data, (fold, FOLDS)
        )
    return {key: found[key] for key in ("val_accuracy", "val_loss")}


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--model", "models", multiple=True, help="Only this one; may be repeated.")
@data_dir_option
def main(folder: Path, models: tuple[str, ...], data_dir: str | None) -> None:
    """Measures every setting on both kinds of folds."""
    cuts: dict[str, Cut] = {
        "by film": functools.partial(cut_by_film, numbers_in(folder)),
        "at random": split_fold,
    }
    for model in models or SETTINGS:
        for options, cut, fold in itertools.product(SETTINGS[model], cuts, MEASURED):
            found = measure(model, options, cuts[cut], fold, data_dir)
            row = {"model": model, "settings": json.dumps(options), "cut": cut, "fold": fold}
            tables.keep("films", {**row, **found, **tables.machine()}, KEYS)
            click.echo(f"{model} {options} {cut}, fold {fold}: {found['val_accuracy']:.4f}")


if __name__ == "__main__":
    main()
