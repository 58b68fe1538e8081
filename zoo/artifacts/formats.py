"""How a run's model is written in each format.

A SavedModel holds every step from raw input on. ONNX and LiteRT hold what takes numbers and gives
numbers; how a text becomes numbers stands beside them in ``vocabulary.json``, and `zoo.artifacts.reader`, a
copy of which is in every artifact, follows it.
"""

import contextlib
import functools
import importlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.artifacts.endpoints import Endpoint, graphs_of
from zoo.artifacts.reader import VOCABULARY
from zoo.data.text import vocabulary
from zoo.data.tokens import REPLACEMENTS, SHORTEST_PIECE, UNKNOWN
from zoo.errors import ExportError
from zoo.runs import Run
from zoo.runs.files import write_json

Endpoints = Mapping[str, Endpoint]
Places = dict[str, dict[str, Any]]
OPSET = 18
SURROGATES = range(0xD800, 0xE000)


def write_saved_model(run: Run, endpoints: Endpoints, folder: Path) -> Places:
    """Writes a SavedModel with a signature for each endpoint.

    Args:
        run: finished.
        endpoints: its own.
        folder: the artifact's.

    Returns:
        The endpoints written.

    Raises:
        ExportError: if it cannot be written.
    """
    _write_archive(run, endpoints, folder)
    return {name: {} for name in endpoints}


def write_onnx(run: Run, endpoints: Endpoints, folder: Path) -> Places:
    """Writes an ONNX file for each endpoint that draws nothing at random.

    Args:
        run: finished.
        endpoints: its own.
        folder: the artifact's.

    Returns:
        The endpoints written, and the ``graph`` of each, the name of its file.

    Raises:
        ExportError: if tf2onnx is not installed.
    """
    tf2onnx = _required("tf2onnx", "onnx")
    graphs = graphs_of(run, endpoints)
    for name, graph in graphs.items():
        signature = list(graph.signature)
        tf2onnx.convert.from_function(
            tf.function(graph.answer, input_signature=signature, autograph=False),
            input_signature=signature,
            opset=OPSET,
            output_path=str(folder / f"{name}.onnx"),
            custom_op_handlers={"Erfc": (_as_erf, [])},
        )
    if run.dataset.kind == "text":
        write_vocabulary(run.preprocessor, folder)
    return _graphs_behind(endpoints, graphs)


def write_litert(run: Run, endpoints: Endpoints, folder: Path, quantized: bool = False) -> Places:
    """Writes a LiteRT file with a signature for each endpoint that draws nothing at random.

    Recurrent networks convert for a fixed number of rows and places alone, so that a model of
    sequences takes one text at a time, at full length.

    Args:
        run: finished.
        endpoints: its own.
        folder: the artifact's.
        quantized: whether weights are stored in eight bits, and activations rounded as they come
            (LiteRT's "dynamic range").

    Returns:
        The endpoints written, the ``graph`` of each, the name of its signature, and the ``places``
        of a text.

    Raises:
        ExportError: if ai-edge-litert is not installed.
    """
    _required("ai_edge_litert", "litert")
    found = graphs_of(run, endpoints)
    graphs = {name: _of_one_text(run, graph) for name, graph in found.items()}
    with tempfile.TemporaryDirectory() as temporary, quiet():
        _write_archive(run, graphs, Path(temporary))
        converter = tf.lite.TFLiteConverter.from_saved_model(temporary, signature_keys=[*graphs])
        converter.optimizations = [tf.lite.Optimize.DEFAULT] if quantized else []
        (folder / "model.tflite").write_bytes(converter.convert())
    if run.dataset.kind == "text":
        write_vocabulary(run.preprocessor, folder)
    behind = _graphs_behind(endpoints, graphs)
    places = _places(run)
    return {name: known | ({"places": places} if places else {}) for name, known in behind.items()}


FORMATS: dict[str, Callable[[Run, Endpoints, Path], Places]] = {
    "saved_model": write_saved_model,
    "onnx": write_onnx,
    "litert": write_litert,
    "litert_int8": functools.partial(write_litert, quantized=True),
}


def _write_archive(run: Run, endpoints: Endpoints, folder: Path) -> None:
    """Writes endpoints; their variables are found by themselves, the table of words is not."""
    archive = keras.export.ExportArchive()
    archive.track(run.preprocessor)
    for name, endpoint in endpoints.items():
        archive.add_endpoint(name, endpoint.answer, list(endpoint.signature))
    try:
        archive.write_out(str(folder), verbose=False)
    except tf.errors.OpError as error:
        raise ExportError(f"the artifact cannot be written: {error.message}") from error


