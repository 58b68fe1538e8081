"""Two processes that train one model: compared with one process, and killed at random moments.

    python -m benchmarks.cluster [--times 20]

Trains on the digits with JAX: in one process; in two on the loopback interface; and again in two,
one of which is killed by SIGKILL at a random moment, whereupon both are started again, with
``--resume`` if the run had begun. Writes a row to ``benchmarks/results/cluster.csv``: the maximum
difference between the weights of two processes and of one, how many of the killed runs ended with
the bits of the undisturbed one, how many were resumed, how long at most the other process lived on,
and how many processes were left. Processes are forked from one that has imported TensorFlow and
JAX, and what JAX compiles is cached, so that they are killed in what follows. Requires the extras
``benchmark`` and ``jax``; takes twenty minutes.
"""

import importlib.metadata
import multiprocessing
import os
import random
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import psutil

import zoo
from benchmarks import tables
from benchmarks.quality import data_dir_option
from zoo import cli
from zoo.training import rendezvous

MODEL = "mlp"
SETTINGS = ["--dataset", "digits", "--epochs", "12", "--batch-size", "512", "--set", "units=64"]
PROCESSES = 2
TIMEOUT = 600.0
CONTEXT = multiprocessing.get_context("forkserver")


class Outcome(NamedTuple):
    """What followed when a process was killed.

    Attributes:
        survival: seconds for which the other process lived on.
        is_resumed: whether the run had begun.
        said: the last line that the other process wrote to standard error.
    """

    survival: float
    is_resumed: bool
    said: str


def run_command(arguments: list[str], variables: dict[str, str], log: Path) -> None:
    """Run the `zoo` command in this process, whose standard error is a file."""
    os.environ.update(variables)
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.argv = ["zoo", *arguments]
    cli.main()


def log_of(run_dir: Path, process: int) -> Path:
    """Return the file with the standard error of a process of a run."""
    return run_dir.with_name(f"{run_dir.name}-{process}.log")


def start(run_dir: Path, data_dir: str | None, processes: int) -> list[BaseProcess]:
    """Start the processes of a run, which is resumed if it has begun."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    arguments = ["train", MODEL, *SETTINGS, "--run-dir", str(run_dir)]
    arguments += ["--resume"] if (run_dir / "config.json").exists() else []
    arguments += ["--data-dir", data_dir] if data_dir else []
    variables = {rendezvous.PROCESSES: str(processes), rendezvous.ADDRESSES: address}
    started = []
    for number in range(processes):
        own = variables | {rendezvous.PROCESS: str(number)}
        process = CONTEXT.Process(
            target=run_command, args=(arguments, own, log_of(run_dir, number))
        )
        process.start()
        started.append(process)
    return started


def wait(process: BaseProcess) -> float:
    """Wait for a process to end, and return the seconds waited."""
    begun = time.monotonic()
    process.join(TIMEOUT)
    if process.exitcode is None:
        raise RuntimeError(f"a process still runs after {TIMEOUT:g} seconds")
    return time.monotonic() - begun


def finish(run_dir: Path, data_dir: str | None, processes: int) -> float:
    """Train a run to its end, and return the seconds that it took."""
    begun = time.monotonic()
    for number, process in enumerate(start(run_dir, data_dir, processes)):
        wait(process)
        if process.exitcode:
            said = log_of(run_dir, number).read_text()[-2000:]
            raise RuntimeError(f"exit code {process.exitcode}: {said}")
    return time.monotonic() - begun


def kill_one(run_dir: Path, data_dir: str | None, delay: float, number: int) -> Outcome:
    """Kill one of the processes of a run after a delay, and start all again when none is left."""
    processes = start(run_dir, data_dir, PROCESSES)
    time.sleep(delay)
    processes[number].kill()
    survival = max(map(wait, processes))
    is_resumed = (run_dir / "config.json").exists()
    said = log_of(run_dir, 1 - number).read_text().splitlines()[-1:]
    finish(run_dir, data_dir, PROCESSES)
    return Outcome(survival, is_resumed, "".join(said))


def bits_of(run_dir: Path) -> Any:
    """Return what runs have in common: history but for times, weights and predictions."""
    run = zoo.load_run(run_dir)
    history = {key: values for key, values in run.history.items() if key != "seconds"}
    arrays = [*run.model.get_weights(), run.predictions["probabilities"]]
    return history, [values.tobytes() for values in arrays]


def measure(times: int, data_dir: str | None, folder: Path) -> Iterator[dict[str, Any]]:
    """Compare two processes with one, and kill one of two again and again.

    Yields:
        A row of results after each kill.
    """
    one, two = folder / "one", folder / "two"
    finish(one, data_dir, 1)
    finish(two, data_dir, PROCESSES)  # and what is compiled is in the cache
    usual = finish(folder / "again", data_dir, PROCESSES)
    weights = zip(*(zoo.load_run(path).model.get_weights() for path in (one, two)), strict=True)
    difference = max(float(np.abs(first - second).max()) for first, second in weights)
    expected, generator = bits_of(two), random.Random(0)
    outcomes, same = [], 0
    for count in range(1, times + 1):
        run_dir = folder / f"killed-{count}"
        delay, number = generator.uniform(0, usual), generator.randrange(PROCESSES)
        outcomes.append(kill_one(run_dir, data_dir, delay, number))
        same += bits_of(run_dir) == expected
        click.echo(
            f"{count}: process {number} killed after {delay:.1f} s: {outcomes[-1]}", err=True
        )
        shutil.rmtree(run_dir)
        yield {
            "model": MODEL,
            "settings": " ".join(SETTINGS),
            "processes": PROCESSES,
            "max_difference": difference,
            "kills": count,
            "same_bits": same,
            "resumed": sum(outcome.is_resumed for outcome in outcomes),
            "seconds_lived_on": round(max(outcome.survival for outcome in outcomes), 1),
            "processes_left": processes_left(),
        }


def processes_left() -> int:
    """Return how many processes of runs are left: children of the one they are forked from."""
    return sum(len(child.children(recursive=True)) for child in psutil.Process().children())


def prepare(folder: Path) -> None:
    """Let processes be forked from one that has imported TensorFlow and JAX, and compile once.

    Args:
        folder: directory of what JAX has compiled.
    """
    os.environ |= {
        "KERAS_BACKEND": "jax",
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    CONTEXT.set_forkserver_preload(["benchmarks.quality", "zoo.cli", "zoo.training.seeds"])


@click.command(help=__doc__)
@click.option("--times", default=20, show_default=True)
@data_dir_option
def main(times: int, data_dir: str | None) -> None:
    """Compare, kill, and write the row."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder) / "compiled")
        versions = {"jax": importlib.metadata.version("jax"), **tables.environment()}
        for row in measure(times, data_dir, Path(folder)):
            tables.save_row("cluster", row | versions, ("model", "settings"))


if __name__ == "__main__":
    main()
