"""From raw rows to answers, by a run in this process or by an artefact."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import reader
from zoo.data import reader_of
from zoo.endpoints import probabilities_of
from zoo.errors import ArtefactError, InputError, RunError, refusing
from zoo.latent import alone, likeliest_labels
from zoo.reconstruction import at_the_mean, signal_to_noise, squared_errors
from zoo.registry import get_spec
from zoo.runs import Run, load_run
from zoo.tasks import TASKS


def predict(
    run: Run | reader.Artefact | str | Path, inputs: Sequence[Any] | np.ndarray
) -> list[dict[str, Any]]:
    """Answers raw inputs with a finished run's model, or with an artefact.

    Args:
        run: the run or an artefact, opened, or where it is.
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
        ArtefactError: if the artefact has been cut or altered, or its format's runtime is missing.
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
    if isinstance(opened, reader.Artefact):
        with refusing(InputError):
            return opened.predict(inputs)
    return _of_run(opened, inputs)


def open_source(source: str | Path) -> Run | reader.Artefact:
    """Opens what can answer.

    Args:
        source: directory of a finished run, or folder of an artefact.

    Raises:
        RunError: if the run is unfinished or damaged, or there is neither.
        ArtefactError: if the artefact has been cut or altered, or its format's runtime is missing.
    """
    folder = Path(source)
    if (folder / reader.FACTS).exists():
        with refusing(ArtefactError):
            return reader.Artefact(folder)
    if not (folder / "config.json").exists():
        raise RunError(
            f"{folder} is neither a run nor an artefact: it has no config.json and no "
            f"{reader.FACTS}."
        )
    return load_run(folder)


def kind_of(source: Run | reader.Artefact) -> str:
    """Gives the kind of input that is answered: ``"text"``, ``"images"`` or ``"truth_tables"``.

    Args:
        source: a run or an artefact.
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
    mean, names = at_the_mean(run.model), run.dataset.class_names
    told = [likeliest_labels(run.model, images, len(names))] if len(mean.inputs) > 1 else []
    codes, given_back = mean.predict(alone([images, *told]), verbose=0)
    facts = {
        "mse": squared_errors(images, given_back).tolist(),
        "psnr": signal_to_noise(images, given_back).tolist(),
        "code": codes.tolist(),
        "reconstruction": given_back.tolist(),
    }
    if told:
        facts = {"label": [names[label] for label in told[0]], **facts}
    return [dict(zip(facts, values, strict=True)) for values in zip(*facts.values(), strict=True)]
