"""Model cards: what a reader of a run, or of an artefact, should know, from the run's own files.

The sections are those of Mitchell et al. (2019), Model cards for model reporting,
https://arxiv.org/abs/1810.03993, as far as a run's files can fill them.
"""

import json
import math
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from zoo.data import reader_of
from zoo.reader import CARD
from zoo.registry import get_spec
from zoo.runs import Run, whole
from zoo.specs import DatasetSpec

KEPT = (
    "zoo", "model", "arguments", "recipe", "seed", "parameters", "dataset_version", "environment",
)  # fmt: skip
RUNTIMES = {
    "saved_model": "tensorflow",
    "onnx": "onnxruntime",
    "litert": "ai-edge-litert",
    "litert_int8": "ai-edge-litert",
}


def facts_of(run: Run, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Gathers what is known of a run, for its card and its artefacts.

    Args:
        run: with its predictions.
        metrics: its figures.

    Returns:
        What JSON can hold.
    """
    spec, dataset = get_spec(run.config["model"]), run.dataset
    return {
        **{key: run.config[key] for key in KEPT},
        "task": spec.task,
        "summary": spec.summary,
        "dataset": dataset.name,
        "dataset_summary": dataset.summary,
        "dataset_reference": dataset.reference,
        "input": _input_of(dataset),
        "class_names": list(dataset.class_names),
        "test_rows": len(run.predictions["labels"]),
        "metrics": dict(metrics),
        "standard_errors": _standard_errors(dataset, run.predictions, metrics),
    }


def _standard_errors(
    dataset: DatasetSpec, rows: Mapping[str, Any], metrics: Mapping[str, Any]
) -> dict[str, float]:
    """Gives what the number of test rows leaves open of the figures that are means over them.

    A truth table leaves nothing open: its rows are all that there are.
    """
    if dataset.kind == "truth_tables":
        return {}
    found = {}
    if "probabilities" in rows:
        found["test_accuracy"] = rows["probabilities"].argmax(axis=1) == rows["labels"]
    elif "test_mse" in metrics:
        found["test_mse"] = rows["errors"]
    return {key: float(values.std() / math.sqrt(len(values))) for key, values in found.items()}


def _input_of(dataset: DatasetSpec) -> dict[str, Any]:
    size = {"images": "channels", "truth_tables": "bits"}.get(dataset.kind)
    sizes = {size: dataset.input_shape[-1]} if size else {}
    return {"kind": dataset.kind, "name": reader_of(dataset).INPUT_NAME, **sizes}


def write_card(run: Run, metrics: Mapping[str, Any]) -> None:
    """Writes a run's card, ``README.md`` in its directory.

    Args:
        run: with its predictions.
        metrics: its figures.
    """
    with whole(run.directory / CARD) as partial:
        partial.write_text(card_of_run(facts_of(run, metrics)), "utf-8")


def card_of_run(facts: Mapping[str, Any]) -> str:
    """Words a run's card.

    Args:
        facts: what `facts_of` gathers.

    Returns:
        Markdown.
    """
    sections = [*_sections(facts), ("How to go on", _how_to_go_on())]
    return _page(f"{facts['model']} on {facts['dataset']}", facts["summary"], sections)


def card_of_artefact(facts: Mapping[str, Any], name: str) -> str:
    """Words an artefact's card.

    Args:
        facts: content of its ``zoo.json``.
        name: of its folder.

    Returns:
        Markdown.
    """
    title = f"{facts['model']} on {facts['dataset']}, as {facts['format']}"
    sections = [
        ("How to call it", _how_to_call(facts, name)),
        ("Proof", _proof(facts)),
        *_sections(facts),
    ]
    return _page(title, facts["summary"], sections)


def _page(title: str, summary: str, sections: list[tuple[str, str]]) -> str:
    body = "\n\n".join(f"## {heading}\n\n{text}" for heading, text in sections)
    return f"# {title}\n\n{summary}.\n\n{body}\n"


def _sections(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("What it does", _purpose(facts)),
        ("What it reached", _metrics(facts)),
        ("How it was trained", _training(facts)),
        ("Known limits", _limits(facts)),
    ]


def _purpose(facts: Mapping[str, Any]) -> str:
    names = facts["class_names"]
    classes = f"one of {len(names)} classes: {', '.join(names)}"
    gives = classes if _is_classifier(facts) else "an image"
    takes = {"text": "a text", "images": "an image of any size", "truth_tables": "a row of bits"}
    reference = f" ({facts['dataset_reference']})" if facts["dataset_reference"] else ""
    prepared = _settings(facts["recipe"].get(facts["input"]["kind"], {}))
    return (
        f"Takes {takes[facts['input']['kind']]}, and gives {gives}. Task: {facts['task']}. "
        f"{facts['parameters']:,} parameters.\n\n"
        f"Data: {facts['dataset_version']}, {facts['dataset_summary']}{reference}. "
        f"Preprocessing: {prepared}."
    )


def _metrics(facts: Mapping[str, Any]) -> str:
    rows = [
        f"| {key} | {value:.6g}{_spread(key, facts)} |"
        for key, value in facts["metrics"].items()
        if key.startswith(("test_", "val_"))
    ]
    return "\n".join(
        [
            "| figure | value |",
            "|---|---:|",
            *rows,
            "",
            _splits(facts),
        ]
    )


def _splits(facts: Mapping[str, Any]) -> str:
    if facts["input"]["kind"] == "truth_tables":
        return "A truth table is whole in every split: these are the rows that were learnt."
    compared = (
        "the best epoch was chosen by the validation split"
        if facts["recipe"]["patience"]
        else "the last epoch counts"
    )
    return (
        f"The test split has {facts['test_rows']:,} rows, and was read once, at "
        f"{facts['metrics']['read_test_split_at']}; {compared}. One training, one seed: the spread "
        "is the standard error that the number of test rows leaves."
    )


def _spread(key: str, facts: Mapping[str, Any]) -> str:
    error = facts["standard_errors"].get(key)
    return "" if error is None else f" ± {error:.2g}"


def _training(facts: Mapping[str, Any]) -> str:
    recipe = {k: v for k, v in facts["recipe"].items() if not isinstance(v, Mapping)}
    versions = {k: v for k, v in facts["environment"].items() if isinstance(v, str)}
    return (
        f"Seed {facts['seed']}; {facts['metrics']['epochs']} epochs in "
        f"{facts['metrics']['seconds']:.0f} seconds.\n\n"
        f"- network: {_settings(facts['arguments'])}\n"
        f"- recipe: {_settings(recipe)}\n"
        f"- written by: keras-model-zoo {facts['zoo']}, {_settings(versions)}"
    )


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} `{_brief(value)}`" for key, value in values.items()) or "none"


def _brief(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _limits(facts: Mapping[str, Any]) -> str:
    of_kind = {
        "text": "Words that the training texts do not have are unknown to it, other languages "
        "altogether; a text is read up to its preprocessing's length.",
        "images": "Every image is resized to the size it was trained on, whatever its proportions.",
        "truth_tables": "It knows the rows of its table and no others.",
    }
    of_task = "What is unlike all that it has learnt is given back as something like it."
    if _is_classifier(facts):
        of_task = (
            "What belongs to none of its classes is put in one all the same, and its probabilities "
            "were not calibrated."
        )
    of_all = "It was measured on one data set, whose biases it has: measure it on your own first."
    return f"{of_kind[facts['input']['kind']]} {of_task} {of_all}"


def _is_classifier(facts: Mapping[str, Any]) -> bool:
    return facts["task"].endswith("classification")


def _how_to_go_on() -> str:
    return (
        "In this directory, with `pip install keras-model-zoo`:\n\n"
        "```sh\nzoo evaluate .\nzoo report .\nzoo export . --output ../artefact\n```"
    )


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
        f'artefact = tf.saved_model.load("{name}")\n'
        f"raw = {_raw(facts)}\n"
        f'print(artefact.signatures["serving_default"]({given}=tf.constant(raw)))\n```\n\n'
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
        f'print(reader.Artefact("{name}").predict([{_says(facts)!r}]))\n```\n\n' + " ".join(notes)
    )


def _graphs(facts: Mapping[str, Any]) -> str:
    graphs = dict.fromkeys(known["graph"] for known in facts["endpoints"].values())
    return ", ".join(f"`{name}`" for name in graphs)


def _asked_by_reader(facts: Mapping[str, Any]) -> str:
    told = f"`reader.Artefact.ask` knows the endpoints {_endpoints(facts)}."
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
