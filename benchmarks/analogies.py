"""Accuracy of word embeddings on analogies: PPMI-SVD, and as a review classifier learns them.

    python -m benchmarks.analogies [MODEL...]

Computes PPMI-SVD embeddings of three sizes; then trains each model by its recipe twice, from random
embeddings and from PPMI-SVD embeddings. Each is evaluated on the zoo's list of analogies, over the
full vocabulary except the words of the question. The models are `gru` and `transformer` by default.
Requires the extra ``benchmark``. Writes one row per set of embeddings and ``k`` of top-k accuracy
to ``benchmarks/results/analogies.csv``.
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
TOP_K = (1, 5, 10)
SIZES = (32, 100, 300)


def compute_embeddings(data_dir: str | None) -> Iterator[tuple[dict[str, Any], Embeddings]]:
    """Yield PPMI-SVD embeddings of every size."""
    data = zoo.load_data("imdb_reviews", data_dir=data_dir)
    for size in SIZES:
        row = {"model": "", "word_vectors": "cooccurrence", "dataset": data.version}
        yield row, Embeddings.from_cooccurrence(data, size)


def train_embeddings(
    model: str, data_dir: str | None
) -> Iterator[tuple[dict[str, Any], Embeddings]]:
    """Train a model on reviews from each kind of initial embeddings, and yield its embeddings."""
    for word_vectors in WORD_VECTORS:
        with tempfile.TemporaryDirectory() as folder:
            run = zoo.train(
                model,
                dataset="imdb_reviews",
                data_dir=data_dir,
                run_dir=f"{folder}/run",
                progress=False,
                word_vectors=word_vectors,
            )
            embeddings = Embeddings.from_run(run)
            row = {
                "model": model,
                "word_vectors": word_vectors,
                "dataset": run.config["dataset_version"],
                "test_accuracy": run.metrics["test_accuracy"],
            }
        yield row, embeddings


@click.command(help=__doc__)
@click.argument("models", nargs=-1)
@data_dir_option
def main(models: tuple[str, ...], data_dir: str | None) -> None:
    """Evaluate all embeddings."""
    sources = [compute_embeddings(data_dir)]
    sources += [train_embeddings(model, data_dir) for model in models or ("gru", "transformer")]
    for row, embeddings in (pair for source in sources for pair in source):
        for k in TOP_K:
            result = embeddings.evaluate(read_analogies(), k=k)
            metrics = {**dataclasses.asdict(result), "accuracy": result.accuracy}
            size = {"vocabulary": len(embeddings.words), "size": embeddings.vectors.shape[1]}
            tables.save_row("analogies", row | size | metrics | tables.environment(), KEYS)
            click.echo(
                f"{row['model'] or 'no model'}, {row['word_vectors']}, {size['size']} dimensions: "
                f"{result.right} of {result.asked} in the top {k}"
            )


if __name__ == "__main__":
    main()
