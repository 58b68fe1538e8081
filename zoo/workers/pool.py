"""The worker processes of a machine: they are given jobs, and replaced when they die."""

import contextlib
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from zoo.errors import WorkerError
from zoo.workers import Job
from zoo.workers.processes import describe_exit, end_process, last_log_line, start_process

MAX_DEATHS = 3
SILENCE_SECONDS = 60.0
LINE, ALIVE, ENDED, LOST = "line", "alive", "ended", "lost"


class Pool:
    """Worker processes, which exit when this process does, for whatever reason.

    Args:
        size: maximum number of processes; each is started when there is a job for it.
        threads: threads of each process.
        progress: whether to show what they write to standard error, each line after the name of
            its job.
    """

    def __init__(self, size: int, threads: int, progress: bool) -> None:
        self.size, self.threads, self.progress = size, threads, progress
        self.workers: list[_Worker] = []
        self.messages: queue.Queue[tuple[_Worker, str, Any]] = queue.Queue()
        self.deaths: Counter[str] = Counter()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for worker in self.workers:
            worker.end()

    @property
    def is_busy(self) -> bool:
        """Whether a process has a job."""
        return any(worker.job for worker in self.workers)

    @property
    def has_room(self) -> bool:
        """Whether another job can be started."""
        return sum(worker.job is not None for worker in self.workers) < self.size

    def start(self, job: Job) -> None:
        """Give a job to a process without one.

        Args:
            job: the job.
        """
        idle = [worker for worker in self.workers if worker.job is None]
        if not idle:
            idle = [_Worker(self.threads, self.messages)]
            self.workers += idle
        idle[0].start(job)

    def wait(self, seconds: float) -> Iterator[tuple[Job, Exception | None]]:
        """Wait for a process to report something.

        Args:
            seconds: how long to wait.

        Yields:
            A job that has ended, and its error, if it raised one.

        Raises:
            WorkerError: if a third process died while it ran the same job.
        """
        try:
            worker, kind, content = self.messages.get(timeout=seconds)
        except queue.Empty:  # also if this process was suspended: all that was sent has been read
            self._kill_silent_workers()
            return
        worker.last_seen = time.monotonic()
        if kind == LOST:
            self._replace(worker)
        elif worker.job and kind == LINE and self.progress:
            print(f"{worker.job.name}: {content}", file=sys.stderr, flush=True)
        elif worker.job and kind == ENDED:
            job, worker.job = worker.job, None
            yield job, content

    def _kill_silent_workers(self) -> None:
        for worker in self.workers:
            if time.monotonic() - worker.last_seen > SILENCE_SECONDS:
                worker.process.kill()

    def _replace(self, worker: "_Worker") -> None:
        self.workers.remove(worker)
        cause = worker.end()
        if worker.job is None:
            return
        name = worker.job.name
        self.deaths[name] += 1
        if self.deaths[name] == MAX_DEATHS:
            raise WorkerError(
                f"{MAX_DEATHS} processes died while they ran {name}; the last: {cause}"
            )
        if self.progress:
            print(f"{name}: its process died ({cause}); resuming", file=sys.stderr, flush=True)
        self.start(worker.job)


class _Worker:
    """A worker process, and a thread that receives its messages."""

    def __init__(self, threads: int, messages: "queue.Queue[tuple[_Worker, str, Any]]") -> None:
        self.job: Job | None = None
        self.last_seen = time.monotonic()
        self.messages = messages
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self.process = start_process(
            ["-m", "zoo.workers"], threads=threads, log=self.log, stdout=subprocess.PIPE
        )
        self.thread = threading.Thread(target=self._receive, name="worker", daemon=True)
        self.thread.start()

    def start(self, job: Job) -> None:
        """Send a job to the process; one that has died is reported by the other thread."""
        self.job = job
        stdin = self.process.stdin
        assert stdin is not None
        with contextlib.suppress(BrokenPipeError):
            pickle.dump(pickle.dumps(job), stdin)
            stdin.flush()

    def end(self) -> str:
        """Kill the process if it is alive, and return what ended it."""
        self.process.kill()
        self.thread.join()
        cause = f"{describe_exit(end_process(self.process))}, {last_log_line(self.log)}"
        self.log.close()
        return cause

    def _receive(self) -> None:
        stdout = self.process.stdout
        assert stdout is not None
        try:
            while True:
                self.messages.put((self, *pickle.load(stdout)))
        except (EOFError, pickle.UnpicklingError):
            self.messages.put((self, LOST, None))
