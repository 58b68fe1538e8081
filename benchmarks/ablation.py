"""Ablation study: a model trained by its recipe, and by the recipe with one thing changed.

    python -m benchmarks.ablation simple_cnn [--epochs 8] [--seeds 5]

Requires the extra ``benchmark``. Writes one row per change and seed to
``benchmarks/results/ablation.csv``. Compare validation results: recipes are chosen by those.
"""

import json
from typing import Any

import click

import zoo
from benchmarks import tables
from benchmarks.quality import copy_option, data_dir_option, measure, seeds_option
from zoo.training.config import split_overrides

KEYS = ("model", "copy", "epochs", "change", "seed")
CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"schedule": "constant"},
    {"label_smoothing": 0.0},
    {"weight_decay": 0.0},
    {"augmentation": "none"},
    {"augmentation": "flip"},
    {"augmentation": "flip+crop+cutout"},
    {"precision": "float32"},
)


@click.command(help=__doc__)
@click.argument("model")
@click.option("--epochs", default=8, show_default=True)
@data_dir_option
@copy_option
@seeds_option
def main(model: str, epochs: int, data_dir: str | None, copy: str, seeds: int) -> None:
    """Train with every change."""
    for change in CHANGES:
        split_overrides(zoo.get_spec(model), change)
    for change in CHANGES:
        for seed in range(seeds):
            row = measure(model, seed, data_dir, {**change, "epochs": epochs})
            row |= {"copy": copy, "change": json.dumps(change)}
            tables.save_row("ablation", row, KEYS)
            click.echo(
                f"{change}: validation accuracy {row['val_accuracy']:.4f}, {row['seconds']} s"
            )


if __name__ == "__main__":
    main()
