"""Format groups of measured rows as table cells."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

Row = Mapping[str, str]


def group_rows(rows: Iterable[Row], *keys: str) -> dict[tuple[str, ...], list[Row]]:
    """Group rows by the values of some columns, in order of first appearance."""
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[key] for key in keys)].append(row)
    return dict(groups)


def format_percent(rows: Sequence[Row], key: str) -> str:
    """Format the mean of a fraction in percent, with its standard deviation over several rows."""
    values = [100 * float(row[key]) for row in rows]
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{spread}"


def format_mean(rows: Sequence[Row], key: str, digits: int = 3) -> str:
    """Format the mean of a column."""
    return f"{statistics.mean(float(row[key]) for row in rows):.{digits}f}"


def format_seconds(rows: Sequence[Row]) -> str:
    """Format the median training time."""
    return f"{statistics.median(float(row['seconds']) for row in rows):.0f}"


def format_integer(text: str) -> str:
    """Format an integer with thousands separators."""
    return f"{int(text):,}"


def format_dataset(row: Row) -> str:
    """Format the version of a dataset, and how the data differ from the original, if they do."""
    return f"{row['dataset']} ({row['copy']} copy)" if row["copy"] else row["dataset"]
