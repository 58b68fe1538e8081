"""The paths of the server, and how an error is answered."""

import asyncio
import importlib.metadata
from collections.abc import Mapping, Sequence

import numpy as np
import prometheus_client
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from zoo.artifacts.reader import Arrays
from zoo.errors import InputError, did_you_mean
from zoo.serving import open_inference, tensorflow_serving
from zoo.serving.batching import Batcher, OverloadedError
from zoo.serving.limits import Limits
from zoo.serving.metrics import Metrics
from zoo.serving.models import ServedModel
from zoo.serving.openapi import describe_api
from zoo.serving.rows import Values

VERSION = "1"
MAX_MESSAGE = 500


class Server:
    """The handlers of requests.

    Args:
        models: the models by name.
        limits: what a request may cost.
    """

    def __init__(self, models: Mapping[str, ServedModel], limits: Limits) -> None:
        self.models = models
        self.limits = limits
        self.metrics = Metrics(models)
        rows = self.metrics.batch_rows
        self.batchers = {
            name: Batcher(model.compute, model.executor, rows.labels(name).observe)
            for name, model in models.items()
        }

    async def describe_server(self, request: Request) -> Response:
        """Return the metadata of the server."""
        return JSONResponse(
            {
                "name": "keras-model-zoo",
                "version": importlib.metadata.version("keras-model-zoo"),
                "extensions": ["binary_tensor_data"],
                "models": list(self.models),
            }
        )

    async def live(self, request: Request) -> Response:
        """Return that the server is alive."""
        return JSONResponse({"live": True})

    async def ready(self, request: Request) -> Response:
        """Return that all models are ready, as they are before the server listens."""
        return JSONResponse({"ready": True})

    async def describe_model(self, request: Request) -> Response:
        """Return inputs and outputs of a model."""
        return JSONResponse(open_inference.describe_model(self._find(request)))

    async def model_ready(self, request: Request) -> Response:
        """Return that a model is ready."""
        return JSONResponse({"name": self._find(request).name, "ready": True})

    async def model_status(self, request: Request) -> Response:
        """Return the state of a model as TensorFlow Serving does."""
        self._find(request)
        status = {"error_code": "OK", "error_message": ""}
        version = {"version": VERSION, "state": "AVAILABLE", "status": status}
        return JSONResponse({"model_version_status": [version]})

    async def infer(self, request: Request) -> Response:
        """Answer a request of the Open Inference Protocol."""
        model = self._find(request)
        async with self.limits.read_body(request) as body:
            header_length = request.headers.get(open_inference.HEADER_LENGTH)
            parsed, values = open_inference.parse_request(body, header_length)
            outputs = await self._compute(model, values)
            content, headers = open_inference.render_response(model, parsed, outputs)
        return Response(content, headers=headers)

    async def predict(self, request: Request) -> Response:
        """Answer a request of TensorFlow Serving's REST API."""
        model = self._find(request)
        async with self.limits.read_body(request) as body:
            parsed = tensorflow_serving.parse_request(body)
            model = self._find_signature(model, parsed.signature_name)
            outputs = await self._compute(model, tensorflow_serving.to_columns(model, parsed))
            content = tensorflow_serving.render_response(parsed, outputs)
        return Response(content, media_type="application/json")

    async def report_metrics(self, request: Request) -> Response:
        """Return the metrics in Prometheus' text format."""
        content = prometheus_client.generate_latest(self.metrics.registry)
        return Response(content, media_type=prometheus_client.CONTENT_TYPE_LATEST)

    async def describe_paths(self, request: Request) -> Response:
        """Return the OpenAPI document."""
        return JSONResponse(describe_api(list(self.models)))

    async def _compute(self, model: ServedModel, values: Mapping[str, Values]) -> Arrays:
        """Compute all rows of a request, in groups of one shape."""
        groups = model.convert(values, self.limits.max_body)
        batcher = self.batchers[model.name]
        try:
            async with asyncio.timeout(self.limits.timeout):
                results = await asyncio.gather(*(batcher.submit(rows) for _, rows in groups))
        except TimeoutError:
            detail = f"not answered within {self.limits.timeout:g} seconds."
            raise HTTPException(504, detail) from None
        except OverloadedError as error:
            raise HTTPException(503, str(error), {"retry-after": "1"}) from None
        order = np.argsort(np.concatenate([indices for indices, _ in groups]))
        names = [tensor.name for tensor in model.outputs]
        return {name: np.concatenate([each[name] for each in results])[order] for name in names}

    def _find(self, request: Request) -> ServedModel:
        name = request.path_params["name"]
        version = request.path_params.get("version", VERSION)
        if name not in self.models:
            hint = did_you_mean(name, self.models)
            raise HTTPException(
                404, f"unknown model: {name!r}.{hint} Expected one of: {', '.join(self.models)}."
            )
        if version != VERSION:
            raise HTTPException(404, f"{name} has no version {version!r}; expected {VERSION}.")
        return self.models[name]

    def _find_signature(self, model: ServedModel, signature: str) -> ServedModel:
        """Return the model of another endpoint of the same artifact."""
        found = {
            each.endpoint: each for each in self.models.values() if each.artifact is model.artifact
        }
        names = {"serving_default": model, "reconstruct": found["serve"], **found}
        if signature not in names:
            known = ["serving_default", *found]
            raise InputError(
                f"{model.name} has no signature {signature!r}.{did_you_mean(signature, known)} "
                f"Expected one of: {', '.join(known)}."
            )
        return names[signature]


def build_app(
    models: Mapping[str, ServedModel], limits: Limits, further_routes: Sequence[BaseRoute] = ()
) -> ASGIApp:
    """Build the ASGI application.

    Args:
        models: the models by name.
        limits: what a request may cost.
        further_routes: paths besides those of the protocols, such as the playground's.
    """
    server = Server(models, limits)
    v1, v2 = "/v1/models/{name}", "/v2/models/{name}"
    version = "/versions/{version}"
    routes = [
        Route("/v2", server.describe_server),
        Route("/v2/health/live", server.live),
        Route("/v2/health/ready", server.ready),
        Route("/metrics", server.report_metrics),
        Route("/openapi.json", server.describe_paths),
        *further_routes,
    ]
    for suffix in ("", version):
        routes += [
            Route(f"{v2}{suffix}", server.describe_model),
            Route(f"{v2}{suffix}/ready", server.model_ready),
            Route(f"{v2}{suffix}/infer", server.infer, methods=["POST"]),
            Route(f"{v1}{suffix}:predict", server.predict, methods=["POST"]),
            Route(f"{v1}{suffix}", server.model_status),
        ]
    handlers = {
        HTTPException: _answer_http_error,
        InputError: _answer_input_error,
        Exception: _answer_bug,
    }
    return server.metrics.measure(Starlette(routes=routes, exception_handlers=handlers))


def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code == 404 and detail == "Not Found":
        detail = f"no such path: {request.url.path!r}; /openapi.json lists all."
    if error.status_code == 405:
        allowed = sorted((error.headers or {}).get("Allow", "").split(", "))
        detail = f"received {request.method}; expected {' or '.join(allowed)}."
    return _error(error.status_code, detail, error.headers)


def _answer_input_error(request: Request, error: Exception) -> Response:
    return _error(400, str(error))


def _answer_bug(request: Request, error: Exception) -> Response:
    return _error(500, "the request could not be answered; the server's log says why.")


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    message = message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}..."
    text = message.encode("utf-8", "backslashreplace").decode()
    return JSONResponse({"error": text}, status, headers)
