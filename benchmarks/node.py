"""Whether ONNX Runtime in Node gives the answers that are expected.

    python -m benchmarks.node ARTIFACT...

For each artifact in ONNX, its golden rows go through its graph in Node, with ``onnxruntime-web``,
which npm installs into ``benchmarks/node/``; texts as the numbers that its reader makes of them.
Writes one row an artifact to ``benchmarks/results/node.csv``: the largest difference from the
model's own answers, in batches of 1 and 32. Needs Node, and the extra ``benchmark``.
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
BATCHES = (1, 32)


def golden(folder: Path, endpoint: str, kind: str) -> dict[str, np.ndarray]:
    """Reads the golden rows of an endpoint."""
    prefix = f"{endpoint}/{kind}/"
    with np.load(folder / GOLDEN) as file:
        return {key.removeprefix(prefix): file[key] for key in file if key.startswith(prefix)}


def feeds(folder: Path) -> list[dict[str, np.ndarray]]:
    """Gives what the graph takes, in a batch of each size."""
    rows = golden(folder, "serve", "inputs")
    batches = [{key: values[:size] for key, values in rows.items()} for size in BATCHES]
    if "text" not in rows:
        return batches
    words = TextVectorizer(json.loads((folder / VOCABULARY).read_text("utf-8")))
    return [{words.name: words.encode(list(batch["text"]))} for batch in batches]


def in_node(graph: Path, batches: list[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    """Answers batches in Node."""
    written = [
        {
            name: {"type": str(rows.dtype), "dims": rows.shape, "data": rows.ravel().tolist()}
            for name, rows in batch.items()
        }
        for batch in batches
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(written, file)
        file.flush()
        command = ["node", "answer.mjs", str(graph.resolve()), file.name]
        answer = subprocess.run(command, cwd=FOLDER, check=True, stdout=subprocess.PIPE)
    return [
        {name: np.reshape(found["data"], found["dims"]) for name, found in outputs.items()}
        for outputs in json.loads(answer.stdout)
    ]


def measure(folder: Path) -> dict[str, Any]:
    """Compares Node's answers to the golden ones."""
    facts = read_facts(folder)
    graph = folder / f"{facts['endpoints']['serve']['graph']}.onnx"
    expected = golden(folder, "serve", "outputs")
    differences = [
        np.abs(found[name] - expected[name][:size]).max()
        for size, found in zip(BATCHES, in_node(graph, feeds(folder)), strict=True)
        for name in found
    ]
    rows = min(facts["rows"], max(BATCHES))
    return {"model": facts["model"], "rows": rows, "max_difference": max(differences)}


@click.command(help=__doc__)
@click.argument("artifacts", nargs=-1, required=True, type=click.Path(path_type=Path))
def main(artifacts: tuple[Path, ...]) -> None:
    """Compares every artifact."""
    if not (FOLDER / "node_modules").exists():
        subprocess.run(["npm", "install", "--no-audit", "--no-fund"], cwd=FOLDER, check=True)
    for artifact in artifacts:
        row = measure(artifact)
        tables.keep("node", {**row, **tables.machine()}, ("model",))
        click.echo(f"{row['model']}: {row['max_difference']:.2g}")


if __name__ == "__main__":
    main()
