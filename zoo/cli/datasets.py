"""Commands that list and inspect datasets."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from zoo.cli.completion import complete_datasets
from zoo.cli.options import data_dir_option, file_options, json_option, pop_file_options
from zoo.cli.output import print_result, print_table
from zoo.cli.runtime import quiet_tensorflow
from zoo.data import DATASETS
from zoo.specs import FileOptions

MAX_CLASSES_PRINTED = 30


@click.command("datasets")
@json_option
def datasets_command(as_json: bool) -> None:
    """List the built-in datasets.

    Datasets of TFDS, folders of images and tables of texts can be used as well.
    """
    rows = [
        {
            "name": spec.name,
            "kind": spec.kind,
            "input_shape": spec.input_shape,
            "classes": len(spec.class_names),
            "summary": spec.summary,
            "reference": spec.reference,
        }
        for spec in DATASETS.values()
    ]
    print_result({"datasets": rows}, as_json, lambda: print_table(rows))


@click.command("inspect")
@click.argument("dataset", shell_complete=complete_datasets)
@file_options
@data_dir_option
@json_option
def inspect_command(dataset: str, data_dir: Path | None, as_json: bool, **options: Any) -> None:
    """Show what is in a dataset before training on it.

    Counts rows and classes, and what may spoil a result: duplicates across splits, conflicting and
    missing labels, empty texts, rare classes. Nothing is changed.
    """
    files = FileOptions(**pop_file_options(options))
    with quiet_tensorflow():
        from zoo.data import load_data
        from zoo.data.findings import find
    data = load_data(dataset, data_dir=data_dir, files=files)
    document = {
        "dataset": data.spec.name,
        "version": data.version,
        "kind": data.spec.kind,
        "input_shape": data.spec.input_shape,
        "summary": data.spec.summary,
        "columns": data.spec.columns,
        "label_column": data.spec.label_column,
        "rows": {split: len(rows) for split, rows in data.rows.items()},
        "class_counts": data.class_counts,
        "findings": [dataclasses.asdict(finding) for finding in find(data)],
    }
    print_result(document, as_json, lambda: _print_dataset(document))


def _print_dataset(document: Mapping[str, Any]) -> None:
    click.echo(f"{document['dataset']}: {document['summary']}\n")
    splits = document["class_counts"]
    names = list(splits["train"])
    counts = [
        {"class": name, **{key: part[name] for key, part in splits.items()}} for name in names
    ]
    by_size = sorted(counts, key=lambda row: -row["train"])
    shown = counts if len(counts) <= MAX_CLASSES_PRINTED else by_size[:MAX_CLASSES_PRINTED]
    print_table([*shown, {"class": f"all {len(names)}", **document["rows"]}])
    for finding in document["findings"]:
        click.echo(f"{finding['name']}: {finding['detail']}.")
    if not document["findings"]:
        click.echo("No duplicates, conflicts, empty texts or rare classes.")
