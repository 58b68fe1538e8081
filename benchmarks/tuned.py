"""Whether a search of some minutes finds better settings than the zoo has.

    python -m benchmarks.tuned [MODEL...]

For each of `SEARCHES` the search by the command, and the recipe as it stands under the same seeds
as the best settings that it finds. Needs the extra ``benchmark``. Writes one row a model to
``benchmarks/results/tuned.csv``; the directory of each search stays in ``searches/``, where an
interrupted one is taken up.
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
from zoo.registry import defaults_of

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
MONITORED = ("accuracy", "loss")


def searched(model: str, place: Path, data_dir: str | None) -> dict[str, Any]:
    """Searches by the command."""
    options = [*SEARCHES[model], "--directory", str(place), "--json"]
    options += ["--data-dir", data_dir] if data_dir else []
    options += ["--resume"] if place.exists() else []
    command = [sys.executable, "-m", "zoo", "tune", model, *options]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(answer.stdout)


def as_it_stands(model: str, place: Path, data_dir: str | None, seeds: int) -> list[dict[str, Any]]:
    """Trains the recipe of the zoo under some seeds."""
    runs = []
    for seed in range(seeds):
        run_dir = place / f"seed-{seed}"
        runs.append(
            zoo.train(model, seed=seed, data_dir=data_dir, run_dir=run_dir, resume=run_dir.exists())
        )
    return [run.metrics for run in runs]


def measure(model: str, data_dir: str | None) -> dict[str, Any]:
    """Compares what a search finds to what is there."""
    place = Path("searches") / f"tuned-{model}"
    found = searched(model, place, data_dir)
    seeds = int(SEARCHES[model][-1])
    best = {**found["best_values"], **found["best_recipe"]}
    defaults = defaults_of(model)
    is_new = best != {name: defaults[name] for name in best}
    compared = place / ("as_it_stands" if is_new else "best")  # the same seeds, the same figures
    known = as_it_stands(model, compared, data_dir, seeds)
    key = next(key for key in MONITORED if f"test_{key}" in known[0])
    figures = {}
    for split in ("val", "test"):
        values = [metrics[f"{split}_{key}"] for metrics in known]
        figures |= {
            f"{split} before": statistics.mean(values),
            f"{split} before, spread": statistics.stdev(values) if seeds > 1 else "",
            f"{split} after": found["metrics"][f"{split}_{key}"],
            f"{split} after, spread": found["metrics"][f"{split}_{key}_std"] if seeds > 1 else "",
        }
    return {
        "model": model,
        "search": " ".join(SEARCHES[model]),
        "trials": len(found["trials"]),
        "failed": sum(row["status"] != "COMPLETED" for row in found["trials"]),
        "figure": key,
        "score": found["metrics"]["score"],
        **figures,
        "seeds": seeds,
        "best": json.dumps(best),
        **tables.machine(),
    }


@click.command()
@click.argument("models", nargs=-1, type=click.Choice(list(SEARCHES)))
@data_dir_option
def main(models: tuple[str, ...], data_dir: str | None) -> None:
    """Search for better settings than the zoo has."""
    for model in models or SEARCHES:
        tables.keep("tuned", measure(model, data_dir), ("model",))


if __name__ == "__main__":
    main()
