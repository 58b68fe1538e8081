"""Run the exported model in this folder on raw inputs.

    python reader.py "a great film"      predict for texts, rows of bits or image files
    python reader.py --check             compare with the stored outputs of the original model

Requires NumPy, the runtime of the artifact's format (tensorflow, onnxruntime or ai-edge-litert)
and, for image files, Pillow. From Python: ``reader.Artifact(FOLDER).predict(["a great film"])``.
"""

import argparse
import hashlib
import io
import itertools
import json
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

VERSION = 1
FACTS = "zoo.json"
GOLDEN = "golden.npz"
VOCABULARY = "vocabulary.json"
CARD = "README.md"
LENGTH_BUCKETS = 8
BATCH_SIZE = 32
MAX_TIMINGS = 30
MAX_TIMING_SECONDS = 0.5

Arrays = dict[str, np.ndarray]
RunGraph = Callable[[str, Arrays], Arrays]


class ReaderError(Exception):
    """An invalid artifact or input: what every function raises, with a message of one line."""


class Artifact:
    """An exported model; `facts` is the content of its ``zoo.json``.

    Args:
        folder: path of the artifact.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.facts = read_facts(self.folder)
        for name, digest in self.facts["files"].items():
            if not (self.folder / name).is_file():
                raise ReaderError(f"{self.folder} is incomplete: {name} is missing.")
            if digest_of(self.folder / name) != digest:
                raise ReaderError(f"{self.folder / name} was modified after it was written.")
        self._run_graph = _load(self.folder, self.facts)
        self._vectorizer = None
        if self.facts["format"] != "saved_model" and self.facts["input"]["kind"] == "text":
            rule = json.loads((self.folder / VOCABULARY).read_text("utf-8"))
            self._vectorizer = TextVectorizer(rule)

    def ask(self, endpoint: str, **inputs: Any) -> Arrays:
        """Run an endpoint on a batch.

        Args:
            endpoint: a key of ``facts["endpoints"]``; ``"serve"`` takes raw input.
            inputs: batched inputs by name; a text is a string or UTF-8 bytes.

        Returns:
            Outputs by name. ``probabilities`` come with ``label``, the most likely class names.
        """
        if endpoint not in self.facts["endpoints"]:
            known = ", ".join(self.facts["endpoints"])
            raise ReaderError(f"{self.folder} has no endpoint {endpoint!r}; available: {known}.")
        if "text" in inputs:
            inputs["text"] = np.array([as_bytes(text) for text in inputs["text"]], object)
        if self._vectorizer and "text" in inputs:
            inputs[self._vectorizer.name] = self._vectorizer.encode(inputs.pop("text"))
        try:
            outputs = self._run(endpoint, {name: np.asarray(rows) for name, rows in inputs.items()})
        except Exception as error:
            raise ReaderError(f"{self.folder}: inference failed: {_first_line(error)}") from error
        if "probabilities" in outputs and "label" not in outputs:
            names = np.array(self.facts["class_names"])
            outputs["label"] = names[outputs["probabilities"].argmax(axis=1)]
        return outputs

    def _run(self, endpoint: str, inputs: Arrays) -> Arrays:
        spec = self.facts["endpoints"][endpoint]
        graph = spec.get("graph", endpoint)
        if "places" not in spec:
            return self._run_graph(graph, inputs)
        ((name, rows),) = inputs.items()
        rows = np.pad(rows, ((0, 0), (0, spec["places"] - rows.shape[1])))
        outputs = [self._run_graph(graph, {name: row[None]}) for row in rows]
        return {key: np.concatenate([row[key] for row in outputs]) for key in outputs[0]}

    def predict(self, inputs: Sequence[Any] | np.ndarray) -> list[dict[str, Any]]:
        """Predict from raw inputs.

        Args:
            inputs: texts; image files or uint8 arrays ``(height, width, channels)``; or rows of
                bits such as ``"110"``.

        Returns:
            For each input its ``label``, the label's ``probability`` and the ``probabilities`` of
            all classes; or, from an autoencoder, the latent ``code`` and the ``reconstruction``.
        """
        if isinstance(inputs, str | bytes | Path):
            raise ReaderError(f"{inputs!r} is a single input: expected a list of inputs.")
        name, kind = self.facts["input"]["name"], self.facts["input"]["kind"]
        if "label" in self.facts["endpoints"]["serve"]["inputs"]:
            model = self.facts["model"]
            raise ReaderError(f"{model} is class-conditional: call 'reconstruct' with labels.")
        rows = [_PARSERS[kind](item, self.facts["input"]) for item in inputs]
        results: list[dict[str, Any]] = []
        for batch in _batches(rows):
            if "encode" in self.facts["endpoints"]:
                codes = self.ask("encode", **{name: batch})["code"].tolist()
                images = self.ask("reconstruct", **{name: batch})["reconstruction"].tolist()
                pairs = zip(codes, images, strict=True)
                results += [{"code": code, "reconstruction": image} for code, image in pairs]
            else:
                results += self._classify(self.ask("serve", **{name: batch}))
        return results

    def _classify(self, outputs: Arrays) -> Iterable[dict[str, Any]]:
        names, rows = self.facts["class_names"], outputs["probabilities"].tolist()
        for label, row in zip(outputs["label"], rows, strict=True):
            probabilities = dict(zip(names, row, strict=True))
            yield {"label": str(label), "probability": max(row), "probabilities": probabilities}

    def check(self) -> dict[str, Any]:
        """Run the golden rows and compare with the stored outputs.

        Returns:
            ``max_difference``, the largest absolute difference; ``labels_agree``; ``rows``, their
            number; and ``compared``, the endpoints.
        """
        golden, differences, labels_agree, count = self._read_golden(), [0.0], True, 0
        for endpoint, rows in golden.items():
            outputs = self.ask(endpoint, **rows["inputs"])
            count = len(next(iter(rows["inputs"].values())))
            for name, expected in rows["outputs"].items():
                if expected.dtype.kind == "U":
                    labels_agree &= bool((outputs[name] == expected).all())
                else:
                    differences.append(float(np.abs(outputs[name] - expected).max()))
        return {
            "max_difference": float(np.max(differences)),
            "labels_agree": labels_agree,
            "rows": count,
            "compared": list(golden),
        }

    def speed(self) -> dict[str, float]:
        """Measure the endpoint ``serve`` on this machine.

        Returns:
            ``milliseconds``, the median for one row; and ``rows_per_second`` in batches of 32.
        """
        golden, medians = self._read_golden()["serve"]["inputs"], []
        for count in (1, BATCH_SIZE):
            inputs = {k: np.resize(rows, (count, *rows.shape[1:])) for k, rows in golden.items()}
            self.ask("serve", **inputs)
            seconds: list[float] = []
            while len(seconds) < MAX_TIMINGS and sum(seconds) < MAX_TIMING_SECONDS:
                begin = time.perf_counter()
                self.ask("serve", **inputs)
                seconds.append(time.perf_counter() - begin)
            medians.append(float(np.median(seconds)))
        return {"milliseconds": 1000 * medians[0], "rows_per_second": BATCH_SIZE / medians[1]}

    def _read_golden(self) -> dict[str, dict[str, Arrays]]:
        golden: dict[str, dict[str, Arrays]] = {}
        with np.load(self.folder / GOLDEN) as file:
            for key in sorted(file):
                endpoint, kind, name = key.split("/")
                golden.setdefault(endpoint, {}).setdefault(kind, {})[name] = file[key]
        return golden


class TextVectorizer:
    r"""Conversion of texts to model inputs, as described by ``vocabulary.json``.

    Args:
        rule: content of ``vocabulary.json``. In the patterns of ``standardize``, ``\w`` and
            ``\b`` match ASCII only; ``vocabulary`` is ordered by token id.
    """

    def __init__(self, rule: Mapping[str, Any]) -> None:
        self.rule = rule
        self.name = "tokens" if rule["encoding"] == "sequence" else "words"
        self._ids = {token: index for index, token in enumerate(rule["vocabulary"])}
        self._lowered = re.compile(f"[^{rule['standardize']['lower_all_but']}]+")
        replacements = rule["standardize"]["replace"]
        self._replacements = [(re.compile(old, re.ASCII), new) for old, new in replacements]

    def standardize(self, text: bytes) -> str:
        """Lowercase a text and remove markup and punctuation."""
        clean = self._lowered.sub(lambda match: match[0].lower(), text.decode("utf-8", "replace"))
        for pattern, replacement in self._replacements:
            clean = pattern.sub(replacement, clean)
        return clean.strip() or self.rule["unknown"]

    def tokens(self, text: bytes) -> list[str]:
        """Split a text into words, followed by their n-grams and their subwords."""
        words = self.standardize(text).split()
        tokens = list(words)
        for n in range(2, self.rule["ngrams"] + 1):
            tokens += [" ".join(words[i : i + n]) for i in range(len(words) - n + 1)]
        if self.rule["subwords"]:
            lengths = range(self.rule["shortest_piece"], self.rule["subwords"] + 1)
            for word in (f"<{word}>" for word in words):
                tokens += [f"#{word[i : i + n]}" for n in lengths for i in range(len(word) - n + 1)]
        return tokens

    def encode(self, texts: Sequence[bytes]) -> np.ndarray:
        """Return padded int64 ``(batch, time)``, or multi-hot float32 ``(batch, vocab_size)``."""
        unknown = self._ids[self.rule["unknown"]]
        rows = [[self._ids.get(token, unknown) for token in self.tokens(text)] for text in texts]
        if self.name == "words":
            multi_hot = np.zeros((len(texts), self.rule["vocab_size"]), np.float32)
            for row, ids in zip(multi_hot, rows, strict=True):
                row[ids] = 1
            return multi_hot
        max_length = self.rule["sequence_length"]
        step = -(-max_length // LENGTH_BUCKETS)
        length = min(max_length, -(-max(map(len, rows), default=1) // step) * step)
        padded = np.zeros((len(texts), length), np.int64)
        for row, ids in zip(padded, rows, strict=True):
            row[: len(ids)] = ids[:length]
        return padded


def read_facts(folder: Path) -> dict[str, Any]:
    """Read the metadata of an artifact, the content of ``zoo.json``.

    Args:
        folder: path of the artifact.
    """
    path = folder / FACTS
    if not path.is_file():
        raise ReaderError(f"{folder} is not an artifact of the zoo: it has no {FACTS}.")
    try:
        facts = json.loads(path.read_text("utf-8"))
        if facts.pop("digest") != digest_of(facts):
            raise ValueError
        version, writer = facts.get("version"), facts["zoo"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ReaderError(f"{path} was truncated or modified after it was written.") from None
    if version != VERSION:
        raise ReaderError(
            f"{folder} has version {version}, written by zoo {writer}; this reader supports "
            f"version {VERSION}: use the reader.py in that folder, or export the run again."
        )
    return facts


def digest_of(content: Path | Mapping[str, Any]) -> str:
    """Return the SHA-256 digest of a file, or of metadata independent of its layout in a file.

    Args:
        content: path of the file, or JSON-serializable mapping.
    """
    if isinstance(content, Path):
        return hashlib.sha256(content.read_bytes()).hexdigest()
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def decode_image(source: Any, channels: int) -> np.ndarray:
    """Read an image as uint8 ``(height, width, channels)``, grayscale or RGB.

    Transparent pixels are blended with white, and 16 bits per channel become 8.

    Args:
        source: image file, its content, or uint8 ``(height, width)`` or ``(height, width, 1/3/4)``.
        channels: 1 or 3.
    """
    from PIL import Image

    is_file = isinstance(source, str | Path | io.BytesIO)
    image = open_image(source) if is_file else _image_from(source)
    if image.mode in ("I;16", "I"):
        image = Image.fromarray((np.asarray(image) / 257).round().clip(0, 255).astype(np.uint8))
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.atleast_3d(image.convert("L" if channels == 1 else "RGB"))


def _image_from(source: Any) -> Any:
    from PIL import Image

    array = np.asarray(source)
    is_image = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if array.dtype != np.uint8 or not is_image or not array.size:
        raise ReaderError(
            f"an array of {array.dtype} with shape {array.shape} is not an image: expected uint8 "
            "of shape (height, width) or (height, width, channels), with 1, 3 or 4 channels."
        )
    return Image.fromarray(array[..., 0] if array.shape[2:] == (1,) else array)


def open_image(path: str | Path | io.BytesIO) -> Any:
    """Open an image file with Pillow and apply its EXIF orientation.

    Args:
        path: path of the file, or its content.
    """
    from PIL import Image, ImageOps

    if isinstance(path, str | Path) and not Path(path).is_file():
        what = "not a regular file" if Path(path).exists() else "no such file"
        raise ReaderError(f"{path}: {what}.")
    bomb, warning = Image.DecompressionBombError, Image.DecompressionBombWarning
    try:
        with warnings.catch_warnings(action="error", category=warning), Image.open(path) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, bomb, warning) as problem:
        raise ReaderError(f"{path} cannot be read as an image: {problem}.") from None
    if image.mode == "F":
        raise ReaderError(f"{path} has floating-point pixels: expected 8 or 16 bits per channel.")
    return ImageOps.exif_transpose(image)


def parse_bits(row: Any, count: int) -> np.ndarray:
    """Parse a row of bits, such as ``"110"``, to uint8 ``(count,)``.

    Args:
        row: string or sequence of 0 and 1.
        count: number of bits expected.
    """
    values = [str(value) for value in (row if np.iterable(row) else [row])]
    if len(values) != count or not set(values) <= {"0", "1"}:
        raise ReaderError(f"{row!r} is not a row of {count} bits, such as {'110'[:count]}.")
    return np.array(values, np.uint8)


def as_bytes(text: Any) -> bytes:
    """Return a text as UTF-8 bytes.

    Args:
        text: string or bytes.
    """
    if not isinstance(text, str | bytes):
        raise ReaderError(f"{text!r} is not a text: expected str or bytes.")
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


_PARSERS: dict[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "text": lambda item, spec: as_bytes(item),
    "images": lambda item, spec: decode_image(item, spec["channels"]),
    "truth_tables": lambda item, spec: parse_bits(item, spec["bits"]),
}


def _batches(rows: list[Any]) -> Iterable[Any]:
    """Group neighboring rows of the same shape into batches of at most 32."""
    for _, group in itertools.groupby(rows, key=np.shape):
        while batch := list(itertools.islice(group, BATCH_SIZE)):
            yield batch if isinstance(batch[0], bytes) else np.stack(batch)


def _load_saved_model(folder: Path, graphs: Iterable[str]) -> RunGraph:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))

    def run(graph: str, inputs: Arrays) -> Arrays:
        tensors = {name: tf.constant(rows) for name, rows in inputs.items()}
        outputs = {k: rows.numpy() for k, rows in loaded.signatures[graph](**tensors).items()}
        if "label" in outputs:
            outputs["label"] = np.array([label.decode() for label in outputs["label"]])
        return outputs

    return run


def _load_onnx(folder: Path, graphs: Iterable[str]) -> RunGraph:
    import onnxruntime

    sessions = {name: onnxruntime.InferenceSession(folder / f"{name}.onnx") for name in graphs}

    def run(graph: str, inputs: Arrays) -> Arrays:
        names = [output.name for output in sessions[graph].get_outputs()]
        return dict(zip(names, sessions[graph].run(names, inputs), strict=True))

    return run


def _load_litert(folder: Path, graphs: Iterable[str]) -> RunGraph:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(folder / "model.tflite"))
    runners = {name: interpreter.get_signature_runner(name) for name in graphs}
    return lambda graph, inputs: runners[graph](**inputs)


_LOADERS = {
    "saved_model": ("tensorflow", _load_saved_model),
    "onnx": ("onnxruntime", _load_onnx),
    "litert": ("ai-edge-litert", _load_litert),
    "litert_int8": ("ai-edge-litert", _load_litert),
}


def _load(folder: Path, facts: Mapping[str, Any]) -> RunGraph:
    package, load = _LOADERS[facts["format"]]
    try:
        return load(folder, {spec.get("graph", key) for key, spec in facts["endpoints"].items()})
    except ImportError:
        raise ReaderError(f"{folder} needs {package}: pip install {package}") from None
    except Exception as error:
        raise ReaderError(f"{folder} cannot be loaded: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _check(folder: Path) -> dict[str, Any]:
    begin = time.perf_counter()
    artifact = Artifact(folder)
    results = {"load_seconds": time.perf_counter() - begin, **artifact.check(), **artifact.speed()}
    has_tensorflow = artifact.facts["format"] == "saved_model"
    foreign = {"zoo"} if has_tensorflow else {"zoo", "keras", "tensorflow"}
    if imported := ", ".join(sorted(foreign & set(sys.modules))):
        raise ReaderError(f"{imported} was imported, which invalidates the check.")
    return results


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Run the exported model in this folder.")
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help="text, bits or image file")
    parser.add_argument("--check", action="store_true", help="compare with the stored outputs")
    options = parser.parse_args()
    folder = Path(__file__).resolve().parent
    try:
        result = _check(folder) if options.check else Artifact(folder).predict(options.inputs)
    except ReaderError as error:
        sys.exit(f"reader: {error}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
