"""Read and write the results files: CSV tables, one a command."""

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
from zoo.training.processor import multiplies_bfloat16

FOLDER = Path(__file__).parent / "results"


def environment() -> dict[str, Any]:
    """Return the hardware, the library versions and the date of a measurement."""
    import cpuinfo  # from the extra "benchmark", which reading results does not need

    return {
        "cores": os.cpu_count(),
        "processor": cpuinfo.get_cpu_info()["brand_raw"],
        "bfloat16": multiplies_bfloat16(),
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "date": datetime.date.today().isoformat(),
    }


def read_rows(name: str) -> list[dict[str, str]]:
    """Return all rows of a results file; none if it does not exist."""
    path = FOLDER / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def save_row(name: str, row: Mapping[str, Any], keys: Sequence[str]) -> None:
    """Write a row to a results file, replacing older ones with the same values of `keys`."""
    save_rows(name, [row], keys)


def save_rows(name: str, rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> None:
    """Write rows to a results file, replacing older ones with the same values of `keys`.

    Safe to call from several processes at once.
    """

    def key_of(row: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(str(row[key]) for key in keys)

    replaced = set(map(key_of, rows))
    FOLDER.mkdir(exist_ok=True)
    with filelock.FileLock(FOLDER / "lock"):
        others = [other for other in read_rows(name) if key_of(other) not in replaced]
        columns = list(dict.fromkeys(key for row in (*rows, *others) for key in row))
        table = [{key: row.get(key, "") for key in columns} for row in (*others, *rows)]
        write_csv(FOLDER / f"{name}.csv", table)
