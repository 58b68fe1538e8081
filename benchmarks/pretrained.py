"""Train the models that come with the package, and measure what rounding their weights costs.

    python -m benchmarks.pretrained MODEL... [--dataset NAME] [--seed 0] [--directory runs]
        [--differences SENTENCE]

Requires the extra ``benchmark``. Trains each model by its recipe (`fasttext` with a smaller
vocabulary), resuming a run that was interrupted, packs it into ``zoo/pretrained/runs``, in place of
an older one, and writes a row to ``benchmarks/results/pretrained.csv``.
"""

import shutil
import subprocess
from pathlib import Path

import click

import zoo
from benchmarks import tables
from zoo.data.catalog import DATASETS
from zoo.pretrained.catalog import RUNS, Record
from zoo.pretrained.packing import pack
from zoo.runs import Run
from zoo.training.processor import describe_processor

KEYS = ("model", "dataset")
SETTINGS = {"fasttext": {"vocab_size": 15_000}}  # its recipe's vocabulary would take 7 MB


def train(model: str, dataset: str, seed: int, directory: Path) -> Run:
    """Train a model, or resume its run if there is one."""
    run_dir = directory / f"{model}-{dataset}-{seed}"
    if run_dir.exists():
        return zoo.train(model, run_dir=run_dir, resume=True)
    return zoo.train(model, dataset=dataset, seed=seed, run_dir=run_dir, **SETTINGS.get(model, {}))


def pack_in_place(run: Run, command: str, differences: str) -> Record:
    """Pack a run into the package, in place of the older one."""
    folder = RUNS / run.config["model"] / run.dataset.name
    shutil.rmtree(folder, ignore_errors=True)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return pack(
        run, folder, command=command, commit=commit, processor=describe_processor(),
        differences=differences,
    )  # fmt: skip


def row_of(record: Record, run: Run) -> dict[str, object]:
    """Return a row of the results."""
    return {
        "model": record.model,
        "dataset": record.trained_on,
        "parameters": run.config["parameters"],
        "bytes": record.bytes,
        "metric": record.metric,
        "plain": record.figures[record.metric],
        "rounded": record.rounded[record.metric],
        **tables.environment(),
    }


@click.command()
@click.argument("models", nargs=-1, required=True)
@click.option("--dataset", type=click.Choice(sorted(DATASETS)))
@click.option("--seed", default=0)
@click.option("--directory", type=click.Path(path_type=Path), default=Path("runs/pretrained"))
@click.option("--differences", default="", help="How the data differ from the original.")
def main(
    models: tuple[str, ...], dataset: str | None, seed: int, directory: Path, differences: str
) -> None:
    """Train and pack models."""
    for model in models:
        trained_on = dataset or zoo.get_spec(model).dataset
        run = train(model, trained_on, seed, directory)
        settings = "".join(f" --set {k}={v}" for k, v in SETTINGS.get(model, {}).items())
        command = f"zoo train {model} --dataset {trained_on} --seed {seed}{settings}"
        record = pack_in_place(run, command, differences)
        tables.save_row("pretrained", row_of(record, run), KEYS)
        click.echo(f"{model}: {record.metric} {record.rounded[record.metric]:.5g}")


if __name__ == "__main__":
    main()
