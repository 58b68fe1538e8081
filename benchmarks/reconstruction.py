"""The autoencoders of the fifth homework by our recipes, against its figures and linear bounds.

    python -m benchmarks.reconstruction [SYSTEM...] [--seeds 1]

All of `SYSTEMS` if none is named. Grayscale CIFAR-10 by the mean of the channels, in [0, 1]; the
bounds are fitted to the same training images. A model that clears noise is also measured on noise
of other strengths than it has learned, beside linear denoisers fitted to each. Needs the extra
``benchmark``. Writes one row a seed to ``benchmarks/results/reconstruction.csv``, one a strength of
noise to ``noise.csv``, and ``noise.png`` beside it.
"""

import dataclasses
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import click
import keras

import zoo
from benchmarks import tables
from benchmarks.quality import copy_option, data_dir_option
from zoo.course import systems as course
from zoo.data import load_data
from zoo.evaluation.reconstruction import Reconstructions, bounds
from zoo.plots.canvas import save
from zoo.runs import Run

KEYS = ("system", "copy", "seed")
NOISE_KEYS = ("system", "copy", "stddev")
STRENGTHS = (0.1, 0.2, 0.3, 0.4, 0.5)
FIGURES = ("mse", "psnr", "ssim", "pca_mse", "noisy_mse", "wiener_mse")


@dataclasses.dataclass(frozen=True)
class System:
    """An autoencoder, and what the course reached with one of its kind.

    Attributes:
        model: its name.
        settings: where it departs from its recipe.
        course: the course's; None if it had none.
    """

    model: str
    settings: dict[str, Any]
    course: course.System | None


SYSTEMS = {
    **{
        course.SYSTEMS[name].model: System(course.SYSTEMS[name].model, {}, course.SYSTEMS[name])
        for name in ("hw5.svd", "hw5.linear", "hw5.nonlinear", "hw5.deep", "hw5.denoising")
    },
    "conv_autoencoder": System(
        "conv_autoencoder",
        {
            "noise_stddev": 0.3,
            "num_convs": 2,
            "filters": "64-128",
            "batch_normalization": True,
            "augmentation": "flip",
            "epochs": 16,
            "batch_size": 64,
            "precision": "mixed_bfloat16",
        },
        None,
    ),
}


def seconds_to(history: Mapping[str, list[float]], error: float) -> float | str:
    """Gives when training first came to an error, on validation; nothing if it never did."""
    for seconds, reached in zip(history["seconds"], history["val_mse"], strict=True):
        if reached <= error:
            return seconds
    return ""


def at_other_strengths(run: Run, data_dir: str | None) -> list[dict[str, Any]]:
    """Measures a model that clears noise, and linear denoisers, on noise of several strengths."""
    recipe, rows = run.recipe, []
    for stddev in STRENGTHS:
        images = dataclasses.replace(recipe.images, noise_stddev=stddev)
        data = load_data(
            run.dataset, batch_size=512, data_dir=data_dir, images=images, target="image"
        )
        found = Reconstructions.of(run.model, data, "test")
        _, figures = bounds(data, found)
        rows.append({"stddev": stddev, "test_mse": float(found.errors.mean()), **figures})
    return rows


def draw() -> None:
    """Draws the errors over the strength of the noise."""
    from matplotlib.figure import Figure

    rows, series = tables.read("noise"), defaultdict(list)
    for row in rows:
        series[row["system"]].append((float(row["stddev"]), float(row["test_mse"])))
    for key, label in (("test_noisy_mse", "noisy images"), ("test_wiener_mse", "linear denoisers")):
        series[label] = [
            (float(row["stddev"]), float(row[key]))
            for row in rows
            if row["system"] == rows[0]["system"]
        ]
    figure = Figure(figsize=(9, 6), dpi=120, layout="constrained")
    axes = figure.subplots()
    for label, points in series.items():
        axes.plot(*zip(*sorted(points), strict=True), "o-", label=label)
    axes.set(
        yscale="log",
        xlabel="standard deviation of the noise",
        ylabel="mean squared error on test",
    )
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.suptitle("Clearing noise of strengths not trained on; linear denoisers know theirs")
    save(figure, tables.FOLDER / "noise.png")


@click.command(help=__doc__)
@click.argument("systems", nargs=-1, type=click.Choice(list(SYSTEMS)))
@data_dir_option
@copy_option
@click.option("--seeds", default=1, show_default=True)
def main(systems: tuple[str, ...], data_dir: str | None, copy: str, seeds: int) -> None:
    """Measures the systems."""
    for name in systems or SYSTEMS:
        system = SYSTEMS[name]
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as folder:
                run = zoo.train(
                    system.model,
                    seed=seed,
                    data_dir=data_dir,
                    run_dir=f"{folder}/run",
                    progress=False,
                    **system.settings,
                )
                metrics, config, history = run.metrics, run.config, run.history
                strengths = (
                    at_other_strengths(run, data_dir)
                    if seed == 0 and "test_wiener_mse" in metrics
                    else []
                )
            known = {"system": name, "copy": copy, "dataset": config["dataset_version"]}
            for row in strengths:
                tables.keep("noise", known | row | tables.machine(), NOISE_KEYS)
            row = known | {"seed": seed, "parameters": config["parameters"]}
            row |= {f"test_{key}": metrics.get(f"test_{key}", "") for key in FIGURES}
            row |= {"epochs": metrics["epochs"], "seconds": metrics["seconds"]}
            row |= dict.fromkeys(("seconds_to_course", "course_mse", "course_seconds"), "")
            if system.course:
                row["seconds_to_course"] = seconds_to(history, system.course.course)
                row["course_mse"] = system.course.course
                row["course_seconds"] = system.course.seconds
            tables.keep("reconstruction", row | tables.machine(), KEYS)
            click.echo(f"{name} seed {seed}: {row['test_mse']:.5f} in {row['seconds']:.0f} s")
            keras.backend.clear_session()
    if tables.read("noise"):
        draw()


if __name__ == "__main__":
    main()
