"""Cost of a search beyond its training runs, speedup by a second worker, growth over 200 trials.

    python -m benchmarks.search overhead workers growth

``overhead``: the training runs of a search by `keras.Model.fit` in a plain loop, on data loaded
once, and the same by `tuning.search`, including its validation of the space, its checkpoints and
its report. ``workers``: one search by one process on one core, by one on both cores, and by two on
one core each. ``growth``: the peak memory of all processes of a search of 200 small trials, up to
the 20th trial and overall, and its size on disk. Each search is a process of its own. Requires the
extra ``benchmark``. Writes one row per measurement to ``benchmarks/results/search.csv``.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
import keras
import psutil
import tqdm

from benchmarks import tables
from benchmarks.quality import data_dir_option
from tuning.plan import Plan, read_plan
from tuning.trials import trial_config
from zoo.specs import Recipe
from zoo.training.building import seed_and_build
from zoo.training.config import load_run_data
from zoo.training.schedules import learning_rate_at

SEARCH = {"name": "mlp", "dataset": "mnist", "max_trials": 8, "epochs": 5, "retrain": 0}
LONG_SEARCH = {"name": "softmax_regression", "max_trials": 200, "epochs": 1, "retrain": 0}
EARLY_TRIALS = 20
POLL_SECONDS = 0.5
ONE_CORE = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}


def run_search(
    folder: Path,
    data_dir: str | None,
    options: dict[str, Any],
    environment: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Search in a process of its own, and return the seconds it took and its trials."""
    code = (
        "import json, sys, time, tuning\n"
        "options, search = json.loads(sys.argv[1]), tuning.search\n"
        "start = time.perf_counter()\n"
        "result = search(progress=False, **options)\n"
        "rows = [{k: v for k, v in row.items() if k != 'seconds'} for row in result.trials]\n"
        "print(json.dumps({'seconds': time.perf_counter() - start, 'trials': rows}))\n"
    )
    arguments = {**options, "directory": str(folder), "data_dir": data_dir}
    process = subprocess.run(
        [sys.executable, "-c", code, json.dumps(arguments)],
        stdout=subprocess.PIPE,
        check=True,
        env={**os.environ, **environment},
    )
    return json.loads(process.stdout)


def train_without_search(plan: Plan, trials: list[dict[str, Any]]) -> float:
    """Train the trials of a search in a plain loop, and return the seconds it took."""
    start, data = time.perf_counter(), None
    names = [row["name"] for row in plan.space if row["kind"] != "Fixed"]
    for row in trials:
        config = trial_config(
            plan, {name: row[name] for name in names}, plan.training_seed(row["trial"], 0)
        )
        data = data or load_run_data(config, plan.data_dir)
        recipe = config.recipe
        model = seed_and_build(config)
        rate, batches = float(model.optimizer.learning_rate), data.rebatched(recipe.batch_size, 0)
        model.fit(
            batches.train,
            validation_data=batches.validation,
            epochs=recipe.epochs,
            callbacks=[keras.callbacks.LearningRateScheduler(learning_rate_schedule(rate, recipe))],
            shuffle=False,
            verbose=0,
        )
        keras.utils.clear_session()
    return time.perf_counter() - start


def learning_rate_schedule(rate: float, recipe: Recipe) -> Callable[[int], float]:
    """Return a recipe's learning rate schedule as a function of the epoch."""
    return lambda epoch: learning_rate_at(epoch, rate, recipe.schedule, recipe.epochs)


def overhead(folder: Path, data_dir: str | None) -> dict[str, Any]:
    """Compare a search with its training runs alone."""
    searched = run_search(folder / "search", data_dir, SEARCH)
    seconds = train_without_search(read_plan(folder / "search"), searched["trials"])
    return {
        "before": round(seconds, 1),
        "after": round(searched["seconds"], 1),
        "ratio": round(searched["seconds"] / seconds, 3),
    }


def workers(folder: Path, data_dir: str | None) -> dict[str, Any]:
    """Compare two workers of one core each with one worker of one core, and of both."""
    options = {**SEARCH, "epochs": 3}
    one = run_search(folder / "one", data_dir, options, ONE_CORE)
    both = run_search(folder / "both", data_dir, options)
    two = run_search(folder / "two", data_dir, {**options, "workers": 2})
    best = [max(result["trials"], key=lambda row: row["score"]) for result in (one, two)]
    return {
        "before": round(one["seconds"], 1),
        "both cores": round(both["seconds"], 1),
        "after": round(two["seconds"], 1),
        "ratio": round(one["seconds"] / two["seconds"], 3),
        "same best": best[0]["trial"] == best[1]["trial"],
        "scores": " ".join(f"{row['score']:.5f}" for row in best),
    }


def growth(folder: Path, data_dir: str | None) -> dict[str, Any]:
    """Measure the memory, over all processes, and the disk space of a long search."""
    directory = folder / "search"
    arguments = {
        **LONG_SEARCH,
        "directory": str(directory),
        "data_dir": data_dir,
        "progress": False,
    }
    code = "import json, sys, tuning\ntuning.search(**json.loads(sys.argv[1]))\n"
    process = subprocess.Popen([sys.executable, "-c", code, json.dumps(arguments)])
    early_peak = peak = 0
    while process.poll() is None:
        if count_finished(directory) <= EARLY_TRIALS:
            early_peak = max(early_peak, resident_memory(process.pid))
        peak = max(peak, resident_memory(process.pid))
        time.sleep(POLL_SECONDS)
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}")
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {
        "before": round(early_peak / 2**20),
        "after": round(peak / 2**20),
        "disk": round(sum(path.stat().st_size for path in files) / 2**20, 2),
        "weights": len([path for path in files if path.name == "checkpoint.npz"]),
    }


def count_finished(directory: Path) -> int:
    """Return the number of finished trials of a search."""
    path = directory / "oracle.json"
    return len(json.loads(path.read_text())["oracle"]["end_order"]) if path.exists() else 0


def resident_memory(pid: int) -> int:
    """Return the resident memory of a process and all its children, in bytes."""
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for member in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += member.memory_info().rss
    return total


MEASUREMENTS = {"overhead": overhead, "workers": workers, "growth": growth}


@click.command(help=__doc__)
@click.argument("measures", nargs=-1, type=click.Choice(list(MEASUREMENTS)))
@data_dir_option
def main(measures: tuple[str, ...], data_dir: str | None) -> None:
    """Measure searches."""
    for name in tqdm.tqdm(measures or MEASUREMENTS):
        with tempfile.TemporaryDirectory() as folder:
            result = MEASUREMENTS[name](Path(folder), data_dir)
        tables.save_row("search", {"measure": name, **result, **tables.environment()}, ("measure",))


if __name__ == "__main__":
    main()
