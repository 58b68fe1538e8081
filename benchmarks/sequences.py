"""The sequence models side by side on IMDB: accuracy, size, time, memory, padding.

    python -m benchmarks.sequences [SETTINGS...] [--model NAME] [--seeds 1]

Three settings: ``recipe``, each model by its own; ``matched``, the same vectors of words and about
8,300 weights between them and the classifier; ``course``, as the fourth homework had them. Each
training has a process to itself. Needs the extra ``benchmark``. Writes one row a training to
``benchmarks/results/sequences.csv``, and ``sequences.png`` beside it.
"""

import itertools
import multiprocessing
import resource
import statistics
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import click
import numpy as np

import zoo
from benchmarks import quality, tables
from benchmarks.quality import data_dir_option
from zoo.course.systems import SYSTEMS
from zoo.data import get_dataset, load_data
from zoo.plots.canvas import save
from zoo.plots.classification import accuracy_against
from zoo.training.config import split_overrides

KEYS = ("settings", "model", "seed")
DATASET = "imdb_reviews"
RECURRENT = ("simple_rnn", "lstm", "gru", "bilstm")
MATCHED = {
    "vocab_size": 10_000, "sequence_length": 500, "embedding_dim": 32, "word_vectors": "random",
}  # fmt: skip
SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "recipe": {name: {} for name in (*RECURRENT, "transformer", "fasttext", "text_cnn")},
    "matched": {
        "simple_rnn": {**MATCHED, "units": 76},
        "lstm": {**MATCHED, "units": 32},
        "gru": {**MATCHED, "units": 38},
        "bilstm": {**MATCHED, "units": 20},
        "transformer": {**MATCHED, "intermediate_dim": 60},
    },
    "course": {name: dict(SYSTEMS[f"hw4.{name}"].taught) for name in (*RECURRENT, "transformer")},
}


def padding_efficiency(model: str, settings: Mapping[str, Any], data_dir: str | None) -> float:
    """Gives the share of what one epoch's batches hold that is words and not padding."""
    recipe, _ = split_overrides(zoo.get_spec(model), settings)
    data = load_data(
        get_dataset(DATASET), batch_size=recipe.batch_size, data_dir=data_dir, text=recipe.text
    )
    words, places = 0, 0
    for batch, _ in data.train.as_numpy_iterator():
        words += np.count_nonzero(batch)
        places += batch.size
    return words / places


def measure(settings: str, model: str, seed: int, data_dir: str | None) -> dict[str, Any]:
    """Trains once, in a process of its own."""
    options = SETTINGS[settings][model]
    row = quality.measure(model, seed, data_dir, options | {"dataset": DATASET})
    row["peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    row["padding_efficiency"] = round(padding_efficiency(model, options, data_dir), 3)
    return {"settings": settings, **row}


def draw() -> None:
    """Draws accuracy against the seconds of an epoch from the file."""
    from matplotlib.figure import Figure

    groups: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for row in tables.read("sequences"):
        point = float(row["seconds_an_epoch"]), float(row["test_accuracy"])
        groups[row["settings"]][row["model"]].append(point)
    means = {
        settings: {
            model: tuple(map(statistics.mean, zip(*points, strict=True)))
            for model, points in models.items()
        }
        for settings, models in groups.items()
    }
    figure = Figure(figsize=(10, 6), dpi=120, layout="constrained")
    accuracy_against(figure, "seconds an epoch", means)
    save(figure, tables.FOLDER / "sequences.png")


@click.command(help=__doc__)
@click.argument("settings", nargs=-1, type=click.Choice(list(SETTINGS)))
@data_dir_option
@click.option("--seeds", default=1, show_default=True)
@click.option("--model", "models", multiple=True, help="Only this one; may be repeated.")
def main(
    settings: tuple[str, ...], data_dir: str | None, seeds: int, models: tuple[str, ...]
) -> None:
    """Measures the models."""
    spawn = multiprocessing.get_context("spawn")
    trainings = itertools.product(range(seeds), settings or SETTINGS)
    for seed, chosen in trainings:
        for model in models or SETTINGS[chosen]:
            with spawn.Pool(1) as process:
                row = process.apply(measure, (chosen, model, seed, data_dir))
            tables.keep("sequences", row, KEYS)
            click.echo(
                f"{chosen} {model} seed {seed}: test accuracy {row['test_accuracy']:.4f}, "
                f"{row['seconds_an_epoch']} s an epoch"
            )
    draw()


if __name__ == "__main__":
    main()
