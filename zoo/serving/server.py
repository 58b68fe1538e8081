"""The process that serves: its socket, its connections, and how it stops."""

import asyncio
import functools
import ipaddress
import math
import socket
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from zoo.errors import ArgumentValueError

MAX_CONNECTIONS = 512
MAX_HEAD_BYTES = 2**16
KEEP_ALIVE_SECONDS = 60


class TimedConnection(H11Protocol):
    """A connection that is dropped if its client is slow to send a request or take a response.

    Args:
        seconds: the time that a client has.
        options: what uvicorn passes to a protocol.
    """

    def __init__(self, *, seconds: float, **options: Any) -> None:
        super().__init__(**options)
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request.

        Packets are sent at once: asyncio says so itself only to a socket that was created with the
        number of the protocol, and the body of a response would wait 40 milliseconds for the
        client to acknowledge the head.
        """
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Wait for the rest of a request if it is incomplete."""
        super().data_received(data)
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._stop_timer()
        elif self._timer is None:
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for the client to take what has been written."""
        super().pause_writing()
        self._start_timer()

    def resume_writing(self) -> None:
        """Continue to write."""
        self._stop_timer()
        super().resume_writing()

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(self._seconds, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: name or address of the interface.
        port: the port; any that is free if 0.

    Raises:
        ArgumentValueError: if the address does not exist or is in use.
    """
    try:
        info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, address = info[0][0], info[0][4]
        return socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:
        raise ArgumentValueError(
            f"cannot listen on {host} port {port}: {error}. Choose another --host or --port."
        ) from None


def url_of(listener: socket.socket) -> str:
    """Return the URL of a listening socket.

    Args:
        listener: the socket.
    """
    host, port = listener.getsockname()[:2]
    is_version_6 = ipaddress.ip_address(host).version == 6
    return f"http://[{host}]:{port}" if is_version_6 else f"http://{host}:{port}"


def build_server(app: ASGIApp, timeout: float) -> uvicorn.Server:
    """Build a server, which `run` until SIGINT or SIGTERM and then answers what it has received.

    Args:
        app: the ASGI application.
        timeout: seconds in which a request must arrive, and in which it is answered.
    """
    config = uvicorn.Config(
        app,
        http=functools.partial(TimedConnection, seconds=2 * timeout),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(timeout),
    )
    return uvicorn.Server(config)
