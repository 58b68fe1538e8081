"""The sequence models on IMDB: accuracy, size, training time, memory, padding.

    python -m benchmarks.sequences [SETTINGS...] [--model NAME] [--seeds 1]

Three settings: ``recipe``, each model by its own recipe; ``matched``, the same embedding and about
8,300 weights between it and the classifier; ``course``, as in the fourth homework. Each training
run has a process of its own. Requires the extra ``benchmark``. Writes one row per training run to
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
from zoo.plots.canvas import save_figure
from zoo.plots.classification import compare_accuracy
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
    """Return the fraction of the token ids in one epoch's batches that is not padding."""
    recipe, _ = split_overrides(zoo.get_spec(model), settings)
    data = load_data(
        get_dataset(DATASET), batch_size=recipe.batch_size, data_dir=data_dir, text=recipe.text
    )
    tokens, size = 0, 0
    for token_ids, _ in data.train.as_numpy_iterator():
        tokens += int(np.count_nonzero(token_ids))
        size += token_ids.size
    return tokens / size


def measure(settings: str, model: str, seed: int, data_dir: str | None) -> dict[str, Any]:
    """Train once, in a process of its own, whose peak memory is measured."""
    overrides = SETTINGS[settings][model]
    row = quality.measure(model, seed, data_dir, overrides | {"dataset": DATASET})
    row["peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    row["padding_efficiency"] = round(padding_efficiency(model, overrides, data_dir), 3)
    return {"settings": settings, **row}


def plot() -> None:
    """Plot accuracy against the seconds of an epoch from the results file."""
    from matplotlib.figure import Figure

    groups: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for row in tables.read_rows("sequences"):
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
    compare_accuracy(figure, "seconds per epoch", means)
    save_figure(figure, tables.FOLDER / "sequences.png")


@click.command(help=__doc__)
@click.argument("settings", nargs=-1, type=click.Choice(list(SETTINGS)))
@data_dir_option
@click.option("--seeds", default=1, show_default=True)
@click.option("--model", "models", multiple=True, help="Only this model; may be repeated.")
def main(
    settings: tuple[str, ...], data_dir: str | None, seeds: int, models: tuple[str, ...]
) -> None:
    """Train the models."""
    spawn = multiprocessing.get_context("spawn")
    for seed, name in itertools.product(range(seeds), settings or SETTINGS):
        for model in models or SETTINGS[name]:
            with spawn.Pool(1) as process:
                row = process.apply(measure, (name, model, seed, data_dir))
            tables.save_row("sequences", row, KEYS)
            click.echo(
                f"{name} {model} seed {seed}: test accuracy {row['test_accuracy']:.4f}, "
                f"{row['seconds_an_epoch']} s per epoch"
            )
    plot()


if __name__ == "__main__":
    main()
