"""TFDS builders of the rows that a course took of larger sets; importing them registers them.

Both are made of a prepared whole, so they need no download of their own.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from zoo.data import get_dataset, tfds_store

EVERY = 5
NEWS_TRAIN, NEWS_VALIDATION, NEWS_TEST = 10_000, 1_000, 1_000


class AgNewsCourse(tfds.core.GeneratorBasedBuilder):
    """The first 10,000 training rows of AG News, and 1,000 of its test rows for validation.

    The rest of the test rows is the test split, in an order drawn once: each thousand of it is a
    test of the course's size.
    """

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        names = get_dataset("ag_news_subset").class_names
        return self.dataset_info_from_configs(
            description="AG News in the sizes of a course.",
            features=tfds.features.FeaturesDict(
                {
                    "text": tfds.features.Text(),
                    "label": tfds.features.ClassLabel(names=names),
                }
            ),
            supervised_keys=("text", "label"),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[Any]]:
        source = _prepared("ag_news_subset", self.data_dir_root)
        order = np.random.default_rng(0).permutation(source.info.splits["test"].num_examples)
        return {
            "train": self._generate_examples(source, "train", np.arange(NEWS_TRAIN)),
            "validation": self._generate_examples(source, "test", order[:NEWS_VALIDATION]),
            "test": self._generate_examples(source, "test", order[NEWS_VALIDATION:]),
        }

    def _generate_examples(
        self, source: Any, split: str, chosen: np.ndarray
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        rows = list(tfds.as_numpy(source.as_dataset(split=split)))
        for number, index in enumerate(chosen):
            row = rows[index]
            text = row["title"] + b"\n" + row["description"]
            yield number, {"text": text, "label": int(row["label"])}


class Cifar10Course(tfds.core.GeneratorBasedBuilder):
    """Every fifth image of CIFAR-10: 10,000 to learn from, and 2,000 for test."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        spec = get_dataset("cifar10")
        return self.dataset_info_from_configs(
            description="Every fifth image of CIFAR-10.",
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
        source = _prepared("cifar10", self.data_dir_root)
        return {split: self._generate_examples(source, split) for split in ("train", "test")}

    def _generate_examples(self, source: Any, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, row in enumerate(tfds.as_numpy(source.as_dataset(split=split))):
            if number % EVERY == 0:
                yield number, {"image": row["image"], "label": int(row["label"])}


def _prepared(name: str, data_dir: str) -> Any:
    builder = tfds_store.open_builder(get_dataset(name).source, data_dir)
    tfds_store.ensure_prepared(builder)
    return builder
