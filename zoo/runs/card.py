"""Model cards of runs, rendered from the files of the run.

The sections follow Mitchell et al. (2019), Model cards for model reporting,
https://arxiv.org/abs/1810.03993, as far as the files of a run can fill them.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from zoo.artifacts.reader import CARD
from zoo.data import reader_of
from zoo.registry import get_spec
from zoo.runs import Run
from zoo.runs.files import atomic_write
from zoo.runs.markdown import markdown_table
from zoo.specs import DatasetSpec

MAX_NAMED = 20
CONFIG_KEYS = (
    "zoo", "model", "arguments", "recipe", "seed", "parameters", "dataset_version", "environment",
)  # fmt: skip


def card_facts(run: Run, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Collect the metadata of a run for its card and its artifacts.

    Args:
        run: a run whose predictions have been written.
        metrics: metrics of the run.

    Returns:
        Metadata, serializable as JSON.
    """
    spec, dataset = get_spec(run.config["model"]), run.dataset
    return {
        **{key: run.config[key] for key in CONFIG_KEYS},
        "task": spec.task,
        "summary": spec.summary,
        "dataset": dataset.name,
        "dataset_summary": dataset.summary,
        "dataset_reference": dataset.reference,
        "input": _describe_input(dataset),
        "class_names": list(dataset.class_names),
        "test_rows": len(run.predictions["labels"]),
        "metrics": dict(metrics),
        "standard_errors": _standard_errors(dataset, run.predictions, metrics),
    }


def _standard_errors(
    dataset: DatasetSpec, predictions: Mapping[str, Any], metrics: Mapping[str, Any]
) -> dict[str, float]:
    """Return the standard error of each test metric that is a mean over the test rows.

    A truth table has none: the test rows are the whole population.
    """
    if dataset.kind == "truth_tables":
        return {}
    values_by_row = {}
    if "probabilities" in predictions:
        predicted = predictions["probabilities"].argmax(axis=1)
        values_by_row["test_accuracy"] = predicted == predictions["labels"]
    elif "test_mse" in metrics:
        values_by_row["test_mse"] = predictions["errors"]
    return {
        key: float(values.std() / math.sqrt(len(values))) for key, values in values_by_row.items()
    }


def _describe_input(dataset: DatasetSpec) -> dict[str, Any]:
    size = {"images": "channels", "truth_tables": "bits"}.get(dataset.kind)
    sizes = {size: dataset.input_shape[-1]} if size else {}
    return {"kind": dataset.kind, "name": reader_of(dataset).INPUT_NAME, **sizes}


def write_card(run: Run, metrics: Mapping[str, Any]) -> None:
    """Write the card of a run as ``README.md`` in its directory.

    Args:
        run: a run whose predictions have been written.
        metrics: metrics of the run.
    """
    with atomic_write(run.directory / CARD) as partial:
        partial.write_text(render_run_card(card_facts(run, metrics)), "utf-8")


def render_run_card(facts: Mapping[str, Any]) -> str:
    """Render the card of a run as Markdown.

    Args:
        facts: metadata as returned by `card_facts`.
    """
    parts = [*render_sections(facts), ("Next steps", _next_steps())]
    return render_page(f"{facts['model']} on {facts['dataset']}", facts["summary"], parts)


def render_page(title: str, summary: str, sections: Sequence[tuple[str, str]]) -> str:
    """Render a page of Markdown.

    Args:
        title: title of the page.
        summary: sentence below the title, without a period.
        sections: heading and body of each section.
    """
    body = "\n\n".join(f"## {heading}\n\n{text}" for heading, text in sections)
    return f"# {title}\n\n{summary}.\n\n{body}\n"


