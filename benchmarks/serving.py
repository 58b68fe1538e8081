"""Load on ``zoo serve``, beside a bare loop over the same artifact.

    python -m benchmarks.serving RUN|MODEL|ARTIFACT... [--clients 32] [--seconds 60]

Starts ``zoo serve`` in a process of its own. Each client keeps one connection and sends the golden
rows of the artifact by the Open Inference Protocol in binary, the next request as soon as the
response has arrived; all clients share one process and the cores of the server. Writes one row per
model and rows per request to ``benchmarks/results/serving.csv``: requests per second, median and
99th percentile of the response time in milliseconds, errors, and requests per second of a loop that
calls the artifact with the rows of one request after another. Requires the extras ``benchmark`` and
``serve``.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import click
import numpy as np

from benchmarks import tables
from zoo.artifacts.reader import GOLDEN, Artifact
from zoo.serving.sources import open_sources

KEYS = ("model", "clients", "rows")
ROWS = (1, 32, 64)
LOOP_SECONDS = 5.0


@contextmanager
def served(source: str) -> Iterator[tuple[str, int]]:
    """Yield host and port of ``zoo serve`` in a process of its own."""
    command = [sys.executable, "-m", "zoo", "serve", f"model={source}", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = urlsplit(json.loads(process.stdout.readline())["url"])  # type: ignore[union-attr]
            yield str(url.hostname), int(url.port or 0)
        finally:
            process.terminate()


def golden_rows(artifact: Artifact, count: int) -> tuple[str, np.ndarray]:
    """Return the input of ``serve`` and golden rows for it, repeated as often as needed."""
    name = artifact.facts["input"]["name"]
    with np.load(artifact.folder / GOLDEN) as file:
        rows = file[f"serve/inputs/{name}"]
    return name, np.resize(rows, (count, *rows.shape[1:]))


def build_request(name: str, rows: np.ndarray) -> bytes:
    """Return a request of the Open Inference Protocol with binary data."""
    if rows.dtype.kind == "S":
        texts = [bytes(row) for row in rows]
        datatype, data = "BYTES", b"".join(len(t).to_bytes(4, "little") + t for t in texts)
    else:
        datatype, data = "UINT8", rows.tobytes()
    tensor = {"name": name, "shape": rows.shape, "datatype": datatype}
    document = {
        "inputs": [tensor | {"parameters": {"binary_data_size": len(data)}}],
        "parameters": {"binary_data_output": True},
    }
    head = json.dumps(document).encode()
    lines = (
        "POST /v2/models/model/infer HTTP/1.1",
        "host: benchmark",
        f"content-length: {len(head) + len(data)}",
        f"inference-header-content-length: {len(head)}",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + head + data


async def run_client(address: tuple[str, int], request: bytes, end: float) -> list[float]:
    """Send requests until a time; return the seconds of each, negative if it was an error."""
    reader, writer = await asyncio.open_connection(*address)
    seconds = []
    while (begin := time.perf_counter()) < end:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        elapsed = time.perf_counter() - begin
        seconds.append(elapsed if head.startswith(b"HTTP/1.1 200") else -elapsed)
    writer.close()
    return seconds


async def load(
    address: tuple[str, int], request: bytes, clients: int, seconds: float
) -> np.ndarray:
    """Run clients at once; return the seconds of all requests."""
    end = time.perf_counter() + seconds
    results = await asyncio.gather(*(run_client(address, request, end) for _ in range(clients)))
    return np.concatenate(results)


def loop(artifact: Artifact, name: str, rows: np.ndarray) -> float:
    """Return calls per second of a loop over an artifact."""
    calls, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < LOOP_SECONDS:
        artifact.ask("serve", **{name: rows})
        calls += 1
    return calls / (time.perf_counter() - begin)


def measure(source: str, clients: int, seconds: float, count: int) -> dict[str, object]:
    """Measure one model with a number of rows per request."""
    (artifact,) = open_sources([f"model={source}"]).values()
    name, rows = golden_rows(artifact, count)
    request = build_request(name, rows)
    with served(source) as address:
        asyncio.run(load(address, request, clients, seconds / 10))
        times = asyncio.run(load(address, request, clients, seconds))
    in_loop = loop(artifact, name, rows)
    answered = times[times > 0]
    return {
        "requests_per_second": len(answered) / seconds,
        "median_milliseconds": 1000 * float(np.median(answered)),
        "p99_milliseconds": 1000 * float(np.quantile(answered, 0.99)),
        "errors": int((times <= 0).sum()),
        "loop_calls_per_second": in_loop,
        "fraction_of_loop": len(answered) / seconds / in_loop,
    }


@click.command(help=__doc__)
@click.argument("sources", nargs=-1, required=True)
@click.option("--clients", default=32, show_default=True)
@click.option("--seconds", default=60.0, show_default=True)
def main(sources: tuple[str, ...], clients: int, seconds: float) -> None:
    """Measure each model with few and many rows per request."""
    for source in sources:
        for count in ROWS:
            result = measure(source, clients, seconds, count)
            row = {"model": source, "clients": clients, "seconds": seconds, "rows": count, **result}
            tables.save_row("serving", {**row, **tables.environment()}, KEYS)
            click.echo(row)


if __name__ == "__main__":
    main()
