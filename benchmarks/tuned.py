"""Short searches, compared with the recipes of the zoo.

    python -m benchmarks.tuned [MODEL...]

Runs each of `SEARCHES` by the command line, and trains the recipe of the zoo under the same seeds
as the best settings. Requires the extra ``benchmark``. Writes one row per model to
``benchmarks/results/tuned.csv``; the directory of each search is kept in ``searches/``, where an
interrupted one is resumed.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

import zoo
from benchmarks import tables
from benchmarks.quality import data_dir_option
from zoo.registry import get_defaults

SEARCHES = {
    "mlp": ["--algorithm", "hyperband", "--minutes", "10", "--retrain", "3"],
    "simple_cnn": [
        "--algorithm", "hyperband", "--minutes", "6", "--max-parameters", "100000",
        "--retrain", "1",
    ],
    "gru": ["--algorithm", "hyperband", "--minutes", "5", "--retrain", "1"],
    "vae": [
        "--algorithm", "hyperband", "--minutes", "5", "--set", "latent_dim=2", "--retrain", "1",
    ],
}  # fmt: skip
METRICS = ("accuracy", "loss")


def run_search(model: str, directory: Path, data_dir: str | None) -> dict[str, Any]:
    """Search by the command line, and return its JSON document."""
    options = [*SEARCHES[model], "--directory", str(directory), "--json"]
    options += ["--data-dir", data_dir] if data_dir else []
    options += ["--resume"] if directory.exists() else []
    command = [sys.executable, "-m", "zoo", "tune", model, *options]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(process.stdout)


def train_recipe(
    model: str, directory: Path, data_dir: str | None, seeds: int
) -> list[dict[str, Any]]:
    """Train the recipe of the zoo under several seeds, and return the results."""
    runs = []
    for seed in range(seeds):
        run_dir = directory / f"seed-{seed}"
        runs.append(
            zoo.train(model, seed=seed, data_dir=data_dir, run_dir=run_dir, resume=run_dir.exists())
        )
    return [run.metrics for run in runs]


def measure(model: str, data_dir: str | None) -> dict[str, Any]:
    """Compare the best settings of a search with the recipe."""
    directory = Path("searches") / f"tuned-{model}"
    result = run_search(model, directory, data_dir)
    seeds = int(SEARCHES[model][-1])
    best = {**result["best_values"], **result["best_recipe"]}
    defaults = get_defaults(model)
    is_recipe = best == {name: defaults[name] for name in best}
    # the search itself has retrained the recipe under these seeds if it is the best
    recipe_runs = directory / ("best" if is_recipe else "as_it_stands")
    recipe_metrics = train_recipe(model, recipe_runs, data_dir, seeds)
    metric = next(name for name in METRICS if f"test_{name}" in recipe_metrics[0])
    return {
        "model": model,
        "search": " ".join(SEARCHES[model]),
        "trials": len(result["trials"]),
        "failed": sum(row["status"] != "COMPLETED" for row in result["trials"]),
        "figure": metric,
        "score": result["metrics"]["score"],
        **_compare(recipe_metrics, result["metrics"], metric),
        "seeds": seeds,
        "best": json.dumps(best),
        **tables.environment(),
    }


def _compare(
    before: list[dict[str, Any]], after: dict[str, float], metric: str
) -> dict[str, float | str]:
    columns: dict[str, float | str] = {}
    has_spread = len(before) > 1
    for split in ("val", "test"):
        name = f"{split}_{metric}"
        values = [metrics[name] for metrics in before]
        columns |= {
            f"{split} before": statistics.mean(values),
            f"{split} before, spread": statistics.stdev(values) if has_spread else "",
            f"{split} after": after[name],
            f"{split} after, spread": after[f"{name}_std"] if has_spread else "",
        }
    return columns


@click.command(help=__doc__)
@click.argument("models", nargs=-1, type=click.Choice(list(SEARCHES)))
@data_dir_option
def main(models: tuple[str, ...], data_dir: str | None) -> None:
    """Search for better settings."""
    for model in models or SEARCHES:
        tables.save_row("tuned", measure(model, data_dir), ("model",))


if __name__ == "__main__":
    main()
