"""Export of a finished run as an artifact that takes raw input, verified before it is published.

An artifact serves the preprocessor followed by the model: ``served(raw)`` equals
``model.predict(preprocessor(raw))``, which is verified in a fresh process without `zoo` (and, but
for a SavedModel, without TensorFlow) whenever an artifact is written. Formats:

- A **SavedModel** has a signature per endpoint. That of a classifier, ``serve``, takes ``text``,
  string ``(batch,)``; ``image``, uint8 ``(batch, height, width, channels)`` of any height and
  width; or ``bits``, uint8 ``(batch, bits)``. It returns ``label``, class names as strings
  ``(batch,)``, and ``probabilities``, ``(batch, classes)``. An autoencoder has ``reconstruct``,
  ``encode`` and ``decode``; a variational one also ``sample``, the only random signature.
  ``serving_default`` is ``serve`` or ``reconstruct``.
- **ONNX** and **LiteRT** support neither strings nor random numbers here: a text is passed to the
  graph as token ids or a multi-hot vector, computed by ``reader.py`` from ``vocabulary.json``,
  class names are in ``zoo.json``, and there is no ``sample``.

Every artifact also contains a model card, ``README.md``; metadata, ``zoo.json``; rows of real data
with the expected outputs, ``golden.npz``; and ``reader.py``, which predicts from raw input with
NumPy and the runtime of the format only. ``zoo.json`` has a SHA-256 digest of itself and of every
other file except ``README.md``, which may be edited.
"""

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.artifacts import reader
from zoo.artifacts.by_hand import temporary_run
from zoo.artifacts.card import render_artifact_card
from zoo.artifacts.endpoints import Endpoint, build_endpoints
from zoo.artifacts.formats import FORMATS
from zoo.data import take_given
from zoo.errors import ArgumentValueError, ExportError, did_you_mean
from zoo.evaluation.reconstruction import deterministic_model, squared_errors
from zoo.process import mute_stderr
from zoo.registry import get_spec
from zoo.runs import Run, load_run
from zoo.runs.card import card_facts
from zoo.runs.files import write_json
from zoo.tasks import TASKS, class_probabilities, unwrap_single
from zoo.training.config import RunConfig, files_of, load_run_data

TOLERANCES = {"saved_model": 1e-6, "onnx": 1e-5, "litert": 1e-5}
VALIDATION_ROWS = 1_000
MAX_DEGRADATION = {"accuracy": 0.01, "mse": 0.05}
NOT_MODEL_FILES = {reader.GOLDEN, "reader.py"}


