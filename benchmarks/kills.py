"""Searches that are killed at random moments, compared with an undisturbed one.

    python -m benchmarks.kills [--times 20]

Kills by SIGKILL (a) the main process of a search with two workers, whose workers must then exit on
their own, (b) one of two workers, (c) the chief of two workers that were started separately. After
(a) and (c) the search is resumed with ``--resume``. Writes one row per kind to
``benchmarks/results/kills.csv``: how many searches ended with the same score for every trial as an
undisturbed search, how many finished trials were trained again, how long at most a process of a
search survived its main process, and how many seconds at most a search took longer to finish than
an undisturbed one. Requires the extra ``benchmark``; takes 20 minutes.
"""

import csv
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import click

from benchmarks import tables
from benchmarks.quality import data_dir_option

TRIALS = 6
MODEL = "softmax_regression"
TIMEOUT = 180.0
MIN_DELAY = 5.0


class Outcome(NamedTuple):
    """Outcome of a search that was killed.

    Attributes:
        finished: when each trial that had finished before the kill was last written, in ns.
        survival: seconds for which a process of the search outlived its main process.
        seconds: seconds that the search took to finish after the kill.
    """

    finished: dict[str, int]
    survival: float
    seconds: float


class Search:
    """A search on the digits in its own directory, run by the command line.

    Args:
        folder: directory of the search.
        data_dir: TFDS data directory.
    """

    def __init__(self, folder: Path, data_dir: str | None) -> None:
        self.folder = folder
        self.options = [
            MODEL, "--trials", str(TRIALS), "--epochs", "6", "--retrain", "1",
            "--directory", str(folder), "--set", "jit_compile=false",
            *(["--data-dir", data_dir] if data_dir else []),
        ]  # fmt: skip

    def start(self, *options: str) -> "subprocess.Popen[str]":
        """Start a process of the search."""
        return subprocess.Popen(
            [sys.executable, "-m", "zoo", "tune", *self.options, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def resume_options(self) -> list[str]:
        """Return the option to resume the search, if it got far enough."""
        return ["--resume"] if (self.folder / "search.json").exists() else []

    def scores(self) -> dict[str, str]:
        """Return the score of each trial in its table."""
        with (self.folder / "trials.csv").open(newline="") as file:
            return {row["trial"]: row["score"] for row in csv.DictReader(file)}

    def finished(self) -> dict[str, int]:
        """Return when the history of each finished trial was last written, in nanoseconds."""
        path = self.folder / "oracle.json"
        trials = json.loads(path.read_text())["oracle"]["end_order"] if path.exists() else []
        return {
            name: max(
                file.stat().st_mtime_ns
                for file in (self.folder / "trials" / f"trial_{name}").glob("*/history.csv")
            )
            for name in trials
        }


def processes_of(folder: Path) -> list[int]:
    """Return the ids of the processes that have a folder among their arguments."""
    pids = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder) in path.read_bytes().decode(errors="replace").split("\0"):
                pids.append(int(path.parent.name))
        except OSError:
            continue
    return pids


def wait_for_success(process: "subprocess.Popen[str]") -> float:
    """Wait for a process to succeed, and return the seconds waited."""
    start = time.monotonic()
    _, errors = process.communicate(timeout=TIMEOUT)
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}: {errors[-2000:]}")
    return time.monotonic() - start


def wait_for_exit(folder: Path) -> float:
    """Wait until no process of a search is left, and return the seconds waited."""
    start = time.monotonic()
    while processes_of(folder):
        if time.monotonic() - start > TIMEOUT:
            raise RuntimeError(f"processes {processes_of(folder)} are still running")
        time.sleep(0.1)
    return time.monotonic() - start


def kill_search(search: Search, delay: float) -> Outcome:
    """Kill the main process of a search with two workers, and resume it."""
    process = search.start("--workers", "2")
    time.sleep(delay)
    process.kill()
    process.communicate()
    survival = wait_for_exit(search.folder)
    finished = search.finished()
    resumed = search.start("--workers", "2", *search.resume_options())
    return Outcome(finished, survival, wait_for_success(resumed))


def kill_worker(search: Search, delay: float) -> Outcome:
    """Kill one of the two workers of a search, which must finish all the same."""
    process = search.start("--workers", "2")
    start = time.monotonic()
    time.sleep(delay)
    while not (workers := [pid for pid in processes_of(search.folder) if pid != process.pid]):
        if process.poll() is not None or time.monotonic() - start > TIMEOUT:
            break
        time.sleep(0.05)
    finished = search.finished()
    if workers:
        os.kill(random.choice(workers), signal.SIGKILL)
    seconds = wait_for_success(process)
    return Outcome(finished, wait_for_exit(search.folder), seconds)


def kill_chief(search: Search, delay: float) -> Outcome:
    """Kill the chief of two workers that keep running, and start another chief in its place."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = ["--address", f"127.0.0.1:{free.getsockname()[1]}"]
    chief = search.start("--role", "chief", *address)
    workers = [
        search.start("--role", "worker", "--worker-name", f"worker-{i}", *address) for i in (1, 2)
    ]
    time.sleep(delay)
    chief.kill()
    chief.communicate()
    finished = search.finished()
    resumed = search.start("--role", "chief", *address, *search.resume_options())
    seconds = wait_for_success(resumed)
    start = time.monotonic()
    for worker in workers:
        wait_for_success(worker)
    return Outcome(finished, time.monotonic() - start, seconds)


KINDS = {"the search": kill_search, "one worker": kill_worker, "the chief": kill_chief}


def measure(kind: str, times: int, data_dir: str | None, folder: Path) -> dict[str, Any]:
    """Kill searches in one way, and compare their results with an undisturbed search."""
    undisturbed = Search(folder / "undisturbed", data_dir)
    usual = wait_for_success(undisturbed.start("--workers", "2"))
    generator = random.Random(kind)
    same = repeated = 0
    survival = delay_of_end = 0.0
    for number in range(times):
        search = Search(folder / str(number), data_dir)
        delay = generator.uniform(MIN_DELAY, usual)
        outcome = KINDS[kind](search, delay)
        after = search.finished()
        same += search.scores() == undisturbed.scores()
        repeated += sum(after[name] != written for name, written in outcome.finished.items())
        survival = max(survival, outcome.survival)
        delay_of_end = max(delay_of_end, outcome.seconds - usual)
        click.echo(
            f"{kind} {number}: killed after {delay:.1f} s, {len(outcome.finished)} trials finished",
            err=True,
        )
        shutil.rmtree(search.folder)
    shutil.rmtree(undisturbed.folder)
    return {
        "killed": kind,
        "times": times,
        "ended as undisturbed": same,
        "ended trials trained again": repeated,
        "seconds lived on": round(survival, 1),
        "seconds beyond": round(delay_of_end, 1),
        **tables.environment(),
    }


@click.command(help=__doc__)
@click.option("--times", default=20, show_default=True)
@click.argument("kinds", nargs=-1)
@data_dir_option
def main(times: int, kinds: tuple[str, ...], data_dir: str | None) -> None:
    """Kill searches in every way."""
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds or KINDS:
            tables.save_row("kills", measure(kind, times, data_dir, Path(folder)), ("killed",))


if __name__ == "__main__":
    main()
