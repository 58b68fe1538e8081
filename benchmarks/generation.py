"""The variational autoencoders on MNIST: negative ELBO, its parts, and a tighter bound.

    python -m benchmarks.generation [SYSTEM...] [--seeds 1]

All of `SYSTEMS` by default. Intensities in [0, 1] are taken as Bernoulli probabilities, which puts
a floor above zero under the loss; results are in nats per image of the test split. The tighter
bound is the importance-weighted one of a hundred latent codes per image, on the first thousand
images. Requires the extra ``benchmark``. Writes one row per seed to
``benchmarks/results/generation.csv``, and ``generation.png`` beside it: negative ELBO and its parts
over beta and over the number of latent dimensions.
"""

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import click
import keras
import numpy as np

import zoo
from benchmarks import tables
from benchmarks.quality import data_dir_option
from zoo.evaluation.latent import log_likelihood
from zoo.plots.canvas import save_figure

KEYS = ("system", "seed")
METRICS = ("loss", "reconstruction_loss", "kl_loss", "active_units")
IMAGES, SAMPLES, BATCH_SIZE = 1_000, 100, 250
SHORT = {"epochs": 10, "latent_dim": 10}
BETAS, LATENT_DIMS = (0.1, 0.5, 1.0, 2.0, 4.0), (2, 5, 20, 40)  # 10 is in the sweep of beta
SWEPT = "beta ", "length "
PARTS = {"reconstruction loss": "test_reconstruction_loss", "KL divergence": "test_kl_loss"}
SYSTEMS: dict[str, tuple[str, dict[str, Any]]] = {
    "vae": ("vae", {}),
    "conv_vae": ("conv_vae", {}),
    "vae, code of 20": ("vae", {"latent_dim": 20}),
    "cvae": ("cvae", {}),
    **{f"beta {beta:g}": ("vae", SHORT | {"beta": beta}) for beta in BETAS},
    **{f"length {size}": ("vae", SHORT | {"latent_dim": size}) for size in LATENT_DIMS},
}


def mean_log_likelihood(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean of the importance-weighted bound over images, in nats."""
    nats = []
    for start in range(0, len(images), BATCH_SIZE):
        batch = images[start : start + BATCH_SIZE]
        inputs = [batch, labels[start : start + BATCH_SIZE]] if len(model.inputs) > 1 else batch
        nats.append(log_likelihood(model, inputs, batch, samples=SAMPLES))
    return float(np.mean(np.concatenate(nats)))


def measure(system: str, seed: int, data_dir: str | None) -> dict[str, Any]:
    """Train once, and return the test results."""
    model, settings = SYSTEMS[system]
    with tempfile.TemporaryDirectory() as folder:
        run = zoo.train(
            model, seed=seed, data_dir=data_dir, run_dir=f"{folder}/run", progress=False, **settings
        )
        metrics, config, network = run.metrics, run.config, run.model
        rows = zoo.load_data("mnist", data_dir=data_dir).rows["test"][:IMAGES]
        images = np.asarray(run.preprocessor(rows.inputs))
    likelihood = mean_log_likelihood(network, images, rows.labels)
    arguments = config["arguments"]
    return {
        "system": system,
        "model": model,
        "dataset": config["dataset_version"],
        "seed": seed,
        "parameters": config["parameters"],
        "latent_dim": arguments["latent_dim"],
        "beta": arguments["beta"],
        **{f"test_{key}": metrics.get(f"test_{key}", "") for key in METRICS},
        "weighed_nll": round(-likelihood, 3),
        "epochs": metrics["epochs"],
        "seconds": metrics["seconds"],
        **tables.environment(),
    }


def plot() -> None:
    """Plot the two sweeps from the results file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), dpi=120, layout="constrained")
    rows = [row for row in tables.read_rows("generation") if row["system"].startswith(SWEPT)]
    beta_axes, size_axes = figure.subplots(1, 2)
    fixed_size, fixed_beta = {"latent_dim": SHORT["latent_dim"]}, {"beta": 1.0}
    _plot_sweep(beta_axes, rows, "beta", fixed_size, "beta, 10 latent dimensions")
    _plot_sweep(size_axes, rows, "latent_dim", fixed_beta, "latent dimensions, beta 1")
    figure.suptitle(f"`vae` on MNIST after {SHORT['epochs']} epochs")
    save_figure(figure, tables.FOLDER / "generation.png")


def _plot_sweep(
    axes: Any, swept: Sequence[Mapping[str, str]], key: str, fixed: Mapping[str, float], label: str
) -> None:
    rows = [row for row in swept if all(float(row[k]) == v for k, v in fixed.items())]
    x = sorted({float(row[key]) for row in rows})
    series = {
        name: [
            statistics.fmean(float(row[column]) for row in rows if float(row[key]) == value)
            for value in x
        ]
        for name, column in PARTS.items()
    }
    series["their sum, the negative ELBO"] = [
        sum(parts) for parts in zip(*series.values(), strict=True)
    ]
    for name, values in series.items():
        axes.plot(x, values, "o-", label=name)
    axes.set(xscale="log", xlabel=label, ylabel="nats per test image")
    axes.set_xticks(x, [f"{value:g}" for value in x])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()


@click.command(help=__doc__)
@click.argument("systems", nargs=-1, type=click.Choice(list(SYSTEMS)))
@data_dir_option
@click.option("--seeds", default=1, show_default=True)
def main(systems: tuple[str, ...], data_dir: str | None, seeds: int) -> None:
    """Measure the systems."""
    for system in systems or SYSTEMS:
        for seed in range(seeds):
            row = measure(system, seed, data_dir)
            tables.save_row("generation", row, KEYS)
            click.echo(
                f"{system} seed {seed}: {row['test_loss']:.2f} nats in {row['seconds']:.0f} s"
            )
            keras.backend.clear_session()
    if any(row["system"].startswith(SWEPT) for row in tables.read_rows("generation")):
        plot()


if __name__ == "__main__":
    main()
