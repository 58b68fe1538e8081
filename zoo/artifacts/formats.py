"""Formats of artifacts: SavedModel, ONNX and LiteRT.

A SavedModel includes every step from raw input on. ONNX and LiteRT graphs take and return numbers;
the vectorization of texts is described in ``vocabulary.json`` beside them, and performed by
`zoo.artifacts.reader`, a copy of which is in every artifact.
"""

import functools
import importlib
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.artifacts.endpoints import Endpoint, portable_endpoints
from zoo.artifacts.reader import VOCABULARY
from zoo.data.text import vocabulary
from zoo.data.tokens import MIN_SUBWORD_LENGTH, REPLACEMENTS, UNKNOWN_TOKEN
from zoo.errors import ExportError
from zoo.process import mute_stderr
from zoo.runs import Run
from zoo.runs.files import write_json

Endpoints = Mapping[str, Endpoint]
Written = dict[str, dict[str, Any]]
OPSET = 18
SURROGATES = range(0xD800, 0xE000)


def write_saved_model(run: Run, endpoints: Endpoints, folder: Path) -> Written:
    """Write a SavedModel with a signature for each endpoint.

    Args:
        run: a finished run.
        endpoints: its endpoints.
        folder: path of the artifact.

    Returns:
        The endpoints written.

    Raises:
        ExportError: if the SavedModel cannot be written.
    """
    _write_archive(run, endpoints, folder)
    return {name: {} for name in endpoints}


def write_onnx(run: Run, endpoints: Endpoints, folder: Path) -> Written:
    """Write an ONNX file for each deterministic endpoint.

    Args:
        run: a finished run.
        endpoints: its endpoints.
        folder: path of the artifact.

    Returns:
        The endpoints written, each with its ``graph``, the stem of the file name.

    Raises:
        ExportError: if tf2onnx is not installed.
    """
    tf2onnx = _import_optional("tf2onnx", "onnx")
    graphs = portable_endpoints(run, endpoints)
    for name, graph in graphs.items():
        signature = list(graph.signature)
        tf2onnx.convert.from_function(
            tf.function(graph.function, input_signature=signature, autograph=False),
            input_signature=signature,
            opset=OPSET,
            output_path=str(folder / f"{name}.onnx"),
            custom_op_handlers={"Erfc": (_convert_erfc, [])},
        )
    if run.dataset.kind == "text":
        write_vocabulary(run.preprocessor, folder)
    return _written_graphs(endpoints, graphs)


def write_litert(run: Run, endpoints: Endpoints, folder: Path, quantized: bool = False) -> Written:
    """Write a LiteRT file with a signature for each deterministic endpoint.

    Recurrent networks convert for a fixed batch size and sequence length only, so a model of token
    sequences takes one text at a time, padded to full length. Other models take batches.

    Args:
        run: a finished run.
        endpoints: its endpoints.
        folder: path of the artifact.
        quantized: whether to apply dynamic-range quantization: 8-bit weights, with activations
            quantized at run time.

    Returns:
        The endpoints written, each with its ``graph``, the name of its signature, and, for token
        sequences, the number of ``places``, the sequence length.

    Raises:
        ExportError: if ai-edge-litert is not installed.
    """
    _import_optional("ai_edge_litert", "litert")
    graphs = {
        name: _with_fixed_shape(run, graph)
        for name, graph in portable_endpoints(run, endpoints).items()
    }
    with tempfile.TemporaryDirectory() as temporary, mute_stderr():
        _write_archive(run, graphs, Path(temporary))
        converter = tf.lite.TFLiteConverter.from_saved_model(temporary, signature_keys=[*graphs])
        converter.optimizations = [tf.lite.Optimize.DEFAULT] if quantized else []
        (folder / "model.tflite").write_bytes(converter.convert())
    if run.dataset.kind == "text":
        write_vocabulary(run.preprocessor, folder)
    length = _sequence_length(run)
    places = {"places": length} if length else {}
    return {name: spec | places for name, spec in _written_graphs(endpoints, graphs).items()}


FORMATS: dict[str, Callable[[Run, Endpoints, Path], Written]] = {
    "saved_model": write_saved_model,
    "onnx": write_onnx,
    "litert": write_litert,
    "litert_int8": functools.partial(write_litert, quantized=True),
}


