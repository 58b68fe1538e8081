"""Artifacts: a run's model for others, with raw input in, proved equal before it is there.

What is served is the preprocessor followed by the model. One law holds, and is checked in a fresh
process each time an artifact is written: ``served(raw) == model.predict(preprocessor(raw))``.
"""

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.artifacts import reader
from zoo.artifacts.card import render_artifact_card
from zoo.artifacts.endpoints import Endpoint, endpoints_of
from zoo.artifacts.formats import FORMATS, quiet
from zoo.errors import ArgumentValueError, ExportError, did_you_mean
from zoo.evaluation.reconstruction import deterministic_model, squared_errors
from zoo.runs import Run, load_run
from zoo.runs.card import card_facts
from zoo.runs.files import write_json
from zoo.tasks import probabilities_of, unwrap_single
from zoo.training.config import RunConfig, load_run_data

TOLERANCES = {"saved_model": 1e-6, "onnx": 1e-5, "litert": 1e-5}
JUDGED_ROWS = 1_000
WORSE_BY = {"accuracy": 0.01, "mse": 0.05}
BESIDE = {reader.GOLDEN, "reader.py"}


def export(
    run: Run | str | Path,
    path: str | Path,
    *,
    format: str = "saved_model",
    overwrite: bool = False,
    data_dir: str | Path | None = None,
) -> Path:
    """Writes a finished run's model as an artifact that takes raw input.

    A SavedModel has the signature ``serving_default`` (also ``serve``) with one input: ``text``, a
    string ``(batch,)``; ``image``, uint8 ``(batch, height, width, channels)``, any height and
    width; or ``bits``, uint8 ``(batch, bits)``. Its outputs are ``label``, the class's name as a
    string ``(batch,)``, and ``probabilities``, ``(batch, classes)``. That of a model of images has
    the signatures ``reconstruct`` (also ``serving_default``), ``encode``, ``decode`` and, if codes
    are drawn at random, ``sample``; what is drawn is taken at its mean but by ``sample``.

    ONNX and LiteRT hold no strings and draw nothing at random: a text is given to the graph as
    numbers, as ``vocabulary.json`` and ``reader.py`` beside it make them, class names stand in
    ``zoo.json``, and there is no ``sample``.

    In every artifact are a card, ``README.md``; what is known of it, ``zoo.json``; rows of real
    data with the answers expected, ``golden.npz``; and ``reader.py``, which answers raw input with
    NumPy and the format's own runtime alone. The artifact has been loaded and compared on those
    rows in a process without `zoo`, and but for a SavedModel without TensorFlow, before it appears
    at `path`.

    Args:
        run: the run, or its directory.
        path: where to; must not exist unless `overwrite`.
        format: ``"saved_model"``, ``"onnx"``, ``"litert"``, or ``"litert_int8"``, whose weights are
            of eight bits: it is judged on validation rows, by its accuracy, which may fall by one
            point, or by its squared error, which may grow by a twentieth.
        overwrite: replaces an artifact that is there. Nothing else is ever replaced.
        data_dir: where TFDS keeps the data to judge by; the run's own if None.

    Returns:
        The path.

    Raises:
        RunError: if the run is unfinished or damaged.
        ArgumentValueError: if there is no such format.
        ExportError: if something is at `path`, if what the format needs is not installed, or if
            the artifact does not reproduce the model; nothing is left behind.

    Example:
        >>> import zoo
        >>> run = zoo.train("perceptron", dataset="or", epochs=5, run_dir=tmp / "run")
        >>> zoo.export(run, tmp / "saved").name
        'saved'
    """
    if format not in FORMATS:
        raise ArgumentValueError(
            f"format={format!r}: must be one of {', '.join(FORMATS)}.{did_you_mean(format, FORMATS)}"
        )
    run = run if isinstance(run, Run) else load_run(run)
    path = Path(path)
    _refuse(path, overwrite)
    with _put_in_place(path) as partial:
        partial.mkdir()
        endpoints = endpoints_of(run)
        written = _write(run, format, endpoints, partial)
        _write_golden_rows(endpoints, written, partial / reader.GOLDEN)
        shutil.copy(reader.__file__, partial / "reader.py")
        facts = _describe(run, format, endpoints, written, partial)
        _write_facts(facts, partial)
        facts |= _checked(partial)
        if format in TOLERANCES:
            facts["tolerance"] = TOLERANCES[format]
            _require_parity(facts)
        else:
            facts["judged"] = _judge(run, partial, data_dir)
        _write_facts(facts, partial)
        (partial / reader.CARD).write_text(render_artifact_card(facts, path.name), "utf-8")
    return path


