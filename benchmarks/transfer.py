"""Whether features learnt on five classes of CIFAR-10 help with the other five and few labels.

    python -m benchmarks.transfer [--seeds 3]

For each seed `resnet18` (narrowed to 16 filters, with the stem for small images) learns classes 0-4
from all their training images. Then 1,000 labels of classes 5-9, validation included, are learnt
in three ways: by the same network from scratch, by a new head on the frozen features, and by going
on from that head with everything unfrozen. Needs the extra ``benchmark``. Writes one row a way and
seed to ``benchmarks/results/transfer.csv``.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import tensorflow_datasets as tfds

import zoo
from benchmarks import tables
from benchmarks.quality import FIGURES, copy_option, data_dir_option

KEYS = ("way", "copy", "seed")
LABELS_A_CLASS = 200
CLASSES = 5
NETWORK = {"filters": 16}
PRETRAINING = {"epochs": 12, "augmentation": "flip+crop", "batch_size": 128}
SCRATCH = {"epochs": 60, "augmentation": "flip+crop+cutout", "batch_size": 64}
HEAD = {
    "epochs": 60,
    "augmentation": "none",
    "batch_size": 64,
    "freeze": "backbone",
    "optimizer": "adam",
    "learning_rate": 3e-3,
}
FINE_TUNING = {"epochs": 20, "augmentation": "flip+crop+cutout", "batch_size": 64}
FINE_TUNING |= {"learning_rate": 0.01, "keep_head": True}


class Cifar10Halves(tfds.core.GeneratorBasedBuilder):
    """Classes 0-4 of CIFAR-10 with all their images, and 5-9 with 1,000 training images."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = tuple(
        tfds.core.BuilderConfig(name=name, description=name) for name in ("first", "second")
    )

    def _info(self) -> tfds.core.DatasetInfo:
        names = zoo.data.get_dataset("cifar10").class_names
        first = 0 if self.builder_config.name == "first" else CLASSES
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(32, 32, 3)),
                    "label": tfds.features.ClassLabel(names=names[first : first + CLASSES]),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[Any]]:
        return {split: self._generate_examples(split) for split in ("train", "test")}

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        source = tfds.builder("cifar10", data_dir=self.data_dir_root)
        second = self.builder_config.name == "second"
        taken = np.zeros(2 * CLASSES, int)
        for number, row in enumerate(tfds.as_numpy(source.as_dataset(split=split))):
            label = int(row["label"])
            if (label >= CLASSES) is not second:
                continue
            taken[label] += 1
            if second and split == "train" and taken[label] > LABELS_A_CLASS:
                continue
            yield number, {"image": row["image"], "label": label % CLASSES}


@click.command(help=__doc__)
@data_dir_option
@copy_option
@click.option("--seeds", default=3, show_default=True)
def main(data_dir: str | None, copy: str, seeds: int) -> None:
    """Measures all ways."""
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            common = {"seed": seed, "data_dir": data_dir, "progress": False, **NETWORK}

            def train(
                way: str,
                half: str,
                settings: dict[str, Any],
                folder: Path = Path(folder),
                common: dict[str, Any] = common,
            ) -> str:
                run = zoo.train(
                    "resnet18", dataset=f"cifar10_halves/{half}", run_dir=folder / way,
                    **common, **settings,
                )  # fmt: skip
                row = {"way": way, "copy": copy, "seed": common["seed"]}
                row |= {"dataset": run.config["dataset_version"], **run.config["rows"]}
                row |= {key: run.metrics.get(key, "") for key in FIGURES}
                row["first_epoch_seconds"] = run.history["seconds"][0]
                tables.keep("transfer", row | tables.machine(), KEYS)
                click.echo(f"seed {common['seed']}, {way}: {row['test_accuracy']:.4f}")
                return str(run.file("model.keras"))

            weights = train("pretraining", "first", PRETRAINING)
            train("scratch", "second", SCRATCH)
            weights = train("frozen features", "second", HEAD | {"weights": weights})
            train("fine-tuned", "second", FINE_TUNING | {"weights": weights})


if __name__ == "__main__":
    main()