def export(
    run: Run | str | Path | keras.Model,
    path: str | Path,
    *,
    format: str = "saved_model",
    overwrite: bool = False,
    data_dir: str | Path | None = None,
    dataset: Any = None,
    preprocessor: keras.Model | None = None,
    rows: Sequence[Any] | None = None,
    labels: Sequence[int] | None = None,
    class_names: Sequence[str] | None = None,
) -> Path:
    """Export a finished run as an artifact that takes raw input; see `zoo.artifacts.export`.

    Args:
        run: a run or its directory; or a model of the zoo that was trained by hand, with its
            `preprocessor` and the `rows` to verify the artifact with.
        path: destination; must not exist, unless `overwrite` is set.
        format: ``"saved_model"``, ``"onnx"``, ``"litert"``; or ``"litert_int8"``, with 8-bit
            weights, accepted if on validation rows the accuracy drops by at most one point, or the
            mean squared error grows by at most 5 %.
        overwrite: whether to replace an existing artifact; nothing else is ever replaced.
        data_dir: TFDS data directory for ``"litert_int8"``; that of the run if None.
        dataset: for ``"litert_int8"``, the rows that the run was trained on, if they were in
            memory.
        preprocessor: of a model trained by hand: the layer that maps raw rows to its input, such as
            ``zoo.load_data(...).preprocessor``.
        rows: raw rows for a model trained by hand: texts, uint8 images of one size, or bits.
        labels: class indices of `rows`; the classes that the model gives if None.
        class_names: names of the classes of a model trained by hand; their numbers if None.

    Returns:
        The path.

    Raises:
        RunError: if the run is unfinished or damaged.
        ArgumentValueError: if the format is unknown, or a model comes without preprocessor or rows.
        ExportError: if the destination exists, a dependency of the format is not installed,
            the artifact does not reproduce the model, or Keras runs on another backend than
            TensorFlow; nothing is written then.

    Example:
        >>> import zoo
        >>> run = zoo.train("perceptron", dataset="or", epochs=5, run_dir=tmp / "run")
        >>> zoo.export(run, tmp / "saved").name
        'saved'
    """
    if format not in FORMATS:
        allowed = f"must be one of {', '.join(FORMATS)}.{did_you_mean(format, FORMATS)}"
        raise ArgumentValueError(f"format={format!r}: {allowed}")
    if keras.config.backend() != "tensorflow":
        raise ExportError(
            f"KERAS_BACKEND={keras.config.backend()}: artifacts are graphs of TensorFlow; export "
            "the run with KERAS_BACKEND=tensorflow, which opens it as it is."
        )
    path = Path(path)
    _check_destination(path, overwrite)
    with contextlib.ExitStack() as stack:
        if isinstance(run, keras.Model):
            if preprocessor is None or rows is None:
                raise ArgumentValueError(
                    "a model trained by hand needs preprocessor= and rows=: what makes its input, "
                    "and raw rows to verify the artifact with."
                )
            by_hand = temporary_run(run, preprocessor, rows, labels, class_names)
            run = stack.enter_context(by_hand)
        run = run if isinstance(run, Run) else load_run(run)
        partial = stack.enter_context(_atomic_folder(path))
        facts = _write_artifact(run, format, partial, data_dir, dataset)
        (partial / reader.CARD).write_text(render_artifact_card(facts, path.name), "utf-8")
    return path


def _write_artifact(
    run: Run, format: str, folder: Path, data_dir: str | Path | None, dataset: Any
) -> dict[str, Any]:
    """Write and verify all files but the card, and return the content of ``zoo.json``."""
    endpoints = build_endpoints(run)
    written = _write_model(run, format, endpoints, folder)
    _write_golden_rows(endpoints, written, folder / reader.GOLDEN)
    shutil.copy(reader.__file__, folder / "reader.py")
    facts = _collect_facts(run, format, endpoints, written, folder)
    _write_facts(facts, folder)
    facts |= _run_check(folder)
    if format in TOLERANCES:
        facts["tolerance"] = TOLERANCES[format]
        _require_parity(facts)
    else:
        facts["judged"] = _require_quality(run, folder, *_rows_to_judge(run, data_dir, dataset))
    _write_facts(facts, folder)
    return facts


def _write_model(
    run: Run, format: str, endpoints: Mapping[str, Endpoint], folder: Path
) -> dict[str, dict[str, Any]]:
    try:
        return FORMATS[format](run, endpoints, folder)
    except ExportError:
        raise
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ExportError(
            f"{run.config['model']} cannot be exported as {format}: {reason}"
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


def _collect_facts(
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
                **graph,
            }
            for name, graph in written.items()
        },
        "files": {path.relative_to(folder).as_posix(): reader.digest_of(path) for path in files},
        "bytes": sum(path.stat().st_size for path in files if path.name not in NOT_MODEL_FILES),
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
    }


def _write_facts(facts: Mapping[str, Any], folder: Path) -> None:
    as_read = json.loads(json.dumps(facts))
    write_json(folder / reader.FACTS, as_read | {"digest": reader.digest_of(as_read)})


