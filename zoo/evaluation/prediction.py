"""Prediction from raw inputs, with a run or with an artifact."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.artifacts import reader
from zoo.data import reader_of
from zoo.data.preprocessing import apply_preprocessor
from zoo.data.readers import reraise_reader_errors
from zoo.errors import ArtifactError, InputError, RunError
from zoo.evaluation.latent import most_likely_labels
from zoo.evaluation.reconstruction import deterministic_model, psnr, squared_errors
from zoo.registry import get_spec
from zoo.runs import Run, find_run, load_run
from zoo.tasks import TASKS, class_probabilities, unwrap_single


def predict(
    run: Run | reader.Artifact | str | Path, inputs: Sequence[Any] | np.ndarray
) -> list[dict[str, Any]]:
    """Predict from raw inputs with a finished run or with an artifact.

    Args:
        run: a run, an artifact, or the path of either.
        inputs: texts; image files or uint8 arrays of any size; or, for a truth table, strings of
            bits such as ``"110"``, or sequences of them.

    Returns:
        For each input its ``label`` (a class name), the label's ``probability``, and the
        ``probabilities`` of all classes by name. From an autoencoder, its latent ``code`` and the
        ``reconstruction``, as nested lists of intensities in [0, 1]; from a run, also ``mse`` and
        ``psnr`` of the reconstruction and, if class-conditional, the most likely ``label``.

    Raises:
        RunError: if the run does not exist, is unfinished or damaged.
        ArtifactError: if the artifact is damaged, or the runtime of its format is not installed.
        InputError: if an input cannot be read or is of another kind.

    Example:
        >>> import zoo
        >>> run = zoo.train(
        ...     "perceptron", dataset="nand", learning_rate=0.5, epochs=15, run_dir=tmp / "nand"
        ... )
        >>> [answer["label"] for answer in zoo.predict(run, ["00", "11"])]
        ['1', '0']
    """
    source = open_run_or_artifact(run) if isinstance(run, str | Path) else run
    if isinstance(source, reader.Artifact):
        with reraise_reader_errors(InputError):
            return source.predict(inputs)
    return _predict_with_run(source, inputs)


def open_run_or_artifact(path: str | Path) -> Run | reader.Artifact:
    """Open a run or an artifact.

    Args:
        path: what `zoo.load_run` takes, or folder of an artifact.

    Raises:
        RunError: if the run is unfinished or damaged, or the path is neither.
        ArtifactError: if the artifact is damaged, or the runtime of its format is not installed.
    """
    folder = Path(path)
    if (folder / reader.FACTS).exists():
        with reraise_reader_errors(ArtifactError):
            return reader.Artifact(folder)
    directory = find_run(path)
    if not (directory / "config.json").exists():
        raise RunError(
            f"{folder} is neither a run nor an artifact, since it has no config.json and no "
            f"{reader.FACTS}; and no model of that name exists."
        )
    return load_run(directory)


def input_kind(source: Run | reader.Artifact) -> str:
    """Return the kind of input expected: ``"text"``, ``"images"`` or ``"truth_tables"``.

    Args:
        source: a run or an artifact.
    """
    return source.dataset.kind if isinstance(source, Run) else source.facts["input"]["kind"]


def _predict_with_run(run: Run, inputs: Sequence[Any] | np.ndarray) -> list[dict[str, Any]]:
    run.file("metrics.json")  # raises if the run is unfinished
    spec = run.dataset
    rows = reader_of(spec).parse(spec, inputs)
    if not rows:
        return []
    batches = [np.stack(list(group)) for _, group in itertools.groupby(rows, key=np.shape)]
    prepared = np.concatenate([apply_preprocessor(run.preprocessor, batch) for batch in batches])
    if TASKS[get_spec(run.config["model"]).task].target != "label":
        return _reconstruct(run, prepared)
    outputs = np.asarray(class_probabilities(run.model.predict(prepared, verbose=0)))
    return [
        {
            "label": spec.class_names[probabilities.argmax()],
            "probability": float(probabilities.max()),
            "probabilities": dict(zip(spec.class_names, probabilities.tolist(), strict=True)),
        }
        for probabilities in outputs
    ]


def _reconstruct(run: Run, images: np.ndarray) -> list[dict[str, Any]]:
    model, names = deterministic_model(run.model), run.dataset.class_names
    is_conditional = len(model.inputs) > 1
    labels = [most_likely_labels(run.model, images, len(names))] if is_conditional else []
    codes, reconstructions = model.predict(unwrap_single([images, *labels]), verbose=0)
    columns = {
        "mse": squared_errors(images, reconstructions).tolist(),
        "psnr": psnr(images, reconstructions).tolist(),
        "code": codes.tolist(),
        "reconstruction": reconstructions.tolist(),
    }
    if labels:
        columns = {"label": [names[label] for label in labels[0]], **columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