def _write_archive(run: Run, endpoints: Endpoints, folder: Path) -> None:
    archive = keras.export.ExportArchive()
    archive.track(run.preprocessor)  # variables are found anyway, but not the vocabulary's table
    for name, endpoint in endpoints.items():
        archive.add_endpoint(name, endpoint.function, list(endpoint.signature))
    try:
        archive.write_out(str(folder), verbose=False)
    except tf.errors.OpError as error:
        raise ExportError(f"the artifact cannot be written: {error.message}") from error


def _written_graphs(endpoints: Endpoints, graphs: Endpoints) -> Written:
    serve = {"graph": "serve" if "serve" in graphs else "reconstruct"}
    return {"serve": serve} | {name: {"graph": name} for name in endpoints if name in graphs}


def _sequence_length(run: Run) -> int | None:
    """Return the length of token sequences, None for other inputs."""
    (encoded,) = run.preprocessor.outputs
    return encoded.shape[1] if run.dataset.kind == "text" and encoded.dtype == "int64" else None


def _with_fixed_shape(run: Run, graph: Endpoint) -> Endpoint:
    length = _sequence_length(run)
    if not length:
        return graph
    return Endpoint(graph.function, (tf.TensorSpec((1, length), "int64", "tokens"),))


def _convert_erfc(graph: Any, node: Any, name: str, args: list[Any]) -> None:
    """Replace erfc, which ONNX lacks, by 1 - erf."""
    (x,), (complement,) = node.input, node.output
    shape, dtype = graph.get_shape(complement), graph.get_dtype(complement)
    graph.remove_node(name)
    erf = graph.make_node("Erf", [x], shapes=[shape], dtypes=[dtype]).output[0]
    one = graph.make_const(f"{name}/one", np.float32(1)).output[0]
    graph.make_node("Sub", [one, erf], outputs=[complement], shapes=[shape], dtypes=[dtype])


def write_vocabulary(preprocessor: keras.Model, folder: Path) -> None:
    r"""Write ``vocabulary.json``, the vectorization of texts as plain data.

    Unicode classes in the patterns are expanded to character ranges, so they match the same in the
    regular expressions of any language, provided that ``\w``, ``\d`` and ``\b`` match ASCII only.

    Args:
        preprocessor: text preprocessor of a run.
        folder: directory to write the file to.
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
            "shortest_piece": MIN_SUBWORD_LENGTH,
            "unknown": UNKNOWN_TOKEN,
            "standardize": {
                "lower_all_but": _unlowered_capitals(),
                "replace": [[_expand_classes(pattern), put] for pattern, put in REPLACEMENTS],
            },
            "vocabulary": vocabulary(preprocessor),
        },
    )


def _expand_classes(pattern: str) -> str:
    r"""Replace Unicode classes such as ``\p{L}`` by character ranges."""
    return re.sub(r"\\p\{(\w+)\}", lambda match: _class_ranges(match[1]), pattern)


@functools.cache
def _unlowered_capitals() -> str:
    """Return the capitals that Python lowercases and TensorFlow's older Unicode does not."""
    capitals = [chr(point) for point in _code_points() if chr(point).lower() != chr(point)]
    lowered = tf.strings.lower([capital.encode() for capital in capitals], "utf-8").numpy()
    pairs = zip(capitals, lowered, strict=True)
    return "".join(capital for capital, small in pairs if capital == small.decode())


def _code_points() -> list[int]:
    return [point for point in range(1, 0x110000) if point not in SURROGATES]


@functools.cache
def _class_ranges(unicode_class: str) -> str:
    points = _code_points()
    characters = tf.constant([chr(point).encode() for point in points])
    is_member = tf.strings.regex_full_match(characters, rf"\p{{{unicode_class}}}").numpy()
    members = np.array(points)[is_member]
    ends = np.flatnonzero(np.diff(members) != 1)
    firsts, lasts = members[np.r_[0, ends + 1]], members[np.r_[ends, len(members) - 1]]
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in zip(firsts, lasts, strict=True))


def _import_optional(module: str, extra: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError:
        command = f"pip install 'keras-model-zoo[{extra}]'"
        raise ExportError(
            f"this format needs {module}, which is not installed: {command}."
        ) from None
