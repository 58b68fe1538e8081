"""Whether a search survives being killed, at moments drawn at random.

    python -m benchmarks.kills [--times 20]

Kills by SIGKILL (a) a search with two workers, that is, its first process, whose workers must then
vanish by themselves, (b) one of two workers, (c) the chief of two workers started by hand.
Searches that are killed whole go on with ``--resume``, and so does the chief. Writes one row a kind
to ``benchmarks/results/kills.csv``: how many searches then had every trial with the score of an
undisturbed one, how many trials that had ended were trained again, the longest time that a process
of the search lived on after its head, and the longest time that an end took beyond an undisturbed
search. Needs the extra ``benchmark``; takes 20 minutes.
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
from typing import Any

import click

from benchmarks import tables
from benchmarks.quality import data_dir_option

TRIALS = 6
MODEL = "softmax_regression"
HANG = 180.0
LEAST_START = 5.0


class Search:
    """A search of digits in a directory, by the command."""

    def __init__(self, folder: Path, data_dir: str | None) -> None:
        self.folder = folder
        self.options = [
            MODEL, "--trials", str(TRIALS), "--epochs", "6", "--retrain", "1",
            "--directory", str(folder), "--set", "jit_compile=false",
            *(["--data-dir", data_dir] if data_dir else []),
        ]  # fmt: skip

    def start(self, *options: str) -> "subprocess.Popen[str]":
        """Starts a process of it."""
        return subprocess.Popen(
            [sys.executable, "-m", "zoo", "tune", *self.options, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def scores(self) -> dict[str, str]:
        """Gives the score of each trial that its table has."""
        with (self.folder / "trials.csv").open(newline="") as file:
            return {row["trial"]: row["score"] for row in csv.DictReader(file)}

    def histories(self) -> dict[str, int]:
        """Says for each trial that has ended when the last file of its training was written."""
        path = self.folder / "oracle.json"
        ended = json.loads(path.read_text())["oracle"]["end_order"] if path.exists() else []
        return {
            name: max(
                file.stat().st_mtime_ns
                for file in (self.folder / "trials" / f"trial_{name}").glob("*/history.csv")
            )
            for name in ended
        }


def processes_of(folder: Path) -> list[int]:
    """Gives the processes that have a folder among their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder) in path.read_bytes().decode(errors="replace").split("\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def ended(process: "subprocess.Popen[str]") -> float:
    """Waits for a process to end well, and says how long that took."""
    began = time.monotonic()
    _, said = process.communicate(timeout=HANG)
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}: {said[-2000:]}")
    return time.monotonic() - began


def vanished(folder: Path) -> float:
    """Waits until no process of a search is left, and says how long that took."""
    began = time.monotonic()
    while processes_of(folder):
        if time.monotonic() - began > HANG:
            raise RuntimeError(f"processes {processes_of(folder)} live on")
        time.sleep(0.1)
    return time.monotonic() - began


def kill_whole(search: Search, delay: float) -> tuple[dict[str, int], float, float]:
    """Kills the first process of a search with two workers, and resumes it."""
    process = search.start("--workers", "2")
    time.sleep(delay)
    process.kill()
    process.communicate()
    lived_on = vanished(search.folder)
    before = search.histories()
    resume = ["--resume"] if (search.folder / "search.json").exists() else []
    return before, lived_on, ended(search.start("--workers", "2", *resume))


def kill_worker(search: Search, delay: float) -> tuple[dict[str, int], float, float]:
    """Kills one of two workers of a search, which is to end all the same."""
    process = search.start("--workers", "2")
    began = time.monotonic()
    time.sleep(delay)
    while not (crew := [pid for pid in processes_of(search.folder) if pid != process.pid]):
        if process.poll() is not None or time.monotonic() - began > HANG:
            break
        time.sleep(0.05)
    before = search.histories()
    if crew:
        os.kill(random.choice(crew), signal.SIGKILL)
    seconds = ended(process)
    return before, vanished(search.folder), seconds


def kill_chief(search: Search, delay: float) -> tuple[dict[str, int], float, float]:
    """Kills the chief of two workers that go on, and starts another chief in its place."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = ["--address", f"127.0.0.1:{free.getsockname()[1]}"]
    chief = search.start("--role", "chief", *address)
    crew = [
        search.start("--role", "worker", "--worker-name", f"worker-{i}", *address) for i in (1, 2)
    ]
    time.sleep(delay)
    chief.kill()
    chief.communicate()
    before = search.histories()
    resume = ["--resume"] if (search.folder / "search.json").exists() else []
    seconds = ended(search.start("--role", "chief", *address, *resume))
    began = time.monotonic()
    for worker in crew:
        ended(worker)
    return before, time.monotonic() - began, seconds


WAYS = {"the search": kill_whole, "one worker": kill_worker, "the chief": kill_chief}


def measure(kind: str, times: int, data_dir: str | None, folder: Path) -> dict[str, Any]:
    """Kills searches of one kind, and counts what became of them."""
    undisturbed = Search(folder / "undisturbed", data_dir)
    process = undisturbed.start("--workers", "2")
    usual = ended(process)
    generator = random.Random(kind)
    whole = again = 0
    lived_on = beyond = 0.0
    for number in range(times):
        search = Search(folder / str(number), data_dir)
        delay = generator.uniform(LEAST_START, usual)
        before, lived, seconds = WAYS[kind](search, delay)
        after = search.histories()
        whole += search.scores() == undisturbed.scores()
        again += sum(after[name] != written for name, written in before.items())
        lived_on, beyond = max(lived_on, lived), max(beyond, seconds - usual)
        click.echo(
            f"{kind} {number}: after {delay:.1f} s; {len(before)} trials had ended", err=True
        )
        shutil.rmtree(search.folder)
    shutil.rmtree(undisturbed.folder)
    return {
        "killed": kind,
        "times": times,
        "ended as undisturbed": whole,
        "ended trials trained again": again,
        "seconds lived on": round(lived_on, 1),
        "seconds beyond": round(beyond, 1),
        **tables.machine(),
    }


@click.command()
@click.option("--times", default=20, show_default=True)
@click.argument("kinds", nargs=-1)
@data_dir_option
def main(times: int, kinds: tuple[str, ...], data_dir: str | None) -> None:
    """Kill searches, and see what becomes of them."""
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds or WAYS:
            tables.keep("kills", measure(kind, times, data_dir, Path(folder)), ("killed",))


if __name__ == "__main__":
    main()
