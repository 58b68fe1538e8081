"""Models that were trained by hand, presented to the exporter as the run that it expects."""

import contextlib
import dataclasses
import importlib.metadata
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.data import reader_of
from zoo.errors import ArgumentValueError, ExportError, InputError
from zoo.registry import get_spec, list_models
from zoo.runs import FORMAT, Run, load_run
from zoo.runs.files import write_json
from zoo.specs import DatasetSpec, ModelSpec
from zoo.tasks import TASKS, class_probabilities
from zoo.training.config import environment


@contextlib.contextmanager
def temporary_run(
    model: keras.Model,
    preprocessor: keras.Model,
    rows: Sequence[Any],
    labels: Sequence[int] | None = None,
    class_names: Sequence[str] | None = None,
) -> Iterator[Run]:
    """Yield a run of a model, whose directory exists as long as the block runs.

    Args:
        model: a trained model whose name is that of a model of the zoo.
        preprocessor: layer that maps raw rows to the input of the model.
        rows: raw rows that the artifact is verified with.
        labels: class indices of the rows; the most likely classes if None.
        class_names: names of the classes; their numbers if None.

    Raises:
        ArgumentValueError: if the model is none of the zoo, or the number of names or labels is not
            that of the classes or rows.
        ExportError: if there are no rows, or the preprocessor does not take them.
    """
    spec = _spec_of(model)
    dataset = _describe(preprocessor, class_names)
    raw = _parse(dataset, rows)
    is_classifier = TASKS[spec.task].target == "label"
    prepared = np.asarray(preprocessor(raw))
    if is_classifier:
        probabilities = np.asarray(class_probabilities(model.predict(prepared, verbose=0)))
        names = class_names or [str(number) for number in range(probabilities.shape[1])]
        if len(names) != probabilities.shape[1]:
            raise ArgumentValueError(
                f"class_names: {len(names)} names for {probabilities.shape[1]} classes."
            )
        found = probabilities.argmax(axis=1)
    else:
        names, found = class_names or ["0", "1"], np.zeros(len(raw), np.int64)
    known = found if labels is None else np.asarray(labels, np.int64)
    if known.shape != found.shape:
        raise ArgumentValueError(f"labels: {len(known)} labels for {len(raw)} rows.")
    with tempfile.TemporaryDirectory(prefix="zoo-by-hand-") as folder:
        directory = Path(folder)
        config = {
            **_config(model, spec, dataclasses.replace(dataset, class_names=tuple(names))),
            "rows": {"given": len(raw)},
        }
        write_json(directory / "config.json", config)
        index = np.arange(len(raw))
        stored = raw.astype(np.bytes_) if raw.dtype == object else raw
        np.savez(directory / "predictions.npz", raw=stored, labels=known, index=index)
        write_json(directory / "metrics.json", {})
        run = load_run(directory)
        vars(run).update(model=model, preprocessor=preprocessor)  # instead of reading them
        yield run


def _spec_of(model: keras.Model) -> ModelSpec:
    if model.name not in list_models():
        raise ArgumentValueError(
            f"the model {model.name!r} is none of the zoo: register its builder with zoo.register, "
            "and give the model that name."
        )
    return get_spec(model.name)


def _describe(preprocessor: keras.Model, class_names: Sequence[str] | None) -> DatasetSpec:
    """Return the spec of a dataset whose raw rows a preprocessor takes."""
    (taken,) = preprocessor.inputs
    kinds = {"text": ("text", ()), "image": ("images", (1, 1)), "bits": ("truth_tables", ())}
    if taken.name not in kinds:
        raise ExportError(
            f"the preprocessor takes {taken.name!r}; expected that of zoo.load_data, which takes "
            "text, image or bits."
        )
    kind, size = kinds[taken.name]
    return DatasetSpec(
        name="rows given",
        kind=kind,
        input_shape=(*size, *([taken.shape[-1]] if len(taken.shape) > 1 else [])),
        class_names=tuple(class_names or ()),
        summary="rows given at export",
        source="given",
        columns=("text",) if kind == "text" else (),
    )


def _parse(dataset: DatasetSpec, rows: Sequence[Any]) -> np.ndarray:
    try:
        parsed = reader_of(dataset).parse(dataset, rows)
    except InputError as error:
        raise ExportError(f"rows: {error}") from None
    if not parsed:
        raise ExportError("rows: there are none to verify the artifact with.")
    if len({row.shape for row in parsed}) > 1:
        raise ExportError("rows: the images have different sizes; give some of one size.")
    return np.stack(parsed)


def _config(model: keras.Model, spec: ModelSpec, dataset: DatasetSpec) -> dict[str, Any]:
    recipe = dataclasses.asdict(spec.recipe)
    return {
        "format": FORMAT,
        "zoo": importlib.metadata.version("keras-model-zoo"),
        "model": spec.name,
        "arguments": {},
        "recipe": recipe,
        "dataset": dataclasses.asdict(dataset),
        "data_dir": None,
        "seed": None,
        "dataset_version": dataset.name,
        "parameters": model.count_params(),
        "environment": environment(),
    }
