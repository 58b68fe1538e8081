"""Whether vectors of words hold analogies: counted, and as a classifier of reviews leaves them.

    python -m benchmarks.analogies [MODEL...]

Finds vectors by co-occurrence alone; and trains each model by its own recipe, twice: from vectors
at random, and from those. Asks each the zoo's list, over the full vocabulary, the words of the
question left out. `gru` and `transformer` if none is named. Needs the extra
``benchmark``. Writes one row a training and number of answers allowed to
``benchmarks/results/analogies.csv``.
"""

import dataclasses
import tempfile
from collections.abc import Iterator
from typing import Any

import click

import zoo
from benchmarks import tables
from benchmarks.quality import data_dir_option
from zoo.evaluation.word_vectors import Embeddings, read_analogies
from zoo.specs import WORD_VECTORS

KEYS = ("model", "word_vectors", "size", "k")
ALLOWED = (1, 5, 10)
SIZES = (32, 100, 300)


def counted(data_dir: str | None) -> Iterator[tuple[dict[str, Any], Embeddings]]:
    """Finds vectors without a network."""
    data = zoo.load_data("imdb_reviews", data_dir=data_dir)
    for size in SIZES:
        row = {"model": "", "word_vectors": "cooccurrence", "dataset": data.version}
        yield row, Embeddings.counted(data, size)


def learned(model: str, data_dir: str | None) -> Iterator[tuple[dict[str, Any], Embeddings]]:
    """Trains a model on reviews from each kind of vectors."""
    for begin in WORD_VECTORS:
        with tempfile.TemporaryDirectory() as folder:
            run = zoo.train(
                model,
                dataset="imdb_reviews",
                data_dir=data_dir,
                run_dir=f"{folder}/run",
                progress=False,
                word_vectors=begin,
            )
            words = Embeddings.of(run)
            row = {"model": model, "word_vectors": begin, "dataset": run.config["dataset_version"]}
            row["test_accuracy"] = run.metrics["test_accuracy"]
        yield row, words


@click.command(help=__doc__)
@click.argument("models", nargs=-1)
@data_dir_option
def main(models: tuple[str, ...], data_dir: str | None) -> None:
    """Measures the models."""
    ways = [counted(data_dir)]
    ways += [learned(model, data_dir) for model in models or ("gru", "transformer")]
    for row, words in (found for way in ways for found in way):
        for k in ALLOWED:
            of_list = words.evaluate(read_analogies(), k=k)
            figures = {**dataclasses.asdict(of_list), "accuracy": of_list.accuracy}
            size = {"vocabulary": len(words.words), "size": words.vectors.shape[1]}
            tables.keep("analogies", row | size | figures | tables.machine(), KEYS)
            click.echo(
                f"{row['model'] or 'counted'}, {row['word_vectors']}, {size['size']}: "
                f"{of_list.right} of {of_list.asked} among {k}"
            )


if __name__ == "__main__":
    main()
