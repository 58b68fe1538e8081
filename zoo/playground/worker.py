"""The process that computes views, which alone loads TensorFlow."""

import asyncio
import functools
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException

from zoo.process import mute_stderr

MAX_PENDING = 4


class Worker:
    """A process that starts with the first task, and computes one after another.

    Args:
        runs: run directories by name.
        timeout: seconds in which a task is computed.
    """

    def __init__(self, runs: Mapping[str, Path], timeout: float) -> None:
        self._runs = dict(runs)
        self._timeout = timeout
        self._num_pending = 0
        self._processes: list[BaseProcess] = []

    @functools.cached_property
    def _executor(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, context, _start, (self._runs,))

    async def compute(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Compute a function in the process; if that has died, in another.

        Args:
            function: one of this module.
            *arguments: its arguments.

        Raises:
            HTTPException: with status 503 if too many tasks wait, 504 if it takes too long.
        """
        if self._num_pending >= MAX_PENDING:
            detail = f"{self._num_pending} tasks are waiting; try again later."
            raise HTTPException(503, detail, {"retry-after": "1"})
        self._num_pending += 1
        try:
            return await self._submit(function, *arguments)
        except BrokenProcessPool:
            self.close()
            return await self._submit(function, *arguments)
        except TimeoutError:
            raise HTTPException(504, f"not computed within {self._timeout:g} seconds.") from None
        finally:
            self._num_pending -= 1

    async def _submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        others = multiprocessing.active_children()
        task = self._executor.submit(function, *arguments)
        self._processes += [p for p in multiprocessing.active_children() if p not in others]
        return await asyncio.wait_for(asyncio.wrap_future(task), self._timeout)

    def close(self) -> None:
        """End the process, and what it computes."""
        if executor := vars(self).pop("_executor", None):
            executor.shutdown(wait=False, cancel_futures=True)
        while self._processes:
            self._processes.pop().terminate()


_directories: dict[str, Path] = {}


def _start(directories: Mapping[str, Path]) -> None:
    """Prepare the process: import TensorFlow quietly, and leave Ctrl-C to the server."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _directories.update(directories)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with mute_stderr():
        import tensorflow as tf

        import zoo.playground.catalog  # noqa: F401
    tf.get_logger().setLevel("ERROR")  # that texts of many lengths are traced anew


@functools.cache
def _open(name: str) -> Any:
    from zoo.runs import load_run

    return load_run(_directories[name])


def describe(name: str) -> dict[str, Any]:
    """Return what the page needs to offer a run.

    Args:
        name: name of the run.
    """
    from zoo.playground import catalog

    return catalog.describe(_open(name))


def show(name: str, view: str, inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the panels of a view.

    Args:
        name: name of the run.
        view: name of the view.
        inputs: values of its controls by name.

    Raises:
        InputError: if there is no such view, or a value is invalid.
    """
    from zoo.playground import catalog

    return catalog.show(_open(name), view, inputs)
