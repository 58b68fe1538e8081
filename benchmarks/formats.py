"""What each model costs in each format, and how near it comes to the model.

    python -m benchmarks.formats [MODEL...] [--epochs 1]

Trains each model briefly on its own data set, by its recipe, exports it in every format, and writes
one row a model and format to ``benchmarks/results/formats.csv``: the artifact's size; the seconds
that it takes to load in a fresh process, its runtime's import included; milliseconds for a row
alone; rows a second in batches of 32; the largest difference from the model on the golden rows;
and, where weights are rounded, accuracy or squared error on validation rows beside the model's.
Needs the extras ``benchmark``, ``onnx`` and ``litert``. Runs stay in ``runs/formats/``.
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
MEASURED = ("bytes", "load_seconds", "milliseconds", "rows_per_second", "max_difference", "rows")


def trained(model: str, epochs: int, data_dir: str | None) -> Run:
    """Gives a run of some epochs, which an earlier call may have made."""
    run_dir = Path("runs") / "formats" / model
    if (run_dir / "metrics.json").exists():
        return zoo.load_run(run_dir)
    return zoo.train(
        model, epochs=epochs, data_dir=data_dir, run_dir=run_dir, resume=run_dir.exists()
    )


def measure(run: Run, format: str) -> dict[str, object]:
    """Exports a run, and gives what its artifact says of itself."""
    name = run.config["model"]
    try:
        artifact = zoo.export(run, Path("exports") / name / format, format=format, overwrite=True)
    except zoo.ZooError as error:
        return {"refused": str(error)}
    facts = read_facts(artifact)
    judged = facts.get("judged", {})
    return {
        "refused": "",
        **{key: facts[key] for key in MEASURED},
        **{f"judged {key}": judged.get(key, "") for key in ("rows", "metric", "value", "before")},
    }


@click.command(help=__doc__)
@click.argument("models", nargs=-1)
@click.option("--epochs", default=1, show_default=True)
@data_dir_option
def main(models: tuple[str, ...], epochs: int, data_dir: str | None) -> None:
    """Measures every format of each model."""
    for model in models or zoo.list_models():
        run = trained(model, epochs, data_dir)
        for format in FORMATS:
            row = {"model": model, "format": format, "epochs": epochs, **measure(run, format)}
            tables.keep("formats", {**row, **tables.machine()}, KEYS)
            click.echo(f"{model} as {format}: {row['refused'] or row['max_difference']}")


if __name__ == "__main__":
    main()
