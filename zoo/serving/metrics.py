"""Metrics of the server in the terms of Prometheus."""

import time
from collections.abc import Container

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ROWS = (1, 2, 4, 8, 16, 32, 64)
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Metrics:
    """Counts and times of requests, and sizes of batches.

    Args:
        models: names of the models.
    """

    def __init__(self, models: Container[str]) -> None:
        self._models = models
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "zoo_requests",
            "Requests answered.",
            ["handler", "model", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "zoo_request_seconds",
            "Seconds from the head of a request to the end of its response.",
            ["handler", "model"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.batch_rows = Histogram(
            "zoo_batch_rows",
            "Rows computed by one call.",
            ["model"],
            buckets=ROWS,
            registry=self.registry,
        )

    def measure(self, app: ASGIApp) -> ASGIApp:
        """Return an application that records each request of another.

        Args:
            app: the other application.
        """

        async def measured(scope: Scope, receive: Receive, send: Send) -> None:
            begin, status = time.perf_counter(), "none"

            async def record_status(message: Message) -> None:
                nonlocal status
                status = str(message.get("status", status))
                await send(message)

            try:
                await app(scope, receive, record_status)
            finally:
                handler = getattr(scope.get("endpoint"), "__name__", "none")
                name = scope.get("path_params", {}).get("name")
                model = name if name in self._models else ""
                self.requests.labels(handler, model, status).inc()
                self.seconds.labels(handler, model).observe(time.perf_counter() - begin)

        return measured
