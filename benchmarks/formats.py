"""Size, speed and accuracy of every model in every export format.

    python -m benchmarks.formats [MODEL...] [--epochs 1]

Trains each model briefly on its own dataset by its recipe, exports it in every format, and writes
one row per model and format to ``benchmarks/results/formats.csv``: the size of the artifact; the
seconds it takes to load in a fresh process, including the import of its runtime; the latency of a
single row in milliseconds; rows per second in batches of 32; the maximum difference from the model
on the golden rows; and, where weights are quantized, accuracy or mean squared error on validation
rows, and the model's own. Requires the extras ``benchmark``, ``onnx`` and ``litert``. Runs are kept
in ``runs/formats/``.
"""

from pathlib import Path

import click

import zoo
from benchmarks import tables
from benchmarks.quality import data_dir_option
from zoo.artifacts.formats import FORMATS
from zoo.artifacts.reader import read_facts
from zoo.runs import Run

KEYS = ("model", "format")
FACTS = ("bytes", "load_seconds", "milliseconds", "rows_per_second", "max_difference", "rows")


def train_or_load(model: str, epochs: int, data_dir: str | None) -> Run:
    """Return a run of a model; an earlier one if there is one."""
    run_dir = Path("runs") / "formats" / model
    if (run_dir / "metrics.json").exists():
        return zoo.load_run(run_dir)
    return zoo.train(
        model, epochs=epochs, data_dir=data_dir, run_dir=run_dir, resume=run_dir.exists()
    )


def measure(run: Run, format: str) -> dict[str, object]:
    """Export a run, and return what its artifact states about itself."""
    name = run.config["model"]
    try:
        artifact = zoo.export(run, Path("exports") / name / format, format=format, overwrite=True)
    except zoo.ZooError as error:
        return {"refused": str(error)}
    facts = read_facts(artifact)
    judged = facts.get("judged", {})
    return {
        "refused": "",
        **{key: facts[key] for key in FACTS},
        **{f"judged {key}": judged.get(key, "") for key in ("rows", "metric", "value", "before")},
    }


@click.command(help=__doc__)
@click.argument("models", nargs=-1)
@click.option("--epochs", default=1, show_default=True)
@data_dir_option
def main(models: tuple[str, ...], epochs: int, data_dir: str | None) -> None:
    """Measure every format of each model."""
    for model in models or zoo.list_models():
        run = train_or_load(model, epochs, data_dir)
        for format in FORMATS:
            row = {"model": model, "format": format, "epochs": epochs, **measure(run, format)}
            tables.save_row("formats", {**row, **tables.environment()}, KEYS)
            click.echo(f"{model} as {format}: {row['refused'] or row['max_difference']}")


if __name__ == "__main__":
    main()
