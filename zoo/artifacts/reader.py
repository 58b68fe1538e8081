"""Asks the artifact that this file stands in: raw input in, answers out.

    python reader.py "a great film"      answers a text, a row of bits, or an image file
    python reader.py --check             answers the golden rows, and compares

It needs NumPy, what runs the artifact's format (tensorflow, onnxruntime or ai-edge-litert), and
Pillow for image files; nothing else of what wrote the artifact. From Python:

    import reader
    artifact = reader.Artifact("path/to/artifact")
    artifact.predict(["a great film"])
"""

import argparse
import hashlib
import json
import re
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

VERSION = 1
FACTS = "zoo.json"
GOLDEN = "golden.npz"
VOCABULARY = "vocabulary.json"
CARD = "README.md"
WIDTHS = 8
TIMINGS = 30
AT_ONCE = 32
AT_MOST_SECONDS = 0.5

Arrays = dict[str, np.ndarray]
Ask = Callable[[str, Mapping[str, np.ndarray]], Arrays]


class ReaderError(Exception):
    """An artifact that cannot be opened, or an input that it cannot answer; one line."""


class Artifact:
    """An artifact, opened.

    Args:
        folder: where it is.

    Attributes:
        facts: content of ``zoo.json``.

    Raises:
        ReaderError: if it is no artifact of the zoo, if a file of it has been cut or altered, or
            if what runs its format is not installed.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.facts = read_facts(self.folder)
        for name, digest in self.facts["files"].items():
            if not (self.folder / name).is_file():
                raise ReaderError(f"{self.folder} has lost its {name}.")
            if digest_of(self.folder / name) != digest:
                raise ReaderError(f"{self.folder / name} has been altered since it was written.")
        self._ask = _OPENERS[self.facts["format"]](self.folder, self.facts)
        self._words = None
        if self.facts["format"] != "saved_model" and self.facts["input"]["kind"] == "text":
            self._words = TextVectorizer(json.loads((self.folder / VOCABULARY).read_text("utf-8")))

    def ask(self, endpoint: str, **inputs: Any) -> Arrays:
        """Asks an endpoint.

        Args:
            endpoint: one of ``facts["endpoints"]``; ``"serve"`` is the one that answers raw input.
            inputs: its inputs by name, each with a batch; a text is a string or bytes of UTF-8.

        Returns:
            Its outputs by name. Probabilities have the name of the likeliest class, ``label``,
            beside them.

        Raises:
            ReaderError: if there is no such endpoint, or it takes other inputs.
        """
        if endpoint not in self.facts["endpoints"]:
            raise ReaderError(
                f"{self.folder} has no endpoint {endpoint!r}; it has "
                f"{', '.join(self.facts['endpoints'])}."
            )
        if "text" in inputs:
            inputs["text"] = np.array([as_bytes(text) for text in inputs["text"]], object)
        if self._words and "text" in inputs:
            inputs[self._words.name] = self._words.encode(inputs.pop("text"))
        try:
            outputs = self._ask(endpoint, {name: np.asarray(rows) for name, rows in inputs.items()})
        except Exception as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise ReaderError(f"{self.folder} cannot answer: {reason}") from error
        if "probabilities" in outputs and "label" not in outputs:
            names = np.array(self.facts["class_names"])
            outputs["label"] = names[outputs["probabilities"].argmax(axis=1)]
        return outputs

    def predict(self, inputs: Sequence[Any] | np.ndarray) -> list[dict[str, Any]]:
        """Answers raw inputs.

        Args:
            inputs: texts; image files or arrays ``(height, width, channels)`` of uint8; or rows of
                bits such as ``"110"``.

        Returns:
            For each its ``label``, that label's ``probability``, and the ``probabilities`` of all
            classes; or, from a model of images, its ``code`` and its ``reconstruction``.

        Raises:
            ReaderError: if an input cannot be read, or is of another kind.
        """
        if isinstance(inputs, str | bytes | Path):
            raise ReaderError(f"{inputs!r}: give a list of inputs, even of one.")
        name, parse = self.facts["input"]["name"], _PARSERS[self.facts["input"]["kind"]]
        if "label" in self.facts["endpoints"]["serve"]["inputs"]:
            raise ReaderError(
                f"{self.facts['model']} is to be told labels: ask the endpoint 'reconstruct' for "
                "an image and its label."
            )
        rows = [parse(item, self.facts["input"]) for item in inputs]
        answers: list[dict[str, Any]] = []
        for batch in _alike(rows):
            if "probabilities" in self.facts["endpoints"]["serve"]["outputs"]:
                answers += self._classify(self.ask("serve", **{name: batch}))
            else:
                codes = self.ask("encode", **{name: batch})["code"].tolist()
                images = self.ask("reconstruct", **{name: batch})["reconstruction"].tolist()
                pairs = zip(codes, images, strict=True)
                answers += [{"code": code, "reconstruction": image} for code, image in pairs]
        return answers

    def _classify(self, outputs: Arrays) -> list[dict[str, Any]]:
        return [
            {
                "label": str(label),
                "probability": float(row.max()),
                "probabilities": dict(zip(self.facts["class_names"], row.tolist(), strict=True)),
            }
            for label, row in zip(outputs["label"], outputs["probabilities"], strict=True)
        ]

    def check(self) -> dict[str, Any]:
        """Answers the golden rows, which are real data, and compares.

        Returns:
            ``max_difference`` of the numbers, whether the ``labels_agree``, the ``rows``, and the
            endpoints ``compared``.
        """
        with np.load(self.folder / GOLDEN) as file:
            golden = dict(file)
        endpoints = sorted({name.partition("/")[0] for name in golden})
        differences, labels_agree, rows = [0.0], True, 0
        for endpoint in endpoints:
            inputs, expected = (_under(golden, f"{endpoint}/{x}/") for x in ("inputs", "outputs"))
            rows = len(next(iter(inputs.values())))
            found = self.ask(endpoint, **inputs)
            for name, values in expected.items():
                if values.dtype.kind == "U":
                    labels_agree &= bool((found[name] == values).all())
                else:
                    differences.append(float(np.abs(found[name] - values).max()))
        return {
            "max_difference": float(np.max(differences)),
            "labels_agree": labels_agree,
            "rows": rows,
            "compared": endpoints,
        }

    def speed(self) -> dict[str, float]:
        """Takes the time of the endpoint ``serve`` on this machine.

        Returns:
            ``milliseconds`` of one row alone, the median; and ``rows_per_second`` in batches of 32.
        """
        with np.load(self.folder / GOLDEN) as file:
            inputs = _under(dict(file), "serve/inputs/")
        one, many = (
            {name: np.resize(rows, (count, *rows.shape[1:])) for name, rows in inputs.items()}
            for count in (1, AT_ONCE)
        )
        return {
            "milliseconds": 1000 * self._seconds(one),
            "rows_per_second": AT_ONCE / self._seconds(many),
        }

    def _seconds(self, inputs: Arrays) -> float:
        self.ask("serve", **inputs)
        taken: list[float] = []
        while len(taken) < TIMINGS and sum(taken) < AT_MOST_SECONDS:
            begin = time.perf_counter()
            self.ask("serve", **inputs)
            taken.append(time.perf_counter() - begin)
        return float(np.median(taken))


class TextVectorizer:
    r"""From texts to a model's numbers: what the artifact's ``vocabulary.json`` says.

    Args:
        rule: ``standardize``, whose patterns are for regular expressions in which ``\w`` and
            ``\b`` know ASCII alone; ``encoding``, ``ngrams``, ``subwords``; and the
            ``vocabulary``, in the order of its numbers.
    """

    def __init__(self, rule: Mapping[str, Any]) -> None:
        self.rule = rule
        self.is_sequence = rule["encoding"] == "sequence"
        self.name = "tokens" if self.is_sequence else "words"
        self._numbers = {word: number for number, word in enumerate(rule["vocabulary"])}
        self._unknown = self._numbers[rule["unknown"]]
        self._lowered = re.compile(f"[^{rule['standardize']['lower_all_but']}]+")
        self._steps = [
            (re.compile(pattern, re.ASCII), put) for pattern, put in rule["standardize"]["replace"]
        ]

    def standardize(self, text: bytes) -> str:
        """Lowers case and drops what is no word."""
        clean = self._lowered.sub(lambda found: found[0].lower(), text.decode("utf-8", "replace"))
        for pattern, put in self._steps:
            clean = pattern.sub(put, clean)
        return clean.strip() or self.rule["unknown"]

    def tokens(self, text: bytes) -> list[str]:
        """Splits into words; then runs of neighboring words; then pieces of each word."""
        words = self.standardize(text).split()
        found = list(words)
        for n in range(2, self.rule["ngrams"] + 1):
            found += [" ".join(words[i : i + n]) for i in range(len(words) - n + 1)]
        if self.rule["subwords"]:
            lengths = range(self.rule["shortest_piece"], self.rule["subwords"] + 1)
            for word in (f"<{word}>" for word in words):
                found += [f"#{word[i : i + n]}" for n in lengths for i in range(len(word) - n + 1)]
        return found

    def encode(self, texts: Sequence[bytes]) -> np.ndarray:
        """Gives int64 ``(batch, time)``, 0 for padding; or float32 ``(batch, vocabulary)``."""
        numbers = [
            [self._numbers.get(token, self._unknown) for token in self.tokens(text)]
            for text in texts
        ]
        if not self.is_sequence:
            marks = np.zeros((len(texts), self.rule["vocab_size"]), np.float32)
            for row, known in zip(marks, numbers, strict=True):
                row[known] = 1
            return marks
        full = self.rule["sequence_length"]
        step = -(-full // WIDTHS)
        longest = max(map(len, numbers), default=1)
        width = min(full, -(-longest // step) * step)
        padded = np.zeros((len(texts), width), np.int64)
        for row, known in zip(padded, numbers, strict=True):
            row[: len(known)] = known[:width]
        return padded


def read_facts(folder: Path) -> dict[str, Any]:
    """Reads what an artifact says of itself.

    Args:
        folder: the artifact's.

    Returns:
        Content of ``zoo.json``.

    Raises:
        ReaderError: if it has none, one that has been cut or altered, or one of another version.
    """
    path = folder / FACTS
    if not path.is_file():
        raise ReaderError(f"{folder} is no artifact of the zoo: it has no {FACTS}.")
    try:
        facts = json.loads(path.read_text("utf-8"))
        intact = facts.pop("digest") == digest_of_facts(facts)
        version, by = facts.get("version"), facts["zoo"]
    except (ValueError, KeyError, TypeError, AttributeError):
        intact = False
    if not intact:
        raise ReaderError(f"{path} has been cut or altered since it was written.")
    if version != VERSION:
        raise ReaderError(
            f"{folder} is of version {version}, written by zoo {by}; this reads version {VERSION}: "
            "ask the reader.py in it, or export the run again."
        )
    return facts


def digest_of(path: Path) -> str:
    """Gives the SHA-256 of a file.

    Args:
        path: the file.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_facts(facts: Mapping[str, Any]) -> str:
    """Gives the SHA-256 of facts, whatever their layout in a file.

    Args:
        facts: what JSON can hold.
    """
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def decode_image(source: Any, channels: int) -> np.ndarray:
    """Reads an image file, or an array of pixels, into as many channels as are wanted.

    Transparency is laid on white; sixteen bits become eight; the camera's orientation is obeyed.

    Args:
        source: a file; or uint8 ``(height, width)`` or ``(height, width, 1, 3 or 4)``.
        channels: 1 or 3.

    Returns:
        uint8 ``(height, width, channels)``.

    Raises:
        ReaderError: if it cannot be read as an image.
    """
    is_file = isinstance(source, str | Path)
    return _in_channels(open_image(source) if is_file else _pixels(np.asarray(source)), channels)


