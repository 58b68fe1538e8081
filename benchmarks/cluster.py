"""Two processes that train one model: compared with one process, and killed at random moments.

    python -m benchmarks.cluster [--times 20]

Trains on the digits with ``KERAS_BACKEND=jax``: in one process; in two on the loopback interface;
and again in two, one of which is killed by SIGKILL at a random moment, whereupon both are started
again, with ``--resume`` if the run had begun. Writes a row to ``benchmarks/results/cluster.csv``:
the maximum difference between the weights of two processes and of one, how many of the killed runs
ended with the bits of the undisturbed one, how many were resumed, how long at most the other
process lived on, and how many processes were left. Requires the extras ``benchmark`` and ``jax``;
takes ten minutes.
"""

import importlib.metadata
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

import zoo
from benchmarks import tables
from benchmarks.kills import processes_of
from benchmarks.quality import data_dir_option

MODEL = "mlp"
OPTIONS = ["--dataset", "digits", "--epochs", "60", "--set", "precision=float32"]
TIMEOUT = 180.0
PROCESSES = 2

Process = subprocess.Popen[str]


class Outcome(NamedTuple):
    """What followed when a process was killed.

    Attributes:
        survival: seconds for which the other process lived on.
        is_resumed: whether the run had begun.
        said: what the other process wrote to standard error.
    """

    survival: float
    is_resumed: bool
    said: str


def start(folder: Path, data_dir: str | None, processes: int) -> list[Process]:
    """Start the processes of a run, which is resumed if it has begun."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "zoo", "train", MODEL, *OPTIONS, "--run-dir", str(folder)]
    command += ["--resume"] if (folder / "config.json").exists() else []
    command += ["--data-dir", data_dir] if data_dir else []
    variables = {
        "KERAS_BACKEND": "jax",
        "KERAS_DISTRIBUTION_NUM_PROCESSES": str(processes),
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": address,
    }
    return [
        subprocess.Popen(
            command,
            env=os.environ | variables | {"KERAS_DISTRIBUTION_PROCESS_ID": str(process)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for process in range(processes)
    ]


def finish(processes: list[Process]) -> float:
    """Wait for processes to succeed, and return the seconds waited."""
    begun = time.monotonic()
    for process in processes:
        _, errors = process.communicate(timeout=TIMEOUT)
        if process.returncode:
            raise RuntimeError(f"exit code {process.returncode}: {errors[-2000:]}")
    return time.monotonic() - begun


def kill_one(folder: Path, data_dir: str | None, delay: float, number: int) -> Outcome:
    """Kill one of the processes of a run after a delay, and start all again when none is left."""
    processes = start(folder, data_dir, PROCESSES)
    time.sleep(delay)
    killed = processes.pop(number)
    killed.kill()
    killed.communicate()
    begun = time.monotonic()
    (other,) = processes
    _, said = other.communicate(timeout=TIMEOUT)
    survival = time.monotonic() - begun
    is_resumed = (folder / "config.json").exists()
    finish(start(folder, data_dir, PROCESSES))
    return Outcome(survival, is_resumed, said)


def bits_of(folder: Path) -> tuple[Any, ...]:
    """Return what two runs must have in common: weights, predictions, history but for times."""
    run = zoo.load_run(folder)
    history = {key: values for key, values in run.history.items() if key != "seconds"}
    arrays = [*run.model.get_weights(), run.predictions["probabilities"]]
    return history, [values.tobytes() for values in arrays]


def measure(times: int, data_dir: str | None, folder: Path) -> dict[str, Any]:
    """Compare two processes with one, and kill one of two again and again."""
    usual = [finish(start(folder / str(count), data_dir, count)) for count in (1, PROCESSES)][-1]
    one, two = (zoo.load_run(folder / str(count)).model.get_weights() for count in (1, PROCESSES))
    expected = bits_of(folder / str(PROCESSES))
    generator = random.Random(0)
    outcomes, same, left = [], 0, 0
    for number in range(times):
        run_dir = folder / f"killed-{number}"
        delay, process = generator.uniform(0, usual), generator.randrange(PROCESSES)
        outcome = kill_one(run_dir, data_dir, delay, process)
        outcomes.append(outcome)
        same += bits_of(run_dir) == expected
        left += len(processes_of(run_dir))
        click.echo(
            f"{number}: process {process} killed after {delay:.1f} s of {usual:.1f}, the other ended "
            f"{outcome.survival:.1f} s later: {outcome.said.splitlines()[-1:]}",
            err=True,
        )
        shutil.rmtree(run_dir)
    return {
        "model": MODEL,
        "settings": " ".join(OPTIONS),
        "processes": PROCESSES,
        "max_difference": max(float(np.abs(a - b).max()) for a, b in zip(one, two, strict=True)),
        "kills": times,
        "same_bits": same,
        "resumed": sum(outcome.is_resumed for outcome in outcomes),
        "seconds_lived_on": round(max(outcome.survival for outcome in outcomes), 1),
        "processes_left": left,
        "jax": importlib.metadata.version("jax"),
        **tables.environment(),
    }


@click.command(help=__doc__)
@click.option("--times", default=20, show_default=True)
@data_dir_option
def main(times: int, data_dir: str | None) -> None:
    """Compare, kill, and write the row."""
    with tempfile.TemporaryDirectory() as folder:
        row = measure(times, data_dir, Path(folder))
        tables.save_row("cluster", row, ("model", "settings"))


if __name__ == "__main__":
    main()