def render_sections(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Render the sections that the cards of runs and of artifacts share.

    Args:
        facts: metadata as returned by `card_facts`.

    Returns:
        Heading and body of each section.
    """
    return [
        ("Model", _model(facts)),
        ("Metrics", _metrics(facts)),
        ("Training", _training(facts)),
        ("Limitations", _limitations(facts)),
    ]


def _model(facts: Mapping[str, Any]) -> str:
    names, kind = facts["class_names"], facts["input"]["kind"]
    listed = ", ".join(names[:MAX_NAMED]) + (", ..." if len(names) > MAX_NAMED else "")
    classes = f"one of {len(names):,} classes ({listed})"
    output = classes if _is_classifier(facts) else "an image"
    inputs = {"text": "a text", "images": "an image of any size", "truth_tables": "a row of bits"}
    reference = f" ({facts['dataset_reference']})" if facts["dataset_reference"] else ""
    by_hand = "epochs" not in facts["metrics"]
    settings = _join_settings(facts["recipe"].get(kind, {}))
    preprocessing = "that of the layer it was exported with" if by_hand else settings
    return (
        f"Task: {facts['task']}. Input: {inputs[kind]}. Output: {output}. "
        f"{facts['parameters']:,} parameters.\n\n"
        f"Data: {facts['dataset_version']}, {facts['dataset_summary']}{reference}. "
        f"Preprocessing: {preprocessing}."
    )


def _metrics(facts: Mapping[str, Any]) -> str:
    rows = [
        (key, _format_metric(value, facts["standard_errors"].get(key)))
        for key, value in facts["metrics"].items()
        if key.startswith(("test_", "val_"))
    ]
    table = f"{markdown_table(('metric', 'value'), rows)}\n\n" if rows else ""
    return f"{table}{_splits(facts)}"


def _format_metric(value: float, standard_error: float | None) -> str:
    return f"{value:.6g}" + ("" if standard_error is None else f" ± {standard_error:.2g}")


def _splits(facts: Mapping[str, Any]) -> str:
    if "read_test_split_at" not in facts["metrics"]:
        return "The model was trained by hand and has not been evaluated here."
    if facts["input"]["kind"] == "truth_tables":
        return "All splits of a truth table are the same: these are the rows trained on."
    selection = (
        "the best epoch was selected on the validation split"
        if facts["recipe"]["patience"]
        else "the weights are those of the last epoch"
    )
    return (
        f"The test split has {facts['test_rows']:,} rows and was read once, at "
        f"{facts['metrics']['read_test_split_at']}; {selection}. The results are those of one run "
        "with one seed; ± is the standard error due to the number of test rows."
    )


def _training(facts: Mapping[str, Any]) -> str:
    recipe = {k: v for k, v in facts["recipe"].items() if not isinstance(v, Mapping)}
    versions = {k: v for k, v in facts["environment"].items() if isinstance(v, str)}
    if "epochs" not in facts["metrics"]:
        return f"By hand, with keras-model-zoo {facts['zoo']}, {_join_settings(versions)}."
    seconds = facts["metrics"]["seconds"]  # none are known of a model trained by hand
    duration = f" in {seconds:.0f} seconds" if seconds else ""
    return (
        f"Seed {facts['seed']}; {facts['metrics']['epochs']} epochs{duration}.\n\n"
        f"- model: {_join_settings(facts['arguments'])}\n"
        f"- recipe: {_join_settings(recipe)}\n"
        f"- software: keras-model-zoo {facts['zoo']}, {_join_settings(versions)}"
    )


def _join_settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} `{_format_setting(value)}`" for key, value in values.items()) or "none"


def _format_setting(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _limitations(facts: Mapping[str, Any]) -> str:
    by_kind = {
        "text": "Words that do not occur in the training texts, other languages included, are "
        "unknown to the model; long texts are truncated to the sequence length.",
        "images": "Images are resized to the size used in training, without preserving the aspect "
        "ratio.",
        "truth_tables": "The model is defined only on the rows of its truth table.",
    }
    by_task = (
        "An input that belongs to none of the classes is still assigned to one of them, and the "
        "probabilities have not been calibrated."
        if _is_classifier(facts)
        else "An input unlike the training data is reconstructed as something similar to them."
    )
    general = "The model was evaluated on one dataset and has its biases: evaluate it on your data."
    return f"{by_kind[facts['input']['kind']]} {by_task} {general}"


def _is_classifier(facts: Mapping[str, Any]) -> bool:
    return facts["task"].endswith("classification")


def _next_steps() -> str:
    return (
        "In this directory, with `pip install keras-model-zoo`:\n\n"
        "```sh\nzoo evaluate .\nzoo report .\nzoo export . --output ../artifact\n```"
    )
