"""Model cards of artifacts: how to call one, what it was checked against, and what its run says."""

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from zoo.runs.card import page, sections

RUNTIMES = {
    "saved_model": "tensorflow",
    "onnx": "onnxruntime",
    "litert": "ai-edge-litert",
    "litert_int8": "ai-edge-litert",
}


def render_artifact_card(facts: Mapping[str, Any], name: str) -> str:
    """Words an artifact's card.

    Args:
        facts: content of its ``zoo.json``.
        name: of its folder.

    Returns:
        Markdown.
    """
    title = f"{facts['model']} on {facts['dataset']}, as {facts['format']}"
    parts = [
        ("How to call it", _how_to_call(facts, name)),
        ("Proof", _proof(facts)),
        *sections(facts),
    ]
    return page(title, facts["summary"], parts)


def _how_to_call(facts: Mapping[str, Any], name: str) -> str:
    says = _says(facts)
    runtime = RUNTIMES[facts["format"]]
    alone = "" if facts["input"]["kind"] != "images" else " pillow"
    parts = [
        f"With `pip install numpy{alone} {runtime}`, and nothing else:\n\n"
        f"```sh\npython {name}/reader.py {shlex.quote(says)}\n```",
    ]
    if facts["format"] == "saved_model":
        parts += [_from_python(facts, name), _from_the_shell(facts, name), _from_rest(facts, name)]
    elif facts["format"] == "onnx":
        parts.append(_from_onnxruntime(facts, name))
    else:
        parts.append(_from_litert(facts, name))
    return "\n\n".join(parts)


def _from_python(facts: Mapping[str, Any], name: str) -> str:
    given = facts["endpoints"]["serve"]["inputs"][0]
    return (
        "From Python (keep what `load` returns: it owns the weights):\n\n"
        f"```python\n{_imports(facts)}import tensorflow as tf\n\n"
        f'artifact = tf.saved_model.load("{name}")\n'
        f"raw = {_raw(facts)}\n"
        f'print(artifact.signatures["serving_default"]({given}=tf.constant(raw)))\n```\n\n'
        f"Signatures: {_endpoints(facts)}."
    )


def _imports(facts: Mapping[str, Any]) -> str:
    needed = {"text": "", "images": "import numpy\nimport PIL.Image\n"}
    return needed.get(facts["input"]["kind"], "import numpy\n")


def _says(facts: Mapping[str, Any]) -> str:
    says = {"text": "a great film", "images": "picture.png", "truth_tables": "110"}
    return says[facts["input"]["kind"]][: facts["input"].get("bits")]


def _raw(facts: Mapping[str, Any]) -> str:
    if facts["input"]["kind"] == "text":
        return '["a great film"]'
    if facts["input"]["kind"] == "truth_tables":
        return f'numpy.array([{_bits(facts)}], "uint8")'
    batch = "[None, ..., None]" if facts["input"]["channels"] == 1 else "[None]"
    return f'numpy.asarray(PIL.Image.open("picture.png")){batch}'


def _bits(facts: Mapping[str, Any]) -> list[int]:
    return [1, 1, 0][: facts["input"]["bits"]]


def _endpoints(facts: Mapping[str, Any]) -> str:
    return "; ".join(
        f"`{name}`, from {', '.join(known['inputs'])} to {', '.join(known['outputs'])}"
        for name, known in facts["endpoints"].items()
    )


def _from_the_shell(facts: Mapping[str, Any], name: str) -> str:
    if facts["input"]["kind"] == "text":
        given = """--input_exprs 'text=["a great film"]'"""
    else:
        given = f"--inputs {facts['endpoints']['serve']['inputs'][0]}=batch.npy"
    return (
        "From the shell:\n\n```sh\n"
        f"saved_model_cli run --dir {name} --tag_set serve --signature_def serving_default "
        f"{given}\n```"
    )


def _from_rest(facts: Mapping[str, Any], name: str) -> str:
    given = facts["endpoints"]["serve"]["inputs"][0]
    examples: dict[str, Callable[[], Any]] = {
        "text": lambda: "a great film",
        "truth_tables": lambda: _bits(facts),
        "images": lambda: [[[0] * facts["input"]["channels"]]],
    }
    body = json.dumps({"instances": [{given: examples[facts["input"]["kind"]]()}]})
    notes = [f'It answers `{{"predictions": [...]}}`, each with {_endpoint_outputs(facts)}.']
    if facts["input"]["kind"] == "images":
        notes.append(
            "An image is a list of rows of pixels of channels, whole numbers from 0 to 255; all "
            'images of a request have one size: `json.dumps({"instances": [{"image": '
            "image.tolist()}]})`."
        )
    if len(facts["endpoints"]) > 1:
        notes.append(
            'Another signature is asked for by `"signature_name"` beside `"instances"`, so: '
            f"`{_other_signature(facts)}`."
        )
    return (
        "From TensorFlow Serving, over REST:\n\n```sh\n"
        f'docker run -p 8501:8501 -v "$PWD/{name}:/models/{facts["model"]}/1" '
        f"-e MODEL_NAME={facts['model']} tensorflow/serving\n"
        f"curl -d '{body}' http://localhost:8501/v1/models/{facts['model']}:predict\n```\n\n"
        + " ".join(notes)
    )


