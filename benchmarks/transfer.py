"""Whether features learned on five classes of CIFAR-10 help with the other five and few labels.

    python -m benchmarks.transfer [--seeds 3]

For each seed `resnet18` (narrowed to 32 filters, with the stem for small images) learns classes 0-4
from all their training images. Then 1,000 labels of classes 5-9, validation included, are learned
without augmentation, by the same network from scratch and by a new head on the frozen features; and
with augmentation, by the same network from scratch and by going on from that head with everything
unfrozen. Needs the extra ``benchmark``. Writes one row a way and seed to
``benchmarks/results/transfer.csv``.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

import zoo
from benchmarks import halves, tables
from benchmarks.quality import FIGURES, copy_option, data_dir_option

KEYS = ("way", "copy", "seed")
NETWORK = {"filters": 32}
PRETRAINING = {"epochs": 10, "augmentation": "flip+crop", "batch_size": 128}
PRETRAINING |= {"learning_rate": 0.05, "label_smoothing": 0.0, "weight_decay": 5e-4}
SCRATCH = {"epochs": 40, "batch_size": 64}
HEAD = {"epochs": 60, "batch_size": 64, "freeze": "backbone", "optimizer": "adam"}
HEAD |= {"learning_rate": 3e-3}
FINE_TUNING = {"epochs": 20, "batch_size": 64, "learning_rate": 0.01, "keep_head": True}
PLAIN = {"augmentation": "none"}
ALTERED = {"augmentation": "flip+crop+cutout"}


def measure(
    way: str, half: str, settings: Mapping[str, Any], folder: Path, common: Mapping[str, Any]
) -> str:
    """Trains in one way, keeps its row, and gives the file of its weights."""
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
    row |= {key: run.metrics.get(key, "") for key in FIGURES}
    row["first_epoch_seconds"] = run.history["seconds"][0]
    tables.keep("transfer", row | tables.machine(), KEYS)
    click.echo(f"seed {common['seed']}, {way}: {row['test_accuracy']:.4f}")
    return str(run.file("model.keras"))


@click.command(help=__doc__)
@data_dir_option
@copy_option
@click.option("--seeds", default=3, show_default=True)
def main(data_dir: str | None, copy: str, seeds: int) -> None:
    """Measures all ways."""
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as temporary:
            folder, common = Path(temporary), {"seed": seed, "data_dir": data_dir, "copy": copy}
            features = measure("pretraining", "first", PRETRAINING, folder, common)
            measure("scratch", "second", SCRATCH | PLAIN, folder, common)
            probe = HEAD | PLAIN | {"weights": features}
            head = measure("frozen features", "second", probe, folder, common)
            measure("scratch, augmented", "second", SCRATCH | ALTERED, folder, common)
            tuning = FINE_TUNING | ALTERED | {"weights": head}
            measure("fine-tuned, augmented", "second", tuning, folder, common)


if __name__ == "__main__":
    main()
