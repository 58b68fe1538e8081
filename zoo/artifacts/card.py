"""Model cards of artifacts: usage, verification and speed, followed by the card of the run."""

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from zoo.runs.card import render_page, render_sections

RUNTIMES = {
    "saved_model": "tensorflow",
    "onnx": "onnxruntime",
    "litert": "ai-edge-litert",
    "litert_int8": "ai-edge-litert",
}


def render_artifact_card(facts: Mapping[str, Any], name: str) -> str:
    """Render the model card of an artifact.

    Args:
        facts: content of its ``zoo.json``.
        name: name of its folder.

    Returns:
        Markdown.
    """
    title = f"{facts['model']} on {facts['dataset']}, as {facts['format']}"
    parts = [
        ("How to use it", _usage(facts, name)),
        ("Verification", _verification(facts)),
        *render_sections(facts),
    ]
    return render_page(title, facts["summary"], parts)


def _usage(facts: Mapping[str, Any], name: str) -> str:
    packages = ["numpy", *(["pillow"] if facts["input"]["kind"] == "images" else [])]
    packages.append(RUNTIMES[facts["format"]])
    parts = [
        f"With `pip install {' '.join(packages)}` and nothing else:\n\n"
        f"```sh\npython {name}/reader.py {shlex.quote(example_input(facts))}\n```",
    ]
    if facts["format"] == "saved_model":
        parts += [_tensorflow(facts, name), _saved_model_cli(facts, name), _rest(facts, name)]
    elif facts["format"] == "onnx":
        parts.append(_onnxruntime(facts, name))
    else:
        parts.append(_litert(facts, name))
    return "\n\n".join(parts)


def _tensorflow(facts: Mapping[str, Any], name: str) -> str:
    input_name = facts["endpoints"]["serve"]["inputs"][0]
    return (
        "From Python (keep a reference to what `load` returns: it owns the weights):\n\n"
        f"```python\n{_imports(facts)}import tensorflow as tf\n\n"
        f'artifact = tf.saved_model.load("{name}")\n'
        f"raw = {_example_code(facts)}\n"
        f'print(artifact.signatures["serving_default"]({input_name}=tf.constant(raw)))\n```\n\n'
        f"Signatures: {_describe_endpoints(facts)}."
    )


def _imports(facts: Mapping[str, Any]) -> str:
    needed = {"text": "", "images": "import numpy\nimport PIL.Image\n"}
    return needed.get(facts["input"]["kind"], "import numpy\n")


def example_input(facts: Mapping[str, Any]) -> str:
    """Return an input for the command line.

    Args:
        facts: metadata as returned by `zoo.runs.card.card_facts`.
    """
    examples = {"text": "a great film", "images": "picture.png", "truth_tables": "110"}
    return examples[facts["input"]["kind"]][: facts["input"].get("bits")]


def _example_code(facts: Mapping[str, Any]) -> str:
    if facts["input"]["kind"] == "text":
        return '["a great film"]'
    if facts["input"]["kind"] == "truth_tables":
        return f'numpy.array([{_example_bits(facts)}], "uint8")'
    batch = "[None, ..., None]" if facts["input"]["channels"] == 1 else "[None]"
    return f'numpy.asarray(PIL.Image.open("picture.png")){batch}'


def _example_bits(facts: Mapping[str, Any]) -> list[int]:
    return [1, 1, 0][: facts["input"]["bits"]]


def _example_image(facts: Mapping[str, Any]) -> list[list[list[int]]]:
    return [[[0] * facts["input"]["channels"]]]


def _describe_endpoints(facts: Mapping[str, Any]) -> str:
    return "; ".join(
        f"`{name}`, from {', '.join(spec['inputs'])} to {', '.join(spec['outputs'])}"
        for name, spec in facts["endpoints"].items()
    )


def _saved_model_cli(facts: Mapping[str, Any], name: str) -> str:
    if facts["input"]["kind"] == "text":
        inputs = """--input_exprs 'text=["a great film"]'"""
    else:
        inputs = f"--inputs {facts['endpoints']['serve']['inputs'][0]}=batch.npy"
    return (
        "From the shell:\n\n```sh\n"
        f"saved_model_cli run --dir {name} --tag_set serve --signature_def serving_default "
        f"{inputs}\n```"
    )


def _rest(facts: Mapping[str, Any], name: str) -> str:
    examples: dict[str, Callable[[], Any]] = {
        "text": lambda: "a great film",
        "truth_tables": lambda: _example_bits(facts),
        "images": lambda: _example_image(facts),
    }
    serve, kind = facts["endpoints"]["serve"], facts["input"]["kind"]
    body = json.dumps({"instances": [{serve["inputs"][0]: examples[kind]()}]})
    first, *others = serve["outputs"]
    prediction = f"with {' and '.join([first, *others])}" if others else f"the {first} itself"
    notes = [f'The response is `{{"predictions": [...]}}`, each {prediction}.']
    if kind == "images":
        notes.append(
            "An image is a nested list of rows, pixels and channels, with integers from 0 to 255; "
            "all images of a request must have the same size: "
            '`json.dumps({"instances": [{"image": image.tolist()}]})`.'
        )
    if len(facts["endpoints"]) > 1:
        notes.append(
            'To call another signature, add `"signature_name"`, for example '
            f"`{_signature_request(facts)}`."
        )
    return (
        "From TensorFlow Serving, over REST:\n\n```sh\n"
        f'docker run -p 8501:8501 -v "$PWD/{name}:/models/{facts["model"]}/1" '
        f"-e MODEL_NAME={facts['model']} tensorflow/serving\n"
        f"curl -d '{body}' http://localhost:8501/v1/models/{facts['model']}:predict\n```\n\n"
        + " ".join(notes)
    )


