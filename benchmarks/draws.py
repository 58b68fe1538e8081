"""AG News in the sizes of the course, as a TFDS data set made of the prepared whole."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

import zoo

DRAWS = 5
TRAIN_ROWS, VALIDATION_ROWS, TEST_ROWS = 10_000, 1_000, 1_000


class AgNewsDraws(tfds.core.GeneratorBasedBuilder):
    """The first 10,000 training rows, and 1,000 rows of the test half, drawn, for validation.

    The rest of the test half is the test split, in an order drawn, too: each thousand of it is a
    test of the course's size.
    """

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        names = zoo.data.get_dataset("ag_news_subset").class_names
        return tfds.core.DatasetInfo(
            builder=self,
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
        source = tfds.builder("ag_news_subset", data_dir=self.data_dir_root)
        order = np.random.default_rng(0).permutation(source.info.splits["test"].num_examples)
        return {
            "train": self._generate_examples(source, "train", np.arange(TRAIN_ROWS)),
            "validation": self._generate_examples(source, "test", order[:VALIDATION_ROWS]),
            "test": self._generate_examples(source, "test", order[VALIDATION_ROWS:]),
        }

    def _generate_examples(
        self, source: Any, split: str, chosen: np.ndarray
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        rows = list(tfds.as_numpy(source.as_dataset(split=split)))
        for number, index in enumerate(chosen):
            row = rows[index]
            text = row["title"] + b"\n" + row["description"]
            yield number, {"text": text, "label": int(row["label"])}
