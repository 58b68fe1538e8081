"""What a request may cost: types and size of its body, and the time in which it must arrive."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator

from starlette.exceptions import HTTPException
from starlette.requests import Request

MEDIA_TYPES = (
    "application/json",
    "application/octet-stream",
    "application/x-www-form-urlencoded",  # what `curl -d` says of any body
)
BODIES_IN_MEMORY = 8


@dataclasses.dataclass
class Limits:
    """Limits on requests, and the bytes of the bodies that are in memory.

    Attributes:
        max_body: number of bytes of a body, and of a decoded image.
        timeout: seconds in which a request must arrive, and seconds in which it is answered.
        in_memory: number of bytes of bodies that have been received and not yet answered.
    """

    max_body: int
    timeout: float
    in_memory: int = 0

    @contextlib.asynccontextmanager
    async def read_body(self, request: Request) -> AsyncIterator[bytes]:
        """Read the body of a request, which counts as in memory within the block.

        Args:
            request: the request.

        Raises:
            HTTPException: with status 415, 413, 408 or 503.
        """
        _require_media_type(request)
        self._require_size(int(request.headers.get("content-length", 0)))
        body = bytearray()
        try:
            try:
                async with asyncio.timeout(self.timeout):
                    async for chunk in request.stream():
                        self._require_size(len(body) + len(chunk))
                        self._require_memory(len(chunk))
                        self.in_memory += len(chunk)
                        body += chunk
            except TimeoutError:
                detail = f"the body did not arrive within {self.timeout:g} seconds."
                raise HTTPException(408, detail, {"connection": "close"}) from None
            yield bytes(body)
        finally:
            self.in_memory -= len(body)

    def _require_size(self, size: int) -> None:
        if size > self.max_body:
            raise HTTPException(
                413, f"the body has {size} bytes or more; expected at most {self.max_body}."
            )

    def _require_memory(self, size: int) -> None:
        allowed = BODIES_IN_MEMORY * self.max_body
        if self.in_memory + size > allowed:
            raise HTTPException(
                503, f"requests of {self.in_memory} bytes are being answered; try again later."
            )


def _require_media_type(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type and media_type not in MEDIA_TYPES:
        raise HTTPException(
            415, f"content-type: received {media_type}; expected one of {', '.join(MEDIA_TYPES)}."
        )
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise HTTPException(
            415, f"content-encoding: received {encoding}; expected a body without compression."
        )
