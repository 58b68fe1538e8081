"""Commands that list and describe models."""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

import click

from zoo.cli.completion import complete_tasks
from zoo.cli.options import json_option, model_argument
from zoo.cli.output import print_result, print_table
from zoo.cli.runtime import quiet_tensorflow
from zoo.pretrained.catalog import Record, list_pretrained
from zoo.registry import get_spec, list_models
from zoo.specs import ModelSpec

LISTED = ("name", "task", "dataset", "parameters", "summary")
PROVENANCE = ("command", "commit", "processor", "terms", "differences")
RECORDED = ("trained_on", "metric", "bytes")


@click.command("list")
@click.option("--task", shell_complete=complete_tasks, help="List only the models of this task.")
@json_option
def list_command(task: str | None, as_json: bool) -> None:
    """List the models, and the figures of those that come trained."""
    rows = [_listed_fields(get_spec(name)) for name in list_models(task)]
    print_result({"models": rows}, as_json, lambda: print_table([*map(_printed_fields, rows)]))


@click.command("show")
@model_argument
@json_option
def show_command(name: str, as_json: bool) -> None:
    """Show a model: arguments, recipe, search space and reference."""
    spec = get_spec(name)
    with quiet_tensorflow():
        from tuning.space import describe_space, search_space

        builder = spec.load_builder()
    parameters = inspect.signature(builder).parameters
    document = {
        **_listed_fields(spec),
        "builder": spec.builder,
        "arguments": {key: parameter.default for key, parameter in parameters.items()},
        "recipe": spec.recipe.settings(),
        "space": describe_space(search_space(name)),
        "pretrained": {key: dataclasses.asdict(how) for key, how in spec.pretrained.items()},
        "documentation": inspect.getdoc(builder),
        "records": [dataclasses.asdict(record) for record in _records_of(name)],
    }
    print_result(document, as_json, lambda: _print_model(document))


def _listed_fields(spec: ModelSpec) -> dict[str, Any]:
    trained = [_recorded_fields(record) for record in _records_of(spec.name)]
    return {**{key: getattr(spec, key) for key in LISTED}, "trained": trained}


def _records_of(name: str) -> list[Record]:
    return [record for record in list_pretrained() if record.model == name]


def _recorded_fields(record: Record) -> dict[str, Any]:
    value = record.rounded[record.metric]
    return {**{key: getattr(record, key) for key in RECORDED}, "value": value}


def _printed_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the printed table."""
    trained = "; ".join(map(_describe_trained, row["trained"]))
    fields = {key: value for key, value in row.items() if key != "summary"}
    return {**fields, "trained": trained, "summary": row["summary"]}


def _describe_trained(trained: Mapping[str, Any]) -> str:
    metric = trained["metric"].removeprefix("test_")
    return f"{metric} {trained['value']:.4g}, {trained['bytes'] / 1e6:.1f} MB"


def _print_model(document: Mapping[str, Any]) -> None:
    click.echo(f"{document['name']}: {document['documentation']}\n")
    print_table([{"name": k, "default": str(v)} for k, v in document["arguments"].items()])
    click.echo(
        f"\ntask {document['task']}, dataset {document['dataset']}, "
        f"{document['parameters']:,} parameters"
    )
    click.echo(_join_settings(document["recipe"]))
    click.echo("\nSearch space:")
    print_table([_describe_hyperparameter(setting) for setting in document["space"]])
    for weights, options in document["pretrained"].items():
        click.echo(f"with weights {weights}: {_join_settings(options)}")
    for record in document["records"]:
        click.echo(f"\ntrained on {record['trained_on']}: {_join_settings(_provenance(record))}")


def _provenance(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        record["metric"]: f"{record['rounded'][record['metric']]:.4g}",
        **{key: record[key] for key in PROVENANCE if record[key]},
    }


def _join_settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items())


def _describe_hyperparameter(setting: Mapping[str, Any]) -> dict[str, str]:
    if "min" in setting:
        step = f" by {setting['step']:g}" if "step" in setting else f", {setting.get('sampling')}"
        values = f"{setting['min']:g} to {setting['max']:g}{step}"
    else:
        values = ", ".join(map(str, setting.get("values") or [True, False]))
    return {"name": setting["name"], "values": values, "default": str(setting["default"])}
