"""Regularizers on a network that overfits: the second homework's study, with a control.

    python -m benchmarks.regularization [--seeds 3]

The homework's deliberately overfitting network, 1000-64-128-256-512-4 at a learning rate of 0.01,
is trained on AG News for 40 epochs: as it is, and with one thing added, in three strengths where it
has one; all under the same seeds. Requires the extra ``benchmark``. Writes one row per regularizer,
strength and seed to ``benchmarks/results/regularization.csv``, and plots the first seed's losses of
each regularizer at the strength with the best mean validation accuracy to ``regularization.png``.
"""

import statistics
import tempfile
from collections.abc import Mapping
from typing import Any

import click

import zoo
from benchmarks import tables
from benchmarks.formatting import group_rows
from benchmarks.quality import data_dir_option
from zoo.course.stopping import split_stop_rule
from zoo.evaluation.inspection import kernel_statistics
from zoo.plots.canvas import save_figure
from zoo.plots.classification import compare_losses

KEYS = ("way", "strength", "seed")
NETWORK = {
    "num_layers": 4,
    "units": "64-128-256-512",
    "activation": "relu",
    "learning_rate": 0.01,
    "dropout": 0.0,
    "word_dropout": 0.0,
}
PROTOCOL = {"epochs": 40, "batch_size": 256, "schedule": "constant", "patience": 0}
WAYS: dict[str, dict[float, dict[str, Any]]] = {
    "control": {0.0: {}},
    "l1": {strength: {"l1": strength} for strength in (1e-5, 1e-4, 1e-3)},
    "l2": {strength: {"l2": strength} for strength in (1e-4, 1e-3, 1e-2)},
    "dropout": {strength: {"dropout": strength} for strength in (0.3, 0.5, 0.7)},
    "word dropout": {strength: {"word_dropout": strength} for strength in (0.2, 0.4, 0.6)},
    "best epoch": {40.0: {"patience": 40}},
    "early stopping": {5.0: {"patience": 5}},
    "gap rule": {0.1: {"max_gap": 0.1}},
}
CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")


def measure(
    settings: Mapping[str, Any], seed: int, data_dir: str | None
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Train once, and return the results and the curves, whose losses are without the penalty."""
    overrides, stop_rule = split_stop_rule({**NETWORK, **PROTOCOL, **settings})
    with tempfile.TemporaryDirectory() as folder:
        run = zoo.train(
            "text_mlp",
            seed=seed,
            data_dir=data_dir,
            run_dir=f"{folder}/run",
            stop_rule=stop_rule,
            progress=False,
            **overrides,
        )
        history, metrics = run.history, run.metrics
        kernels = kernel_statistics(run.model)
    curves = {key: history.get(key.replace("loss", "data_loss"), history[key]) for key in CURVES}
    row = {f"last_{key}": curves[key][-1] for key in CURVES}
    row["least_val_loss"] = min(curves["val_loss"])
    row["penalty"] = history["val_loss"][-1] - curves["val_loss"][-1]
    row |= {key: metrics.get(key, "") for key in ("epochs", "best_epoch", "seconds")}
    row |= {key: metrics[key] for key in ("val_accuracy", "test_accuracy", "test_loss")}
    row |= {"kernel_norm": kernels.norm, "kernel_sparsity": kernels.sparsity}
    return row, curves


def best_strength(way: str) -> float:
    """Return the strength with the best mean validation accuracy in the results file."""
    groups = group_rows(tables.read_rows("regularization"), "way", "strength")
    accuracies = {
        float(strength): statistics.mean(float(row["val_accuracy"]) for row in rows)
        for (name, strength), rows in groups.items()
        if name == way
    }
    return max(accuracies, key=accuracies.__getitem__)


@click.command(help=__doc__)
@data_dir_option
@click.option("--seeds", default=3, show_default=True)
def main(data_dir: str | None, seeds: int) -> None:
    """Measure every regularizer."""
    from matplotlib.figure import Figure

    curves: dict[tuple[str, float], dict[str, list[float]]] = {}
    for way, strengths in WAYS.items():
        for strength, settings in strengths.items():
            for seed in range(seeds):
                row, run_curves = measure(settings, seed, data_dir)
                curves.setdefault((way, strength), run_curves)
                key = {"way": way, "strength": strength, "seed": seed}
                tables.save_row("regularization", {**key, **row, **tables.environment()}, KEYS)
                click.echo(
                    f"{way} {strength:g} seed {seed}: validation accuracy "
                    f"{row['val_accuracy']:.4f}, kernel norm {row['kernel_norm']:.1f}"
                )
    figure = Figure(figsize=(12, 6), dpi=120, layout="constrained")
    compare_losses(figure, {way: curves[way, best_strength(way)] for way in WAYS})
    save_figure(figure, tables.FOLDER / "regularization.png")


if __name__ == "__main__":
    main()
