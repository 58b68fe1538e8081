"""What to know of a dataset before training on it: duplicates, conflicts, odd labels, rare classes.

Nothing is changed: a finding says what there is, how often, and shows an example.
"""

import dataclasses
import functools
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from zoo.data.pipeline import HOLDOUT_FRACTION, Data, Rows
from zoo.specs import DatasetSpec

MISSING_NAMES = {"", "nan", "na", "n/a", "none", "null", "nil", "?", "-", "#n/a", "unknown"}
FEW_ROWS = 10
RATIO = 10
EXAMPLE_LENGTH = 60
DIGEST_BYTES = 16
ROWS_AT_A_TIME = 1024
MAX_NAMED = 5


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something to know of a dataset.

    Attributes:
        name: what it is.
        count: how many rows, or classes, it concerns.
        detail: a sentence with an example.
    """

    name: str
    count: int
    detail: str


def find(data: Data) -> list[Finding]:
    """Look through the rows and classes of a dataset.

    Args:
        data: the dataset.

    Returns:
        The findings; none for a dataset without any.

    Example:
        >>> import zoo
        >>> from zoo.data.findings import find
        >>> texts = ["good", "good", "bad", "fine"] * 10
        >>> data = zoo.load_data((texts, ["pos", "neg", "neg", "pos"] * 10))
        >>> [finding.name for finding in find(data)][:2]
        ['conflicting labels', 'duplicates across splits']
    """
    found = [*_findings_on_labels(data.spec, data.rows["train"])]
    if data.spec.kind != "truth_tables":
        digests = {split: _digests(rows) for split, rows in data.rows.items()}
        found += _findings_on_rows(data.spec, data.rows, digests)
    return found


def summarize(data: Data) -> str:
    """Return what was read of a user's dataset and every finding, a line each.

    Args:
        data: the dataset.
    """
    rows = ", ".join(f"{split} {len(part):,}" for split, part in data.rows.items())
    head = f"data: {data.spec.summary}; {rows}"
    return "\n".join([head, *(f"data: {finding.detail}" for finding in find(data))])


def _findings_on_labels(spec: DatasetSpec, train: Rows) -> Iterator[Finding]:
    names = spec.class_names
    alike = defaultdict(list)
    for name in names:
        alike[" ".join(name.split()).lower()].append(name)
    same = [group for group in alike.values() if len(group) > 1]
    if same:
        shown = " and ".join(map(repr, same[0]))
        yield Finding(
            "labels that differ by blanks or case",
            sum(map(len, same)),
            f"{len(same)} groups of labels differ only by blanks or case, such as {shown}: "
            "they are classes of their own",
        )
    missing = [name for name in names if name.strip().lower() in MISSING_NAMES]
    if missing:
        yield Finding(
            "labels that look missing",
            len(missing),
            f"{', '.join(map(repr, missing))}: a class that looks like a missing label",
        )
    counts = np.bincount(train.labels, minlength=len(names))
    few = [f"{names[i]!r} ({counts[i]})" for i in np.argsort(counts) if counts[i] < FEW_ROWS]
    if few:
        yield Finding(
            "classes with few rows",
            len(few),
            f"{len(few)} of {len(names)} classes have fewer than {FEW_ROWS} training rows, such as "
            f"{', '.join(few[:MAX_NAMED])}: a share of {HOLDOUT_FRACTION:.0%} is too small to "
            "validate and test them",
        )
    if counts.max() > RATIO * max(1, counts.min()):
        yield Finding(
            "unequal classes",
            len(names),
            f"the largest class has {counts.max():,} training rows and the smallest "
            f"{counts.min():,}: class_weight=balanced makes them count alike",
        )


def _findings_on_rows(
    spec: DatasetSpec, rows: Mapping[str, Rows], digests: Mapping[str, list[bytes]]
) -> Iterator[Finding]:
    what = "texts" if spec.kind == "text" else "images"
    if spec.kind == "text":
        empty = sum(not text.strip() for part in rows.values() for text in part.inputs)
        if empty:
            yield Finding("empty texts", empty, f"{empty:,} texts are empty")
    example_of = functools.partial(_example, spec, rows, digests)
    first_label: dict[bytes, int] = {}
    first_split: dict[bytes, str] = {}
    conflicts: set[bytes] = set()
    across: set[bytes] = set()
    for split, part in rows.items():
        for digest, label in zip(digests[split], part.labels.tolist(), strict=True):
            if first_label.setdefault(digest, label) != label:
                conflicts.add(digest)
            if first_split.setdefault(digest, split) != split:
                across.add(digest)
    if conflicts:
        detail = f"{len(conflicts):,} {what} occur with different labels{example_of(conflicts)}"
        yield Finding("conflicting labels", len(conflicts), detail)
    if across:
        detail = f"{len(across):,} {what} are in more than one split{example_of(across)}"
        consequence = "the test result is too good by what was memorized"
        yield Finding("duplicates across splits", len(across), f"{detail}: {consequence}")
    repeated = len(digests["train"]) - len(set(digests["train"]))
    if repeated:
        yield Finding("duplicates", repeated, f"{repeated:,} training {what} are repetitions")


def _digests(rows: Rows) -> list[bytes]:
    return [
        hashlib.blake2b(_content(row), digest_size=DIGEST_BYTES).digest()
        for start in range(0, len(rows), ROWS_AT_A_TIME)
        for row in rows.inputs[start : start + ROWS_AT_A_TIME]
    ]


def _content(row: Any) -> bytes:
    return row if isinstance(row, bytes) else row.tobytes()


def _example(
    spec: DatasetSpec,
    rows: Mapping[str, Rows],
    digests: Mapping[str, list[bytes]],
    chosen: set[bytes],
) -> str:
    for split, part in rows.items():
        for index, digest in enumerate(digests[split]):
            if digest in chosen:
                if spec.kind != "text":
                    return f", such as row {index} of {split}"
                text = part.inputs[index].decode("utf-8", "replace")
                shown = text if len(text) <= EXAMPLE_LENGTH else text[:EXAMPLE_LENGTH] + "..."
                return f", such as {shown!r}"
    return ""
