"""From raw rows to answers: predictions in this process, and artefacts for others.

What is served is the preprocessor followed by the model. One law holds, and is checked in a fresh
process each time an artefact is written: ``served(raw) == model.predict(preprocessor(raw))``.
"""

import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo import verify_saved_model
from zoo.data import reader_of
from zoo.endpoints import Endpoint, endpoints_of, probabilities_of
from zoo.errors import ArgumentValueError, ExportError
from zoo.latent import alone, likeliest_labels
from zoo.reconstruction import at_the_mean, signal_to_noise, squared_errors
from zoo.registry import get_spec
from zoo.runs import Run, load_run, write_json
from zoo.tasks import TASKS

FORMATS = ("saved_model",)
TOLERANCE = 1e-6


def predict(run: Run | str | Path, inputs: Sequence[Any] | np.ndarray) -> list[dict[str, Any]]:
    """Answers raw inputs with a finished run's model.

    Args:
        run: the run, or its directory.
        inputs: image files or uint8 arrays of any size for a model of images; strings of bits
            such as ``"110"``, or sequences of them, for one of a truth table.

    Returns:
        For each input its ``label`` (a class name), that label's ``probability``, and the
        ``probabilities`` of all classes by name. From a model of images, its ``code``, the
        ``reconstruction``, as nested lists of intensities in [0, 1], and how far that is from the
        input, ``mse`` and ``psnr``; and the ``label`` under which the image is likeliest, if the
        model is told labels.

    Raises:
        RunError: if the run is unfinished or damaged.
        InputError: if an input cannot be read or is of another kind.

    Example:
        >>> import zoo
        >>> run = zoo.train("perceptron", dataset="nand", epochs=100, run_dir=tmp / "nand")
        >>> [answer["label"] for answer in zoo.predict(run, ["00", "11"])]
        ['1', '0']
    """
    run = run if isinstance(run, Run) else load_run(run)
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


def export(
    run: Run | str | Path,
    path: str | Path,
    *,
    format: str = "saved_model",
    overwrite: bool = False,
) -> Path:
    """Writes a finished run's model as an artefact that takes raw input.

    A SavedModel has the signature ``serving_default`` (also ``serve``) with one input, ``image``
    of uint8 ``(batch, height, width, channels)``, any height and width, or ``bits`` of uint8
    ``(batch, bits)``, and the outputs ``label``, the class's name as a string ``(batch,)``, and
    ``probabilities``, ``(batch, classes)``. That of a model of images has the signatures
    ``reconstruct`` (also ``serving_default``), ``encode``, ``decode`` and, if codes are drawn at
    random, ``sample``; what is drawn is taken at its mean but by ``sample``. Beside it, in
    ``assets.extra/``, are the class names and what else is known of it (``zoo.json``), and rows of
    real data with the answers expected (``golden.npz``). The artefact has been loaded and compared
    on those rows in a process without `zoo` before it appears at `path`.

    Args:
        run: the run, or its directory.
        path: where to; must not exist unless `overwrite`.
        format: ``"saved_model"``.
        overwrite: replaces a SavedModel that is there. Nothing else is ever replaced.

    Returns:
        The path.

    Raises:
        RunError: if the run is unfinished or damaged.
        ArgumentValueError: if there is no such format.
        ExportError: if something is at `path`, or the artefact does not reproduce the model;
            nothing is left behind.

    Example:
        >>> import zoo
        >>> run = zoo.train("perceptron", dataset="or", epochs=5, run_dir=tmp / "run")
        >>> zoo.export(run, tmp / "saved").name
        'saved'
    """
    if format not in FORMATS:
        raise ArgumentValueError(f"format={format!r}: must be one of {', '.join(FORMATS)}.")
    run = run if isinstance(run, Run) else load_run(run)
    path = Path(path)
    _refuse(path, overwrite)
    with _put_in_place(path) as partial:
        endpoints = endpoints_of(run)
        _write_saved_model(run, endpoints, partial)
        extra = partial / "assets.extra"
        extra.mkdir()
        _write_golden_rows(endpoints, extra / "golden.npz")
        found = _verify(partial, extra / "golden.npz")
        write_json(extra / "zoo.json", _describe(run) | found | {"tolerance": TOLERANCE})
    return path


def ask(artefact: str | Path, raw: np.ndarray) -> list[dict[str, Any]]:
    """Answers raw rows with a SavedModel that `export` wrote.

    Args:
        artefact: its folder.
        raw: ``(batch, *raw shape)``, uint8.

    Returns:
        The ``label`` and its ``probability`` for each row.
    """
    loaded = tf.saved_model.load(str(artefact))
    serve = loaded.signatures["serving_default"]
    (name,) = serve.structured_input_signature[1]
    answer = serve(**{name: tf.constant(raw)})
    return [
        {"label": label.decode(), "probability": float(probabilities.max())}
        for label, probabilities in zip(
            answer["label"].numpy(), answer["probabilities"].numpy(), strict=True
        )
    ]


def _write_saved_model(run: Run, endpoints: Mapping[str, Endpoint], path: Path) -> None:
    archive = keras.export.ExportArchive()
    archive.track(run.preprocessor)
    archive.track(run.model)
    for name, endpoint in endpoints.items():
        archive.add_endpoint(name, endpoint.answer, list(endpoint.signature))
    try:
        archive.write_out(str(path), verbose=False)
    except tf.errors.OpError as error:
        raise ExportError(f"the artefact cannot be written: {error.message}") from error


def _write_golden_rows(endpoints: Mapping[str, Endpoint], path: Path) -> None:
    arrays = {
        f"{name}/{kind}/{key}": rows
        for name, endpoint in endpoints.items()
        for kind in ("inputs", "outputs")
        for key, rows in getattr(endpoint, kind).items()
    }
    np.savez_compressed(path, **arrays)


def _verify(artefact: Path, golden: Path) -> dict[str, Any]:
    answer = subprocess.run(
        [sys.executable, "-P", verify_saved_model.__file__, str(artefact), str(golden)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
    )
    if answer.returncode:
        last = answer.stderr.strip().splitlines()[-1:] or ["no message"]
        raise ExportError(f"the artefact does not load in a fresh process: {last[0]}")
    found = json.loads(answer.stdout.splitlines()[-1])
    if not found["labels_agree"]:
        raise ExportError("the artefact does not reproduce the model: it gives other labels.")
    if not found["max_difference"] <= TOLERANCE:
        raise ExportError(
            f"the artefact does not reproduce the model: its answers differ by up to "
            f"{found['max_difference']:.2g}, more than {TOLERANCE:g}."
        )
    return found


def _describe(run: Run) -> dict[str, Any]:
    kept = ("model", "arguments", "dataset_version", "seed", "parameters", "environment", "zoo")
    return {
        "class_names": run.dataset.class_names,
        **{key: run.config[key] for key in kept},
        "metrics": run.metrics,
    }


def _refuse(path: Path, overwrite: bool) -> None:
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not overwrite:
        raise ExportError(f"{path} exists already: choose another --output, or --overwrite it.")
    if not (path / "saved_model.pb").is_file():
        raise ExportError(f"{path} is no SavedModel, and nothing else is overwritten.")


@contextlib.contextmanager
def _put_in_place(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        partial = Path(folder) / "new"
        yield partial
        old = Path(folder) / "old"
        if path.exists():
            path.rename(old)
        try:
            partial.rename(path)
        except BaseException:
            if old.exists():
                old.rename(path)
            raise
