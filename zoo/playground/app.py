"""The paths of the playground."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from zoo.errors import InputError, unknown_name_message
from zoo.playground import worker
from zoo.playground.worker import Worker
from zoo.serving.limits import Limits

PAGE = Path(__file__).parent / "page"
POLICY = "default-src 'self'; img-src 'self' data: blob:; base-uri 'none'; form-action 'none'"


class Playground:
    """The handlers of requests of the page.

    Args:
        runs: run directories by the names of their models.
        limits: what a request may cost.
    """

    def __init__(self, runs: Mapping[str, Path], limits: Limits) -> None:
        self.runs = runs
        self.limits = limits
        self.worker = Worker(runs, limits.timeout)

    def __enter__(self) -> "Playground":
        return self

    def __exit__(self, *error: object) -> None:
        self.worker.close()

    @property
    def routes(self) -> list[BaseRoute]:
        """The paths: the page, its files, and what it asks for."""
        return [
            Route("/", self.send_page),
            Mount("/page", StaticFiles(directory=PAGE)),
            Route("/playground", self.list_models),
            Route("/playground/{name}", self.describe_model),
            Route("/playground/{name}/{view}", self.show_view, methods=["POST"]),
        ]

    async def send_page(self, request: Request) -> Response:
        """Return the page, which may load nothing from elsewhere."""
        headers = {"content-security-policy": POLICY, "cache-control": "no-cache"}
        return FileResponse(PAGE / "index.html", headers=headers)

    async def list_models(self, request: Request) -> Response:
        """Return the names of the models."""
        return JSONResponse({"models": list(self.runs)})

    async def describe_model(self, request: Request) -> Response:
        """Return the views of a model."""
        return JSONResponse(await self.worker.compute(worker.describe, self._find(request)))

    async def show_view(self, request: Request) -> Response:
        """Return what a view shows for the values of its controls."""
        name, view = self._find(request), request.path_params["view"]
        async with self.limits.read_body(request) as body:
            inputs = _parse(body)
            panels = await self.worker.compute(worker.show, name, view, inputs)
        return JSONResponse({"panels": panels})

    def _find(self, request: Request) -> str:
        name = request.path_params["name"]
        if name not in self.runs:
            raise HTTPException(404, unknown_name_message("model", name, self.runs))
        return name


def _parse(body: bytes) -> dict[str, Any]:
    try:
        inputs = json.loads(body)
    except (ValueError, RecursionError):
        raise InputError("the body is not JSON.") from None
    if not isinstance(inputs, dict):
        raise InputError("expected a JSON object: the values of the controls by name.")
    return inputs
