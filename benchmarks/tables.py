"""The result files: rows of CSV, each measured by a command that its module's docstring names."""

import csv
import datetime
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import filelock
import keras
import tensorflow as tf

from zoo.runs.files import write_csv

FOLDER = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """Says on what, with what and when a row is measured."""
    import cpuinfo  # of the extra: reading the results takes none

    return {
        "cores": os.cpu_count(),
        "processor": cpuinfo.get_cpu_info()["brand_raw"],
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "date": datetime.date.today().isoformat(),
    }


def read(name: str) -> list[dict[str, str]]:
    """Reads all rows that a file has; none if there is no such file."""
    path = FOLDER / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def keep(name: str, row: Mapping[str, Any], keys: Sequence[str]) -> None:
    """Puts a row into a file, in place of an older one that agrees with it in `keys`."""
    keep_all(name, [row], keys)


def keep_all(name: str, rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> None:
    """Puts rows into a file, in place of all older ones that agree with one of them in `keys`.

    Several processes may do so at once: each waits for its turn.
    """

    def measured(row: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(str(row[key]) for key in keys)

    new = set(map(measured, rows))
    FOLDER.mkdir(exist_ok=True)
    with filelock.FileLock(FOLDER / "lock"):
        others = [other for other in read(name) if measured(other) not in new]
        columns = list(dict.fromkeys(key for each in (*rows, *others) for key in each))
        table = [{key: each.get(key, "") for key in columns} for each in (*others, *rows)]
        write_csv(FOLDER / f"{name}.csv", table)