def _graphs_behind(endpoints: Endpoints, graphs: Endpoints) -> Places:
    behind = {"serve": {"graph": "serve" if "serve" in graphs else "reconstruct"}}
    return behind | {name: {"graph": name} for name in endpoints if name in graphs}


def _places(run: Run) -> int | None:
    (encoded,) = run.preprocessor.outputs
    return encoded.shape[1] if run.dataset.kind == "text" and encoded.dtype == "int64" else None


def _of_one_text(run: Run, graph: Endpoint) -> Endpoint:
    places = _places(run)
    if not places:
        return graph
    return Endpoint(graph.answer, (tf.TensorSpec((1, places), "int64", "tokens"),))


def _as_erf(graph: Any, node: Any, name: str, args: list[Any]) -> None:
    """Gives ONNX the complementary error function, which it lacks: one less the other."""
    (x,), (complement,) = node.input, node.output
    shape, dtype = graph.get_shape(complement), graph.get_dtype(complement)
    graph.remove_node(name)
    erf = graph.make_node("Erf", [x], shapes=[shape], dtypes=[dtype]).output[0]
    one = graph.make_const(f"{name}/one", np.float32(1)).output[0]
    graph.make_node("Sub", [one, erf], outputs=[complement], shapes=[shape], dtypes=[dtype])


def write_vocabulary(preprocessor: keras.Model, folder: Path) -> None:
    r"""Writes how a text becomes numbers, for `zoo.artifacts.reader` and readers in other languages.

    Patterns have the characters of Unicode's classes spelled out, so that the regular expressions of
    any language find the same, if ``\w``, ``\d`` and ``\b`` are of ASCII.

    Args:
        preprocessor: of texts.
        folder: where ``vocabulary.json`` is to be.
    """
    vectorize, width = preprocessor.get_layer("vectorize"), preprocessor.output_shape[1]
    settings = vectorize.get_config()
    is_sequence = settings["output_mode"] == "int"
    write_json(
        folder / VOCABULARY,
        {
            "encoding": "sequence" if is_sequence else settings["output_mode"],
            "sequence_length" if is_sequence else "vocab_size": width,
            "ngrams": settings["split"].ngrams,
            "subwords": settings["split"].subwords,
            "shortest_piece": SHORTEST_PIECE,
            "unknown": UNKNOWN,
            "standardize": {
                "lower_all_but": _never_lowered(),
                "replace": [[_spelt_out(pattern), put] for pattern, put in REPLACEMENTS],
            },
            "vocabulary": vocabulary(preprocessor),
        },
    )


def _spelt_out(pattern: str) -> str:
    """Puts the characters themselves for classes of Unicode, which not every language knows."""
    return re.sub(r"\\p\{(\w+)\}", lambda found: _characters_of(found[1]), pattern)


@functools.cache
def _never_lowered() -> str:
    """Gives the capitals that Python knows and TensorFlow, of an older Unicode, does not."""
    capitals = [chr(point) for point in _points() if chr(point).lower() != chr(point)]
    lowered = tf.strings.lower([capital.encode() for capital in capitals], "utf-8").numpy()
    pairs = zip(capitals, lowered, strict=True)
    return "".join(capital for capital, small in pairs if capital == small.decode())


def _points() -> list[int]:
    return [point for point in range(1, 0x110000) if point not in SURROGATES]


@functools.cache
def _characters_of(unicode_class: str) -> str:
    points = _points()
    characters = tf.constant([chr(point).encode() for point in points])
    belongs = tf.strings.regex_full_match(characters, rf"\p{{{unicode_class}}}").numpy()
    members = np.array(points)[belongs]
    ends = np.flatnonzero(np.diff(members) != 1)
    firsts, lasts = members[np.r_[0, ends + 1]], members[np.r_[ends, len(members) - 1]]
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in zip(firsts, lasts, strict=True))


def _required(module: str, extra: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError:
        needed = f"pip install 'keras-model-zoo[{extra}]'"
        raise ExportError(f"this format needs {module}, which is not here: {needed}.") from None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps what C++ code of LiteRT prints from standard error."""
    terminal = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
