"""Drawings of architectures: a box for every layer, a line for every connection, as SVG."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import keras

WIDTH, HEIGHT, GAP = 420, 34, 14
MARGIN, STEP = 12, 14  # of the page; between lines that pass by boxes
FILLS = {
    "InputLayer": "#e8e8e8", "Dense": "#cfe2f3", "Conv2D": "#d9ead3", "Conv2DTranspose": "#d9ead3",
    "Conv1D": "#d9ead3", "Embedding": "#fff2cc", "TokenAndPositionEmbedding": "#fff2cc",
    "SimpleRNN": "#ead1dc", "LSTM": "#ead1dc", "GRU": "#ead1dc", "Bidirectional": "#ead1dc",
    "TransformerEncoderBlock": "#ead1dc", "Functional": "#d9d2e9",
}  # fmt: skip


def draw(model: keras.Model) -> str:
    """Return the drawing of a functional model as an SVG document.

    Layers are in one column, in topological order, each with its name, class, output shape without
    the batch, and number of parameters. Connections that skip layers pass by on the right.

    Args:
        model: the model; its submodels are one box each.
    """
    rows = {operation.name: row for row, operation in enumerate(model.operations)}
    pairs = _connections(model, rows)
    skips = [(first, last) for first, last in pairs if last - first > 1]
    lanes = _assign_lanes(skips)
    width = 2 * MARGIN + WIDTH + STEP * (1 + max(lanes, default=-1))
    height = 2 * MARGIN + len(rows) * (HEIGHT + GAP) - GAP
    parts = [
        *(_arrow(first) for first, last in pairs if last - first == 1),
        *(_detour(first, last, lane) for (first, last), lane in zip(skips, lanes, strict=True)),
        *(_box(operation, rows[operation.name]) for operation in model.operations),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )


def submodels(model: keras.Model) -> list[keras.Model]:
    """Return the layers of a model that are models themselves.

    Args:
        model: the model.
    """
    return [layer for layer in model.layers if isinstance(layer, keras.Model)]


def _connections(model: keras.Model, rows: Mapping[str, int]) -> list[tuple[int, int]]:
    """Return the rows of both ends of each connection."""
    return sorted(
        {
            (rows[source], rows[operation["name"]])
            for operation in model.get_config()["layers"]
            for source in _sources(operation["inbound_nodes"])
        }
    )


def _sources(config: Any) -> Iterator[str]:
    """Yield the names of the operations whose outputs are arguments of a serialized call."""
    if isinstance(config, Mapping) and config.get("class_name") == "__keras_tensor__":
        yield config["config"]["keras_history"][0]
    elif isinstance(config, Mapping):
        for value in config.values():
            yield from _sources(value)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from _sources(value)


def _assign_lanes(skips: list[tuple[int, int]]) -> list[int]:
    """Return a lane for each connection, such that those in the same lane do not overlap."""
    lanes: list[int] = []
    for index, (first, last) in enumerate(skips):
        taken = {
            lane
            for (start, end), lane in zip(skips[:index], lanes, strict=True)
            if start < last and first < end
        }
        lanes.append(next(lane for lane in range(len(skips)) if lane not in taken))
    return lanes


def _top(row: int) -> int:
    return MARGIN + row * (HEIGHT + GAP)


def _box(operation: keras.Operation, row: int) -> str:
    kind = type(operation).__name__
    top = _top(row)
    baseline = top + HEIGHT / 2 + 4
    is_layer = isinstance(operation, keras.Layer)
    name = operation.name if is_layer else ""
    parameters = operation.count_params() if is_layer else 0
    return (
        f'<rect x="{MARGIN}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="4" '
        f'fill="{FILLS.get(kind, "#f8f8f8")}" stroke="#666"/>'
        f'<text x="{MARGIN + 8}" y="{baseline}"><tspan font-weight="bold">'
        f'{escape(name)}</tspan> <tspan fill="#444">{kind}</tspan></text>'
        f'<text x="{MARGIN + WIDTH - 80}" y="{baseline}" text-anchor="end">'
        f"{_format_shape(operation)}</text>"
        f'<text x="{MARGIN + WIDTH - 8}" y="{baseline}" text-anchor="end" fill="#444">'
        f"{f'{parameters:,}' if parameters else ''}</text>"
    )


def _format_shape(operation: keras.Operation) -> str:
    """Return the shape of the output without the batch; nothing for several outputs."""
    if isinstance(operation.output, list | tuple | dict):
        return ""
    sizes = operation.output.shape[1:]
    return ", ".join("time" if size is None else str(size) for size in sizes) or "scalar"


def _arrow(row: int) -> str:
    x, start = MARGIN + WIDTH / 2, _top(row) + HEIGHT
    return f'<path d="M{x} {start}v{GAP}" stroke="#666"/>'


def _detour(first: int, last: int, lane: int) -> str:
    right = MARGIN + WIDTH
    start, end = _top(first) + HEIGHT / 2, _top(last) + HEIGHT / 2
    aside = STEP * (lane + 1)
    return f'<path d="M{right} {start}h{aside}V{end}h{-aside}" fill="none" stroke="#666"/>'
