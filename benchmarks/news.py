"""The second homework's news classifier, on datasets of the course's sizes, under five seeds.

    python -m benchmarks.news

`text_mlp` with the zoo's defaults, which are the course's network, is trained on 10,000 texts,
validated on 1,000 and tested on 1,000. As in the course, the latter two are cut from AG News' test
split. Each seed has 1,000 test rows of its own; the result on all test rows that are not for
validation is saved, too. Requires the extra ``benchmark``. Writes one row per seed to
``benchmarks/results/news.csv``.
"""

import tempfile
from typing import Any

import click
import numpy as np

import zoo
from benchmarks import tables
from benchmarks.quality import METRICS, data_dir_option
from zoo.course.datasets import NEWS_TEST, AgNewsCourse
from zoo.course.systems import SYSTEMS

KEYS = ("draw",)
SEEDS = 5
COURSE = SYSTEMS["hw2.mlp"]


def measure(seed: int, data_dir: str | None) -> dict[str, Any]:
    """Train once, and return the test results."""
    with tempfile.TemporaryDirectory() as folder:
        run = zoo.train(
            "text_mlp",
            dataset=AgNewsCourse.name,
            seed=seed,
            data_dir=data_dir,
            run_dir=f"{folder}/run",
            progress=False,
        )
        predictions, metrics, rows = run.predictions, run.metrics, run.config["rows"]
    is_correct = predictions["probabilities"].argmax(axis=1) == predictions["labels"]
    own_rows = slice(seed * NEWS_TEST, (seed + 1) * NEWS_TEST)
    return {
        "draw": seed,
        **rows,
        "accuracy_of_1000": float(np.mean(is_correct[own_rows])),
        **{key: metrics.get(key, "") for key in METRICS},
        **tables.environment(),
    }


@click.command(help=__doc__)
@data_dir_option
def main(data_dir: str | None) -> None:
    """Train under every seed."""
    for seed in range(SEEDS):
        row = measure(seed, data_dir)
        tables.save_row("news", row, KEYS)
        click.echo(
            f"seed {seed}: test accuracy {row['accuracy_of_1000']:.4f} on 1,000 rows, "
            f"{row['test_accuracy']:.4f} on {row['test']}, {row['seconds']} s; "
            f"the course: {COURSE.course:.4f} on 1,000"
        )


if __name__ == "__main__":
    main()
