"""What a search costs beside its trainings, what a second worker brings, and what 200 trials leave.

    python -m benchmarks.search overhead workers growth

``overhead``: the trainings of a search by `keras.Model.fit` alone, in a loop, on data that are
loaded once, and the same by `tuning.search`, first look, checkpoints and report included.
``workers``: one search by one process that has one core, by one that has both, and by two that have
one each. ``growth``: the most memory that all processes of a search of 200 small trials hold until
the 20th and at all, and its disk. Each search is a process of its own. Writes one row each to
``benchmarks/results/search.csv``. Needs the extra ``benchmark``.
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
from tuning.trials import settings_of
from zoo.specs import Recipe
from zoo.training.config import load_run_data, seed_and_build
from zoo.training.schedules import learning_rate_at

NETWORK = {"name": "mlp", "dataset": "mnist", "max_trials": 8, "epochs": 5, "retrain": 0}
SMALL = {"name": "softmax_regression", "max_trials": 200, "epochs": 1, "retrain": 0}
WARM = 20
SAMPLING = 0.5
ONE_CORE = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}


def searched(
    folder: Path,
    data_dir: str | None,
    options: dict[str, Any],
    environment: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Searches in a process of its own, and says how long that took and what it found."""
    code = (
        "import json, sys, time, tuning\n"
        "options, search = json.loads(sys.argv[1]), tuning.search\n"
        "began = time.perf_counter()\n"
        "result = search(progress=False, **options)\n"
        "rows = [{k: v for k, v in row.items() if k != 'seconds'} for row in result.trials]\n"
        "print(json.dumps({'seconds': time.perf_counter() - began, 'trials': rows}))\n"
    )
    given = {**options, "directory": str(folder), "data_dir": data_dir}
    answer = subprocess.run(
        [sys.executable, "-c", code, json.dumps(given)],
        stdout=subprocess.PIPE,
        check=True,
        env={**os.environ, **environment},
    )
    return json.loads(answer.stdout)


def trained_bare(plan: Plan, trials: list[dict[str, Any]]) -> float:
    """Trains what a search has tried, without it; says how long that took."""
    began, data = time.perf_counter(), None
    names = [row["name"] for row in plan.space if row["kind"] != "Fixed"]
    for row in trials:
        settings = settings_of(
            plan, {name: row[name] for name in names}, plan.seed_of(row["trial"], 0)
        )
        data = data or load_run_data(settings, plan.data_dir)
        recipe = settings.recipe
        model = seed_and_build(settings)
        rate, batches = float(model.optimizer.learning_rate), data.rebatched(recipe.batch_size, 0)
        model.fit(
            batches.train,
            validation_data=batches.validation,
            epochs=recipe.epochs,
            callbacks=[keras.callbacks.LearningRateScheduler(scheduled(rate, recipe))],
            shuffle=False,
            verbose=0,
        )
        keras.utils.clear_session()
    return time.perf_counter() - began


def scheduled(rate: float, recipe: Recipe) -> Callable[[int], float]:
    """Gives the learning rate of each epoch as a function."""
    return lambda epoch: learning_rate_at(epoch, rate, recipe.schedule, recipe.epochs)


def overhead(folder: Path, data_dir: str | None) -> dict[str, Any]:
    """Compares a search to its trainings."""
    found = searched(folder / "search", data_dir, NETWORK)
    bare = trained_bare(read_plan(folder / "search"), found["trials"])
    return {
        "before": round(bare, 1),
        "after": round(found["seconds"], 1),
        "ratio": round(found["seconds"] / bare, 3),
    }


def workers(folder: Path, data_dir: str | None) -> dict[str, Any]:
    """Compares two workers to one, which has one core as each of them, or both."""
    options = {**NETWORK, "epochs": 3}
    one = searched(folder / "one", data_dir, options, ONE_CORE)
    both = searched(folder / "both", data_dir, options)
    two = searched(folder / "two", data_dir, {**options, "workers": 2})
    best = [max(found["trials"], key=lambda row: row["score"]) for found in (one, two)]
    return {
        "before": round(one["seconds"], 1),
        "both cores": round(both["seconds"], 1),
        "after": round(two["seconds"], 1),
        "ratio": round(one["seconds"] / two["seconds"], 3),
        "same best": best[0]["trial"] == best[1]["trial"],
        "scores": " ".join(f"{row['score']:.5f}" for row in best),
    }


def growth(folder: Path, data_dir: str | None) -> dict[str, Any]:
    """Measures what a long search takes of memory, all its processes together, and of disk."""
    place = folder / "search"
    given = {**SMALL, "directory": str(place), "data_dir": data_dir, "progress": False}
    code = "import json, sys, tuning\ntuning.search(**json.loads(sys.argv[1]))\n"
    process = subprocess.Popen([sys.executable, "-c", code, json.dumps(given)])
    early = late = 0
    while process.poll() is None:
        if ended(place) <= WARM:
            early = max(early, resident(process.pid))
        late = max(late, resident(process.pid))
        time.sleep(SAMPLING)
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}")
    files = [path for path in place.rglob("*") if path.is_file()]
    return {
        "before": round(early / 2**20),
        "after": round(late / 2**20),
        "disk": round(sum(path.stat().st_size for path in files) / 2**20, 2),
        "weights": len([path for path in files if path.name == "checkpoint.npz"]),
    }


def ended(place: Path) -> int:
    """Counts the trials of a search that have ended."""
    path = place / "oracle.json"
    return len(json.loads(path.read_text())["oracle"]["end_order"]) if path.exists() else 0


def resident(pid: int) -> int:
    """Gives the memory in bytes that a process and those it started hold."""
    held = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                held += each.memory_info().rss
    return held


MEASURES = {"overhead": overhead, "workers": workers, "growth": growth}


@click.command()
@click.argument("measures", nargs=-1, type=click.Choice(list(MEASURES)))
@data_dir_option
def main(measures: tuple[str, ...], data_dir: str | None) -> None:
    """Measure searches."""
    for name in tqdm.tqdm(measures or MEASURES):
        with tempfile.TemporaryDirectory() as folder:
            found = MEASURES[name](Path(folder), data_dir)
        tables.keep("search", {"measure": name, **found, **tables.machine()}, ("measure",))


if __name__ == "__main__":
    main()