def _write(
    run: Run, format: str, endpoints: Mapping[str, Endpoint], folder: Path
) -> dict[str, dict[str, Any]]:
    try:
        return FORMATS[format](run, endpoints, folder)
    except ExportError:
        raise
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ExportError(
            f"{run.config['model']} cannot be written as {format}: {reason}"
        ) from error


def _write_golden_rows(
    endpoints: Mapping[str, Endpoint], written: Mapping[str, Any], path: Path
) -> None:
    arrays = {
        f"{name}/{kind}/{key}": rows
        for name in written
        for kind in ("inputs", "outputs")
        for key, rows in getattr(endpoints[name], kind).items()
    }
    np.savez_compressed(path, **arrays)


def _describe(
    run: Run,
    format: str,
    endpoints: Mapping[str, Endpoint],
    written: Mapping[str, Mapping[str, Any]],
    folder: Path,
) -> dict[str, Any]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        "version": reader.VERSION,
        "format": format,
        **card_facts(run, run.metrics),
        "endpoints": {
            name: {
                "inputs": [spec.name for spec in endpoints[name].signature],
                "outputs": list(endpoints[name].outputs) or ["image"],
                **behind,
            }
            for name, behind in written.items()
        },
        "files": {path.relative_to(folder).as_posix(): reader.digest_of(path) for path in files},
        "bytes": sum(path.stat().st_size for path in files if path.name not in BESIDE),
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
    }


def _write_facts(facts: Mapping[str, Any], folder: Path) -> None:
    as_read = json.loads(json.dumps(facts))
    write_json(folder / reader.FACTS, as_read | {"digest": reader.digest_of_facts(as_read)})


def _checked(artifact: Path) -> dict[str, Any]:
    """Has the artifact answer its golden rows in a fresh process."""
    answer = subprocess.run(
        [sys.executable, "-P", str(artifact / "reader.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
    )
    if answer.returncode:
        last = answer.stderr.strip().splitlines()[-1:] or ["no message"]
        raise ExportError(f"the artifact does not work in a fresh process: {last[0]}")
    return json.loads(answer.stdout.splitlines()[-1])


def _require_parity(facts: Mapping[str, Any]) -> None:
    if not facts["labels_agree"]:
        raise ExportError("the artifact does not reproduce the model: it gives other labels.")
    if not facts["max_difference"] <= facts["tolerance"]:
        raise ExportError(
            f"the artifact does not reproduce the model: its answers differ by up to "
            f"{facts['max_difference']:.2g}, more than {facts['tolerance']:g}."
        )


def _judge(run: Run, folder: Path, data_dir: str | Path | None) -> dict[str, Any]:
    """Compares an artifact of rounded weights with its model on validation rows."""
    data = load_run_data(RunConfig.of(run), data_dir or run.config["data_dir"])
    rows, labels = data.rows["validation"].inputs[:JUDGED_ROWS], data.rows["validation"].labels
    metric, score = ("accuracy", _accuracy) if data.target == "label" else ("mse", _error)
    with quiet():
        artifact = reader.Artifact(folder)
        before, value = score(run, artifact, rows, labels[: len(rows)])
    worse = before - value if metric == "accuracy" else value / before - 1
    if not worse <= WORSE_BY[metric]:
        raise ExportError(
            f"the artifact does not reproduce the model: on {len(rows)} rows of validation its "
            f"{metric} is {value:.4g}, and the model's {before:.4g}."
        )
    return {"rows": len(rows), "metric": metric, "value": value, "before": before}


def _accuracy(
    run: Run, artifact: reader.Artifact, rows: np.ndarray, labels: np.ndarray
) -> tuple[float, float]:
    model = probabilities_of(run.model.predict(run.preprocessor(rows), verbose=0))
    found = artifact.ask("serve", **{artifact.facts["input"]["name"]: rows})["probabilities"]
    before, value = (np.mean(np.argmax(answer, axis=1) == labels) for answer in (model, found))
    return float(before), float(value)


def _error(
    run: Run, artifact: reader.Artifact, rows: np.ndarray, labels: np.ndarray
) -> tuple[float, float]:
    images, mean = np.asarray(run.preprocessor(rows)), deterministic_model(run.model)
    told = {"label": labels} if len(mean.inputs) > 1 else {}
    _, model = mean.predict(unwrap_single([images, *told.values()]), verbose=0)
    found = artifact.ask("reconstruct", image=rows, **told)["reconstruction"]
    before, value = (squared_errors(images, answer).mean() for answer in (model, found))
    return float(before), float(value)


def _refuse(path: Path, overwrite: bool) -> None:
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not overwrite:
        raise ExportError(f"{path} exists already: choose another --output, or --overwrite it.")
    if not (path / reader.FACTS).is_file():
        raise ExportError(f"{path} is no artifact of the zoo, and nothing else is overwritten.")


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
