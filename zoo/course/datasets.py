"""TFDS builders of the subsets that the course used; importing this module registers them.

They are generated from the prepared full datasets and download nothing themselves.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from zoo.data.catalog import DATASETS
from zoo.data.tfds_store import ensure_prepared, open_builder

CIFAR10_STRIDE = 5
NEWS_TRAIN, NEWS_VALIDATION, NEWS_TEST = 10_000, 1_000, 1_000


class AgNewsCourse(tfds.core.GeneratorBasedBuilder):
    """AG News in the sizes of the course: 10,000 training and 1,000 validation rows.

    The training split is the first 10,000 training rows of AG News. The validation split is not
    taken from them: its 1,000 rows are sampled from the test split of AG News, whose other rows
    are the test split here. Their order is a fixed permutation, so each block of 1,000 is a test
    set of the course's size.
    """

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description=(
                "AG News in the sizes of the course: 10,000 training texts; validation (1,000 "
                "texts) and test both from the test split of AG News"
            ),
            features=tfds.features.FeaturesDict(
                {
                    "text": tfds.features.Text(),
                    "label": tfds.features.ClassLabel(names=DATASETS["ag_news_subset"].class_names),
                }
            ),
            supervised_keys=("text", "label"),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[Any]]:
        source = _prepared_builder("ag_news_subset", self.data_dir_root)
        order = np.random.default_rng(0).permutation(source.info.splits["test"].num_examples)
        return {
            "train": self._generate_examples(source, "train", np.arange(NEWS_TRAIN)),
            "validation": self._generate_examples(source, "test", order[:NEWS_VALIDATION]),
            "test": self._generate_examples(source, "test", order[NEWS_VALIDATION:]),
        }

    def _generate_examples(
        self, source: Any, split: str, indices: np.ndarray
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        rows = list(tfds.as_numpy(source.as_dataset(split=split)))
        for key, index in enumerate(indices):
            row = rows[index]
            text = row["title"] + b"\n" + row["description"]
            yield key, {"text": text, "label": int(row["label"])}


class Cifar10Course(tfds.core.GeneratorBasedBuilder):
    """Every fifth image of CIFAR-10: 10,000 for training and 2,000 for test."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        spec = DATASETS["cifar10"]
        return self.dataset_info_from_configs(
            description="every fifth image of CIFAR-10",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=spec.input_shape),
                    "label": tfds.features.ClassLabel(names=spec.class_names),
                }
            ),
            supervised_keys=("image", "label"),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[Any]]:
        source = _prepared_builder("cifar10", self.data_dir_root)
        return {split: self._generate_examples(source, split) for split in ("train", "test")}

    def _generate_examples(self, source: Any, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, row in enumerate(tfds.as_numpy(source.as_dataset(split=split))):
            if index % CIFAR10_STRIDE == 0:
                yield index, {"image": row["image"], "label": int(row["label"])}


def _prepared_builder(name: str, data_dir: str) -> Any:
    builder = open_builder(DATASETS[name].source, data_dir)
    ensure_prepared(builder)
    return builder
