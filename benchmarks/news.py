"""The second homework's network of news, in the course's sizes, over five draws.

    python -m benchmarks.news

`text_mlp` as it stands in the zoo, which is the course's network, learns 10,000 texts; 1,000 others
validate it, and 1,000 more test it. As in the course the latter two are of AG News' test half.
Each draw has a seed and a thousand test rows of its own; the figure beside is of all rows of that
half that did not validate. Needs the extra ``benchmark``. Writes one row a draw to
``benchmarks/results/news.csv``.
"""

import tempfile
from typing import Any

import click
import numpy as np

import zoo
from benchmarks import tables
from benchmarks.quality import FIGURES, data_dir_option
from zoo.course.datasets import NEWS_TEST, AgNewsCourse
from zoo.course.systems import SYSTEMS

KEYS = ("draw",)
DRAWS = 5
COURSE = SYSTEMS["hw2.mlp"]


def measure(draw: int, data_dir: str | None) -> dict[str, Any]:
    """Trains once on a draw, and says what it reached."""
    with tempfile.TemporaryDirectory() as folder:
        run = zoo.train(
            "text_mlp",
            dataset=AgNewsCourse.name,
            seed=draw,
            data_dir=data_dir,
            run_dir=f"{folder}/run",
            progress=False,
        )
        answers, metrics, rows = run.predictions, run.metrics, run.config["rows"]
    right = answers["probabilities"].argmax(axis=1) == answers["labels"]
    drawn = slice(draw * NEWS_TEST, (draw + 1) * NEWS_TEST)
    return {
        "draw": draw,
        **rows,
        "accuracy_of_1000": float(np.mean(right[drawn])),
        **{key: metrics.get(key, "") for key in FIGURES},
        **tables.machine(),
    }


@click.command(help=__doc__)
@data_dir_option
def main(data_dir: str | None) -> None:
    """Measures every draw."""
    for draw in range(DRAWS):
        row = measure(draw, data_dir)
        tables.keep("news", row, KEYS)
        click.echo(
            f"draw {draw}: {row['accuracy_of_1000']:.4f} of 1,000 rows, {row['test_accuracy']:.4f} "
            f"of {row['test']}, {row['seconds']} s; the course {COURSE.course:.4f} of 1,000"
        )


if __name__ == "__main__":
    main()
