"""Dynamic batching: what arrives while a batch is computed is the next batch."""

import asyncio
import dataclasses
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor

import numpy as np

from zoo.artifacts.reader import Arrays

MAX_BATCH_ROWS = 64
MAX_BATCH_BYTES = 2**24
MAX_PENDING_ROWS = 2**14


class OverloadedError(Exception):
    """More rows are waiting than are accepted."""


@dataclasses.dataclass(frozen=True)
class _Part:
    """Rows of a request that are computed together, and the future of their outputs."""

    rows: Arrays
    count: int
    future: asyncio.Future[Arrays]

    @property
    def key(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """What rows must share to be in one batch: the shape of a row of each input."""
        return tuple((name, array.shape[1:]) for name, array in self.rows.items())


class Batcher:
    """Computation of rows of many requests in batches, one after another in a thread.

    Args:
        compute: returns outputs by name for a batch of inputs by name.
        executor: runs `compute`.
        observe: called with the number of rows of each batch.
    """

    def __init__(
        self,
        compute: Callable[[Arrays], Arrays],
        executor: Executor,
        observe: Callable[[float], None],
    ) -> None:
        self._compute = compute
        self._executor = executor
        self._observe = observe
        self._pending: deque[_Part] = deque()
        self._num_rows = 0
        self._task: asyncio.Task[None] | None = None

    async def submit(self, rows: Arrays) -> Arrays:
        """Compute rows, together with those of other requests.

        If the caller is cancelled, rows that have not been computed are not.

        Args:
            rows: inputs by name.

        Returns:
            Outputs by name.

        Raises:
            OverloadedError: if too many rows are waiting.
        """
        parts = list(_split(rows))
        count = sum(part.count for part in parts)
        if self._num_rows + count > MAX_PENDING_ROWS:
            raise OverloadedError(f"{self._num_rows} rows are waiting; try again later.")
        self._pending.extend(parts)
        self._num_rows += count
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        outputs = await asyncio.gather(*(part.future for part in parts))
        return {name: np.concatenate([each[name] for each in outputs]) for name in outputs[0]}

    async def _drain(self) -> None:
        """Compute batches until nothing is pending."""
        while self._pending:
            await asyncio.sleep(0)  # requests that have arrived are read first
            if batch := self._take():
                await self._answer(batch)

    def _take(self) -> list[_Part]:
        """Remove the parts of the next batch from those pending, oldest first."""
        batch: list[_Part] = []
        others: deque[_Part] = deque()
        room = MAX_BATCH_ROWS
        while self._pending and room:
            part = self._pending.popleft()
            if part.future.done():  # the request was cancelled
                self._num_rows -= part.count
            elif part.count <= room and (not batch or part.key == batch[0].key):
                batch.append(part)
                room = min(room, _rows_per_batch(part.rows)) - part.count
                self._num_rows -= part.count
            else:
                others.append(part)
        self._pending.extendleft(reversed(others))
        return batch

    async def _answer(self, batch: list[_Part]) -> None:
        names = list(batch[0].rows)
        rows = {name: np.concatenate([part.rows[name] for part in batch]) for name in names}
        self._observe(sum(part.count for part in batch))
        loop = asyncio.get_running_loop()
        try:
            outputs = await loop.run_in_executor(self._executor, self._compute, rows)
        except Exception as error:
            for part in batch:
                if not part.future.done():
                    part.future.set_exception(error)
            return
        start = 0
        for part in batch:
            end = start + part.count
            if not part.future.done():
                part.future.set_result({name: array[start:end] for name, array in outputs.items()})
            start = end


def _split(rows: Arrays) -> list[_Part]:
    """Split the rows of a request into parts that are at most a batch."""
    count = len(next(iter(rows.values())))
    step = _rows_per_batch(rows)
    loop = asyncio.get_running_loop()
    return [
        _Part(
            {name: array[start : start + step] for name, array in rows.items()},
            min(step, count - start),
            loop.create_future(),
        )
        for start in range(0, count, step)
    ]


def _rows_per_batch(rows: Arrays) -> int:
    row_bytes = sum(array[:1].nbytes for array in rows.values())
    return max(1, min(MAX_BATCH_ROWS, MAX_BATCH_BYTES // row_bytes))
