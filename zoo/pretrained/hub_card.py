"""The card of a packed run on the Hugging Face Hub: metadata in YAML above the card of the run."""

import re
import shlex
from pathlib import Path
from typing import Any

from zoo.artifacts.card import example_input
from zoo.pretrained.catalog import CARD, Record, read_record
from zoo.pretrained.hub import SCHEME, is_reference, parse_reference
from zoo.registry import get_spec
from zoo.runs import load_run
from zoo.runs.card import card_facts
from zoo.tasks import TASKS

TAGS = ["keras-model-zoo"]
CLASSIFICATION = {
    "images": "image-classification",
    "text": "text-classification",
    "truth_tables": "tabular-classification",
}
DATASETS = {  # the same rows on the hub
    "ag_news_subset": "fancyzhx/ag_news",
    "cifar10": "uoft-cs/cifar10",
    "fashion_mnist": "zalando-datasets/fashion_mnist",
    "imdb_reviews": "stanfordnlp/imdb",
    "mnist": "ylecun/mnist",
}
FENCE = "---\n"
EMPTY = f"{FENCE}{{}}\n{FENCE}\n"
NEXT_STEPS = re.compile(r"\n## Next steps\n.*?(?=\n## |\Z)", re.DOTALL)


def write_hub_card(
    folder: Path, repository: str, *, license: str | None, artifact: str | None
) -> None:
    """Put the metadata of the hub into the card of a packed run, and how to use it from there.

    The rest of the card is kept, and so is other metadata in it.

    Args:
        folder: directory of the packed run.
        repository: ``USER/NAME``.
        license: license of the weights, as the hub names it; that in the card if None.
        artifact: name of the folder with the ONNX artifact, if there is one.
    """
    from huggingface_hub import ModelCard, ModelCardData

    path = folder / CARD
    text = path.read_text("utf-8")
    has_metadata = text.startswith(FENCE)
    card = ModelCard(text if has_metadata else f"{EMPTY}{text}", ignore_metadata_errors=True)
    stored, ours = card.data.to_dict(), _metadata(folder)
    tags = [*stored.get("tags", ()), *ours["tags"]]
    metadata = stored | ours | {"tags": tags}
    if license:
        metadata["license"] = license
    card.data = ModelCardData(**metadata)
    steps = _next_steps(folder, repository, artifact)
    card.text = f"{NEXT_STEPS.sub('', card.text).rstrip()}\n\n## Next steps\n\n{steps}\n"
    path.write_text(str(card), "utf-8")


def _metadata(folder: Path) -> dict[str, Any]:
    from huggingface_hub import ModelCardData

    run, record = load_run(folder), read_record(folder)
    tag = _pipeline_tag(record.model, run.dataset.kind)
    weights = run.config["start"]["weights"]
    return ModelCardData(
        library_name="keras",
        pipeline_tag=tag,
        tags=[*TAGS, record.model],
        datasets=DATASETS.get(record.trained_on),
        base_model=parse_reference(weights)[0] if is_reference(weights) else None,
        model_name=f"{record.model} on {record.trained_on}",
        eval_results=_results(record, tag),
    ).to_dict()


def _pipeline_tag(model: str, kind: str) -> str:
    task = TASKS[get_spec(model).task]
    return CLASSIFICATION[kind] if task.target == "label" else "image-to-image"


def _results(record: Record, tag: str) -> list[Any]:
    """Return the metrics of the test split with the weights of the file."""
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type=tag,
            dataset_type=DATASETS.get(record.trained_on, record.trained_on),
            dataset_name=record.trained_on,
            dataset_split="test",
            metric_type=name.removeprefix("test_"),
            metric_name=name,
            metric_value=value,
        )
        for name, value in record.rounded.items()
    ]


def _next_steps(folder: Path, repository: str, artifact: str | None) -> str:
    run, record = load_run(folder), read_record(folder)
    facts = card_facts(run, run.metrics)
    reference, example = f"{SCHEME}{repository}", shlex.quote(example_input(facts))
    as_onnx = (
        f" `{artifact}/` holds the same model as ONNX, which `python {artifact}/reader.py "
        f"{example}` runs without Keras."
        if artifact
        else ""
    )
    return (
        'With `pip install "keras-model-zoo[pretrained]"`:\n\n'
        f"```sh\nzoo predict {reference} {example}\nzoo verify {reference}\n```\n\n"
        f'```python\nimport zoo\n\nrun = zoo.load("{reference}")\n```\n\n'
        "The metrics above are those before the weights were rounded to half precision; those in "
        "the metadata of this page, and in `record.json`, are those of `weights.safetensors`."
        f"{as_onnx}\n\nTerms of use of the training data: {record.terms}."
    )
