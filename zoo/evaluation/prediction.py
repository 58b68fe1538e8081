"""From raw rows to answers, by a run in this process or by an artifact."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.artifacts import reader
from zoo.data import reader_of
from zoo.data.readers import reraise_reader_errors
from zoo.errors import ArtifactError, InputError, RunError
from zoo.evaluation.latent import most_likely_labels
from zoo.evaluation.reconstruction import deterministic_model, psnr, squared_errors
from zoo.registry import get_spec
from zoo.runs import Run, load_run
from zoo.tasks import TASKS, probabilities_of, unwrap_single


def predict(
    run: Run | reader.Artifact | str | Path, inputs: Sequence[Any] | np.ndarray
) -> list[dict[str, Any]]:
    """Answers raw inputs with a finished run's model, or with an artifact.

    Args:
        run: the run or an artifact, opened, or where it is.
        inputs: texts; image files or uint8 arrays of any size; or, for a truth table, strings of
            bits such as ``"110"``, or sequences of them.

    Returns:
        For each input its ``label`` (a class name), that label's ``probability``, and the
        ``probabilities`` of all classes by name. From a model of images, its ``code`` and the
        ``reconstruction``, as nested lists of intensities in [0, 1]; from a run, also how far that
        is from the input, ``mse`` and ``psnr``, and the ``label`` under which the image is
        likeliest, if the model is told labels.

    Raises:
        RunError: if the run is unfinished or damaged, or there is none.
        ArtifactError: if the artifact has been cut or altered, or its format's runtime is missing.
        InputError: if an input cannot be read or is of another kind.

    Example:
        >>> import zoo
        >>> run = zoo.train(
        ...     "perceptron", dataset="nand", learning_rate=0.5, epochs=15, run_dir=tmp / "nand"
        ... )
        >>> [answer["label"] for answer in zoo.predict(run, ["00", "11"])]
        ['1', '0']
    """
    opened = open_source(run) if isinstance(run, str | Path) else run
    if isinstance(opened, reader.Artifact):
        with reraise_reader_errors(InputError):
            return opened.predict(inputs)
    return _of_run(opened, inputs)


def open_source(source: str | Path) -> Run | reader.Artifact:
    """Opens what can answer.

    Args:
        source: directory of a finished run, or folder of an artifact.

    Raises:
        RunError: if the run is unfinished or damaged, or there is neither.
        ArtifactError: if the artifact has been cut or altered, or its format's runtime is missing.
    """
    folder = Path(source)
    if (folder / reader.FACTS).exists():
        with reraise_reader_errors(ArtifactError):
            return reader.Artifact(folder)
    if not (folder / "config.json").exists():
        raise RunError(
            f"{folder} is neither a run nor an artifact: it has no config.json and no "
            f"{reader.FACTS}."
        )
    return load_run(folder)


def kind_of(source: Run | reader.Artifact) -> str:
    """Gives the kind of input that is answered: ``"text"``, ``"images"`` or ``"truth_tables"``.

    Args:
        source: a run or an artifact.
    """
    return source.dataset.kind if isinstance(source, Run) else source.facts["input"]["kind"]


def _of_run(run: Run, inputs: Sequence[Any] | np.ndarray) -> list[dict[str, Any]]:
    run.file("metrics.json")
    spec = run.dataset
    rows = reader_of(spec).parse(spec, inputs)
    if not rows:
        return []
    batches = [np.stack(list(alike)) for _, alike in itertools.groupby(rows, key=np.shape)]
    prepared = np.concatenate([np.asarray(run.preprocessor(batch)) for batch in batches])
    if TASKS[get_spec(run.config["model"]).task].target != "label":
        return _reconstruct(run, prepared)
    answers = np.asarray(probabilities_of(run.model.predict(prepared, verbose=0)))
    return [
        {
            "label": spec.class_names[answer.argmax()],
            "probability": float(answer.max()),
            "probabilities": dict(zip(spec.class_names, answer.tolist(), strict=True)),
        }
        for answer in answers
    ]


def _reconstruct(run: Run, images: np.ndarray) -> list[dict[str, Any]]:
    mean, names = deterministic_model(run.model), run.dataset.class_names
    told = [most_likely_labels(run.model, images, len(names))] if len(mean.inputs) > 1 else []
    codes, given_back = mean.predict(unwrap_single([images, *told]), verbose=0)
    facts = {
        "mse": squared_errors(images, given_back).tolist(),
        "psnr": psnr(images, given_back).tolist(),
        "code": codes.tolist(),
        "reconstruction": given_back.tolist(),
    }
    if told:
        facts = {"label": [names[label] for label in told[0]], **facts}
    return [dict(zip(facts, values, strict=True)) for values in zip(*facts.values(), strict=True)]