def _signature_request(facts: Mapping[str, Any]) -> str:
    """Return a request for ``sample`` if the model has it, for ``encode`` otherwise."""
    if "sample" not in facts["endpoints"]:
        instances = [{"image": _example_image(facts)}]
        return json.dumps({"signature_name": "encode", "instances": instances})
    if facts["endpoints"]["sample"]["inputs"] == ["count"]:
        return json.dumps({"signature_name": "sample", "inputs": {"count": 7}})
    return json.dumps({"signature_name": "sample", "instances": [{"label": 0}, {"label": 1}]})


def _onnxruntime(facts: Mapping[str, Any], name: str) -> str:
    graph = facts["endpoints"]["serve"]["graph"]
    if facts["input"]["kind"] == "text":
        return (
            "The ONNX graph takes no strings: `vocabulary.json` describes how texts are "
            "vectorized, with regular expressions that work in any language, and `reader.py` "
            "does it:\n\n"
            "```python\nimport json\nimport sys\n\nimport onnxruntime\n\n"
            f'sys.path.insert(0, "{name}")\nfrom reader import TextVectorizer\n\n'
            f'rule = json.load(open("{name}/vocabulary.json", encoding="utf-8"))\n'
            "vectorizer = TextVectorizer(rule)\n"
            f'session = onnxruntime.InferenceSession("{name}/{graph}.onnx")\n'
            'inputs = {vectorizer.name: vectorizer.encode([b"a great film"])}\n'
            "print(session.run(None, inputs))\n```"
        )
    return (
        "From ONNX Runtime, in any language:\n\n"
        f"```python\n{_imports(facts)}import onnxruntime\n\n"
        f'session = onnxruntime.InferenceSession("{name}/{graph}.onnx")\n'
        f"raw = {_example_code(facts)}\n"
        "print(session.run(None, {session.get_inputs()[0].name: raw}))\n```\n\n"
        f"There is one file per graph: {_list_graphs(facts)}. {_describe_reader(facts)}"
    )


def _litert(facts: Mapping[str, Any], name: str) -> str:
    notes = [f"`model.tflite` has the signatures {_list_graphs(facts)}. {_describe_reader(facts)}"]
    if "places" in facts["endpoints"]["serve"]:
        notes.append(
            "It takes one text at a time, as token ids padded with 0 to length "
            f"{facts['endpoints']['serve']['places']}."
        )
    if facts["input"]["kind"] == "text":
        notes.append(
            "The graph takes no strings: `vocabulary.json` describes how texts are vectorized, "
            "and `reader.py` does it."
        )
    return (
        "From Python:\n\n```python\nimport sys\n\n"
        f'sys.path.insert(0, "{name}")\nimport reader\n\n'
        f'print(reader.Artifact("{name}").predict([{example_input(facts)!r}]))\n```\n\n'
        + " ".join(notes)
    )


def _list_graphs(facts: Mapping[str, Any]) -> str:
    graphs = dict.fromkeys(spec["graph"] for spec in facts["endpoints"].values())
    return ", ".join(f"`{name}`" for name in graphs)


def _describe_reader(facts: Mapping[str, Any]) -> str:
    text = f"`reader.Artifact.ask` has the endpoints {_describe_endpoints(facts)}."
    if "label" in facts["endpoints"]["serve"]["outputs"]:
        text += " The graph itself returns no `label`: class names are in `zoo.json`, in the order "
        text += "of the probabilities."
    return text


def _verification(facts: Mapping[str, Any]) -> str:
    paragraphs = [
        "After it was written, the artifact was loaded in a fresh process without "
        f"keras-model-zoo and run on {facts['rows']} rows of real data. `golden.npz` has these "
        "rows, with the outputs of the original model: the largest absolute difference is "
        f"{facts['max_difference']:.2g}. `python reader.py --check` repeats the comparison. "
        "`zoo.json` has a SHA-256 digest of itself and of every other file except `README.md`.",
        f"On the machine that wrote it ({facts['machine']}), it loaded in "
        f"{facts['load_seconds']:.2g} s, took {facts['milliseconds']:.3g} ms for one row, and "
        f"processed {facts['rows_per_second']:,.0f} rows per second in batches of 32. Its size is "
        f"{facts['bytes'] / 1e6:.2f} MB.",
    ]
    if "judged" in facts:
        judged = facts["judged"]
        paragraphs.append(
            "The weights are quantized to 8 bits, so outputs are not identical. On "
            f"{judged['rows']:,} rows of the validation split, the {judged['metric']} is "
            f"{judged['value']:.4g}; that of the original model is {judged['before']:.4g}."
        )
    return "\n\n".join(paragraphs)
