"""`run_jobs`: jobs are run in this process or in several, each by one at a time."""

import contextlib
import math
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path

from zoo.checks import require_integer
from zoo.specs import MAX_INT
from zoo.workers import Job
from zoo.workers.claims import Claims
from zoo.workers.pool import Pool
from zoo.workers.processes import threads_per_worker

CLAIMS_FOLDER = "claims"
POLL_SECONDS = 0.5


def run_jobs(
    jobs: Sequence[Job],
    directory: Path,
    *,
    workers: int = 1,
    threads: int | None = None,
    tolerated: tuple[type[Exception], ...] = (),
    progress: bool = True,
) -> dict[str, Exception]:
    """Run the jobs that are not finished, together with whoever calls this for the same directory.

    Several machines may share the directory. A job is run by one process at a time; if that dies,
    another resumes the job.

    Args:
        jobs: the jobs.
        directory: directory of the results; contains the claims on jobs.
        workers: number of processes. One runs the jobs in this process, unless `threads` is given.
        threads: threads of each process; its share of the cores if None. Results may depend on it
            in their last bits.
        tolerated: errors of a job after which the others are run.
        progress: whether to show progress on standard error.

    Returns:
        The tolerated errors, by the name of the job.

    Raises:
        ArgumentValueError: if `workers` or `threads` is not positive.
        WorkerError: if three processes die while they run the same job.
        Exception: that of a job, if it is not tolerated.
    """
    require_integer("workers", workers, 1, MAX_INT)
    if threads is not None:
        require_integer("threads", threads, 1, MAX_INT)
    missing = [job for job in jobs if not job.is_finished()]
    errors: dict[str, Exception] = {}
    with Claims(directory / CLAIMS_FOLDER) as claims:
        queue = _Queue(missing, claims, progress)
        if workers == 1 and threads is None:
            outcomes = _run_here(queue, progress)
        else:
            outcomes = _run_in_pool(
                queue, workers, threads or threads_per_worker(workers), progress
            )
        with contextlib.closing(outcomes):
            for job, error in outcomes:
                claims.release(job.name)
                queue.note_end(job)
                if error is not None:
                    if not isinstance(error, tolerated):
                        raise error
                    errors[job.name] = error
    return errors


class _Queue:
    """The jobs that are waiting to be run by somebody.

    Long jobs are taken before short ones, which fill the gaps at the end. How long jobs of a kind
    take is known when one has ended; until then they are taken for the longest.
    """

    def __init__(self, jobs: Sequence[Job], claims: Claims, progress: bool) -> None:
        self.waiting, self.total = list(jobs), len(jobs)
        self.claims, self.progress = claims, progress
        self.begun: dict[str, float] = {}
        self.seconds: dict[str, float] = {}

    def note_end(self, job: Job) -> None:
        """Note how long a job that was taken has lasted."""
        self.seconds[job.kind] = time.monotonic() - self.begun.pop(job.name)

    def take(self) -> Job | None:
        """Claim and return a job that is not finished; None if other processes have the rest."""
        for job in sorted(self.waiting, key=lambda job: -self.seconds.get(job.kind, math.inf)):
            if not self.claims.take(job.name):
                continue
            self.waiting.remove(job)
            self.begun[job.name] = time.monotonic()
            if not job.is_finished():
                if self.progress:
                    number = self.total - len(self.waiting)
                    print(f"{number} of {self.total}: {job.name}", file=sys.stderr, flush=True)
                return job
            self.claims.release(job.name)
        return None


Outcomes = Generator[tuple[Job, Exception | None], None, None]


def _run_here(queue: _Queue, progress: bool) -> Outcomes:
    while queue.waiting:
        job = queue.take()
        if job is None:
            time.sleep(POLL_SECONDS)
            continue
        try:
            job.run(progress)
        except Exception as error:
            yield job, error
        else:
            yield job, None


def _run_in_pool(queue: _Queue, workers: int, threads: int, progress: bool) -> Outcomes:
    with Pool(workers, threads, progress) as pool:
        while queue.waiting or pool.is_busy:
            while pool.has_room and (job := queue.take()):
                pool.start(job)
            yield from pool.wait(POLL_SECONDS)
