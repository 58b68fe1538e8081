"""CIFAR-10 in two halves, as a TFDS dataset made from the prepared full one."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

import zoo

LABELS_PER_CLASS = 200
CLASSES = 5


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
        is_second = self.builder_config.name == "second"
        counts = np.zeros(2 * CLASSES, int)
        for number, row in enumerate(tfds.as_numpy(source.as_dataset(split=split))):
            label = int(row["label"])
            if (label >= CLASSES) is not is_second:
                continue
            counts[label] += 1
            if is_second and split == "train" and counts[label] > LABELS_PER_CLASS:
                continue
            yield number, {"image": row["image"], "label": label % CLASSES}
