"""The variational autoencoders on MNIST: the bound, its parts, and a tighter one.

    python -m benchmarks.generation [SYSTEM...] [--seeds 1]

All of `SYSTEMS` if none is named. Gray levels in [0, 1], taken for shares of coins, so that the
figures have a floor above zero; nats an image on test. The tighter bound weighs a hundred codes an
image, on the first thousand. Needs the extra ``benchmark``. Writes one row a seed to
``benchmarks/results/generation.csv``, and ``generation.png`` beside it: the bound and its parts
over the weight of the divergence, and over the length of the code.
"""

import statistics
import tempfile
from typing import Any

import click
import keras
import numpy as np

import zoo
from benchmarks import tables
from benchmarks.quality import data_dir_option
from zoo.evaluation.latent import log_likelihood
from zoo.plots.canvas import save

KEYS = ("system", "seed")
FIGURES = ("loss", "reconstruction_loss", "kl_loss", "active_units")
WEIGHED, SAMPLES, AT_ONCE = 1_000, 100, 250
SHORT = {"epochs": 10, "latent_dim": 10}
BETAS, LENGTHS = (0.1, 0.5, 1.0, 2.0, 4.0), (2, 5, 20, 40)  # of 10: beta 1
SWEPT = "beta ", "length "
PARTS = {"reconstruction": "test_reconstruction_loss", "divergence": "test_kl_loss"}
SYSTEMS: dict[str, tuple[str, dict[str, Any]]] = {
    "vae": ("vae", {}),
    "conv_vae": ("conv_vae", {}),
    "vae, code of 20": ("vae", {"latent_dim": 20}),
    "cvae": ("cvae", {}),
    **{f"beta {beta:g}": ("vae", SHORT | {"beta": beta}) for beta in BETAS},
    **{f"length {length}": ("vae", SHORT | {"latent_dim": length}) for length in LENGTHS},
}


def weighed(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> float:
    """Gives the mean of the tighter bound of images, in nats."""
    nats = []
    for start in range(0, len(images), AT_ONCE):
        some = images[start : start + AT_ONCE]
        given = [some, labels[start : start + AT_ONCE]] if len(model.inputs) > 1 else some
        nats.append(log_likelihood(model, given, some, samples=SAMPLES))
    return float(np.mean(np.concatenate(nats)))


def measure(system: str, seed: int, data_dir: str | None) -> dict[str, Any]:
    """Trains once, and says what was reached."""
    model, settings = SYSTEMS[system]
    with tempfile.TemporaryDirectory() as folder:
        run = zoo.train(
            model, seed=seed, data_dir=data_dir, run_dir=f"{folder}/run", progress=False, **settings
        )
        metrics, config, network = run.metrics, run.config, run.model
        data = zoo.load_data("mnist", data_dir=data_dir).rows["test"][:WEIGHED]
        images = np.asarray(run.preprocessor(data.inputs))
    likelihood = weighed(network, images, data.labels)
    arguments = config["arguments"]
    return {
        "system": system,
        "model": model,
        "dataset": config["dataset_version"],
        "seed": seed,
        "parameters": config["parameters"],
        "latent_dim": arguments["latent_dim"],
        "beta": arguments["beta"],
        **{f"test_{key}": metrics.get(f"test_{key}", "") for key in FIGURES},
        "weighed_nll": round(-likelihood, 3),
        "epochs": metrics["epochs"],
        "seconds": metrics["seconds"],
        **tables.machine(),
    }


def draw() -> None:
    """Draws the two sweeps from the file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), dpi=120, layout="constrained")
    swept = [row for row in tables.read("generation") if row["system"].startswith(SWEPT)]
    for axes, key, fixed, label in zip(
        figure.subplots(1, 2),
        ("beta", "latent_dim"),
        ({"latent_dim": SHORT["latent_dim"]}, {"beta": 1.0}),
        ("weight of the divergence, code of 10", "numbers in the code, weight 1"),
        strict=True,
    ):
        rows = [row for row in swept if all(float(row[k]) == v for k, v in fixed.items())]
        x = sorted({float(row[key]) for row in rows})
        parts = {
            name: [
                statistics.fmean(float(row[figure]) for row in rows if float(row[key]) == value)
                for value in x
            ]
            for name, figure in PARTS.items()
        }
        parts["their sum, the bound"] = [sum(pair) for pair in zip(*parts.values(), strict=True)]
        for name, values in parts.items():
            axes.plot(x, values, "o-", label=name)
        axes.set(xscale="log", xlabel=label, ylabel="nats an image on test")
        axes.set_xticks(x, [f"{value:g}" for value in x])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend()
    figure.suptitle(f"`vae` on MNIST after {SHORT['epochs']} epochs")
    save(figure, tables.FOLDER / "generation.png")


@click.command(help=__doc__)
@click.argument("systems", nargs=-1, type=click.Choice(list(SYSTEMS)))
@data_dir_option
@click.option("--seeds", default=1, show_default=True)
def main(systems: tuple[str, ...], data_dir: str | None, seeds: int) -> None:
    """Measures the systems."""
    for system in systems or SYSTEMS:
        for seed in range(seeds):
            row = measure(system, seed, data_dir)
            tables.keep("generation", row, KEYS)
            click.echo(
                f"{system} seed {seed}: {row['test_loss']:.2f} nats in {row['seconds']:.0f} s"
            )
            keras.backend.clear_session()
    if any(row["system"].startswith(SWEPT) for row in tables.read("generation")):
        draw()


if __name__ == "__main__":
    main()