def _in_channels(image: Any, channels: int) -> np.ndarray:
    from PIL import Image

    if image.mode in ("I;16", "I"):
        image = Image.fromarray((np.asarray(image) / 257).round().clip(0, 255).astype(np.uint8))
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    return pixels[..., None] if channels == 1 else pixels


def _pixels(array: np.ndarray) -> Any:
    from PIL import Image

    if array.dtype != np.uint8 or array.ndim not in (2, 3) or not array.size:
        raise ReaderError(
            f"an array of {array.dtype} with shape {array.shape} is no image: "
            "give uint8 of shape (height, width) or (height, width, channels)."
        )
    if array.ndim == 3 and array.shape[2] not in (1, 3, 4):
        raise ReaderError(f"an image has 1, 3 or 4 channels, not {array.shape[2]}.")
    return Image.fromarray(array[..., 0] if array.shape[2:] == (1,) else array)


def open_image(path: str | Path) -> Any:
    """Reads an image file.

    Args:
        path: the file.

    Returns:
        A Pillow image, the right way up.

    Raises:
        ReaderError: if it cannot be read as an image.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                image.load()
    except FileNotFoundError:
        raise ReaderError(f"{path}: there is no such file.") from None
    except IsADirectoryError:
        raise ReaderError(f"{path} is a folder; give image files.") from None
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
        OSError,
        SyntaxError,
        ValueError,
    ) as problem:
        raise ReaderError(f"{path} is no readable image: {problem}.") from None
    if image.mode == "F":
        raise ReaderError(f"{path} holds floating-point numbers; give 8 or 16 bits a channel.")
    return ImageOps.exif_transpose(image)


def bits(row: Any, count: int) -> np.ndarray:
    """Reads a row of bits, such as ``"110"``.

    Args:
        row: a string or a sequence of 0 and 1.
        count: how many there are to be.

    Returns:
        uint8 ``(count,)``.

    Raises:
        ReaderError: if there are others, or anything but 0 and 1.
    """
    values = [str(value) for value in (row if np.iterable(row) else [row])]
    if len(values) != count or not set(values) <= {"0", "1"}:
        raise ReaderError(f"{row!r} is no row of bits: give {count} bits, such as {'110'[:count]}.")
    return np.array(values, np.uint8)


def as_bytes(text: Any) -> bytes:
    """Gives a text as bytes of UTF-8.

    Args:
        text: a string, or bytes already.

    Raises:
        ReaderError: if it is neither.
    """
    if isinstance(text, str):
        return text.encode("utf-8", "surrogateescape")
    if isinstance(text, bytes):
        return text
    raise ReaderError(f"{text!r} is no text.")


_PARSERS: dict[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "text": lambda item, known: as_bytes(item),
    "images": lambda item, known: decode_image(item, known["channels"]),
    "truth_tables": lambda item, known: bits(item, known["bits"]),
}


def _alike(rows: list[Any]) -> list[Any]:
    """Gives runs of neighboring rows of one shape, at most 32 each."""
    runs: list[list[Any]] = []
    for row in rows:
        if runs and len(runs[-1]) < AT_ONCE and np.shape(runs[-1][-1]) == np.shape(row):
            runs[-1].append(row)
        else:
            runs.append([row])
    return [run if isinstance(run[0], bytes) else np.stack(run) for run in runs]


def _saved_model(folder: Path, facts: Mapping[str, Any]) -> Ask:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))

    def ask(endpoint: str, inputs: Mapping[str, np.ndarray]) -> Arrays:
        given = {name: tf.constant(rows.tolist() if rows.dtype == object else rows)
                 for name, rows in inputs.items()}  # fmt: skip
        answer = loaded.signatures[endpoint](**given)
        return {name: _text(rows.numpy()) for name, rows in answer.items()}

    return ask


def _text(values: np.ndarray) -> np.ndarray:
    return np.array([value.decode() for value in values]) if values.dtype == object else values


def _onnx(folder: Path, facts: Mapping[str, Any]) -> Ask:
    import onnxruntime

    graphs = {known["graph"] for known in facts["endpoints"].values()}
    sessions = {name: onnxruntime.InferenceSession(folder / f"{name}.onnx") for name in graphs}

    def ask(endpoint: str, inputs: Mapping[str, np.ndarray]) -> Arrays:
        session = sessions[facts["endpoints"][endpoint]["graph"]]
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))

    return ask


def _litert(folder: Path, facts: Mapping[str, Any]) -> Ask:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(folder / "model.tflite"))
    graphs = {known["graph"] for known in facts["endpoints"].values()}
    runners = {name: interpreter.get_signature_runner(name) for name in graphs}

    def ask(endpoint: str, inputs: Mapping[str, np.ndarray]) -> Arrays:
        known = facts["endpoints"][endpoint]
        run = runners[known["graph"]]
        if "places" not in known:
            return run(**inputs)
        ((name, rows),) = inputs.items()
        rows = np.pad(rows, ((0, 0), (0, known["places"] - rows.shape[1])))
        answers = [run(**{name: row[None]}) for row in rows]
        return {key: np.concatenate([answer[key] for answer in answers]) for key in answers[0]}

    return ask


def _needs(package: str, opener: Callable[[Path, Mapping[str, Any]], Ask]) -> Any:
    def open_or_say(folder: Path, facts: Mapping[str, Any]) -> Ask:
        try:
            return opener(folder, facts)
        except ImportError:
            raise ReaderError(f"{folder} needs {package}: pip install {package}") from None
        except Exception as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise ReaderError(f"{folder} does not load: {reason}") from error

    return open_or_say


_OPENERS = {
    "saved_model": _needs("tensorflow", _saved_model),
    "onnx": _needs("onnxruntime", _onnx),
    "litert": _needs("ai-edge-litert", _litert),
    "litert_int8": _needs("ai-edge-litert", _litert),
}


def _under(arrays: Mapping[str, np.ndarray], prefix: str) -> Arrays:
    return {k.removeprefix(prefix): rows for k, rows in arrays.items() if k.startswith(prefix)}


def _checked(folder: Path) -> dict[str, Any]:
    begin = time.perf_counter()
    artifact = Artifact(folder)
    seconds = time.perf_counter() - begin
    found = artifact.check() | {"load_seconds": seconds} | artifact.speed()
    foreign = {"zoo", "keras", "tensorflow"} & set(sys.modules)
    if artifact.facts["format"] == "saved_model":
        foreign -= {"keras", "tensorflow"}
    if foreign:
        raise ReaderError(f"{', '.join(sorted(foreign))} was imported, which voids the check.")
    return found


def main() -> None:
    """Answers the inputs on the command line."""
    parser = argparse.ArgumentParser(description="Asks the artifact that this file stands in.")
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help="text, bits or image file")
    parser.add_argument("--check", action="store_true", help="answer the golden rows and compare")
    asked = parser.parse_args()
    folder = Path(__file__).resolve().parent
    try:
        answer: Any = _checked(folder) if asked.check else Artifact(folder).predict(asked.inputs)
    except ReaderError as error:
        sys.exit(f"reader: {error}")
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
