"""The Open Inference Protocol, version 2, over REST, with its binary tensor data extension.

Reference: https://github.com/kserve/open-inference-protocol and Triton Inference Server, "Binary
Tensor Data Extension".
"""

import base64
import binascii
import json
import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from zoo.artifacts.reader import Arrays
from zoo.errors import InputError, did_you_mean
from zoo.serving.models import ServedModel, Tensor
from zoo.serving.rows import Values, to_array

HEADER_LENGTH = "inference-header-content-length"
BYTES = "BYTES"
DTYPES = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "i1",
    "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
MAX_DIMENSIONS = 8


class RequestInput(BaseModel):
    """An input of a request; its data are here, or binary after the JSON document."""

    name: str
    shape: list[int] = Field(max_length=MAX_DIMENSIONS)
    datatype: str
    parameters: dict[str, Any] = {}
    data: list[Any] | None = None


class RequestOutput(BaseModel):
    """An output that a request asks for."""

    name: str
    parameters: dict[str, Any] = {}


class InferenceRequest(BaseModel):
    """The JSON document of a request."""

    id: str | None = None
    parameters: dict[str, Any] = {}
    inputs: list[RequestInput] = Field(min_length=1)
    outputs: list[RequestOutput] | None = None


def parse_request(
    body: bytes, header_length: str | None
) -> tuple[InferenceRequest, dict[str, Values]]:
    """Parse the body of a request.

    Args:
        body: a JSON document, followed by binary data if there is a header length.
        header_length: value of the header ``Inference-Header-Content-Length``.

    Returns:
        The document, and the received values by the name of the input.

    Raises:
        InputError: if the document or a tensor is invalid.
    """
    length = len(body) if header_length is None else _parse_length(header_length, len(body))
    try:
        request = InferenceRequest.model_validate_json(body[:length])
    except ValidationError as error:
        raise InputError(describe(error)) from None
    values: dict[str, Values] = {}
    rest = memoryview(body)[length:]
    for tensor in request.inputs:
        if tensor.name in values:
            raise InputError(f"the input {tensor.name!r} was received twice.")
        _require_known(tensor)
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            values[tensor.name] = _parse_json_data(tensor)
            continue
        if type(size) is not int or not 0 <= size <= len(rest):
            raise InputError(
                f"{tensor.name}: binary_data_size is {size!r}; {len(rest)} bytes are left."
            )
        values[tensor.name] = _parse_binary_data(tensor, rest[:size])
        rest = rest[size:]
    if rest:
        raise InputError(f"{len(rest)} bytes follow the data of the inputs.")
    return request, values


def render_response(
    model: ServedModel, request: InferenceRequest, outputs: Arrays
) -> tuple[bytes, dict[str, str]]:
    """Render a response.

    Args:
        model: the model.
        request: the request.
        outputs: all outputs of the model by name.

    Returns:
        Body and headers.

    Raises:
        InputError: if the request asks for an output that the model does not have.
    """
    default = bool(request.parameters.get("binary_data_output", False))
    asked = request.outputs or [RequestOutput(name=tensor.name) for tensor in model.outputs]
    tensors, binary = [], []
    for output in asked:
        if output.name not in outputs:
            raise InputError(
                f"{model.name} has no output {output.name!r}.{did_you_mean(output.name, outputs)} "
                f"Expected one of: {', '.join(outputs)}."
            )
        spec = next(tensor for tensor in model.outputs if tensor.name == output.name)
        tensor, data = _render_tensor(
            spec, outputs[output.name], bool(output.parameters.get("binary_data", default))
        )
        tensors.append(tensor)
        binary.append(data)
    document: dict[str, Any] = {"model_name": model.name, "model_version": "1", "outputs": tensors}
    if request.id is not None:
        document["id"] = request.id
    text = json.dumps(document, allow_nan=False).encode()
    if not any(output.get("parameters") for output in tensors):
        return text, {"content-type": "application/json"}
    headers = {"content-type": "application/octet-stream", HEADER_LENGTH: str(len(text))}
    return b"".join([text, *binary]), headers


def describe_model(model: ServedModel) -> dict[str, Any]:
    """Return the metadata of a model.

    Args:
        model: the model.
    """

    def describe_tensor(tensor: Tensor) -> dict[str, Any]:
        return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}

    return {
        "name": model.name,
        "versions": ["1"],
        "platform": model.platform,
        "inputs": [describe_tensor(tensor) for tensor in model.inputs],
        "outputs": [describe_tensor(tensor) for tensor in model.outputs],
    }


def describe(error: ValidationError) -> str:
    """Return the first problem of an invalid document in one line.

    Args:
        error: the error of its validation.
    """
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}." if where else f"{first['msg']}."


