"""ONNX artifacts in Node, compared with the answers expected of them.

    python -m benchmarks.node ARTIFACT...

Runs the graph of each ONNX artifact in Node on its golden rows, by ``onnxruntime-web``, which npm
installs into ``benchmarks/node/``; texts are given as the token ids that the artifact's reader
encodes them to. Writes one row per artifact to ``benchmarks/results/node.csv``: the maximum
difference from the model's own answers, in batches of 1 and 32. Requires Node and the extra
``benchmark``.
"""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks import tables
from zoo.artifacts.reader import GOLDEN, VOCABULARY, TextVectorizer, read_facts

FOLDER = Path(__file__).parent / "node"
BATCH_SIZES = (1, 32)


def read_golden(folder: Path, endpoint: str, kind: str) -> dict[str, np.ndarray]:
    """Return the golden inputs or outputs of an endpoint."""
    prefix = f"{endpoint}/{kind}/"
    with np.load(folder / GOLDEN) as file:
        return {key.removeprefix(prefix): file[key] for key in file if key.startswith(prefix)}


def graph_inputs(folder: Path) -> list[dict[str, np.ndarray]]:
    """Return the inputs of the graph, in a batch of each size."""
    rows = read_golden(folder, "serve", "inputs")
    batches = [{key: values[:size] for key, values in rows.items()} for size in BATCH_SIZES]
    if "text" not in rows:
        return batches
    vectorizer = TextVectorizer(json.loads((folder / VOCABULARY).read_text("utf-8")))
    return [{vectorizer.name: vectorizer.encode(list(batch["text"]))} for batch in batches]


def run_in_node(graph: Path, batches: list[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    """Run a graph on batches in Node, and return its outputs."""
    feeds = [
        {
            name: {"type": str(rows.dtype), "dims": rows.shape, "data": rows.ravel().tolist()}
            for name, rows in batch.items()
        }
        for batch in batches
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(feeds, file)
        file.flush()
        command = ["node", "answer.mjs", str(graph.resolve()), file.name]
        process = subprocess.run(command, cwd=FOLDER, check=True, stdout=subprocess.PIPE)
    return [
        {name: np.reshape(output["data"], output["dims"]) for name, output in outputs.items()}
        for outputs in json.loads(process.stdout)
    ]


def measure(folder: Path) -> dict[str, Any]:
    """Return the maximum difference between Node's outputs and the golden ones."""
    facts = read_facts(folder)
    graph = folder / f"{facts['endpoints']['serve']['graph']}.onnx"
    expected = read_golden(folder, "serve", "outputs")
    differences = [
        np.abs(outputs[name] - expected[name][:size]).max()
        for size, outputs in zip(BATCH_SIZES, run_in_node(graph, graph_inputs(folder)), strict=True)
        for name in outputs
    ]
    rows = min(facts["rows"], max(BATCH_SIZES))
    return {"model": facts["model"], "rows": rows, "max_difference": max(differences)}


@click.command(help=__doc__)
@click.argument("artifacts", nargs=-1, required=True, type=click.Path(path_type=Path))
def main(artifacts: tuple[Path, ...]) -> None:
    """Compare every artifact."""
    if not (FOLDER / "node_modules").exists():
        subprocess.run(["npm", "install", "--no-audit", "--no-fund"], cwd=FOLDER, check=True)
    for artifact in artifacts:
        row = measure(artifact)
        tables.save_row("node", {**row, **tables.environment()}, ("model",))
        click.echo(f"{row['model']}: maximum difference {row['max_difference']:.2g}")


if __name__ == "__main__":
    main()
