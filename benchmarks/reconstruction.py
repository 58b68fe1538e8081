"""The autoencoders of the fifth homework by our recipes, against its results and linear bounds.

    python -m benchmarks.reconstruction [SYSTEM...] [--seeds 1]

All of `SYSTEMS` by default. CIFAR-10 in grayscale by the mean of the channels, in [0, 1]; the
bounds are fitted to the same training images. A denoising model is also evaluated on noise of other
standard deviations than it was trained on, beside linear denoisers fitted to each. Requires the
extra ``benchmark``. Writes one row per seed to ``benchmarks/results/reconstruction.csv``, one per
standard deviation to ``noise.csv``, and ``noise.png`` beside it.
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
from zoo.evaluation.reconstruction import Reconstructions, linear_bounds
from zoo.plots.canvas import save_figure
from zoo.runs import Run

KEYS = ("system", "copy", "seed")
NOISE_KEYS = ("system", "copy", "stddev")
STDDEVS = (0.1, 0.2, 0.3, 0.4, 0.5)
METRICS = ("mse", "psnr", "ssim", "pca_mse", "noisy_mse", "wiener_mse")


@dataclasses.dataclass(frozen=True)
class System:
    """An autoencoder, and what the course reached with one of its kind.

    Attributes:
        model: name of the model.
        settings: overrides of its recipe and its builder's arguments.
        course: the course's counterpart; None if it had none.
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


def seconds_to_reach(history: Mapping[str, list[float]], mse: float) -> float | str:
    """Return when validation first reached an error; an empty string if it never did."""
    for seconds, reached in zip(history["seconds"], history["val_mse"], strict=True):
        if reached <= mse:
            return seconds
    return ""


def evaluate_on_noise(run: Run, data_dir: str | None) -> list[dict[str, Any]]:
    """Evaluate a denoising model and linear denoisers on noise of several standard deviations."""
    recipe, rows = run.recipe, []
    for stddev in STDDEVS:
        images = dataclasses.replace(recipe.images, noise_stddev=stddev)
        data = load_data(
            run.dataset, batch_size=512, data_dir=data_dir, images=images, target="image"
        )
        reconstructions = Reconstructions.from_model(run.model, data, "test")
        _, metrics = linear_bounds(data, reconstructions)
        rows.append({"stddev": stddev, "test_mse": float(reconstructions.errors.mean()), **metrics})
    return rows


def measure(
    name: str, seed: int, data_dir: str | None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Train once, and return the results, and those on other noise of a denoising model."""
    system = SYSTEMS[name]
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
        is_denoising = "test_wiener_mse" in metrics
        on_noise = evaluate_on_noise(run, data_dir) if seed == 0 and is_denoising else []
    row = {"dataset": config["dataset_version"], "seed": seed, "parameters": config["parameters"]}
    row |= {f"test_{key}": metrics.get(f"test_{key}", "") for key in METRICS}
    row |= {"epochs": metrics["epochs"], "seconds": metrics["seconds"]}
    row |= dict.fromkeys(("seconds_to_course", "course_mse", "course_seconds"), "")
    if system.course:
        row["seconds_to_course"] = seconds_to_reach(history, system.course.course)
        row["course_mse"] = system.course.course
        row["course_seconds"] = system.course.seconds
    return row, on_noise


def plot() -> None:
    """Plot the errors over the standard deviation of the noise from the results file."""
    from matplotlib.figure import Figure

    rows, series = tables.read_rows("noise"), defaultdict(list)
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
    figure.suptitle("Denoising at noise levels not trained on; linear denoisers are fitted to each")
    save_figure(figure, tables.FOLDER / "noise.png")


@click.command(help=__doc__)
@click.argument("systems", nargs=-1, type=click.Choice(list(SYSTEMS)))
@data_dir_option
@copy_option
@click.option("--seeds", default=1, show_default=True)
def main(systems: tuple[str, ...], data_dir: str | None, copy: str, seeds: int) -> None:
    """Measure the systems."""
    for name in systems or SYSTEMS:
        for seed in range(seeds):
            row, on_noise = measure(name, seed, data_dir)
            key = {"system": name, "copy": copy}
            for noise_row in on_noise:
                noise_row = {**key, "dataset": row["dataset"], **noise_row, **tables.environment()}
                tables.save_row("noise", noise_row, NOISE_KEYS)
            tables.save_row("reconstruction", {**key, **row, **tables.environment()}, KEYS)
            click.echo(f"{name} seed {seed}: MSE {row['test_mse']:.5f} in {row['seconds']:.0f} s")
            keras.backend.clear_session()
    if tables.read_rows("noise"):
        plot()


if __name__ == "__main__":
    main()
