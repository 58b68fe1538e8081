"""The REST API of TensorFlow Serving: rows as ``instances``, or columns as ``inputs``.

Reference: https://www.tensorflow.org/tfx/serving/api_rest
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from zoo.artifacts.reader import Arrays
from zoo.errors import InputError
from zoo.serving.models import ServedModel
from zoo.serving.open_inference import decode_base64, describe
from zoo.serving.rows import Values

BASE64 = "b64"


class PredictRequest(BaseModel):
    """The JSON document of a request; it has either ``instances`` or ``inputs``."""

    signature_name: str = "serving_default"
    instances: list[Any] | None = None
    inputs: Any = None


def parse_request(body: bytes) -> PredictRequest:
    """Parse the body of a request.

    Args:
        body: a JSON document.

    Raises:
        InputError: if it is invalid.
    """
    try:
        request = PredictRequest.model_validate_json(body)
    except ValidationError as error:
        raise InputError(describe(error)) from None
    if (request.instances is None) == (request.inputs is None):
        raise InputError("expected either 'instances', a row each, or 'inputs', by name.")
    return request


def to_columns(model: ServedModel, request: PredictRequest) -> dict[str, Values]:
    """Return the received values by the name of the input.

    Args:
        model: the model.
        request: the request.

    Raises:
        InputError: if rows have different inputs.
    """
    (first, *others) = (tensor.name for tensor in model.inputs)
    if request.instances is None:
        columns = request.inputs
        if not isinstance(columns, Mapping) or set(columns) == {BASE64}:
            columns = {first: columns}
    else:
        rows = [row if _is_named(row) else {first: row} for row in request.instances]
        names = rows[0].keys() if rows else {first, *others}
        if any(row.keys() != names for row in rows):
            raise InputError("instances: all rows must have the same inputs.")
        columns = {name: [row[name] for row in rows] for name in names}
    return {name: _decode_rows(name, values) for name, values in columns.items()}


def render_response(request: PredictRequest, outputs: Arrays) -> bytes:
    """Render a response: rows for a request of rows, columns for one of columns.

    Args:
        request: the request.
        outputs: outputs by name.
    """
    columns = {name: array.tolist() for name, array in outputs.items()}
    for name, values in columns.items():
        if values and isinstance(values[0], bytes):
            columns[name] = [value.decode("utf-8", "replace") for value in values]
    if request.instances is None:
        document = {"outputs": _unwrap(columns)}
    else:
        rows = zip(*columns.values(), strict=True)
        predictions = [_unwrap(dict(zip(columns, row, strict=True))) for row in rows]
        document = {"predictions": predictions}
    return json.dumps(document, allow_nan=False).encode()


def _is_named(row: Any) -> bool:
    """Return whether a row has its inputs by name, rather than being a value itself."""
    return isinstance(row, Mapping) and set(row) != {BASE64}


def _decode_rows(name: str, values: Any) -> Sequence[Any]:
    if not isinstance(values, list):
        raise InputError(f"{name}: received {str(values)[:40]!r}; expected a list of rows.")
    return [
        decode_base64(name, row[BASE64]) if isinstance(row, Mapping) and BASE64 in row else row
        for row in values
    ]


def _unwrap(values: Mapping[str, Any]) -> Any:
    """Return the only value without its name, or all by name."""
    return next(iter(values.values())) if len(values) == 1 else values