def _other_signature(facts: Mapping[str, Any]) -> str:
    """Gives a request for new images where the model draws them; else for the code of one."""
    if "sample" not in facts["endpoints"]:
        image = [[[0] * facts["input"]["channels"]]]
        return json.dumps({"signature_name": "encode", "instances": [{"image": image}]})
    if facts["endpoints"]["sample"]["inputs"] == ["count"]:
        return json.dumps({"signature_name": "sample", "inputs": {"count": 7}})
    return json.dumps({"signature_name": "sample", "instances": [{"label": 0}, {"label": 1}]})


def _endpoint_outputs(facts: Mapping[str, Any]) -> str:
    outputs = facts["endpoints"]["serve"]["outputs"]
    return " and ".join(outputs) if len(outputs) > 1 else f"{outputs[0]} alone"


def _from_onnxruntime(facts: Mapping[str, Any], name: str) -> str:
    graph = facts["endpoints"]["serve"]["graph"]
    if facts["input"]["kind"] == "text":
        return (
            "ONNX holds no strings: how a text becomes numbers stands in `vocabulary.json`, whose "
            "patterns are regular expressions of any language, and `reader.py` follows it:\n\n"
            "```python\nimport json, onnxruntime\nfrom reader import Words\n\n"
            f'words = Words(json.load(open("{name}/vocabulary.json", encoding="utf-8")))\n'
            f'session = onnxruntime.InferenceSession("{name}/{graph}.onnx")\n'
            'print(session.run(None, {words.name: words.encode([b"a great film"])}))\n```'
        )
    return (
        "From ONNX Runtime, in any language:\n\n"
        f"```python\n{_imports(facts)}import onnxruntime\n\n"
        f'session = onnxruntime.InferenceSession("{name}/{graph}.onnx")\n'
        f"raw = {_raw(facts)}\n"
        "print(session.run(None, {session.get_inputs()[0].name: raw}))\n```\n\n"
        f"Each graph has a file, {_graphs(facts)}. {_asked_by_reader(facts)}"
    )


def _from_litert(facts: Mapping[str, Any], name: str) -> str:
    notes = [f"`model.tflite` has the signatures {_graphs(facts)}. {_asked_by_reader(facts)}"]
    if "places" in facts["endpoints"]["serve"]:
        notes.append(
            "It takes one text at a time, as the numbers of its words, padded with 0 to "
            f"{facts['endpoints']['serve']['places']} places."
        )
    if facts["input"]["kind"] == "text":
        notes.append(
            "LiteRT holds no strings: how a text becomes numbers stands in `vocabulary.json`, and "
            "`reader.py` follows it."
        )
    return (
        "From Python:\n\n```python\nimport sys\n\n"
        f'sys.path.insert(0, "{name}")\nimport reader\n\n'
        f'print(reader.Artifact("{name}").predict([{_says(facts)!r}]))\n```\n\n' + " ".join(notes)
    )


def _graphs(facts: Mapping[str, Any]) -> str:
    graphs = dict.fromkeys(known["graph"] for known in facts["endpoints"].values())
    return ", ".join(f"`{name}`" for name in graphs)


def _asked_by_reader(facts: Mapping[str, Any]) -> str:
    told = f"`reader.Artifact.ask` knows the endpoints {_endpoints(facts)}."
    if "label" in facts["endpoints"]["serve"]["outputs"]:
        told += " A graph gives no label: class names stand in `zoo.json`, in the order of the "
        told += "probabilities."
    return told


def _proof(facts: Mapping[str, Any]) -> str:
    lines = [
        f"When it was written it was loaded in a fresh process that knows nothing of the zoo, and "
        f"answered {facts['rows']} rows of real data, which `golden.npz` holds with the answers of "
        f"the model itself: they differ by at most {facts['max_difference']:.2g}. "
        "`python reader.py --check` does it again.",
        f"On the machine that wrote it ({facts['machine']}) it took "
        f"{facts['load_seconds']:.2g} s to load, {facts['milliseconds']:.3g} ms for one row, and "
        f"did {facts['rows_per_second']:,.0f} rows a second in batches of 32; it is "
        f"{facts['bytes'] / 1e6:.2f} MB.",
    ]
    if "judged" in facts:
        judged = facts["judged"]
        lines.append(
            f"Rounded to eight bits, it does not give the same numbers. On {judged['rows']:,} rows "
            f"of the validation split its {judged['metric']} is {judged['value']:.4g}, and the "
            f"model's {judged['before']:.4g}."
        )
    return "\n\n".join(lines)
