"""What is found in a dataset: planted faults are counted, and nothing is changed."""

import json

import numpy as np
import pytest

import zoo
from zoo.data.findings import find, summarize

TEXTS = [f"text number {i}" for i in range(200)]
LABELS = ["neg" if i % 2 else "pos" for i in range(200)]


def found(texts, labels, **splits):
    data = zoo.load_data({"train": (texts, labels), **splits} if splits else (texts, labels))
    return {finding.name: finding for finding in find(data)}


def test_a_clean_dataset_has_none():
    assert found(TEXTS, LABELS) == {}


@pytest.mark.parametrize(
    ("texts", "labels", "name", "count"),
    [
        ([*TEXTS, TEXTS[0]], [*LABELS, "neg"], "conflicting labels", 1),
        ([*TEXTS, " ", ""], [*LABELS, "neg", "pos"], "empty texts", 2),
        (TEXTS, [" pos" if i == 0 else v for i, v in enumerate(LABELS)],
         "labels that differ by blanks or case", 2),
        (TEXTS, ["NEG" if i < 30 else v for i, v in enumerate(LABELS)],
         "labels that differ by blanks or case", 2),
        (TEXTS, ["nan" if i < 30 else v for i, v in enumerate(LABELS)],
         "labels that look missing", 1),
        (TEXTS, ["rare" if i < 5 else v for i, v in enumerate(LABELS)],
         "classes with few rows", 1),
        (TEXTS, ["rare" if i < 5 else v for i, v in enumerate(LABELS)], "unequal classes", 3),
    ],
)  # fmt: skip
def test_a_planted_fault_is_counted(texts, labels, name, count):
    assert found(texts, labels)[name].count == count


def test_duplicates_across_splits_are_told_from_those_within():
    held_out = TEXTS[:3], LABELS[:3]
    findings = found([*TEXTS, TEXTS[9]], [*LABELS, LABELS[9]], test=held_out, validation=held_out)
    assert findings["duplicates"].count == 1
    assert findings["duplicates across splits"].count == 3
    assert repr(TEXTS[0]) in findings["duplicates across splits"].detail
    assert "conflicting labels" not in findings


def test_images_are_compared_by_their_pixels():
    images = np.random.default_rng(0).integers(0, 256, (60, 4, 4), np.uint8)
    images[7] = images[3]

    assert found(images, np.arange(60) % 4)["duplicates"].count == 1
    assert found(images, np.arange(60) % 3)["conflicting labels"].count == 1


def test_the_summary_is_a_line_for_the_data_and_one_for_each_finding():
    data = zoo.load_data((TEXTS, ["nan" if i < 30 else v for i, v in enumerate(LABELS)]))
    lines = summarize(data).splitlines()
    assert lines[0] == "data: 200 rows in memory; train 162, test 19, validation 19"
    assert len(lines) == 1 + len(find(data))


def test_the_command_shows_what_is_in_a_table(command, tmp_path):
    path = tmp_path / "a.csv"
    rows = [f"{t},{v}" for t, v in zip(TEXTS, LABELS, strict=True)]
    path.write_text("\n".join(["review,sentiment", *rows, f"{TEXTS[0]},neg"]))
    code, printed, _ = command("inspect", path, "--json")
    document = json.loads(printed)
    assert code == 0
    assert document["columns"] == ["review"]
    assert sum(document["rows"].values()) == 201
    assert next(finding["name"] for finding in document["findings"]) == "conflicting labels"
    code, printed, _ = command("inspect", path)
    assert "conflicting labels: 1 texts occur with different labels" in printed
    code, _, error = command("inspect", path, "--label-column", "sentimet")
    assert (code, error.count("\n")) == (2, 1)
    assert "Did you mean 'sentiment'" in error
