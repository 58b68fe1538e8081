"""The OpenAPI document of the server."""

import importlib.metadata
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from zoo.serving.open_inference import InferenceRequest, RequestInput
from zoo.serving.tensorflow_serving import PredictRequest

REFERENCE = "#/components/schemas/{model}"
ERRORS = {
    "400": "invalid request", "404": "unknown model", "408": "request too slow",
    "413": "body too large", "415": "unsupported media type", "503": "overloaded",
    "504": "not answered in time",
}  # fmt: skip


class ErrorResponse(BaseModel):
    """What was received, and what is allowed."""

    error: str


class ResponseOutput(RequestInput):
    """An output; its data are here, or binary after the JSON document."""


class InferenceResponse(BaseModel):
    """The JSON document of a response."""

    id: str | None = None
    model_name: str
    model_version: str
    outputs: list[ResponseOutput]


class PredictResponse(BaseModel):
    """Rows for a request of rows, columns for one of columns."""

    predictions: list[Any] | None = None
    outputs: Any = None


SCHEMAS = (ErrorResponse, InferenceRequest, InferenceResponse, PredictRequest, PredictResponse)


def describe_api(models: Sequence[str]) -> dict[str, Any]:
    """Return the OpenAPI document.

    Args:
        models: names of the models.
    """
    _, definitions = models_json_schema(
        [(schema, "validation") for schema in SCHEMAS], ref_template=REFERENCE
    )
    name = {
        "name": "name",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "enum": list(models)},
    }
    paths = {
        "/v2": _get("describe_server", "Metadata of the server."),
        "/v2/health/live": _get("live", "Whether the server is alive."),
        "/v2/health/ready": _get("ready", "Whether all models are ready."),
        "/v2/models/{name}": _get("describe_model", "Inputs and outputs of a model.", name),
        "/v2/models/{name}/ready": _get("model_ready", "Whether a model is ready.", name),
        "/v2/models/{name}/infer": _post("infer", InferenceRequest, InferenceResponse, name),
        "/v1/models/{name}": _get("model_status", "State of a model.", name),
        "/v1/models/{name}:predict": _post("predict", PredictRequest, PredictResponse, name),
        "/metrics": _get("metrics", "Metrics in Prometheus' text format.", media="text/plain"),
    }
    version = importlib.metadata.version("keras-model-zoo")
    return {
        "openapi": "3.1.0",
        "info": {"title": "keras-model-zoo", "version": version},
        "paths": paths,
        "components": {"schemas": definitions["$defs"]},
    }


def _get(
    operation: str, summary: str, *parameters: dict[str, Any], media: str = "application/json"
) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": summary, "content": {media: {}}}}
    if parameters:
        responses["404"] = _describe_error("404")
    return {
        "get": {
            "operationId": operation,
            "summary": summary,
            "parameters": list(parameters),
            "responses": responses,
        }
    }


def _post(
    operation: str, request: type[BaseModel], response: type[BaseModel], name: dict[str, Any]
) -> dict[str, Any]:
    answer = {"description": "The outputs.", "content": _content(response)}
    return {
        "post": {
            "operationId": operation,
            "summary": "Compute the outputs of a model.",
            "parameters": [name],
            "requestBody": {"required": True, "content": _content(request)},
            "responses": {"200": answer, **{code: _describe_error(code) for code in ERRORS}},
        }
    }


def _describe_error(code: str) -> dict[str, Any]:
    return {"description": ERRORS[code], "content": _content(ErrorResponse)}


def _content(schema: type[BaseModel]) -> dict[str, Any]:
    reference = REFERENCE.format(model=schema.__name__)
    return {"application/json": {"schema": {"$ref": reference}}}