def _parse_length(header_length: str, size: int) -> int:
    if not header_length.isascii() or not header_length.isdigit():
        raise InputError(f"{HEADER_LENGTH}: received {header_length!r}; expected a number.")
    if len(header_length) > len(str(size)) or int(header_length) > size:
        raise InputError(f"{HEADER_LENGTH}: received {header_length}; the body has {size} bytes.")
    return int(header_length)


def _require_known(tensor: RequestInput) -> None:
    if tensor.datatype not in (*DTYPES, BYTES):
        known = (*DTYPES, BYTES)
        raise InputError(
            f"{tensor.name}: received the datatype {tensor.datatype!r}."
            f"{did_you_mean(tensor.datatype, known)} Expected one of: {', '.join(known)}."
        )
    if any(length < 1 for length in tensor.shape):
        raise InputError(
            f"{tensor.name}: received the shape {tensor.shape}; expected lengths of at least 1."
        )


def _parse_json_data(tensor: RequestInput) -> Values:
    if tensor.data is None:
        raise InputError(f"{tensor.name}: received no data.")
    if tensor.datatype == BYTES:
        _require_count(tensor, len(tensor.data))
        return [_decode_string(tensor.name, item) for item in tensor.data]
    array = to_array(tensor.data, tensor.name)
    _require_count(tensor, array.size)
    kinds = {"F": "iuf", "B": "b"}.get(tensor.datatype[0], "iu")
    dtype = np.dtype(DTYPES[tensor.datatype])
    if array.size and array.dtype.kind not in kinds:
        raise InputError(f"{tensor.name}: received {array.dtype}; expected {tensor.datatype}.")
    with np.errstate(over="ignore"):
        converted = array.astype(dtype).reshape(tensor.shape)
    if dtype.kind in "iu" and not np.array_equal(converted.ravel(), array.ravel()):
        raise InputError(f"{tensor.name}: received numbers outside of the range of {dtype.name}.")
    return converted


def _decode_string(name: str, item: Any) -> bytes:
    """Return the bytes of a string in JSON, which is base64 if it is the file of an image."""
    if not isinstance(item, str):
        raise InputError(f"{name}: received {str(item)[:40]!r} as an element of BYTES.")
    return decode_base64(name, item) if name == "image" else item.encode("utf-8", "replace")


def decode_base64(name: str, text: Any) -> bytes:
    """Decode base64.

    Args:
        name: name of the input.
        text: the encoded bytes.

    Raises:
        InputError: if it is not a string of base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise InputError(f"{name}: received {str(text)[:40]!r}; expected base64.") from None


def _parse_binary_data(tensor: RequestInput, data: memoryview) -> Values:
    if tensor.datatype == BYTES:
        strings = list(_split_strings(tensor.name, data))
        _require_count(tensor, len(strings))
        return strings
    dtype = np.dtype(DTYPES[tensor.datatype])
    if len(data) % dtype.itemsize:
        raise InputError(
            f"{tensor.name}: received {len(data)} bytes; elements have {dtype.itemsize}."
        )
    array = np.frombuffer(data, dtype)
    _require_count(tensor, array.size)
    return array.reshape(tensor.shape)


def _split_strings(name: str, data: memoryview) -> Any:
    """Yield the elements of a BYTES tensor, each preceded by its length in four bytes."""
    while data:
        length = int.from_bytes(data[:4], "little")
        if len(data) < 4 + length:
            raise InputError(f"{name}: the binary data end within an element.")
        yield bytes(data[4 : 4 + length])
        data = data[4 + length :]


def _require_count(tensor: RequestInput, count: int) -> None:
    if count != math.prod(tensor.shape):
        raise InputError(
            f"{tensor.name}: received {count} elements; the shape {tensor.shape} has "
            f"{math.prod(tensor.shape)}."
        )


def _render_tensor(
    spec: Tensor, array: np.ndarray, is_binary: bool
) -> tuple[Mapping[str, Any], bytes]:
    tensor = {"name": spec.name, "datatype": spec.datatype, "shape": list(array.shape)}
    strings = [_as_text(item).encode() for item in array] if spec.datatype == BYTES else []
    if not is_binary:
        flat = [item.decode() for item in strings] if strings else array.ravel().tolist()
        return tensor | {"data": flat}, b""
    if spec.datatype == BYTES:
        data = b"".join(struct.pack("<I", len(item)) + item for item in strings)
    else:
        data = array.astype(DTYPES[spec.datatype]).tobytes()
    return tensor | {"parameters": {"binary_data_size": len(data)}}, data


def _as_text(item: Any) -> str:
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)
