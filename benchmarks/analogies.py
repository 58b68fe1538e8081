"""Whether the vectors of words that a classifier learns hold analogies.

    python -m benchmarks.analogies [MODEL...]

Trains each model by its own recipe and asks it the zoo's list, over the full vocabulary, the words
of the question left out. `fasttext` and `gru` if none is named. Needs the extra ``benchmark``.
Writes one row a model and number of answers allowed to ``benchmarks/results/analogies.csv``.
"""

import dataclasses
import tempfile

import click

import zoo
from benchmarks import tables
from benchmarks.quality import data_dir_option
from zoo.embeddings import Embeddings, read_analogies

KEYS = ("model", "k")
ALLOWED = (1, 5, 10)


@click.command(help=__doc__)
@click.argument("models", nargs=-1)
@data_dir_option
def main(models: tuple[str, ...], data_dir: str | None) -> None:
    """Measures the models."""
    for model in models or ("fasttext", "gru"):
        with tempfile.TemporaryDirectory() as folder:
            run = zoo.train(model, data_dir=data_dir, run_dir=f"{folder}/run", progress=False)
            words, dataset = Embeddings.of(run), run.config["dataset_version"]
        for k in ALLOWED:
            found = words.evaluate(read_analogies(), k=k)
            row = {"model": model, "dataset": dataset, "vocabulary": len(words.words)}
            row |= {**dataclasses.asdict(found), "accuracy": found.accuracy}
            tables.keep("analogies", row | tables.machine(), KEYS)
            click.echo(f"{model}: {found.right} of {found.asked} among {k}")


if __name__ == "__main__":
    main()
