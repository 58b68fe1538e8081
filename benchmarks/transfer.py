"""Transfer learning: features of five classes of CIFAR-10 for the other five, with few labels.

    python -m benchmarks.transfer [--seeds 3]

For each seed `resnet18` (narrowed to 32 filters, with the stem for small images) is trained on
classes 0-4 with all their training images. Then classes 5-9 are learned from 1,000 labels,
including validation: without augmentation, by the same network from scratch and by a new head on
the frozen features; and with augmentation, by the same network from scratch and by fine-tuning all
layers from that head on. Requires the extra ``benchmark``. Writes one row per training run to
``benchmarks/results/transfer.csv``.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

import zoo
from benchmarks import halves, tables
from benchmarks.quality import METRICS, copy_option, data_dir_option

KEYS = ("way", "copy", "seed")
NETWORK = {"filters": 32}
PRETRAINING = {"epochs": 10, "augmentation": "flip+crop", "batch_size": 128}
PRETRAINING |= {"learning_rate": 0.05, "label_smoothing": 0.0, "weight_decay": 5e-4}
SCRATCH = {"epochs": 40, "batch_size": 64}
HEAD = {"epochs": 60, "batch_size": 64, "freeze": "backbone", "optimizer": "adam"}
HEAD |= {"learning_rate": 3e-3}
FINE_TUNING = {"epochs": 20, "batch_size": 64, "learning_rate": 0.01, "keep_head": True}
NOT_AUGMENTED = {"augmentation": "none"}
AUGMENTED = {"augmentation": "flip+crop+cutout"}


def measure(
    way: str, half: str, settings: Mapping[str, Any], folder: Path, common: Mapping[str, Any]
) -> str:
    """Train in one way, save the results, and return the path of the weights."""
    copy, options = common["copy"], {k: v for k, v in common.items() if k != "copy"}
    run = zoo.train(
        "resnet18",
        dataset=f"{halves.Cifar10Halves.name}/{half}",
        run_dir=folder / way,
        progress=False,
        **NETWORK,
        **settings,
        **options,
    )
    row = {"way": way, "copy": copy, "seed": common["seed"]}
    row |= {"dataset": run.config["dataset_version"], **run.config["rows"]}
    row |= {key: run.metrics.get(key, "") for key in METRICS}
    row["first_epoch_seconds"] = run.history["seconds"][0]
    tables.save_row("transfer", row | tables.environment(), KEYS)
    click.echo(f"seed {common['seed']}, {way}: {row['test_accuracy']:.4f}")
    return str(run.file("model.keras"))


@click.command(help=__doc__)
@data_dir_option
@copy_option
@click.option("--seeds", default=3, show_default=True)
def main(data_dir: str | None, copy: str, seeds: int) -> None:
    """Train in all ways."""
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as temporary:
            folder, common = Path(temporary), {"seed": seed, "data_dir": data_dir, "copy": copy}
            backbone = measure("pretraining", "first", PRETRAINING, folder, common)
            measure("scratch", "second", SCRATCH | NOT_AUGMENTED, folder, common)
            probe = HEAD | NOT_AUGMENTED | {"weights": backbone}
            head = measure("frozen features", "second", probe, folder, common)
            measure("scratch, augmented", "second", SCRATCH | AUGMENTED, folder, common)
            fine_tuning = FINE_TUNING | AUGMENTED | {"weights": head}
            measure("fine-tuned, augmented", "second", fine_tuning, folder, common)


if __name__ == "__main__":
    main()
