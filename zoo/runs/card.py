"""Model cards of runs, from the run's own files.

The sections are those of Mitchell et al. (2019), Model cards for model reporting,
https://arxiv.org/abs/1810.03993, as far as a run's files can fill them.
"""

import math
from collections.abc import Mapping
from typing import Any

from zoo.artifacts.reader import CARD
from zoo.data import reader_of
from zoo.registry import get_spec
from zoo.runs import Run
from zoo.runs.files import atomic_write
from zoo.specs import DatasetSpec

KEPT = (
    "zoo", "model", "arguments", "recipe", "seed", "parameters", "dataset_version", "environment",
)  # fmt: skip


def card_facts(run: Run, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Gathers what is known of a run, for its card and its artifacts.

    Args:
        run: with its predictions.
        metrics: its figures.

    Returns:
        What JSON can hold.
    """
    spec, dataset = get_spec(run.config["model"]), run.dataset
    return {
        **{key: run.config[key] for key in KEPT},
        "task": spec.task,
        "summary": spec.summary,
        "dataset": dataset.name,
        "dataset_summary": dataset.summary,
        "dataset_reference": dataset.reference,
        "input": _input_of(dataset),
        "class_names": list(dataset.class_names),
        "test_rows": len(run.predictions["labels"]),
        "metrics": dict(metrics),
        "standard_errors": _standard_errors(dataset, run.predictions, metrics),
    }


def _standard_errors(
    dataset: DatasetSpec, rows: Mapping[str, Any], metrics: Mapping[str, Any]
) -> dict[str, float]:
    """Gives what the number of test rows leaves open of the figures that are means over them.

    A truth table leaves nothing open: its rows are all that there are.
    """
    if dataset.kind == "truth_tables":
        return {}
    found = {}
    if "probabilities" in rows:
        found["test_accuracy"] = rows["probabilities"].argmax(axis=1) == rows["labels"]
    elif "test_mse" in metrics:
        found["test_mse"] = rows["errors"]
    return {key: float(values.std() / math.sqrt(len(values))) for key, values in found.items()}


def _input_of(dataset: DatasetSpec) -> dict[str, Any]:
    size = {"images": "channels", "truth_tables": "bits"}.get(dataset.kind)
    sizes = {size: dataset.input_shape[-1]} if size else {}
    return {"kind": dataset.kind, "name": reader_of(dataset).INPUT_NAME, **sizes}


def write_card(run: Run, metrics: Mapping[str, Any]) -> None:
    """Writes a run's card, ``README.md`` in its directory.

    Args:
        run: with its predictions.
        metrics: its figures.
    """
    with atomic_write(run.directory / CARD) as partial:
        partial.write_text(render_run_card(card_facts(run, metrics)), "utf-8")


def render_run_card(facts: Mapping[str, Any]) -> str:
    """Words a run's card.

    Args:
        facts: what `card_facts` gathers.

    Returns:
        Markdown.
    """
    parts = [*sections(facts), ("How to go on", _how_to_go_on())]
    return page(f"{facts['model']} on {facts['dataset']}", facts["summary"], parts)


def page(title: str, summary: str, sections: list[tuple[str, str]]) -> str:
    body = "\n\n".join(f"## {heading}\n\n{text}" for heading, text in sections)
    return f"# {title}\n\n{summary}.\n\n{body}\n"


def sections(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("What it does", _purpose(facts)),
        ("What it reached", _metrics(facts)),
        ("How it was trained", _training(facts)),
        ("Known limits", _limits(facts)),
    ]


def _purpose(facts: Mapping[str, Any]) -> str:
    names = facts["class_names"]
    classes = f"one of {len(names)} classes: {', '.join(names)}"
    gives = classes if _is_classifier(facts) else "an image"
    takes = {"text": "a text", "images": "an image of any size", "truth_tables": "a row of bits"}
    reference = f" ({facts['dataset_reference']})" if facts["dataset_reference"] else ""
    prepared = _settings(facts["recipe"].get(facts["input"]["kind"], {}))
    return (
        f"Takes {takes[facts['input']['kind']]}, and gives {gives}. Task: {facts['task']}. "
        f"{facts['parameters']:,} parameters.\n\n"
        f"Data: {facts['dataset_version']}, {facts['dataset_summary']}{reference}. "
        f"Preprocessing: {prepared}."
    )


def _metrics(facts: Mapping[str, Any]) -> str:
    rows = [
        f"| {key} | {value:.6g}{_spread(key, facts)} |"
        for key, value in facts["metrics"].items()
        if key.startswith(("test_", "val_"))
    ]
    return "\n".join(
        [
            "| figure | value |",
            "|---|---:|",
            *rows,
            "",
            _splits(facts),
        ]
    )


def _splits(facts: Mapping[str, Any]) -> str:
    if facts["input"]["kind"] == "truth_tables":
        return "A truth table is whole in every split: these are the rows that were learned."
    compared = (
        "the best epoch was chosen by the validation split"
        if facts["recipe"]["patience"]
        else "the last epoch counts"
    )
    return (
        f"The test split has {facts['test_rows']:,} rows, and was read once, at "
        f"{facts['metrics']['read_test_split_at']}; {compared}. One training, one seed: the spread "
        "is the standard error that the number of test rows leaves."
    )


def _spread(key: str, facts: Mapping[str, Any]) -> str:
    error = facts["standard_errors"].get(key)
    return "" if error is None else f" ± {error:.2g}"


def _training(facts: Mapping[str, Any]) -> str:
    recipe = {k: v for k, v in facts["recipe"].items() if not isinstance(v, Mapping)}
    versions = {k: v for k, v in facts["environment"].items() if isinstance(v, str)}
    return (
        f"Seed {facts['seed']}; {facts['metrics']['epochs']} epochs in "
        f"{facts['metrics']['seconds']:.0f} seconds.\n\n"
        f"- network: {_settings(facts['arguments'])}\n"
        f"- recipe: {_settings(recipe)}\n"
        f"- written by: keras-model-zoo {facts['zoo']}, {_settings(versions)}"
    )


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} `{_brief(value)}`" for key, value in values.items()) or "none"


def _brief(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _limits(facts: Mapping[str, Any]) -> str:
    of_kind = {
        "text": "Words that the training texts do not have are unknown to it, other languages "
        "altogether; a text is read up to its preprocessing's length.",
        "images": "Every image is resized to the size it was trained on, whatever its proportions.",
        "truth_tables": "It knows the rows of its table and no others.",
    }
    of_task = "What is unlike all that it has learned is given back as something like it."
    if _is_classifier(facts):
        of_task = (
            "What belongs to none of its classes is put in one all the same, and its probabilities "
            "were not calibrated."
        )
    of_all = "It was measured on one data set, whose biases it has: measure it on your own first."
    return f"{of_kind[facts['input']['kind']]} {of_task} {of_all}"


def _is_classifier(facts: Mapping[str, Any]) -> bool:
    return facts["task"].endswith("classification")


def _how_to_go_on() -> str:
    return (
        "In this directory, with `pip install keras-model-zoo`:\n\n"
        "```sh\nzoo evaluate .\nzoo report .\nzoo export . --output ../artifact\n```"
    )