def _run_check(artifact: Path) -> dict[str, Any]:
    """Run ``reader.py --check`` in a fresh process."""
    process = subprocess.run(
        [sys.executable, "-P", str(artifact / "reader.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
    )
    if process.returncode:
        last = process.stderr.strip().splitlines()[-1:] or ["no message"]
        raise ExportError(f"the artifact failed its check in a fresh process: {last[0]}")
    return json.loads(process.stdout.splitlines()[-1])


def _require_parity(facts: Mapping[str, Any]) -> None:
    if not facts["labels_agree"]:
        raise ExportError("the artifact does not reproduce the model: labels differ.")
    if not facts["max_difference"] <= facts["tolerance"]:
        raise ExportError(
            f"the artifact does not reproduce the model: outputs differ by up to "
            f"{facts['max_difference']:.2g}, more than {facts['tolerance']:g}."
        )


def _rows_to_judge(
    run: Run, data_dir: str | Path | None, dataset: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return raw rows and labels: validation rows, or those given with a model trained by hand."""
    if "given" in run.config["rows"]:
        return run.predictions["raw"], run.predictions["labels"]
    given = take_given(dataset, files_of(run.dataset))
    data = load_run_data(RunConfig.of(run), data_dir or run.config["data_dir"], given=given)
    split = data.rows["validation"]
    return split.inputs[:VALIDATION_ROWS], split.labels[:VALIDATION_ROWS]


def _require_quality(
    run: Run, folder: Path, rows: np.ndarray, labels: np.ndarray
) -> dict[str, Any]:
    """Compare a quantized artifact with its model."""
    is_classifier = TASKS[get_spec(run.config["model"]).task].target == "label"
    metric, compute = ("accuracy", _accuracies) if is_classifier else ("mse", _errors)
    with mute_stderr():
        before, value = compute(run, reader.Artifact(folder), rows, labels)
    degradation = before - value if metric == "accuracy" else value / before - 1
    if not degradation <= MAX_DEGRADATION[metric]:
        raise ExportError(
            f"the artifact does not reproduce the model: on {len(rows)} rows its "
            f"{metric} is {value:.4g}, that of the model {before:.4g}."
        )
    return {"rows": len(rows), "metric": metric, "value": value, "before": before}


def _accuracies(
    run: Run, artifact: reader.Artifact, rows: np.ndarray, labels: np.ndarray
) -> tuple[float, float]:
    expected = class_probabilities(run.model.predict(run.preprocessor(rows), verbose=0))
    outputs = artifact.ask("serve", **{artifact.facts["input"]["name"]: rows})
    both = (expected, outputs["probabilities"])
    before, value = (np.mean(np.argmax(array, axis=1) == labels) for array in both)
    return float(before), float(value)


def _errors(
    run: Run, artifact: reader.Artifact, rows: np.ndarray, labels: np.ndarray
) -> tuple[float, float]:
    images, model = np.asarray(run.preprocessor(rows)), deterministic_model(run.model)
    label_input = {"label": labels} if len(model.inputs) > 1 else {}
    _, expected = model.predict(unwrap_single([images, *label_input.values()]), verbose=0)
    output = artifact.ask("reconstruct", image=rows, **label_input)["reconstruction"]
    before, value = (squared_errors(images, array).mean() for array in (expected, output))
    return float(before), float(value)


def _check_destination(path: Path, overwrite: bool) -> None:
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not overwrite:
        raise ExportError(f"{path} already exists: choose another --output, or pass --overwrite.")
    if not (path / reader.FACTS).is_file():
        raise ExportError(f"{path} is not an artifact of the zoo, so it is not overwritten.")


@contextlib.contextmanager
def _atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder that is moved to a path at the end, unless an exception is raised."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as temporary:
        partial, old = Path(temporary) / "new", Path(temporary) / "old"
        partial.mkdir()
        yield partial
        if path.exists():
            path.rename(old)
        try:
            partial.rename(path)
        except BaseException:
            if old.exists():
                old.rename(path)
            raise
